// What can be written down in a case file, and how each kind is asked for and shown.
import { m } from '$m';
import type { Schema } from './api/client';
import { moment } from './text/time';
import { roleWord, stageWord } from './text/words';

export type Sheet = Schema['Sheet'];
export type Kind = Sheet['kind'];
type Content = Schema['Content'];

/** One thing that is asked for. Times are local input, stored as microseconds since 1970. */
export interface Field {
  name: string;
  label: () => string;
  type: 'text' | 'lines' | 'choice' | 'time' | 'check';
  options?: readonly string[];
  optional?: boolean;
}

const text = (name: string, label: () => string, optional = false): Field => ({ name, label, type: 'text', optional });
const lines = (name: string, label: () => string, optional = false): Field => ({ name, label, type: 'lines', optional });
const choice = (name: string, label: () => string, ...options: string[]): Field => ({ name, label, type: 'choice', options });
const time = (name: string, label: () => string, optional = false): Field => ({ name, label, type: 'time', optional });
const check = (name: string, label: () => string): Field => ({ name, label, type: 'check', optional: true });

export const fields: Record<Exclude<Kind, 'stage' | 'document' | 'danger' | 'supplement'>, readonly Field[]> = {
  intake: [
    choice('from', m.field_from_whom, 'institution', 'law_enforcement', 'ngo', 'citizen'),
    choice('how', m.field_how, 'in_person', 'telephone', 'letter', 'hotline', 'other'),
    lines('note', m.field_note, true),
  ],
  identification: [
    choice('capacity', m.field_capacity, 'investigator', 'prosecutor', 'advocate', 'social_worker'),
    choice('result', m.field_result, 'victim', 'presumed', 'not_victim'),
    lines('note', m.field_note, true),
  ],
  reflection: [time('from', m.field_from), time('until', m.field_until), check('accommodation', m.field_accommodation)],
  service: [
    choice('service', m.field_service, 'legal_aid', 'medical', 'psychological', 'social', 'education', 'interpreter', 'reintegration', 'other'),
    text('to', m.field_to_service),
    lines('note', m.field_note, true),
  ],
  duty: [lines('text', m.field_text)],
  contradiction: [
    choice('about', m.field_about, 'age', 'language', 'needs', 'identity', 'health', 'family', 'other'),
    lines('one', m.field_one),
    lines('other', m.field_other),
  ],
  appointment: [text('place', m.field_place), time('from', m.field_from), time('until', m.field_until)],
  outsider: [text('name', m.field_name), choice('kind', m.field_belongs, 'kin', 'counsel', 'guardian', 'other'), lines('why', m.field_rests)],
  presence: [
    text('name', m.field_name),
    choice(
      'role', m.field_role, 'person', 'interviewer', 'second_interviewer', 'observer', 'prosecutor', 'advocate', 'psychologist', 'interpreter', 'intermediary', 'companion',
      'guardian', 'technician', 'other',
    ),
    check('room', m.field_room),
    time('in', m.field_in),
    time('out', m.field_out, true),
    check('announced', m.field_announced),
  ],
  companion: [
    text('name', m.field_name),
    text('relation', m.field_relation, true),
    check('excluded', m.field_excluded),
    lines('reason', m.field_reason, true),
    text('by', m.field_by, true),
  ],
  ruling: [
    choice('outcome', m.field_outcome, 'admitted', 'excluded', 'edited'),
    text('court', m.field_court),
    text('reference', m.field_reference),
    time('decided', m.field_decided),
    text('exhibit', m.field_exhibit, true),
    lines('terms', m.field_terms, true),
  ],
};

const titles: Record<Kind, () => string> = {
  intake: m.sheet_intake,
  stage: m.sheet_stage,
  identification: m.sheet_identification,
  reflection: m.sheet_reflection,
  service: m.sheet_service,
  duty: m.sheet_duty,
  document: m.sheet_document,
  contradiction: m.sheet_contradiction,
  appointment: m.sheet_appointment,
  outsider: m.sheet_outsider,
  presence: m.sheet_presence,
  companion: m.sheet_companion,
  danger: m.sheet_danger,
  ruling: m.sheet_ruling,
  supplement: m.sheet_supplement,
};

