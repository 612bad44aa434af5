import { asProblem, type Problem } from './api/problem';

/** Something that a page reads, with every state that reading can be in. */
export class Resource<T> {
  data = $state.raw<T>();
  problem = $state.raw<Problem>();
  loading = $state(false);
  readonly #read: (signal: AbortSignal) => Promise<T>;
  #running: AbortController | undefined;

  constructor(read: (signal: AbortSignal) => Promise<T>) {
    this.#read = read;
  }

  /** Reads again. What was read before stays on screen until the new answer, or a refusal, is there. */
  reload = async (): Promise<void> => {
    this.#running?.abort();
    const mine = (this.#running = new AbortController());
    this.loading = true;
    try {
      const data = await this.#read(mine.signal);
      if (mine.signal.aborted) return;
      this.data = data;
      this.problem = undefined;
    } catch (thrown) {
      if (mine.signal.aborted) return;
      const problem = asProblem(thrown);
      // What one may no longer see must not stay on screen.
      if (problem.status >= 400 && problem.status < 500) this.data = undefined;
      this.problem = problem;
    } finally {
      if (this.#running === mine) this.loading = false;
    }
  };

  stop(): void {
    this.#running?.abort();
  }
}

/**
 * Reads when the component is there, and again when what `read` depends on
 * through `key` changes. Call it while a component is being set up.
 */
export function resource<T>(key: () => unknown, read: (signal: AbortSignal) => Promise<T>): Resource<T> {
  const it = new Resource(read);
  $effect(() => {
    key();
    it.data = undefined;
    it.problem = undefined;
    void it.reload();
    return () => it.stop();
  });
  return it;
}

/** An act that a person set off: whether it runs, and how it failed. */
export class Act {
  running = $state(false);
  problem = $state.raw<Problem>();

  /** Runs `act` unless one is running. Returns whether it succeeded. */
  async run(act: () => Promise<unknown>): Promise<boolean> {
    if (this.running) return false;
    this.running = true;
    this.problem = undefined;
    try {
      await act();
      return true;
    } catch (thrown) {
      this.problem = asProblem(thrown);
      return false;
    } finally {
      this.running = false;
    }
  }
}
