// Who stands in the custody log, and what kinds of entries there are. The sentences are a chunk of their own.
import { m } from '$m';
import type { Schema } from '../api/client';
import { roleWord } from './words';

export type Entry = Schema['Entry'];

/** Names for the identifiers that entries hold, as far as the reader may know them. */
export interface Names {
  account: (id: string) => string | undefined;
  person: (id: string) => string | undefined;
  interview: (id: string) => string | undefined;
  /** The source of a track, and whether it is sound or picture. */
  track: (id: string) => string | undefined;
}

/** The end of an identifier, by which a reader without names tells one thing from another. */
const short = (id: string) => `…${id.slice(-6)}`;

/** For those who check acts and may not know people. */
export const noNames: Names = {
  account: (id) => (id ? m.short_account({ id: short(id) }) : undefined),
  person: (id) => (id ? m.short_person({ id: short(id) }) : undefined),
  interview: (id) => (id ? m.short_interview({ id: short(id) }) : undefined),
  track: () => undefined,
};

/** Who did it: a name, else a role. */
export function actorWords(actor: Entry['actor']): string {
  if (actor.kind === 'system') return m.actor_system();
  if (actor.kind === 'device') return m.actor_device();
  if (actor.name) return actor.role ? `${roleWord(actor.role)} ${actor.name}` : actor.name;
  return actor.role ? roleWord(actor.role) : m.actor_unknown();
}

/** The actions that have a sentence, for the filter. */
export const families = [
  { value: '', label: m.log_filter_all },
  { value: 'consent', label: m.case_consents },
  { value: 'interview', label: m.case_interviews },
  { value: 'grant', label: m.nav_grants },
  { value: 'media', label: m.log_filter_media },
  { value: 'export', label: m.nav_packages },
  { value: 'team', label: m.case_team },
  { value: 'person', label: m.nav_people },
  { value: 'log', label: m.log_filter_log },
] as const;
