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
import { kept } from './kept';

export type SourceRole = Schema['InterviewSource']['role'];

/** What a source may know of the interview without anybody being signed in. */
export interface Standing {
  state: Schema['Status']['state'];
  elapsed_us: number;
  part: number;
  arrives: boolean;
}

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
  #current: Endpoint | undefined;
  #asking: Promise<Endpoint> | undefined;

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

  /** Whether the source is recorded, by its own credential alone; nothing if it cannot be told. */
  async standing(): Promise<Standing | undefined> {
    for (let tries = 0; this.#current && tries < 2; tries++) {
      const response = await fetch(`/capture/${this.source}/status`, {
        headers: { Authorization: `Bearer ${this.#current.token}` },
        credentials: 'omit',
        signal: AbortSignal.timeout(3_000),
      });
      if (response.ok) return (await response.json()) as Standing;
      if (response.status !== 401) return undefined;
      await this.#token();
    }
    return undefined;
  }

  async #endpoint(): Promise<Endpoint> {
    const first = this.#first;
    this.#first = undefined;
    if (first) {
      this.#current = first;
      return first;
    }
    return this.#token();
  }

  /** A new token, which ends the one before: everything here that used it is told. */
  #token(): Promise<Endpoint> {
    this.#asking ??= this.#ask().finally(() => (this.#asking = undefined));
    return this.#asking;
  }

  async #ask(): Promise<Endpoint> {
    const made = await this.#newToken();
    this.#current = made;
    this.#publisher?.renewed(made);
    this.account?.token(made.token);
    return made;
  }

  /** By the login, or if that has ended, by this device's own signature. */
  async #newToken(): Promise<Endpoint> {
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
      this.account = new Account(this.source, own, at.token, async () => (await this.#token()).token);
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

/** What a page without a login sends already, until the room's page takes it over. */
const held = new Map<string, Sending[]>();

/** Leaves what is sent for the room's page to go on with. */
export function hold(interview: string, all: Sending[]): void {
  held.set(interview, all);
}

/** Takes over what was left. */
export function takeOver(interview: string): Sending[] {
  const all = held.get(interview) ?? [];
  held.delete(interview);
  return all;
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
