import { m } from '$m';
import { roleWord } from '$lib/text/words';

/** Somebody who was noted as present, by code, in words. */
export function presentWord(code: string, person: string): string {
  if (code === 'person') return person;
  if (code === 'interviewer') return roleWord('interviewer');
  return presentOptions().find((it) => it.value === code)?.label ?? code;
}

/** Who else can be in the room (P10). Codes go into the recording's events. */
export const presentOptions = () => [
  { value: 'advocate', label: m.role_advocate() },
  { value: 'guardian', label: m.person_guardian() },
  { value: 'interpreter', label: m.source_interpreter() },
  { value: 'psychologist', label: m.present_psychologist() },
  { value: 'companion', label: m.person_companion() },
  { value: 'second-interviewer', label: m.present_second_interviewer() },
];
