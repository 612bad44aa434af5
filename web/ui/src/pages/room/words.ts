import { m } from '$m';
import type { AccountTrouble } from '$lib/media/account.svelte';
import type { CaptureTrouble } from '$lib/media/capture.svelte';
import { sourceWord } from '$lib/text/words';
import type { PublishTrouble } from '$lib/media/whip';

const capture: Record<CaptureTrouble, () => { title: string; todo: string }> = {
  denied: () => ({ title: m.capture_denied(), todo: m.capture_denied_todo() }),
  missing: () => ({ title: m.capture_missing(), todo: m.capture_missing_todo() }),
  busy: () => ({ title: m.capture_busy(), todo: m.capture_busy_todo() }),
  unplugged: () => ({ title: m.capture_unplugged(), todo: m.capture_unplugged_todo() }),
  other: () => ({ title: m.capture_other(), todo: m.capture_other_todo() }),
};

export const captureTroubleWords = (trouble: CaptureTrouble) => capture[trouble]();

/** What keeps a source from reaching the recorder, in words. */
export function publishTroubleWords(trouble: PublishTrouble): string {
  switch (trouble) {
    case 'occupied':
      return m.publish_occupied();
    case 'refused':
      return m.publish_refused();
    case 'media':
      return m.publish_media();
    default:
      return m.publish_network();
  }
}

const unaccounted: Record<AccountTrouble, () => string> = {
  unsupported: m.account_unsupported,
  storage: m.account_storage,
  script: m.account_script,
  unreachable: m.account_unreachable,
  refused: m.account_refused,
};

/** Why frames cannot be brought back, in words. */
export const accountTroubleWords = (trouble: AccountTrouble) => unaccounted[trouble]();

/** Kinds of alarm that the recorder raises. */
const alarms: Record<string, () => string> = {
  'recorder.segment': m.alarm_recorder_segment,
  'recorder.database': m.alarm_recorder_database,
  'recorder.sealing': m.alarm_recorder_sealing,
  'recorder.source_away': m.alarm_recorder_source_away,
  'recorder.no_picture': m.alarm_recorder_silent,
  'recorder.overload': m.alarm_recorder_queue,
  'recorder.no_source': m.alarm_recorder_no_source,
  'recorder.lease': m.alarm_recorder_lease,
  'quality.picture_frozen': m.alarm_quality_frozen,
  'quality.picture_black': m.alarm_quality_black,
  'quality.picture_slow': m.alarm_quality_slow,
  'quality.sound_silent': m.alarm_quality_silent,
  'quality.sound_clipping': m.alarm_quality_clipping,
  'quality.sync_apart': m.alarm_quality_apart,
  'spool.reserve': m.alarm_spool_reserve,
  'spool.write': m.alarm_spool_write,
  'spool.backlog': m.alarm_spool_backlog,
  'spool.store': m.alarm_spool_store,
  'spool.conflict': m.alarm_spool_conflict,
  'spool.confirm': m.alarm_spool_confirm,
};

/** An alarm's words, with the source that it is about where there are several. */
export function alarmTitle(alarm: { code: string; text: string; source?: string }, tracks: { source_id: string; source: string }[]): string {
  const about = tracks.find((it) => it.source_id === alarm.source)?.source;
  const several = new Set(tracks.map((it) => it.source_id)).size > 1;
  return about && several ? m.alarm_of({ source: sourceWord(about), alarm: alarmWords(alarm) }) : alarmWords(alarm);
}

export const alarmWords = (alarm: { code: string; text: string }) => alarms[alarm.code]?.() ?? alarm.text;

/** For how long a full disk is recorded on, in words; nothing while it is not full. */
export function reserveWords(alarm: { code: string }, minutes: number): string | undefined {
  if (alarm.code !== 'spool.reserve' || minutes < 0) return undefined;
  return minutes === 0 ? m.reserve_less() : m.reserve_minutes({ minutes });
}
