// Two clocks: the player's, without breaks and without what is not granted, and
// the interview's. Microseconds in both.

/** A stretch in which both clocks run at the same speed. */
export interface TimelineSpan {
  /** Interview time, inclusive. */
  from: number;
  /** Interview time, exclusive. */
  until: number;
  /** Player time at `from`. */
  player_us: number;
}

/** Interview time at a moment of the player; between spans, the next span's start. */
export function toInterview(spans: readonly TimelineSpan[], player: number): number {
  let last = 0;
  for (const span of spans) {
    const into = player - span.player_us;
    if (into < 0) return span.from;
    if (into < span.until - span.from) return span.from + into;
    last = span.until;
  }
  return last;
}

/** Player time at a moment of the interview; in a gap, that of what follows. */
export function toPlayer(spans: readonly TimelineSpan[], interview: number): number {
  let last = 0;
  for (const span of spans) {
    if (interview < span.from) return span.player_us;
    if (interview < span.until) return span.player_us + (interview - span.from);
    last = span.player_us + (span.until - span.from);
  }
  return last;
}

/** Length of the player's time. */
export function length(spans: readonly TimelineSpan[]): number {
  return spans.reduce((end, span) => Math.max(end, span.player_us + span.until - span.from), 0);
}