export const kindWord = (kind: string) => (titles as Partial<Record<string, () => string>>)[kind]?.() ?? kind;

const words: Record<string, () => string> = {
  institution: m.opt_institution, law_enforcement: m.opt_law_enforcement, ngo: m.opt_ngo, citizen: m.opt_citizen,
  in_person: m.opt_in_person, telephone: m.opt_telephone, letter: m.opt_letter, hotline: m.opt_hotline, other: m.opt_other,
  investigator: m.opt_investigator, prosecutor: m.opt_prosecutor, advocate: m.opt_advocate, social_worker: m.opt_social_worker,
  victim: m.opt_victim, presumed: m.opt_presumed, not_victim: m.opt_not_victim,
  legal_aid: m.opt_legal_aid, medical: m.opt_medical, psychological: m.opt_psychological, social: m.opt_social, education: m.opt_education,
  interpreter: m.opt_interpreter, reintegration: m.opt_reintegration,
  age: m.opt_age, language: m.opt_language, needs: m.opt_needs, identity: m.opt_identity, health: m.opt_health, family: m.opt_family,
  self: m.opt_self, kin: m.opt_kin, counsel: m.opt_counsel, guardian: m.opt_guardian,
  person: m.opt_person, interviewer: m.opt_interviewer, second_interviewer: m.opt_second_interviewer, observer: m.opt_observer,
  psychologist: m.opt_psychologist, intermediary: m.opt_intermediary, companion: m.opt_companion, technician: m.opt_technician,
  admitted: m.opt_admitted, excluded: m.opt_excluded, edited: m.opt_edited,
};

export const optionWord = (code: string) => words[code]?.() ?? code;
export const optionsOf = (codes: readonly string[]) => codes.map((value) => ({ value, label: optionWord(value) }));

const duties: Record<string, () => string> = {
  consent_withdrawn: m.duty_consent_withdrawn,
  separation_conflict: m.duty_separation_conflict,
  reconcile: m.duty_reconcile,
  role_unfilled: m.duty_role_unfilled,
  danger: m.duty_danger,
};

/** What a duty asks for, in words. */
export function dutyWords(sheet: Sheet): string {
  const duty = sheet.content.duty;
  if (duty) return duties[duty.code]?.() ?? duty.text ?? kindWord('duty');
  return sheet.content.stage?.next ?? kindWord(sheet.kind);
}

/** Label and value of everything that stands in a sheet. */
export function facts(sheet: Sheet): { label: string; value: string }[] {
  const content = sheet.content as Record<string, Record<string, unknown> | undefined>;
  const of = content[sheet.kind];
  if (!of) return [];
  switch (sheet.kind) {
    case 'stage': {
      const step = sheet.content.stage as NonNullable<Content['stage']>;
      const out = [{ label: m.case_stage(), value: `${stageWord(step.from)} → ${stageWord(step.to)}` }, { label: m.field_reason(), value: step.why }];
      if (step.authority) out.push({ label: m.apart_authority(), value: step.authority });
      if (step.next) out.push({ label: m.field_next(), value: step.next });
      return out;
    }
    case 'document':
      return [{ label: m.file_document(), value: sheet.content.document?.name ?? '' }];
    case 'danger':
      return sheet.content.danger?.action ? [{ label: m.field_text(), value: sheet.content.danger.action }] : [];
    case 'supplement':
      return [{ label: m.field_adds(), value: sheet.content.supplement?.why ?? '' }];
    case 'duty':
      return [{ label: m.field_text(), value: dutyWords(sheet) }];
    default:
      return fields[sheet.kind].flatMap((field) => {
        const value = of[field.name];
        if (value === undefined || value === '' || value === 0 || (value === false && field.name !== 'room')) return [];
        return [{ label: field.label(), value: shown(field, value) }];
      });
  }
}

function shown(field: Field, value: unknown): string {
  switch (field.type) {
    case 'time':
      return moment(new Date((value as number) / 1000).toISOString());
    case 'check':
      return value ? m.yes() : m.no();
    case 'choice':
      return optionWord(String(value));
    default:
      return String(value);
  }
}

export const duty = (sheet: Sheet) => (sheet.for ? sheet.for.name : sheet.for_role ? roleWord(sheet.for_role) : '');
