// The words of the check before the child leaves.
import { m } from '$m';
import { ok, api, type Schema } from '$lib/api/client';
import { number } from '$lib/text/time';
import type { Shown } from './checks';

export type Leaving = Schema['LeavingCheck'];
type Line = Schema['LeavingLine'];

const names: Record<Line['code'], () => string> = {
  introduced: m.leaving_introduced,
  breaks: m.leaving_breaks,
  tracks: m.leaving_tracks,
  whole: m.leaving_whole,
  speech: m.leaving_speech,
  silence: m.leaving_silence,
  still: m.leaving_still,
  sync: m.leaving_sync,
  copies: m.leaving_copies,
};

const todo: Partial<Record<`${Line['code']} ${Line['verdict']}`, () => string>> = {
  'introduced look': m.leaving_todo_introduced,
  'introduced unknown': m.leaving_unknown_introduced,
  'breaks look': m.leaving_todo_breaks,
  'tracks look': m.leaving_todo_tracks,
  'whole look': m.leaving_todo_whole,
  'speech look': m.leaving_todo_speech,
  'speech unknown': m.leaving_unknown_speech,
  'silence look': m.leaving_todo_silence,
  'still look': m.leaving_todo_still,
  'sync look': m.leaving_todo_sync,
  'sync unknown': m.leaving_unknown_sync,
  'copies look': m.leaving_todo_copies,
  'copies unknown': m.leaving_unknown_copies,
};

function value(line: Line): string {
  if (!line.value) return '';
  switch (line.code) {
    case 'whole':
      return m.check_unit_ms({ value: number(line.value) });
    case 'speech':
    case 'silence':
    case 'still':
    case 'sync':
      return m.check_unit_seconds({ value: number(line.value) });
    default:
      return number(line.value);
  }
}

export const shownLeaving = (line: Line): Shown => ({
  code: line.code,
  verdict: line.verdict,
  name: line.code === 'whole' && !line.value && line.verdict === 'good' ? m.leaving_whole_all() : names[line.code](),
  value: value(line),
  todo: todo[`${line.code} ${line.verdict}`]?.(),
});

export const askLeaving = (interview: string): Promise<Leaving> => ok(api.GET('/interviews/{id}/leaving', { params: { path: { id: interview } } }));
