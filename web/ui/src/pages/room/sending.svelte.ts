// What this device sends to the recorder: each camera with its microphone, kept
// over a reload of the page.
import { api, ok, type Schema } from '$lib/api/client';
import { Problem } from '$lib/api/problem';
import { Account, accountable, type AccountTrouble } from '$lib/media/account.svelte';
import { Capture } from '$lib/media/capture.svelte';
import { toBase64 } from '$lib/media/claims';
import { measuredBy, wrong } from '$lib/media/precheck';
import { device, deviceToken, type Device } from '$lib/media/device';
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
  /** What accounts for its frames; nothing where the browser cannot. */
  account = $state.raw<Account>();
  /** Whether this browser cannot account for frames, or not as this device. */
  unaccounted = $state(false);
  #publisher: Publisher | undefined;
  #device: Promise<Device | undefined> | undefined;
  #first: Endpoint | undefined;
  #health: ReturnType<typeof setInterval> | undefined;
  #said = false;

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
    this.#device ??= this.#enrol();
    const publisher = new Publisher(
      this.capture.stream,
      () => this.#endpoint(),
      () => this.#told(publisher),
      (at) => this.#accounting(at),
    );
    this.#publisher = publisher;
    publisher.start();
    this.#health ??= setInterval(() => this.#tellHealth(), 5_000);
  }

  // What this page sees of its own source, by the source's own token: a login that
  // ends changes nothing. Nothing is said while nothing is wrong.
  #tellHealth(): void {
    const at = this.#publisher?.endpoint;
    if (!at || this.state !== 'live') return;
    const seen = wrong(measuredBy(this.capture));
    if (seen.length === 0 && !this.#said) return;
    this.#said = seen.length > 0;
    void fetch(`/capture/${this.source}/health`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${at.token}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({ seen }),
      credentials: 'omit',
    }).catch(() => {
      // What is not said again the recorder takes as over.
    });
  }

  /** Tries at once, if it waits to try again. */
  retry(): void {
    if (this.state !== 'live') this.#publisher?.start();
  }

  /** Why its frames cannot be claimed or handed over again now. */
  get accountTrouble(): AccountTrouble | undefined {
    return this.unaccounted ? 'unsupported' : this.account?.trouble;
  }

  /** Passes on what the recording does. */
  hear(state: string): void {
    this.account?.state(state);
  }

  close(how: Closing = 'here'): void {
    clearInterval(this.#health);
    this.#health = undefined;
    this.#publisher?.close(how);
    // What is left of the recording is handed over by the worker alone.
    if (how === 'recorder') this.account?.linger();
    else this.account?.close();
    this.account = undefined;
    this.#publisher = undefined;
    this.state = 'idle';
    if (how !== 'page') this.capture.close();
  }

  async #endpoint(): Promise<Endpoint> {
    const first = this.#first;
    this.#first = undefined;
    if (first) return first;
    const made = await this.#token();
    this.account?.token(made.token);
    return made;
  }

  /** A new token: by the login, or if that has ended, by this device's own signature. */
  async #token(): Promise<Endpoint> {
    const path = { id: this.interview, source: this.source };
    try {
      const made = await ok(api.POST('/interviews/{id}/sources/{source}/token', { params: { path } }));
      return { whip: made.whip, token: made.token, ice_servers: made.ice_servers };
    } catch (thrown) {
      const own = await this.#device;
      const made = own && thrown instanceof Problem && thrown.status === 401 ? await deviceToken(own, this.interview, this.source) : undefined;
      if (!made) throw thrown;
      return made;
    }
  }

  /** Makes this browser a device of the room; nothing where it cannot be. */
  async #enrol(): Promise<Device | undefined> {
    this.unaccounted = !accountable();
    if (this.unaccounted) return undefined;
    try {
      const own = await device();
      const body = { public_key: toBase64(own.publicKey) };
      // Enrolled before, it stays so when the login has ended meanwhile.
      await api.POST('/interviews/{id}/devices', { params: { path: { id: this.interview } }, body }).catch(() => undefined);
      return own;
    } catch {
      this.unaccounted = true; // it keeps no key
      return undefined;
    }
  }

  async #accounting(at: Endpoint): Promise<Account | undefined> {
    const own = await this.#device;
    if (!own) return undefined;
    if (!this.account) {
      this.account = new Account(this.source, own, at.token, async () => {
        const made = await this.#token();
        this.#publisher?.renewed(made);
        return made.token;
      });
      await this.account.ready;
    }
    return this.account;
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
