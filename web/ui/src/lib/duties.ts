// What waits for the person who signed in, drawn from the lists that she may read.
import { m } from '$m';
import { api, ok, type Schema } from './api/client';
import { dutyWords } from './sheets';
import type { Me } from './session.svelte';
import { day, listing, moment, position, until } from './text/time';
import { personName, roleWord, sourceWord } from './text/words';

export interface Duty {
  key: string;
  /** now: somebody waits at this moment; soon: waits for a decision; open: can be done. */
  urgency: 'now' | 'soon' | 'open';
  title: string;
  text: string;
  href: string;
  act: string;
}

export interface Desk {
  duties: Duty[];
  cases: Schema['Case'][];
}

type Lists = {
  cases: Schema['Case'][];
  interviews: Schema['Interview'][];
  grants: Schema['Grant'][];
  packages: Schema['Export'][];
  accounts: Schema['Account'][];
  kept: Schema['Retention'][];
  erasures: Schema['Erasure'][];
  sheets: Schema['Sheet'][];
};

/** Reads what the person's role has to do with, and nothing else. */
export async function readDesk(me: Me, signal: AbortSignal): Promise<Desk> {
  const is = (...roles: Me['role'][]) => roles.includes(me.role);
  const none = Promise.resolve({ items: [] });
  const [cases, interviews, grants, packages, accounts, kept, erasures, sheets] = await Promise.all([
    is('admin') ? none : ok(api.GET('/cases', { signal })),
    is('admin', 'auditor') ? none : ok(api.GET('/interviews', { signal })),
    is('case_manager', 'prosecutor', 'custodian', 'observer', 'advocate', 'interviewer') ? ok(api.GET('/grants', { signal })) : none,
    is('prosecutor', 'custodian') ? ok(api.GET('/exports', { signal })) : none,
    is('admin', 'custodian') ? ok(api.GET('/accounts', { signal })) : none,
    is('custodian') ? ok(api.GET('/retention', { signal })) : none,
    is('custodian') ? ok(api.GET('/erasures', { signal })) : none,
    is('admin', 'auditor') ? none : ok(api.GET('/duties', { signal })),
  ]);
  const lists: Lists = {
    cases: cases.items,
    interviews: interviews.items,
    grants: grants.items,
    packages: packages.items,
    accounts: accounts.items,
    kept: kept.items,
    erasures: erasures.items,
    sheets: sheets.items,
  };
  return { duties: dutiesOf(me, lists, Date.now()), cases: lists.cases };
}

const order = { now: 0, soon: 1, open: 2 };

/** The duties in the order in which they press. */
export function dutiesOf(me: Me, lists: Lists, now: number): Duty[] {
  return [
    ...lists.sheets.map(sheetDuty),
    ...lists.interviews.flatMap((it) => interviewDuty(me, it, lists.grants)),
    ...lists.grants.flatMap((it) => grantDuty(me, it, lists.grants, now)),
    ...lists.packages.flatMap(packageDuty),
    ...setupDuty(me, lists.accounts),
    ...lists.accounts.flatMap((it) => accountDuty(me, it)),
    ...lists.kept.flatMap(retentionDuty),
    ...lists.erasures.flatMap(erasureDuty),
    ...lists.cases.flatMap((it) => caseDuty(me, it)),
  ].sort((a, b) => order[a.urgency] - order[b.urgency]);
}

function interviewDuty(me: Me, it: Schema['Interview'], grants: Schema['Grant'][]): Duty[] {
  const title = m.duty_interview({ person: personName(it.person), number: it.number, case: it.case.reference });
  const about = { key: `interview ${it.id}`, title, href: `/interviews/${it.id}` };
  const mine = me.role === 'interviewer';
  const watches = me.role === 'observer' || me.role === 'advocate';
  const prepares = mine || me.role === 'case_manager' || me.role === 'advocate';
  switch (it.state) {
    case 'recording':
    case 'paused':
      return [{
        ...about,
        urgency: 'now',
        text: it.state === 'recording' ? m.duty_interview_recording() : m.duty_interview_paused(),
        href: mine ? `${about.href}/room` : watches ? `${about.href}/monitor` : about.href,
        act: mine ? m.duty_to_room() : watches ? m.interview_watch() : m.look(),
      }];
    case 'ready':
      if (!prepares) return [];
      return [{
        ...about,
        urgency: 'soon',
        text: m.duty_interview_ready({ when: moment(it.planned_at), room: it.room.name }),
        act: mine ? m.duty_prepare() : m.look(),
      }];
    case 'planned':
      if (!prepares) return [];
      return [{ ...about, urgency: 'soon', text: m.duty_interview_missing({ when: moment(it.planned_at) }), act: m.duty_see_missing() }];
    case 'sealed': {
      const asked = grants.some((grant) => grant.interview_id === it.id && grant.to.id === me.account_id && (grant.state === 'proposed' || grant.state === 'active'));
      if (me.role !== 'prosecutor' || asked) return [];
      return [{ ...about, urgency: 'open', text: m.duty_interview_sealed(), href: `${about.href}/review`, act: m.ask_grant() }];
    }
    default:
      return [];
  }
}

function sheetDuty(it: Schema['Sheet']): Duty {
  const danger = it.content.duty?.code === 'danger';
  return {
    key: `sheet ${it.id}`,
    urgency: danger || it.overdue ? 'now' : it.due_at ? 'soon' : 'open',
    title: `${it.case.reference}: ${dutyWords(it)}`,
    text: it.due_at ? (it.overdue ? m.duty_late({ when: moment(it.due_at) }) : m.duty_by({ when: moment(it.due_at) })) : m.file_written({ who: it.written_by.name }),
    href: `/cases/${it.case.id}/file`,
    act: m.duty_to_file(),
  };
}

