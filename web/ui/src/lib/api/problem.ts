/** A sentence of why something was refused, as the server sends it. */
export interface Reason {
  code: string;
  text: string;
  practice?: string;
}

/**
 * An answer that is not a success (RFC 9457), or no answer at all. `code` is
 * stable; words for people come from lib/text/problems.svelte.ts by code, never from
 * here.
 */
export class Problem extends Error {
  override readonly name = 'Problem';

  constructor(
    /** HTTP status; 0 when the server could not be reached. */
    readonly status: number,
    readonly code: string,
    /** The server's English sentence; empty when it sent none. */
    readonly detail: string,
    readonly reasons: Reason[] = [],
  ) {
    super(detail || code);
  }

  get offline(): boolean {
    return this.status === 0;
  }

  get notFound(): boolean {
    return this.status === 404;
  }

  get refused(): boolean {
    return this.status === 403;
  }
}

/** What a fetch that never got an answer becomes. */
export function unreachable(): Problem {
  return new Problem(0, 'offline', '');
}

/** Reads a problem document from a failed response, whatever its body holds. */
export function problemOf(status: number, body: unknown): Problem {
  if (typeof body === 'object' && body !== null && 'code' in body && typeof body.code === 'string') {
    const doc = body as { code: string; detail?: unknown; reasons?: unknown };
    return new Problem(
      status,
      doc.code,
      typeof doc.detail === 'string' ? doc.detail : '',
      Array.isArray(doc.reasons) ? doc.reasons.filter(isReason) : [],
    );
  }
  return new Problem(status, `http.${status}`, '');
}

function isReason(value: unknown): value is Reason {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as Reason).code === 'string' &&
    typeof (value as Reason).text === 'string'
  );
}

/** Turns whatever was thrown into a problem, so that a page shows one kind of failure. */
export function asProblem(thrown: unknown): Problem {
  if (thrown instanceof Problem) return thrown;
  console.error(thrown);
  return new Problem(0, 'page', '');
}
