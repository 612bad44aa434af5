import { api } from './fixtures';

/** A case file of its own with an adult victim, a team, a consent in writing and an interview ready to start. */
export interface World {
  case: string;
  person: string;
  interview: string;
}

/** `watched`: an observer is on the team, and the person agreed to be watched live. Made through the API, so that a test that uses it up can be run again. */
export async function readyInterview(pseudonym: string, watched = false): Promise<World> {
  const { data: file } = await api('case_manager', 'POST', '/cases', { reference: `${pseudonym} ${Date.now()}` });
  const { data: people } = await api('case_manager', 'GET', '/directory');
  for (const role of watched ? ['interviewer', 'advocate', 'observer'] : ['interviewer', 'advocate']) {
    const account = people.items.find((it: any) => it.role === role);
    await api('case_manager', 'POST', `/cases/${file.id}/team`, { account_id: account.id, role });
  }
  const { data: person } = await api('case_manager', 'POST', `/cases/${file.id}/people`, { pseudonym, kind: 'victim', age: 'adult', language: 'sq' });
  const { data: rooms } = await api('interviewer', 'GET', '/rooms');
  const { data: interview } = await api('interviewer', 'POST', `/cases/${file.id}/interviews`, {
    person_id: person.id,
    room_id: rooms.items[0].id,
    planned_at: new Date(Date.now() + 3_600_000).toISOString(),
    language: 'sq',
    needs: 'None; she was asked.',
  });
  await api('interviewer', 'POST', `/cases/${file.id}/consents`, {
    person_id: person.id,
    purposes: watched ? ['record', 'observe_live'] : ['record', 'training'],
    given_by: 'self',
    form: 'written',
    document: 'Form 9',
    language: 'sq',
  });
  return { case: file.id, person: person.id, interview: interview.id };
}
