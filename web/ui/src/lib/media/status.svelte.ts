// What the recorder says that it is doing, as it says it, and for how long it has
// been silent.
import { api, ok, type Schema } from '../api/client';
import { Problem } from '../api/problem';

export type Status = Schema['Status'];

/** After so long, ms, without a word from the server what it does counts as unknown. */
const silentAfter = 6_000;

export class StatusFeed {
  now = $state.raw<Status>();
  /** Whether the server was heard lately; true until it was silent for too long. */
  heard = $state(true);
  /** When it was last heard, or first listened to, ms since the epoch. */
  last = $state(0);
  /** Interview time now, microseconds: what the recorder said, running on while it records. */
  elapsed = $state(0);
  #source: EventSource | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  #polling = false;

  /** @param aside tells what it can when nobody is signed in */
  constructor(
    readonly interview: string,
    readonly aside: () => Promise<Pick<Status, 'state' | 'elapsed_us' | 'part'> | undefined> = () => Promise.resolve(undefined),
  ) {}

  /** Listens until the returned function is called. */
  open(): () => void {
    this.last = performance.timeOrigin + performance.now();
    this.#connect();
    this.#timer = setInterval(() => this.#tick(), 200);
    return () => {
      clearInterval(this.#timer);
      this.#source?.close();
      this.#source = undefined;
    };
  }

  /** Takes a status that an act returned. */
  take(status: Status): void {
    this.now = status;
    this.last = performance.timeOrigin + performance.now();
    this.heard = true;
    this.elapsed = status.elapsed_us;
  }

  #connect(): void {
    const source = new EventSource(`/api/v1/interviews/${this.interview}/status/events`);
    this.#source = source;
    source.addEventListener('status', (event: MessageEvent<string>) => this.take(JSON.parse(event.data) as Status));
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED && this.#source === source) {
        setTimeout(() => this.#source === source && this.#connect(), 2_000);
      }
    };
  }

  #tick(): void {
    const at = performance.timeOrigin + performance.now();
    const silent = at - this.last;
    if (this.now?.state === 'recording') this.elapsed = this.now.elapsed_us + silent * 1000;
    if (silent > silentAfter / 2) void this.#poll();
    if (silent > silentAfter) this.heard = false;
  }

  async #askAside(): Promise<void> {
    const said = await this.aside().catch(() => undefined);
    if (said && this.now) this.take({ ...this.now, state: said.state, elapsed_us: said.elapsed_us, part: said.part });
  }

  // The stream says nothing while nothing changes: a question keeps the difference
  // between "as before" and "not there".
  async #poll(): Promise<void> {
    if (this.#polling) return;
    this.#polling = true;
    try {
      this.take(await ok(api.GET('/interviews/{id}/status', { params: { path: { id: this.interview } }, signal: AbortSignal.timeout(3_000) })));
    } catch (thrown) {
      // Silence shows by itself.
      if (thrown instanceof Problem && thrown.status === 401) await this.#askAside();
      await new Promise((resolve) => setTimeout(resolve, 1_000));
    } finally {
      this.#polling = false;
    }
  }
}
