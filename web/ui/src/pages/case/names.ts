// Names for the identifiers that stand in the custody log of a case.
import { api, ok } from '$lib/api/client';
import { Problem } from '$lib/api/problem';
import { has } from '$lib/session.svelte';
import { m } from '$m';
import type { Names } from '$lib/text/actors';
import { personName, sourceWord } from '$lib/text/words';

/** Reads what the reader may know of a case: a list that she may not read gives no names. */
export async function namesOfCase(id: string, signal: AbortSignal): Promise<Names> {
  const path = { params: { path: { id } }, signal };
  const [people, interviews, team, directory] = await Promise.all([
    has('auditor') ? [] : may(ok(api.GET('/cases/{id}/people', path))),
    may(ok(api.GET('/cases/{id}/interviews', path))),
    may(ok(api.GET('/cases/{id}/team', path))),
    may(ok(api.GET('/directory', { signal }))),
  ]);
  const persons = new Map(people.map((it) => [it.id as string, it.pseudonym]));
  const sittings = new Map(interviews.map((it) => [it.id as string, m.interview_name({ person: personName(it.person), number: it.number })]));
  const accounts = new Map(directory.map((it) => [it.id as string, it.name]));
  for (const member of team) accounts.set(member.account.id, member.account.name);
  const held = interviews.filter((it) => it.state === 'sealed' || it.state === 'recording' || it.state === 'paused');
  const sources = await Promise.all(held.map((it) => may(ok(api.GET('/interviews/{id}/sources', { params: { path: { id: it.id } }, signal })))));
  const tracks = new Map(sources.flat().flatMap((source) => source.tracks.map((track) => [track.id as string, sourceWord(source.name)])));
  return {
    account: (key) => accounts.get(key),
    person: (key) => persons.get(key),
    interview: (key) => sittings.get(key),
    track: (key) => tracks.get(key),
  };
}

async function may<T>(list: Promise<{ items: T[] }>): Promise<T[]> {
  try {
    return (await list).items;
  } catch (thrown) {
    if (thrown instanceof Problem && (thrown.refused || thrown.notFound)) return [];
    throw thrown;
  }
}
