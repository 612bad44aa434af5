// How a second camera keeps step with the first.
import { toPlayer, type TimelineSpan } from './timeline';

/** What a follower is to do now. Times in seconds of its own player. */
export type Step =
  | { do: 'rest' } // it has nothing of this moment
  | { do: 'seek'; to: number }
  | { do: 'rate'; rate: number };

/** Beyond this difference, seconds, it jumps; below, its speed makes up for it. */
const jump = 0.45;
const close = 0.05;
/** Cameras do not begin and end in the same instant; microseconds. */
const edge = 300_000;

/**
 * @param spans the follower's timeline
 * @param moment interview time of the first camera, microseconds
 * @param at where the follower stands, seconds of its player
 * @param speed of the first camera; 0 while it stands
 */
export function follow(spans: readonly TimelineSpan[], moment: number, at: number, speed: number): Step {
  if (!spans.some((it) => moment >= it.from - edge && moment < it.until + edge)) return { do: 'rest' };
  const to = toPlayer(spans, moment) / 1e6;
  const late = to - at;
  if (Math.abs(late) > (speed === 0 ? close : jump * Math.max(1, speed))) return { do: 'seek', to };
  if (Math.abs(late) <= close) return { do: 'rate', rate: speed };
  return { do: 'rate', rate: speed * (1 + Math.max(-0.12, Math.min(0.12, late * 0.4))) };
}
