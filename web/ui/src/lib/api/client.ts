import createClient, { type FetchResponse } from 'openapi-fetch';
import type { components, paths } from './schema';
import { problemOf, unreachable } from './problem';

/** The schemas of the API, by name: `Schema['Interview']`. */
export type Schema = components['schemas'];

/** How the API tells the rest of the page that nobody is signed in, or that the session is locked. */
export type SessionLoss = 'none' | 'locked';

let onSessionLoss: (loss: SessionLoss) => void = () => {};

/** Sets the one listener for a lost session. */
export function whenSessionIsLost(listener: (loss: SessionLoss) => void): void {
  onSessionLoss = listener;
}

/** Calls the API with the session's cookie, and turns silence into a problem. */
export async function reach(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  try {
    return await fetch(input, init);
  } catch (thrown) {
    if (thrown instanceof DOMException && thrown.name === 'AbortError') throw thrown;
    throw unreachable();
  }
}

/** The typed client, generated from openapi.json. */
export const api = createClient<paths>({ baseUrl: '/api/v1', fetch: (request: Request) => reach(request) });

/**
 * Unwraps an answer of the client: returns its body, or throws a Problem. It
 * reports a lost session once on the way, but for the calls that sign in.
 */
export async function ok<T extends Record<string | number, unknown>, O, M extends `${string}/${string}`>(
  call: Promise<FetchResponse<T, O, M>>,
): Promise<NonNullable<FetchResponse<T, O, M>['data']>> {
  const { data, error, response } = await call;
  if (response.ok) return data as NonNullable<FetchResponse<T, O, M>['data']>;
  const problem = problemOf(response.status, error);
  if (problem.code === 'session.locked') onSessionLoss('locked');
  if (problem.code === 'session.none') onSessionLoss('none');
  throw problem;
}
