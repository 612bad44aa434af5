// One test recording, from the camera to what verifying it found.
import { api, ok, type Schema } from '$lib/api/client';
import { asProblem, type Problem } from '$lib/api/problem';
import { Capture } from '$lib/media/capture.svelte';
import { Publisher } from '$lib/media/whip';

export type Step = 'look' | 'connecting' | 'recording' | 'sealing' | 'done' | 'failed';

const lookEvery = 500;
/** A camera that does not reach the server within so long, ms, will not. */
const connectWithin = 20_000;

export class Rehearsing {
  readonly capture = new Capture();
  step = $state<Step>('look');
  problem = $state.raw<Problem>();
  /** The camera never reached the server. */
  unreached = $state(false);
  now = $state.raw<Schema['Rehearsal']>();
  #publisher: Publisher | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #gone = false;

  constructor(readonly room: string) {}

  /** Makes a test recording with the camera that is open. */
  async record(): Promise<void> {
    const stream = this.capture.stream;
    if (!stream) return;
    this.problem = undefined;
    this.unreached = false;
    this.step = 'connecting';
    try {
      const made = await ok(api.POST('/rooms/{id}/rehearsals', { params: { path: { id: this.room } } }));
      this.now = made.rehearsal;
      await this.#connect(stream, { whip: made.source.whip, token: made.source.token, ice_servers: made.source.ice_servers });
      if (this.#gone) return;
      this.now = await ok(api.POST('/rehearsals/{id}/start', { params: { path: { id: made.rehearsal.id } } }));
      this.step = 'recording';
      this.#look();
    } catch (thrown) {
      this.#publisher?.close();
      this.step = 'failed';
      if (!this.unreached) this.problem = asProblem(thrown);
    }
  }

  #connect(stream: MediaStream, endpoint: { whip: string; token: string; ice_servers: Schema['NewSource']['ice_servers'] }): Promise<void> {
    return new Promise((resolve, reject) => {
      const give = (why: unknown) => {
        clearTimeout(late);
        reject(why instanceof Error ? why : new Error());
      };
      const late = setTimeout(() => {
        this.unreached = true;
        give(undefined);
      }, connectWithin);
      const publisher = new Publisher(
        stream,
        () => Promise.resolve(endpoint),
        () => {
          if (publisher.state !== 'live') return;
          clearTimeout(late);
          resolve();
        },
      );
      this.#publisher = publisher;
      publisher.start();
    });
  }

  #look(): void {
    this.#timer = setTimeout(() => void this.#ask(), lookEvery);
  }

  async #ask(): Promise<void> {
    const id = this.now?.id;
    if (!id || this.#gone) return;
    try {
      this.now = await ok(api.GET('/rehearsals/{id}', { params: { path: { id } } }));
    } catch (thrown) {
      this.problem = asProblem(thrown);
      this.step = 'failed';
      return;
    }
    const state = this.now.state;
    if (state === 'recording') this.step = 'recording';
    else if (state === 'sealing') this.step = 'sealing';
    else {
      this.#publisher?.close('recorder');
      this.step = state === 'done' ? 'done' : 'failed';
      return;
    }
    this.#look();
  }

  /** Forgets the recording and looks at the camera again. */
  async again(): Promise<void> {
    await this.#forget();
    this.step = 'look';
  }

  /** Ends everything: camera, connection and recording. */
  close(): void {
    this.#gone = true;
    clearTimeout(this.#timer);
    this.#publisher?.close();
    this.capture.close();
    void this.#forget();
  }

  async #forget(): Promise<void> {
    const id = this.now?.id;
    this.now = undefined;
    // What cannot be forgotten now is forgotten by the server ten minutes later.
    if (id) await api.DELETE('/rehearsals/{id}', { params: { path: { id } } }).catch(() => undefined);
  }
}
