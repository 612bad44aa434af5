import { api, ok, whenSessionIsLost, type Schema } from './api/client';
import { Problem } from './api/problem';
import { useLocale } from './locale.svelte';

export type Me = Schema['Me'];
export type Role = Me['role'];

/** Says that somebody signed in here, so that a first visit asks the server nothing. It holds no secret. */
const key = 'toldonce.session';

function mayBeSignedIn(): boolean {
  try {
    return localStorage.getItem(key) !== null;
  } catch {
    return true;
  }
}

function remember(signedIn: boolean): void {
  try {
    if (signedIn) localStorage.setItem(key, '1');
    else localStorage.removeItem(key);
  } catch {
    // Without storage the server is asked each time.
  }
}

type State = 'asking' | 'none' | 'in' | 'locked' | 'unreachable';

/** How often a person's presence is reported at most: the server's own rule is once a minute. */
const activityEvery = 60_000;

class Session {
  state = $state<State>('asking');
  me = $state.raw<Me>();
  /** While a page sends a recording, a session that ended is shown as locked, so that the page and what it sends stay. */
  holdsRecording = false;
  #reported = 0;

  constructor() {
    whenSessionIsLost((loss) => {
      if ((loss === 'locked' || this.holdsRecording) && this.me) this.state = 'locked';
      else this.#forget();
    });
  }

  /** Asks the server who is signed in. */
  async ask(): Promise<void> {
    if (!this.me && !mayBeSignedIn()) return this.#forget();
    try {
      this.#enter(await ok(api.GET('/me')));
    } catch (thrown) {
      if (thrown instanceof Problem && thrown.status === 401) {
        if ((thrown.code === 'session.locked' || this.holdsRecording) && this.me) this.state = 'locked';
        else this.#forget();
      } else if (!this.me) this.state = 'unreachable';
    }
  }

  async signIn(login: string, password: string, code: string): Promise<void> {
    await this.#signIn(() => ok(api.POST('/session', { body: { login, password, code } })));
  }

  async signInByPasskey(): Promise<void> {
    const { usePasskey } = await import('./passkey');
    await this.#signIn(async () => {
      const begun = await ok(api.POST('/session/passkey/begin'));
      return ok(api.POST('/session/passkey', { body: { token: begun.token, answer: await usePasskey(begun.options) } }));
    });
  }

  async #signIn(act: () => Promise<Me>): Promise<void> {
    const before = this.me?.account_id;
    const me = await act();
    // Somebody else on this machine must not inherit the pages of the one before.
    if (before && before !== me.account_id) location.assign('/');
    this.#enter(me);
  }

  async acceptInvitation(token: string, password: string, code: string): Promise<void> {
    this.#enter(await ok(api.POST('/invitations/accept', { body: { token, password, code } })));
  }

  async signOut(): Promise<void> {
    await ok(api.DELETE('/session'));
    this.#forget();
  }

  /** Reports keys, touches and pointer, so that the 30-minute lock (P38) counts what a person did. */
  watchActivity(): () => void {
    const seen = () => {
      const now = Date.now();
      if (this.state !== 'in' || now - this.#reported < activityEvery) return;
      this.#reported = now;
      void ok(api.POST('/session/activity')).catch(() => {
        // A lost session was reported on the way; a lost network shows where it matters.
      });
    };
    const kinds = ['keydown', 'pointerdown', 'touchstart'] as const;
    for (const kind of kinds) addEventListener(kind, seen, { passive: true });
    const timer = setInterval(() => void this.#look(), 30_000);
    return () => {
      for (const kind of kinds) removeEventListener(kind, seen);
      clearInterval(timer);
    };
  }

  /** Shows the lock when its time has come, though nothing was asked of the server. */
  async #look(): Promise<void> {
    const locksAt = this.me?.session.locks_at;
    if (this.state === 'in' && locksAt && Date.parse(locksAt) < Date.now()) await this.ask();
  }

  #enter(me: Me): void {
    remember(true);
    this.me = me;
    this.state = 'in';
    useLocale(me.language, 'account');
  }

  #forget(): void {
    remember(false);
    this.me = undefined;
    this.state = 'none';
  }
}

export const session = new Session();

/** Whether the person signed in has one of the roles. It decides what is shown; what is allowed the server decides. */
export function has(...roles: Role[]): boolean {
  return session.me !== undefined && roles.includes(session.me.role);
}
