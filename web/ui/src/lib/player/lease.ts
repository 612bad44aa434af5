// The viewer's lease: a player may show only what the server said within the last
// two seconds that it may show. It fails closed.

/** Why a player goes dark. */
export type Darkness =
  | 'revoked' // the server says that nothing may be played any more
  | 'over' // the grant's time is over
  | 'refused' // the server refused a request of the player's
  | 'lost'; // the server did not answer in time

/** After so long, ms, without a good answer a player goes dark. */
export const leaseFor = 2_000;
/** How often a heartbeat is sent, ms. */
const beatEvery = 700;
const lookEvery = 100;

export interface Beat {
  live: boolean;
}

export interface LeaseOptions {
  /** Sends one heartbeat. It throws 'refused' or 'silent'. */
  beat: (signal: AbortSignal) => Promise<Beat>;
  /** Called once, when the lease ends. */
  dark: (why: Darkness) => void;
  /** Monotonic milliseconds. */
  clock?: () => number;
}

/** A lease that runs from its creation until it ends or is stopped. */
export class Lease {
  #options: LeaseOptions;
  #clock: () => number;
  #until: number;
  #timers: ReturnType<typeof setInterval>[] = [];
  #abort = new AbortController();
  #ended = false;

  constructor(options: LeaseOptions) {
    this.#options = options;
    this.#clock = options.clock ?? (() => performance.now());
    this.#until = this.#clock() + leaseFor;
    this.#timers = [setInterval(() => void this.#beat(), beatEvery), setInterval(() => this.#look(), lookEvery)];
    void this.#beat();
  }

  /** Ends the lease at once: an event said so. */
  end(why: Darkness): void {
    if (this.#ended) return;
    this.stop();
    this.#options.dark(why);
  }

  /** Stops without going dark: the player is closed. */
  stop(): void {
    this.#ended = true;
    this.#abort.abort();
    for (const timer of this.#timers) clearInterval(timer);
  }

  #look(): void {
    if (this.#clock() >= this.#until) this.end('lost');
  }

  async #beat(): Promise<void> {
    // Counted from when it was sent: what the server said may be as old as that.
    const sent = this.#clock();
    try {
      const { live } = await this.#options.beat(this.#abort.signal);
      if (this.#ended) return;
      if (live) this.#until = Math.max(this.#until, sent + leaseFor);
      else this.end('revoked');
    } catch (failure) {
      if (!this.#ended && failure === 'refused') this.end('revoked');
    }
  }
}
