// How much of a running recording could be proved if this server were destroyed now.
import type { Schema } from '$lib/api/client';

/** For so long, µs, a checkpoint may be on its way before the page says so. */
const patience = 3_000_000;

/** What is missing for the newest checkpoint, and of how much of the recording. */
export interface Unconfirmed {
  by: 'store' | 'witness';
  /** Not provable without this server: the last part of the recording, µs. */
  last: number;
}

/** Nothing, if the newest checkpoint was confirmed or only just made. */
export function unconfirmed(checkpoint: Schema['CheckpointStatus'] | undefined, elapsed: number): Unconfirmed | undefined {
  if (!checkpoint || checkpoint.acknowledged || elapsed - checkpoint.at_us < patience) return undefined;
  return { by: checkpoint.stored ? 'witness' : 'store', last: Math.max(0, elapsed - checkpoint.acknowledged_at_us) };
}
