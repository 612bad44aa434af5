// What observers ask of the interviewer, as both rooms see it.
import { api, ok, type Schema } from '../api/client';
import { onHappening } from '../events.svelte';
import { resource, type Resource } from '../resource.svelte';

export type Call = Schema['Call'];

/** The interview's calls, read again whenever one is made or answered. Call it while a component is being set up. */
export function callsOf(interview: () => string): Resource<Call[]> {
  const calls = resource(interview, async (signal) => (await ok(api.GET('/interviews/{id}/calls', { params: { path: { id: interview() } }, signal }))).items);
  onHappening(['interview.propose', 'interview.settle'], (h) => h.interview === interview(), () => calls.reload());
  return calls;
}
