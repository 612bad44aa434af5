import { m } from '$m';
import type { Call } from '$lib/media/calls.svelte';

/** What is asked, in words. */
export function callWords(call: Call): string {
  switch (call.kind) {
    case 'question':
      return call.text ?? '';
    case 'break':
      return call.text || m.call_break();
    case 'distress':
      return m.call_distress();
  }
}

const outcomes: Record<Call['outcome'], () => string> = {
  open: m.call_open,
  relayed: m.call_relayed,
  'not-relayed': m.call_not_relayed,
  taken: m.call_taken,
  'not-taken': m.call_not_taken,
  seen: m.call_seen,
};

/** What came of it, in words. */
export const outcomeWords = (call: Call) => outcomes[call.outcome]();
