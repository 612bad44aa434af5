// What a picture and a sound show when they are looked at and listened to for a
// while. Pure: it is given pixels, samples and times.

/** What one look at a picture showed. */
export interface Look {
  /** Mean brightness, 0 to 100. */
  light: number;
  /** How much the brightness differs over the picture: the standard deviation, 0 to 100. */
  spread: number;
  /** Not one pixel differs from the look before: a camera's noise alone would make some. */
  same: boolean;
}

/** Looks at RGBA pixels, beside those of the look before. */
export function look(pixels: Uint8ClampedArray, before: Uint8ClampedArray | undefined): Look {
  let sum = 0;
  let squares = 0;
  let same = before !== undefined && before.length === pixels.length;
  for (let i = 0; i < pixels.length; i += 4) {
    const r = pixels[i] ?? 0;
    const g = pixels[i + 1] ?? 0;
    const b = pixels[i + 2] ?? 0;
    const luma = 0.2126 * r + 0.7152 * g + 0.0722 * b;
    sum += luma;
    squares += luma * luma;
    if (same && before && (r !== before[i] || g !== before[i + 1] || b !== before[i + 2])) same = false;
  }
  const n = Math.max(1, pixels.length / 4);
  const mean = sum / n;
  return { light: mean / 2.55, spread: Math.sqrt(Math.max(0, squares / n - mean * mean)) / 2.55, same };
}

/** A sample of at least this size, of 1, is at the end of what can be written down. */
const full = 0.985;

/** Counts samples that are cut off. */
export function cutOff(samples: ArrayLike<number>): number {
  let n = 0;
  for (let i = 0; i < samples.length; i++) if (Math.abs(samples[i] ?? 0) >= full) n++;
  return n;
}

/** What was heard over the last seconds. */
export class Hearing {
  #levels: number[] = [];
  #cut: number[] = [];
  #samples: number[] = [];

  /** @param keep how many measurements count */
  constructor(readonly keep = 100) {}

  /** Takes one measurement: its loudness, dBFS, how many samples were cut off, of how many. */
  add(level: number, cut: number, samples: number): void {
    for (const [list, value] of [
      [this.#levels, level],
      [this.#cut, cut],
      [this.#samples, samples],
    ] as const) {
      list.push(value);
      if (list.length > this.keep) list.shift();
    }
  }

  /** Whether enough was heard to say anything. */
  get enough(): boolean {
    return this.#levels.length >= this.keep / 3;
  }

  /** The loudest, dBFS. */
  get loudest(): number {
    return Math.max(-100, ...this.#levels);
  }

  /** Samples in a million that were cut off. */
  get clipping(): number {
    const all = this.#samples.reduce((sum, n) => sum + n, 0);
    return all === 0 ? 0 : Math.round((this.#cut.reduce((sum, n) => sum + n, 0) / all) * 1e6);
  }

  /**
   * By how much, dB, what is loud stands above what is quiet: somebody who speaks
   * with pauses above the noise of the room.
   */
  get aboveNoise(): number {
    const sorted = [...this.#levels].sort((a, b) => a - b);
    const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? -100;
    return at(0.9) - at(0.1);
  }
}

/** Counts how many frames a second there were lately. */
export class Rate {
  #seen: { at: number; frames: number }[] = [];

  /** Takes how many frames there were so far, at a time in ms. A count that fell begins anew. */
  count(at: number, frames: number): void {
    const last = this.#seen.at(-1);
    if (last && frames < last.frames) this.#seen = [];
    this.#seen.push({ at, frames });
    while (this.#seen.length > 2 && at - (this.#seen[1]?.at ?? at) >= 4_000) this.#seen.shift();
  }

  /** Frames a second, rounded; undefined until two seconds were seen. */
  get now(): number | undefined {
    const first = this.#seen[0];
    const last = this.#seen.at(-1);
    if (!first || !last || last.at - first.at < 2_000) return undefined;
    return Math.round(((last.frames - first.frames) * 1000) / (last.at - first.at));
  }
}
