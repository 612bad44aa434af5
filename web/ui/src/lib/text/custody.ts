// The custody log as sentences: who did what to whom.
import { m } from '$m';
import { copiesWord } from './covers';
import { actorWords, type Entry, type Names } from './actors';
import { position } from './time';
import { phaseWord, roleWord, sourceRoleWord, stageWord } from './words';
import { kindWord } from '../sheets';

type Write = (who: string, entry: Entry, names: Names) => string;

const detail = (entry: Entry, key: string) => entry.details?.[key] ?? '';
const micros = (entry: Entry, key: string) => position(Number(detail(entry, key)) || 0);
const account = (entry: Entry, key: string, names: Names) => names.account(detail(entry, key)) ?? m.actor_somebody();
const person = (entry: Entry, names: Names) => names.person(detail(entry, 'person') || (entry.subject_id ?? '')) ?? m.somebody_on_case();
const interview = (entry: Entry, names: Names) => names.interview(entry.interview_id ?? entry.subject_id ?? '') ?? m.an_interview();

function tracks(entry: Entry, names: Names): string {
  const all = Object.entries(entry.details ?? {})
    .filter(([key]) => key.startsWith('track.'))
    .map(([, id]) => names.track(id))
    .filter((name) => name !== undefined);
  return [...new Set(all)].join(', ') || m.the_recording();
}

