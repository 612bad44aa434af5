import { m } from '$m';
import type { Schema } from '../api/client';
import type { Role } from '../session.svelte';
import { languageName } from './time';

/** A word for a code of the API. Functions, because the language can change while the page is open. */
type Words<K extends string> = Record<K, () => string>;

/** The word for a code; a code that this version does not know is shown as it is. */
function word<K extends string>(words: Words<K>, code: string): string {
  return (words as Partial<Words<string>>)[code]?.() ?? code;
}

function options<K extends string>(words: Words<K>): { value: K; label: string }[] {
  return (Object.keys(words) as K[]).map((value) => ({ value, label: words[value]() }));
}

/** How a person on a case is called; a role that need not know her gets a word in place of the pseudonym. */
export const personName = (person: { pseudonym: string }) => person.pseudonym || m.person_unnamed();

const roles: Words<Role> = {
  admin: m.role_admin,
  case_manager: m.role_case_manager,
  interviewer: m.role_interviewer,
  observer: m.role_observer,
  prosecutor: m.role_prosecutor,
  advocate: m.role_advocate,
  custodian: m.role_custodian,
  auditor: m.role_auditor,
};

export const roleWord = (role: string) => word(roles, role);
export const roleOptions = () => options(roles);

const stages: Words<Schema['Case']['stage']> = {
  referral: m.stage_referral,
  identification: m.stage_identification,
  protection: m.stage_protection,
  assistance: m.stage_assistance,
  proceedings: m.stage_proceedings,
  reintegration: m.stage_reintegration,
  closed: m.stage_closed,
};

export const stageWord = (stage: string) => word(stages, stage);
export const stageOptions = () => options(stages);

const interviewStates: Words<Schema['Interview']['state']> = {
  planned: m.state_planned,
  ready: m.state_ready,
  recording: m.state_recording,
  paused: m.state_paused,
  stopping: m.state_stopping,
  sealed: m.state_sealed,
  cancelled: m.state_cancelled,
};

export const interviewStateWord = (state: string) => word(interviewStates, state);

const personKinds: Words<Schema['Person']['kind']> = {
  victim: m.person_victim,
  witness: m.person_witness,
  suspect: m.person_suspect,
};

export const personKindWord = (kind: string) => word(personKinds, kind);
export const personKindOptions = () => options(personKinds);

const ages: Words<Schema['Person']['age']> = {
  child: m.age_child,
  adult: m.age_adult,
  uncertain: m.age_uncertain,
};

export const ageWord = (age: string) => word(ages, age);
export const ageOptions = () => options(ages);

const consentStates: Words<Schema['Consent']['state']> = {
  pending: m.consent_state_pending,
  given: m.consent_state_given,
  withdrawn: m.consent_state_withdrawn,
  superseded: m.consent_state_superseded,
  refused: m.consent_state_refused,
};

export const consentStateWord = (state: string) => word(consentStates, state);

const givers: Words<Schema['Consent']['given_by']> = {
  self: m.giver_self,
  guardian: m.giver_guardian,
  guardianship_authority: m.giver_guardianship_authority,
};

export const giverWord = (giver: string) => word(givers, giver);
export const giverOptions = () => options(givers);

const childViews: Words<NonNullable<Schema['Consent']['child_view']>> = {
  yes: m.child_view_yes,
  no: m.child_view_no,
  not_asked: m.child_view_not_asked,
};

export const childViewWord = (view: string) => word(childViews, view);
export const childViewOptions = () => options(childViews);

const forms: Words<Schema['Consent']['form']> = {
  written: m.form_written,
  attested: m.form_attested,
};

export const formWord = (form: string) => word(forms, form);
export const formOptions = () => options(forms);

const signings: Words<NonNullable<Schema['Consent']['signing']>> = {
  paper: m.signing_paper,
  scan: m.signing_scan,
  screen: m.signing_screen,
};

export const signingWord = (signing: string) => word(signings, signing);
export const signingOptions = () => options(signings);

const sameSex: Words<Schema['InterviewPlan']['same_sex']> = {
  not_asked: m.same_sex_not_asked,
  no_wish: m.same_sex_no_wish,
  met: m.same_sex_met,
  not_met: m.same_sex_not_met,
};

export const sameSexWord = (code: string) => word(sameSex, code);
export const sameSexOptions = () => options(sameSex);

