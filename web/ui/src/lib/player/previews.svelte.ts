// Small pictures and loudness of what may be played: fetched when they are looked
// at, held in memory alone, gone when the player goes dark.
import { api, ok, type Schema } from '../api/client';

/** Microseconds of interview time that one request for pictures covers. */
const page = 120_000_000;
const levelStep = 100_000;

interface Picture {
  from: number;
  until: number;
  url: string;
}

const bytes = (base64: string): Uint8Array<ArrayBuffer> => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));

/** The loudness of a track at each tenth of a second, 0 to 255; undefined where nothing is known. */
export class Levels {
  readonly #stretches: { from: number; levels: Uint8Array }[];

  constructor(items: readonly Schema['PreviewLevels'][]) {
    this.#stretches = items.map((it) => ({ from: it.from, levels: bytes(it.levels) }));
  }

  get empty(): boolean {
    return this.#stretches.length === 0;
  }

  /** The loudest moment in each of `count` equal pieces of a range; -1 where nothing is known. */
  peaks(from: number, until: number, count: number): number[] {
    const out = new Array<number>(count).fill(-1);
    const width = (until - from) / count;
    for (const stretch of this.#stretches) {
      const end = stretch.from + stretch.levels.length * levelStep;
      if (end <= from || stretch.from >= until) continue;
      stretch.levels.forEach((level, i) => {
        const first = Math.floor((stretch.from + i * levelStep - from) / width);
        const last = Math.min(count - 1, Math.floor((stretch.from + (i + 1) * levelStep - 1 - from) / width));
        for (let at = Math.max(0, first); at <= last; at++) out[at] = Math.max(out[at] ?? -1, level);
      });
    }
    return out;
  }

  /** Stretches that are clearly louder than the room for a while: mostly speech. */
  voices(): { from: number; until: number }[] {
    const sorted = this.#stretches.flatMap((it) => [...it.levels]).sort((a, b) => a - b);
    const floor = sorted[Math.floor(sorted.length / 5)] ?? 0;
    const threshold = Math.min(Math.max(floor + 24, 90), 200);
    const out: { from: number; until: number }[] = [];
    for (const stretch of this.#stretches) {
      stretch.levels.forEach((level, i) => {
        if (level < threshold) return;
        const from = stretch.from + i * levelStep;
        const last = out.at(-1);
        // Pauses for breath do not end a sentence.
        if (last && from - last.until <= 700_000) last.until = from + levelStep;
        else out.push({ from, until: from + levelStep });
      });
    }
    return out.filter((it) => it.until - it.from >= 300_000);
  }
}

/** The previews of one interview. Not to be used after wipe. */
export class Previews {
  readonly #interview: string;
  readonly #pages = new Map<string, Picture[] | undefined>();
  readonly #levels = new Map<string, Promise<Levels>>();
  readonly #gone = new AbortController();
  /** Grows when pictures arrive, so that whoever shows one looks again. */
  arrived = $state(0);

  constructor(interview: string) {
    this.#interview = interview;
  }

  levels(track: string): Promise<Levels> {
    let found = this.#levels.get(track);
    if (!found) this.#levels.set(track, (found = this.#measure(track)));
    return found;
  }

  async #measure(track: string): Promise<Levels> {
    const path = { id: this.#interview, track };
    try {
      const list = await ok(api.GET('/interviews/{id}/tracks/{track}/levels', { params: { path }, signal: this.#gone.signal }));
      return new Levels(list.items);
    } catch {
      // Finding one's way without them is harder, and that is all.
      return new Levels([]);
    }
  }

  /** The address of the picture at a moment; undefined while it is not there, or for good. */
  picture(track: string, at: number): string | undefined {
    void this.arrived;
    const from = Math.floor(at / page) * page;
    const key = `${track} ${from}`;
    if (!this.#pages.has(key)) {
      this.#pages.set(key, undefined);
      void this.#fetch(track, from, key);
    }
    const pictures = this.#pages.get(key) ?? [];
    return (pictures.find((it) => at >= it.from && at < it.until) ?? pictures.findLast((it) => it.from <= at))?.url;
  }

  async #fetch(track: string, from: number, key: string): Promise<void> {
    try {
      const params = { path: { id: this.#interview, track }, query: { from, until: from + page } };
      const list = await ok(api.GET('/interviews/{id}/tracks/{track}/pictures', { params, signal: this.#gone.signal }));
      if (this.#gone.signal.aborted) return;
      this.#pages.set(
        key,
        list.items.map((it) => ({ from: it.from, until: it.until, url: URL.createObjectURL(new Blob([bytes(it.jpeg)], { type: 'image/jpeg' })) })),
      );
      this.arrived++;
    } catch {
      // The player itself notices what ended; a picture that does not come is not worth more.
    }
  }

  /** Forgets every picture. */
  wipe(): void {
    this.#gone.abort();
    for (const pictures of this.#pages.values()) for (const it of pictures ?? []) URL.revokeObjectURL(it.url);
    this.#pages.clear();
    this.#levels.clear();
    this.arrived++;
  }
}
