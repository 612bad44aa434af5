// What a grant gives, in words.
import { m } from '$m';
import type { Schema } from '../api/client';
import { listing } from './time';

export type Cover = NonNullable<Schema['Grant']['covers']>[number];

const covers: Record<string, () => string> = {
  transcript: m.covers_transcript,
  audio: m.covers_audio,
  video: m.covers_video,
  clip: m.covers_clip,
  download: m.covers_download,
};

/** What a grant gives, as one phrase. */
export function coversWords(of: readonly string[]): string {
  const words = listing(of.map((it) => (covers[it]?.() ?? it).toLocaleLowerCase()));
  return words.charAt(0).toLocaleUpperCase() + words.slice(1);
}

const copies: Record<string, () => string> = { nothing_kept: m.copies_nothing_kept, returned: m.copies_returned, destroyed: m.copies_destroyed };

export const copiesWord = (of: string) => copies[of]?.() ?? of;
