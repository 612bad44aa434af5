/** The time of this machine, moving once a second while something shows it. */
class Now {
  #ms = $state(Date.now());
  #watchers = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  /** Milliseconds since the Unix epoch. */
  get ms(): number {
    if ($effect.tracking()) {
      $effect(() => {
        this.#watchers++;
        this.#ms = Date.now();
        this.#timer ??= setInterval(() => (this.#ms = Date.now()), 1000);
        return () => {
          if (--this.#watchers > 0) return;
          clearInterval(this.#timer);
          this.#timer = undefined;
        };
      });
    }
    return this.#ms;
  }
}

export const now = new Now();
