// The words of what is looked at before an interview.
import { m } from '$m';
import type { Line } from '$lib/media/precheck';

type Code = Line['code'];

const names: Record<Code, () => string> = {
  'picture-size': m.check_picture_size,
  'picture-rate': m.check_picture_rate,
  'picture-moves': m.check_picture_moves,
  'picture-light': m.check_picture_light,
  'sound-level': m.check_sound_level,
  'sound-clipping': m.check_sound_clipping,
  'sound-noise': m.check_sound_noise,
  'received-rate': m.check_received_rate,
  'received-sound': m.check_received_sound,
  sync: m.check_sync,
  'device-clock': m.check_device_clock,
  'server-clock': m.check_server_clock,
  'disk-minutes': m.check_disk,
  'object-store': m.check_objects,
  database: m.check_database,
};

/** What was measured, with its unit; nothing where a figure says nothing to a person. */
function checkValue(line: Line): string {
  if (line.value === undefined) return '';
  const value = String(line.value);
  switch (line.code) {
    case 'picture-size':
      return m.check_unit_lines({ value });
    case 'picture-rate':
    case 'received-rate':
      return m.check_unit_rate({ value });
    case 'picture-moves':
      return line.verdict === 'good' ? '' : m.check_unit_seconds({ value });
    case 'picture-light':
      return m.check_unit_percent({ value });
    case 'sound-level':
    case 'sound-noise':
    case 'received-sound':
      return m.check_unit_db({ value });
    case 'sync':
    case 'device-clock':
    case 'server-clock':
      return m.check_unit_ms({ value });
    case 'disk-minutes':
      return line.value >= 120 ? m.check_unit_hours({ value: String(Math.floor(line.value / 60)) }) : m.check_unit_minutes({ value });
    default:
      return '';
  }
}

export const verdictWord = (verdict: Line['verdict']) =>
  ({ good: m.check_verdict_good, look: m.check_verdict_look, stop: m.check_verdict_stop, unknown: m.check_verdict_unknown })[verdict]();

const todo: Partial<Record<`${Code} ${Line['verdict']}`, () => string>> = {
  'picture-size look': m.check_todo_picture_size,
  'picture-rate look': m.check_todo_picture_rate,
  'picture-moves stop': m.check_todo_picture_moves,
  'picture-light look': m.check_todo_picture_dim,
  'picture-light stop': m.check_todo_picture_dark,
  'sound-level look': m.check_todo_sound_quiet,
  'sound-level stop': m.check_todo_sound_none,
  'sound-clipping look': m.check_todo_sound_clipping,
  'sound-noise look': m.check_todo_sound_noise,
  'sound-noise unknown': m.check_todo_sound_speak,
  'received-rate look': m.check_todo_received_rate,
  'received-sound look': m.check_todo_received_sound,
  'received-sound unknown': m.check_todo_received_unknown,
  'sync look': m.check_todo_sync,
  'device-clock look': m.check_todo_device_clock,
  'server-clock look': m.check_todo_server_clock,
  'server-clock unknown': m.check_todo_server_unknown,
  'disk-minutes look': m.check_todo_disk_low,
  'disk-minutes stop': m.check_todo_disk_stop,
  'object-store look': m.check_todo_objects,
  'database stop': m.check_todo_database,
};

/** A line as it is shown: its verdict, and in words what was looked at, what was measured and what to do. */
export interface Shown {
  code: string;
  verdict: Line['verdict'];
  name: string;
  value: string;
  todo: string | undefined;
}

export const shown = (line: Line): Shown => ({
  code: line.code,
  verdict: line.verdict,
  name: names[line.code](),
  value: checkValue(line),
  todo: todo[`${line.code} ${line.verdict}`]?.(),
});
