// Everything that one person watches of one interview: an admission, and a viewer for
// each camera as it joins.
import { api, ok, type Schema } from '../api/client';
import { asProblem, type Problem } from '../api/problem';
import { NotAdmitted, Viewer, type Admission, type ViewState } from './whep';

/** One camera or microphone on screen. */
export interface View {
  source: string;
  name: string;
  stream: MediaStream;
  state: ViewState;
}

export class Watching {
  views = $state.raw<View[]>([]);
  /** Why nothing is shown: the permission or the consent has ended. */
  problem = $state.raw<Problem>();
  #viewers = new Map<string, { viewer: Viewer; name: string }>();
  #admission: Promise<Schema['Observation']> | undefined;

  constructor(readonly interview: string) {}

  /** Watches the sources that the recorder has now, and lets go of none. */
  follow(tracks: Schema['Status']['tracks']): void {
    if (this.problem) return;
    for (const track of tracks) {
      if (this.#viewers.has(track.source_id)) continue;
      const entry = { name: track.source, viewer: undefined as unknown as Viewer };
      this.#viewers.set(track.source_id, entry);
      entry.viewer = new Viewer(new URL(`/whep/${track.source_id}`, location.href).href, { admit: (renew) => this.#admit(renew) }, () => this.#show());
    }
    this.#show();
  }

  /** Tries again after a refusal. */
  again(tracks: Schema['Status']['tracks']): void {
    this.close();
    this.problem = undefined;
    this.#admission = undefined;
    this.follow(tracks);
  }

  close(leaving = false): void {
    for (const { viewer } of this.#viewers.values()) viewer.close(leaving);
    this.#viewers.clear();
    this.#show();
  }

  #show(): void {
    this.views = [...this.#viewers].flatMap(([source, { viewer, name }]) => (viewer ? [{ source, name, stream: viewer.stream, state: viewer.state }] : []));
  }

  async #admit(renew: boolean): Promise<Admission> {
    if (renew) this.#admission = undefined;
    this.#admission ??= ok(api.POST('/interviews/{id}/observation', { params: { path: { id: this.interview } } }));
    try {
      return await this.#admission;
    } catch (thrown) {
      this.#admission = undefined;
      const problem = asProblem(thrown);
      if (problem.status !== 403 && problem.status !== 404) throw thrown;
      this.problem = problem;
      throw new NotAdmitted(problem.message);
    }
  }
}