const sourceRoles: Words<Schema['InterviewSource']['role']> = {
  'close-up': m.source_close_up,
  wide: m.source_wide,
  room: m.source_room,
  child: m.source_child,
  interpreter: m.source_interpreter,
};

export const sourceRoleWord = (role: string) => word(sourceRoles, role);
export const sourceRoleOptions = () => options(sourceRoles);

/** A source's name is its role with a number if repeated: "wide-2" becomes "Wide view 2". */
export function sourceWord(name: string): string {
  if (name === 'all') return m.source_all();
  const found = /^(.*?)-(\d+)$/.exec(name);
  const role = (found?.[1] ?? name) as keyof typeof sourceRoles;
  if (!(role in sourceRoles)) return name;
  return found ? `${sourceRoles[role]()} ${found[2]}` : sourceRoles[role]();
}

const grantStates: Words<Schema['Grant']['state']> = {
  proposed: m.grant_state_proposed,
  active: m.grant_state_active,
  rejected: m.grant_state_rejected,
  revoked: m.grant_state_revoked,
  expired: m.grant_state_expired,
  ended: m.grant_state_ended,
};

export const grantStateWord = (state: string) => word(grantStates, state);

const agencyKinds: Words<Schema['Agency']['kind']> = {
  police: m.agency_police,
  prosecution: m.agency_prosecution,
  advocates: m.agency_advocates,
  social_work: m.agency_social_work,
  ngo: m.agency_ngo,
  court: m.agency_court,
  defence: m.agency_defence,
};

export const agencyKindWord = (kind: string) => word(agencyKinds, kind);
export const agencyKindOptions = () => options(agencyKinds);

const accountStates: Words<Schema['Account']['state']> = {
  proposed: m.account_state_proposed,
  invited: m.account_state_invited,
  active: m.account_state_active,
  disabled: m.account_state_disabled,
};

export const accountStateWord = (state: string) => word(accountStates, state);

const exportStates: Words<Schema['Export']['state']> = {
  proposed: m.export_state_proposed,
  approved: m.export_state_approved,
  delivered: m.export_state_delivered,
  received: m.export_state_received,
};

export const exportStateWord = (state: string) => word(exportStates, state);

/** What a consent can be for. */
const purposes: Words<Schema['ConsentItem']['purpose']> = {
  record: m.purpose_record,
  observe_live: m.purpose_observe_live,
  share_prosecution: m.purpose_share_prosecution,
  share_defence: m.purpose_share_defence,
  share_court: m.purpose_share_court,
  share_advocate: m.purpose_share_advocate,
  share_ngo: m.purpose_share_ngo,
  training: m.purpose_training,
};

export const purposeWord = (purpose: string) => word(purposes, purpose);
export const purposeOptions = () => options(purposes);

const terms: Words<Schema['Retention']['term']> = {
  no_rule: m.term_no_rule,
  not_begun: m.term_not_begun,
  running: m.term_running,
  ended: m.term_ended,
};

export const termWord = (term: string) => word(terms, term);

const starts: Words<Schema['ClassRule']['from']> = {
  closed: m.start_closed,
  sealed: m.start_sealed,
};

export const startWord = (from: string) => word(starts, from);
export const startOptions = () => options(starts);

const erasureStates: Words<Schema['Erasure']['state']> = {
  proposed: m.erasure_state_proposed,
  rejected: m.erasure_state_rejected,
  approved: m.erasure_state_approved,
  provisional: m.erasure_state_provisional,
  final: m.erasure_state_final,
};

export const erasureStateWord = (state: string) => word(erasureStates, state);

const phases = {
  introduction: m.phase_introduction,
  'ground-rules': m.phase_ground_rules,
  rapport: m.phase_rapport,
  substantive: m.phase_substantive,
  closure: m.phase_closure,
};

export const phaseWord = (phase: string) => word(phases, phase);
export const phaseOptions = () => options(phases);

/** Languages that an interview is commonly held in, by BCP 47 tag; names come from the browser. */
export const interviewLanguages = ['sq', 'sr', 'en', 'rom', 'tr', 'bs', 'mk', 'ar', 'uk', 'ru', 'fa', 'fr', 'de'] as const;

export const interviewLanguageOptions = () =>
  interviewLanguages.map((value) => ({ value: value as string, label: languageName(value) }));
