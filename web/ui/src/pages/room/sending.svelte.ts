// What this device sends to the recorder: each camera with its microphone, kept
// over a reload of the page.
import { api, ok, type Schema } from '$lib/api/client';
import { Capture } from '$lib/media/capture.svelte';
import { Publisher, type Endpoint, type PublishState, type PublishTrouble, type Closing } from '$lib/media/whip';

export type SourceRole = Schema['InterviewSource']['role'];

/** One camera and microphone of this device, on its way to being a source of the interview. */
export class Sending {
  readonly capture = new Capture();
  role = $state<SourceRole>('close-up');
  state = $state<PublishState | 'idle'>('idle');
  trouble = $state<PublishTrouble>();
  /** Since when it is lost, ms since the epoch. */
  lostSince = $state<number>();
  /** Name of the source, once the recorder knows it. */
  name = $state('');
  source = '';
  #publisher: Publisher | undefined;
  #first: Endpoint | undefined;

  constructor(
    readonly interview: string,
    role: SourceRole,
  ) {
    this.role = role;
  }

  /** Opens other devices, also while it sends. */
  async open(camera: string, microphone: string): Promise<boolean> {
    const opened = await this.capture.open(camera, microphone);
    if (opened && this.#publisher && this.capture.stream) await this.#publisher.replace(this.capture.stream);
    return opened;
  }

  /**
   * Begins to send. `free` are sources of the interview that nobody sends now: one
   * of the same role is taken before another is made.
   */
  async send(free: { id: string; name: string; role: string }[]): Promise<void> {
    if (this.#publisher || !this.capture.stream) return;
    if (!this.source) {
      const waiting = free.find((it) => it.role === this.role);
      if (waiting) {
        this.source = waiting.id;
        this.name = waiting.name;
      } else {
        const made = await ok(api.POST('/interviews/{id}/sources', { params: { path: { id: this.interview } }, body: { role: this.role } }));
        this.source = made.source_id;
        this.name = made.name;
        this.#first = { whip: made.whip, token: made.token, ice_servers: made.ice_servers };
      }
    }
    const publisher = new Publisher(this.capture.stream, () => this.#endpoint(), () => this.#told(publisher));
    this.#publisher = publisher;
    publisher.start();
  }

  /** Tries at once, if it waits to try again. */
  retry(): void {
    if (this.state !== 'live') this.#publisher?.start();
  }

  close(how: Closing = 'here'): void {
    this.#publisher?.close(how);
    this.#publisher = undefined;
    this.state = 'idle';
    if (how !== 'page') this.capture.close();
  }

  async #endpoint(): Promise<Endpoint> {
    const first = this.#first;
    this.#first = undefined;
    if (first) return first;
    const path = { id: this.interview, source: this.source };
    const made = await ok(api.POST('/interviews/{id}/sources/{source}/token', { params: { path } }));
    return { whip: made.whip, token: made.token, ice_servers: made.ice_servers };
  }

  #told(publisher: Publisher): void {
    this.trouble = publisher.trouble;
    if (publisher.state === 'live' || publisher.state === 'closed') this.lostSince = undefined;
    else if (publisher.state !== 'connecting') this.lostSince ??= Date.now();
    this.state = publisher.state;
  }
}

/** What is kept in this tab so that a reload goes on with the same devices. No token is kept. */
interface Kept {
  source: string;
  name: string;
  role: SourceRole;
  camera: string;
  microphone: string;
}

const key = (interview: string) => `toldonce.room.${interview}`;

export function keep(interview: string, all: Sending[]): void {
  const kept: Kept[] = all
    .filter((it) => it.source)
    .map((it) => ({ source: it.source, name: it.name, role: it.role, camera: it.capture.camera, microphone: it.capture.microphone }));
  try {
    sessionStorage.setItem(key(interview), JSON.stringify(kept));
  } catch {
    // Without storage a reload asks for the devices again.
  }
}

export function forget(interview: string): void {
  try {
    sessionStorage.removeItem(key(interview));
  } catch {
    // There was nothing to keep it in.
  }
}

/** What this tab sent before it was loaded again. */
export function kept(interview: string): Kept[] {
  try {
    const value: unknown = JSON.parse(sessionStorage.getItem(key(interview)) ?? '[]');
    return Array.isArray(value) ? (value as Kept[]) : [];
  } catch {
    return [];
  }
}

/** Opens again what was kept and sends it. A device that is gone shows as such. */
export async function takeUp(interview: string): Promise<Sending[]> {
  return Promise.all(
    kept(interview).map(async (it) => {
      const sending = new Sending(interview, it.role);
      sending.source = it.source;
      sending.name = it.name;
      if (await sending.open(it.camera, it.microphone)) await sending.send([]);
      return sending;
    }),
  );
}
