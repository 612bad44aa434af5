import { session } from './session.svelte';

/** Something that happened, as the durable event table tells it. */
export interface Happening {
  /** An action of the custody log. */
  kind: string;
  case?: string;
  interview?: string;
  /** For grant.*: the grant, and whether it is given to the reader. */
  grant?: string;
  yours?: boolean;
}

type Listener = (happening: Happening) => void;

/**
 * One stream of server-sent events for the whole page. It reconnects by itself
 * and goes on where it was (Last-Event-ID). Only a page that listens opens it.
 */
class Happenings {
  /** Whether the server can be heard now; undefined before the first try. */
  connected = $state<boolean>();
  #listeners = new Set<Listener>();
  #source: EventSource | undefined;

  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    this.#open();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.#close();
    };
  }

  #open(): void {
    if (this.#source) return;
    const source = (this.#source = new EventSource('/api/v1/events'));
    source.onopen = () => (this.connected = true);
    source.onerror = () => {
      this.connected = false;
      // A refused stream is not tried again by the browser; a lost session comes back with a new one.
      if (source.readyState === EventSource.CLOSED && this.#source === source) {
        this.#source = undefined;
        setTimeout(() => this.#listeners.size > 0 && this.#open(), 5_000);
      }
    };
    // The session ended or locked while nothing was asked.
    source.addEventListener('session', () => void session.ask());
    for (const action of actions) source.addEventListener(action, (event) => this.#tell(event));
  }

  #tell(event: MessageEvent<string>): void {
    const happening = read(event);
    if (happening) for (const listener of this.#listeners) listener(happening);
  }

  #close(): void {
    this.#source?.close();
    this.#source = undefined;
    this.connected = undefined;
  }
}

/** Event names that pages act on; they are the actions of the custody log. */
const actions = [
  'account.propose', 'account.approve', 'account.activate', 'account.disable', 'account.recover', 'account.recover_approve',
  'case.open', 'case.stage', 'team.add', 'team.remove', 'person.add',
  'person.edit', 'person.link', 'separation.decide', 'file.write', 'file.close', 'file.follows', 'danger.raise',
  'consent.record', 'consent.receipt', 'consent.repeat', 'consent.attest', 'consent.withdraw',
  'interview.plan', 'interview.cancel', 'interview.ready', 'interview.not_ready', 'interview.consent_ended',
  'interview.start', 'interview.pause', 'interview.resume', 'interview.stop', 'interview.seal', 'interview.mark', 'source.add',
  'interview.observe_join', 'interview.observe_leave', 'interview.observe_ended', 'interview.propose', 'interview.settle',
  'grant.request', 'grant.approve', 'grant.reject', 'grant.revoke', 'grant.end', 'grant.accept', 'grant.extend', 'grant.attest',
  'derivative.request', 'derivative.made', 'derivative.failed', 'derivative.release', 'derivative.refuse',
  'export.request', 'export.approve', 'export.read', 'media.deliver',
  'retention.class', 'retention.set', 'retention.keep', 'retention.due', 'retention.lock', 'hold.place', 'hold.lift',
  'erasure.request', 'erasure.approve', 'erasure.reject', 'erasure.done', 'erasure.attest',
] as const;

function read(event: MessageEvent<string>): Happening | undefined {
  try {
    const body: unknown = JSON.parse(event.data);
    if (typeof body !== 'object' || body === null) return undefined;
    return { ...body, kind: event.type };
  } catch {
    return undefined;
  }
}

export const happenings = new Happenings();

/** Reads again what a page shows when one of `kinds` (an action, or its beginning before the dot) happens. */
export function onHappening(kinds: readonly string[], about: (h: Happening) => boolean, then: (h: Happening) => void): void {
  $effect(() =>
    happenings.listen((h) => {
      const family = h.kind.split('.')[0] ?? '';
      if ((kinds.includes(h.kind) || kinds.includes(family)) && about(h)) then(h);
    }),
  );
}
