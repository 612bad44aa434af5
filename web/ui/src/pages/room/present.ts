import { m } from '$m';

/** Who else can be in the room (P10). Codes go into the recording's events. */
export const presentOptions = () => [
  { value: 'advocate', label: m.role_advocate() },
  { value: 'guardian', label: m.person_guardian() },
  { value: 'interpreter', label: m.source_interpreter() },
  { value: 'psychologist', label: m.present_psychologist() },
  { value: 'companion', label: m.person_companion() },
  { value: 'second-interviewer', label: m.present_second_interviewer() },
];
