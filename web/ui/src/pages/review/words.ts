import { m } from '$m';
import type { Schema } from '$lib/api/client';
import type { Darkness } from '$lib/player/lease';
import { phaseWord } from '$lib/text/words';

const dark: Record<Darkness | 'broken', () => { title: string; todo: string }> = {
  revoked: () => ({ title: m.dark_revoked(), todo: m.dark_revoked_todo() }),
  over: () => ({ title: m.dark_over(), todo: m.dark_over_todo() }),
  refused: () => ({ title: m.dark_refused(), todo: m.dark_refused_todo() }),
  lost: () => ({ title: m.dark_lost(), todo: m.dark_lost_todo() }),
  broken: () => ({ title: m.dark_broken(), todo: m.dark_broken_todo() }),
};

export const darkWords = (why: Darkness | 'broken') => dark[why]();

/** What happened in the interview, for the list beside the player; undefined for what a viewer needs not. */
export function eventWords(event: Schema['PlaybackEvent']): string | undefined {
  switch (event.kind) {
    case 'pause':
      return m.live_pause();
    case 'resume':
      return m.event_resume();
    case 'phase':
      return phaseWord(event.value ?? '');
    case 'marker':
      return event.value?.startsWith('present-') ? undefined : m.mark();
    default:
      return undefined;
  }
}

/** Why a track has nothing of a stretch. */
export function gapWord(cause: string): string {
  switch (cause) {
    case 'packet-loss':
      return m.gap_loss();
    case 'source-away':
      return m.gap_away();
    case 'capture-stall':
      return m.gap_stall();
    default:
      return m.gap_other();
  }
}