/** How long before its end a grant is called to mind. */
const endsSoon = 3 * 86_400_000;

function grantDuty(me: Me, it: Schema['Grant'], grants: Schema['Grant'][], now: number): Duty[] {
  const what = m.grant_what({ source: sourceWord(it.source), from: position(it.bounds.from), until: position(it.bounds.until) });
  if (it.state === 'proposed' && it.may_approve) {
    return [{
      key: `grant ${it.id}`,
      urgency: 'soon',
      title: m.duty_grant({ who: it.to.name, role: roleWord(it.to.role), case: it.case.reference }),
      text: what,
      href: '/grants',
      act: m.duty_decide(),
    }];
  }
  const mine = it.to.id === me.account_id;
  if (it.owes_copies && (mine || me.role === 'custodian')) {
    return [{
      key: `copies ${it.id}`,
      urgency: mine ? 'soon' : 'open',
      title: mine ? m.duty_copies({ case: it.case.reference }) : m.duty_copies_held({ who: it.to.name, case: it.case.reference }),
      text: what,
      href: '/grants',
      act: mine ? m.copies_act() : m.look(),
    }];
  }
  const left = Date.parse(it.not_after) - now;
  const begun = Date.parse(it.not_before) <= now;
  // Whoever holds it and who gave it are reminded in its last days, unless an extension was asked for.
  if (it.state === 'active' && begun && left > 0 && left < endsSoon && !grants.some((other) => other.extends === it.id) && (me.role === 'custodian' || (mine && it.may_extend))) {
    return [{
      key: `grant ends ${it.id}`,
      urgency: mine ? 'soon' : 'open',
      title: mine ? m.duty_grant_ends({ case: it.case.reference }) : m.duty_grant_ends_held({ who: it.to.name, case: it.case.reference }),
      text: m.duty_grant_ends_text({ what, when: until(it.not_after, now) }),
      href: mine ? `/interviews/${it.interview_id}/review` : '/grants',
      act: mine ? m.review() : m.look(),
    }];
  }
  if (it.state === 'active' && mine && left > 0) {
    const open = begun;
    return [{
      key: `grant ${it.id}`,
      urgency: 'open',
      title: m.duty_review({ case: it.case.reference }),
      text: open ? m.duty_review_ends({ what, when: until(it.not_after, now) }) : m.duty_review_begins({ what, when: moment(it.not_before) }),
      href: `/interviews/${it.interview_id}/review`,
      act: m.review(),
    }];
  }
  return [];
}

function packageDuty(it: Schema['Export']): Duty[] {
  if (it.state === 'proposed' && it.may_approve) {
    return [{
      key: `package ${it.id}`,
      urgency: 'soon',
      title: m.duty_package({ who: it.requested_by.name, case: it.case.reference }),
      text: it.clear ? m.duty_package_clear() : m.duty_package_encrypted(),
      href: '/packages',
      act: m.duty_decide(),
    }];
  }
  return [];
}

/** As long as nobody else can sign in, an administrator is still setting up. */
function setupDuty(me: Me, accounts: Schema['Account'][]): Duty[] {
  if (me.role !== 'admin' || accounts.some((it) => it.state === 'active' && it.id !== me.account_id)) return [];
  return [{ key: 'setup', urgency: 'now', title: m.setup_title(), text: m.setup_duty(), href: '/setup', act: m.setup_go() }];
}

function accountDuty(me: Me, it: Schema['Account']): Duty[] {
  if (it.state !== 'proposed' || it.created_by?.id === me.account_id) return [];
  return [{
    key: `account ${it.id}`,
    urgency: 'soon',
    title: m.duty_account({ name: it.name, role: roleWord(it.role) }),
    text: m.duty_account_text({ who: it.created_by?.name ?? '' }),
    href: '/accounts',
    act: m.duty_decide(),
  }];
}

function retentionDuty(it: Schema['Retention']): Duty[] {
  if (!it.due || !it.decide) return [];
  return [{
    key: `retention ${it.case.id}`,
    urgency: 'soon',
    title: m.duty_retention({ case: it.case.reference }),
    text: m.duty_retention_text({ when: day(it.decide) }),
    href: '/retention',
    act: m.duty_decide(),
  }];
}

function erasureDuty(it: Schema['Erasure']): Duty[] {
  if (!it.may_decide && !it.may_attest) return [];
  return [{
    key: `erasure ${it.id}`,
    urgency: 'soon',
    title: m.duty_erasure({ case: it.case.reference }),
    text: it.may_decide ? m.duty_erasure_text({ who: it.requested_by.name }) : m.duty_attest_text(),
    href: '/retention/erasures',
    act: m.duty_decide(),
  }];
}

function caseDuty(me: Me, it: Schema['Case']): Duty[] {
  if (it.manager) {
    if (me.role === 'case_manager' && it.counts.people === 0 && it.stage !== 'closed') {
      return [{ key: `case ${it.id}`, urgency: 'open', title: it.reference, text: m.duty_case_people(), href: `/cases/${it.id}/people`, act: m.duty_add_person() }];
    }
    return [];
  }
  return [{ key: `case ${it.id}`, urgency: 'soon', title: it.reference, text: m.duty_case_manager(), href: `/cases/${it.id}`, act: m.look() }];
}

/** What a case file holds, in one line. */
export function contents(counts: Schema['CaseCounts']): string {
  return listing([m.count_people({ n: counts.people }), m.count_interviews({ n: counts.interviews }), m.count_grants({ n: counts.open_grants })]);
}
