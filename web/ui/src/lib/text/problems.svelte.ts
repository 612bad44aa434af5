import { m } from '$m';
import type { Problem, Reason } from '../api/problem';

/** What went wrong, and what to do about it. */
export interface ProblemWords {
  title: string;
  todo?: string;
}

const words: Record<string, () => ProblemWords> = {
  offline: () => ({ title: m.problem_offline(), todo: m.problem_offline_todo() }),
  page: () => ({ title: m.problem_page(), todo: m.problem_page_todo() }),
  not_found: () => ({ title: m.problem_not_found(), todo: m.problem_not_found_todo() }),
  refused: () => ({ title: m.problem_refused(), todo: m.problem_refused_todo() }),
  invalid: () => ({ title: m.problem_invalid() }),
  conflict: () => ({ title: m.problem_conflict(), todo: m.problem_conflict_todo() }),
  too_many: () => ({ title: m.problem_too_many(), todo: m.problem_too_many_todo() }),
  clock_behind: () => ({ title: m.problem_clock_behind(), todo: m.problem_ask_administrator() }),
  unavailable: () => ({ title: m.problem_unavailable(), todo: m.problem_unavailable_todo() }),
  unknown_state: () => ({ title: m.problem_unknown_state(), todo: m.problem_unknown_state_todo() }),
  unauthenticated: () => ({ title: m.problem_unauthenticated(), todo: m.problem_unauthenticated_todo() }),
  'session.none': () => ({ title: m.problem_unauthenticated(), todo: m.problem_unauthenticated_todo() }),
  'session.locked': () => ({ title: m.problem_locked(), todo: m.problem_locked_todo() }),
  'tls.required': () => ({ title: m.problem_tls(), todo: m.problem_ask_administrator() }),
};

/** The words for a problem in the page's language. With reasons, they say what to do. */
export function problemWords(problem: Problem): ProblemWords {
  const known = words[problem.code]?.();
  if (known) return problem.reasons.length > 0 ? { title: known.title } : known;
  if (problem.status >= 500) return { title: m.problem_server(), todo: m.problem_server_todo() };
  return { title: problem.detail || m.problem_invalid() };
}

type Texts = Record<string, () => string>;

class Reasons {
  // Many words for rare moments: they are loaded when the first is needed.
  #texts = $state.raw<Texts>();
  #loading: Promise<void> | undefined;

  words(reason: Reason): string {
    if (!this.#texts) {
      this.#loading ??= import('./reasons').then(
        ({ reasonTexts }) => void (this.#texts = reasonTexts),
        () => void (this.#texts = {}),
      );
      return '';
    }
    return this.#texts[reason.code]?.() ?? reason.text;
  }
}

const reasons = new Reasons();

/**
 * The words for one reason; empty for the moment in which they are loaded. Each
 * code that the server knows has words, by test (test/reasons.test.ts); a newer
 * server's English stands until then.
 */
export function reasonWords(reason: Reason): string {
  return reasons.words(reason);
}