const sentences: Record<string, Write> = {
  'installation.create': () => m.log_installation_create(),
  'agency.create': (who) => m.log_agency_create({ who }),
  'room.create': (who) => m.log_room_create({ who }),

  'account.propose': (who, e) => m.log_account_propose({ who, role: roleWord(detail(e, 'role')) }),
  'account.approve': (who, e) => m.log_account_approve({ who, role: roleWord(detail(e, 'role')) }),
  'account.invite': (who) => m.log_account_invite({ who }),
  'account.activate': (who) => m.log_account_activate({ who }),
  'account.recover': (who) => m.log_account_recover({ who }),
  'account.recover_approve': (who) => m.log_account_recover_approve({ who }),
  'account.disable': (who) => m.log_account_disable({ who }),
  'account.sign_in': (who) => m.log_account_sign_in({ who }),
  'account.sign_in_locked': () => m.log_account_sign_in_locked(),
  'account.sign_out': (who) => m.log_account_sign_out({ who }),
  'transcript.write': (who, e, n) => m.log_transcript_write({ who, interview: interview(e, n), language: detail(e, 'language'), number: detail(e, 'number') }),
  'transcript.certify': (who, e, n) => m.log_transcript_certify({ who, interview: interview(e, n), language: detail(e, 'language'), number: detail(e, 'number') }),
  'transcript.deliver': (who, e, n) => m.log_transcript_deliver({ who, interview: interview(e, n), from: micros(e, 'from'), until: micros(e, 'until') }),
  'derivative.request': (who, e, n) => m.log_copy_request({ who, interview: interview(e, n), from: micros(e, 'from'), until: micros(e, 'until') }),
  'derivative.made': (_, e, n) => m.log_copy_made({ interview: interview(e, n) }),
  'derivative.failed': (_, e, n) => m.log_copy_failed({ interview: interview(e, n) }),
  'derivative.deliver': (who, e, n) => m.log_copy_shown({ who, interview: interview(e, n) }),
  'derivative.release': (who, e, n) => m.log_copy_release({ who, interview: interview(e, n) }),
  'derivative.refuse': (who, e, n) => m.log_copy_refuse({ who, interview: interview(e, n) }),
  'derivative.fetch': (who, e, n) => m.log_copy_fetch({ who, interview: interview(e, n) }),
  'passkey.add': (who) => m.log_passkey_add({ who }),
  'passkey.remove': (who) => m.log_passkey_remove({ who }),
  'token.issue': (who) => m.log_token_issue({ who }),
  'session.end': (who) => m.log_session_end({ who }),
  'token.revoke': (who) => m.log_token_revoke({ who }),

  'case.open': (who) => m.log_case_open({ who }),
  'case.stage': (who, e) => m.log_case_stage({ who, from: stageWord(detail(e, 'from')), to: stageWord(detail(e, 'to')) }),
  'team.add': (who, e, n) => m.log_team_add({ who, member: account(e, 'account', n), role: roleWord(detail(e, 'role')) }),
  'team.remove': (who, e, n) => m.log_team_remove({ who, member: account(e, 'account', n), role: roleWord(detail(e, 'role')) }),
  'person.add': (who, e, n) => m.log_person_add({ who, person: n.person(e.subject_id ?? '') ?? m.somebody_on_case() }),
  'person.edit': (who, e, n) => m.log_person_edit({ who, person: n.person(e.subject_id ?? '') ?? m.somebody_on_case() }),
  'person.link': (who, e, n) => m.log_person_link({ who, person: n.person(e.subject_id ?? '') ?? m.somebody_on_case() }),

  'person.words': (who) => m.log_file_write({ who, what: m.case_file() }),
  'ruling.write': (who) => m.log_file_write({ who, what: m.sheet_ruling() }),
  'separation.write': (who) => m.log_file_write({ who, what: m.apart_title() }),
  'separation.decide': (who) => m.log_separation_decide({ who }),
  'file.write': (who, e) => m.log_file_write({ who, what: kindWord(detail(e, 'kind')) }),
  'file.manage': (who, e) => m.log_file_write({ who, what: kindWord(detail(e, 'kind')) }),
  'file.close': (who, e) => m.log_file_close({ who, what: kindWord(detail(e, 'kind')) }),
  'file.follows': (_, e) => m.log_file_follows({ what: kindWord(detail(e, 'kind')) }),
  'file.open': (who) => m.log_file_open({ who }),
  'danger.raise': (who) => m.log_danger({ who }),
  'consent.receipt': (who) => m.log_consent_receipt({ who }),
  'consent.repeat': (who) => m.log_consent_repeat({ who }),
  'room.rehearse': (who) => m.log_room_rehearse({ who }),
  'room.rehearsed': (who, e) => m.log_room_rehearsed({ who, result: detail(e, 'holds') === 'true' ? m.log_room_rehearsed_holds() : m.log_room_rehearsed_fails() }),
  'room.check': (who) => m.log_room_check({ who }),

  'consent.record': (who, e, n) =>
    detail(e, 'decision') === 'refused' ? m.log_consent_refused({ who, person: person(e, n) }) : m.log_consent_record({ who, person: person(e, n) }),
  'consent.attest': (who, e, n) => m.log_consent_attest({ who, person: person(e, n) }),
  'consent.withdraw': (who, e, n) => m.log_consent_withdraw({ who, person: person(e, n) }),

  'interview.plan': (who, e, n) => m.log_interview_plan({ who, interview: interview(e, n) }),
  'interview.cancel': (who, e, n) => m.log_interview_cancel({ who, interview: interview(e, n) }),
  'interview.ready': (_, e, n) => m.log_interview_ready({ interview: interview(e, n) }),
  'interview.not_ready': (_, e, n) => m.log_interview_not_ready({ interview: interview(e, n) }),
  'interview.start': (who, e, n) => m.log_interview_start({ who, interview: interview(e, n) }),
  'interview.pause': (who, e, n) => m.log_interview_pause({ who, interview: interview(e, n) }),
  'interview.resume': (who, e, n) => m.log_interview_resume({ who, interview: interview(e, n) }),
  'interview.stop': (who, e, n) => m.log_interview_stop({ who, interview: interview(e, n) }),
  'device.enrol': (who) => m.log_device_enrol({ who }),
  'device.revoke': (who) => m.log_device_revoke({ who }),
  'source.backfill': (_, e, n) => m.log_source_backfill({ interview: interview(e, n) }),
  'recording.verify': (who, e, n) => m.log_recording_verify({ who, interview: interview(e, n) }),
  'interview.check': (_, e, n) => (e.details?.verdict === 'look' ? m.log_interview_check_look : m.log_interview_check)({ interview: interview(e, n) }),
  'interview.seal': (_, e, n) => m.log_interview_seal({ interview: interview(e, n) }),
  'interview.consent_ended': (_, e, n) => m.log_interview_consent_ended({ interview: interview(e, n) }),
  'interview.observe_ended': (_, e, n) => m.log_interview_observe_ended({ interview: interview(e, n) }),
  'interview.observe_join': (who, e, n) => m.log_interview_observe_join({ who, interview: interview(e, n) }),
  'interview.observe_leave': (who, e, n) => m.log_interview_observe_leave({ who, interview: interview(e, n) }),
  'interview.propose': (who, e, n) => {
    const about = { who, interview: interview(e, n) };
    switch (detail(e, 'kind')) {
      case 'break':
        return m.log_propose_break(about);
      case 'distress':
        return m.log_propose_distress(about);
      default:
        return m.log_propose_question(about);
    }
  },
  'interview.settle': (who, e, n) => {
    const about = { who, interview: interview(e, n) };
    const outcome = detail(e, 'outcome');
    return outcome === 'relayed' ? m.log_settle_relayed(about) : outcome === 'not-relayed' ? m.log_settle_not_relayed(about) : m.log_settle_other(about);
  },
  'interview.note': (who, e, n) => m.log_note({ who, interview: interview(e, n) }),
  'interview.mark': (who, e, n) =>
    detail(e, 'kind') === 'phase'
      ? m.log_interview_phase({ who, interview: interview(e, n), phase: phaseWord(detail(e, 'value')) })
      : m.log_interview_mark({ who, interview: interview(e, n) }),
  'source.add': (who, e, n) => m.log_source_add({ who, interview: interview(e, n), source: sourceRoleWord(detail(e, 'role')) }),

  'grant.request': (who, e, n) =>
    detail(e, 'to') === e.actor.account_id ? m.log_grant_request_own({ who }) : m.log_grant_request({ who, to: account(e, 'to', n) }),
  'grant.approve': (who, e, n) =>
    detail(e, 'state') === 'proposed' ? m.log_grant_approve_first({ who, to: account(e, 'to', n) }) : m.log_grant_approve({ who, to: account(e, 'to', n) }),
  'grant.reject': (who, e, n) => m.log_grant_reject({ who, to: account(e, 'to', n) }),
  'grant.revoke': (who, e, n) => m.log_grant_revoke({ who, to: account(e, 'to', n) }),
  'grant.end': (_, e, n) => m.log_grant_end({ to: account(e, 'to', n) }),
  'grant.accept': (who) => m.log_grant_accept({ who }),
  'grant.extend': (who, e, n) => m.log_grant_extend({ who, to: account(e, 'to', n) }),
  'grant.attest': (who, e) => m.log_grant_attest({ who, copies: copiesWord(detail(e, 'copies') ?? '') }),
  'media.deliver': (who, e, n) =>
    // A window without length was opened by what comes before the first picture.
    detail(e, 'from') === detail(e, 'until') ? m.log_media_open({ who, what: tracks(e, n) }) : m.log_media_deliver({ who, from: micros(e, 'from'), until: micros(e, 'until'), what: tracks(e, n) }),
  'media.preview': (who, e, n) => {
    const values = { who, from: micros(e, 'from'), until: micros(e, 'until'), what: tracks(e, n) };
    return detail(e, 'what') === 'levels' ? m.log_media_levels(values) : m.log_media_pictures(values);
  },
  'preview.make': (_, e, n) => m.log_preview_make({ interview: interview(e, n) }),
  'media.refuse': (who) => m.log_media_refuse({ who }),

  'export.request': (who, e, n) => m.log_export_request({ who, interview: interview(e, n) }),
  'export.approve': (who, e, n) => m.log_export_approve({ who, interview: interview(e, n) }),
  'export.alone': (who, e, n) => m.log_export_alone({ who, interview: interview(e, n) }),
  'export.read': (who, e, n) => m.log_export_read({ who, interview: interview(e, n) }),
  'retention.class': (who) => m.log_retention_class({ who }),
  'retention.set': (who) => m.log_retention_set({ who }),
  'retention.keep': (who) => m.log_retention_keep({ who }),
  'retention.due': () => m.log_retention_due(),
  'retention.lock': (_, e, n) => m.log_retention_lock({ interview: interview(e, n) }),
  'hold.place': (who) => m.log_hold_place({ who }),
  'hold.lift': (who) => m.log_hold_lift({ who }),
  'erasure.request': (who, e, n) => m.log_erasure_request({ who, interview: interview(e, n) }),
  'erasure.approve': (who, e, n) => m.log_erasure_approve({ who, interview: interview(e, n) }),
  'erasure.reject': (who, e, n) => m.log_erasure_reject({ who, interview: interview(e, n) }),
  'erasure.done': (_, e, n) => m.log_erasure_done({ interview: interview(e, n) }),
  'erasure.attest': (who, e, n) => m.log_erasure_attest({ who, interview: interview(e, n) }),
  'export.delivered': (_, e, n) => m.log_export_delivered({ interview: interview(e, n) }),
  'export.interrupted': (_, e, n) => m.log_export_interrupted({ interview: interview(e, n) }),
  'export.receive': (who, e, n) => m.log_export_receive({ who, interview: interview(e, n) }),
  'export.unreceived': (_, e, n) => m.log_export_unreceived({ interview: interview(e, n) }),
  'clip.request': (who, e, n) => m.log_clip_request({ who, interview: interview(e, n) }),
  'keys.rotate': () => m.log_keys_rotate(),
  'seal.rotate': () => m.log_seal_rotate(),
  'seal.revoke': () => m.log_seal_revoke(),
  'trust.authority': () => m.log_trust_authority(),
  'seal.timestamp': (_, e, n) => m.log_seal_timestamp({ interview: interview(e, n) }),
  'escrow.issue': (_, e, n) => m.log_escrow_issue({ interview: interview(e, n) }),
  'escrow.return': () => m.log_escrow_return(),
  'log.created': () => m.log_log_created(),
  'log.audit': (who) => m.log_log_audit({ who }),
  'log.discontinuity.propose': (who, e) => m.log_log_discontinuity_propose({ who, from: detail(e, 'from') ?? '?', until: detail(e, 'until') ?? '?' }),
  'log.discontinuity.approve': (who, e) => m.log_log_discontinuity_approve({ who, from: detail(e, 'from') ?? '?', until: detail(e, 'until') ?? '?' }),
};

/** One entry as a sentence; an action that this version does not know is named by its code. */
export function sentence(entry: Entry, names: Names): string {
  const who = actorWords(entry.actor);
  return sentences[entry.action]?.(who, entry, names) ?? m.log_other({ who, action: entry.action });
}

export const knownActions = Object.keys(sentences);
