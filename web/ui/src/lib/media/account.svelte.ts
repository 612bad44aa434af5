// A source's account of its own frames, as the page holds it: a worker that sees
// every encoded frame, over all connections of the source.
import workerUrl from './account.worker.ts?worker&url';
import type { FromWorker, ToWorker, Why } from './account.worker';
import type { Device } from './device';

/** Whether this browser lets a page see what its encoders made, and keep it. */
export function accountable(): boolean {
  return 'RTCRtpScriptTransform' in globalThis && 'storage' in navigator && 'getDirectory' in navigator.storage && 'indexedDB' in globalThis;
}

interface TrustedTypes {
  createPolicy(name: string, rules: { createScriptURL: (url: string) => string }): { createScriptURL(url: string): string };
}

let policy: { createScriptURL(url: string): string } | undefined;

/** The one script beside the page's own that may run: the worker of this build. */
function trusted(url: string): string {
  const types = (globalThis as { trustedTypes?: TrustedTypes }).trustedTypes;
  if (!types) return url;
  policy ??= types.createPolicy('toldonce', {
    createScriptURL: (it) => {
      if (it !== workerUrl) throw new TypeError('not a script of this page');
      return it;
    },
  });
  return policy.createScriptURL(url);
}

/**
 * Why a page's own account fails: the browser cannot (`unsupported`) or keeps
 * nothing (`storage`), the worker does not run (`script`), the server does not
 * answer (`unreachable`) or refuses this device (`refused`).
 */
export type AccountTrouble = Why | 'script' | 'unsupported';

export class Account {
  /** Frames that the recorder lacks, as far as it said so. */
  missing = $state(0);
  /** Frames that were not accounted for yet: more than a second's worth means that the server is not reached. */
  waiting = $state(0);
  /** Why frames cannot be claimed or handed over again now; nothing while they can. */
  trouble = $state<AccountTrouble>();
  /** Resolves when the recorder let this device account for the source, or did not: before anything is sent. */
  readonly ready: Promise<void>;
  #worker: Worker;
  #opened: () => void = () => undefined;
  #peers = 0;
  #renew: () => Promise<string | undefined>;

  /**
   * @param renew fetches a new token of the source when the one before ended
   */
  constructor(source: string, own: Device, token: string, renew: () => Promise<string | undefined>) {
    this.#renew = renew;
    this.ready = new Promise((resolve) => {
      this.#opened = resolve;
      setTimeout(resolve, 3_000); // a recording does not wait for it
    });
    this.#worker = new Worker(trusted(workerUrl), { type: 'module' });
    this.#worker.addEventListener('message', (event: MessageEvent<FromWorker>) => void this.#told(event.data));
    this.#worker.addEventListener('error', () => {
      this.trouble = 'script';
      this.#opened();
    });
    this.#tell({ type: 'open', source, keyId: own.id, key: own.key, base: `${location.origin}/capture/${source}`, token });
  }

  /** A number for a connection, of which the frames are seen from now on. */
  peer(): number {
    return ++this.#peers;
  }

  watch(sender: RTCRtpSender, peer: number): void {
    sender.transform = new RTCRtpScriptTransform(this.#worker, { peer, kind: sender.track?.kind });
  }

  /** Says which WHIP session a connection became. */
  session(peer: number, session: string): void {
    this.#tell({ type: 'session', peer, session });
  }

  token(token: string): void {
    this.#tell({ type: 'token', token });
  }

  /** Says what the recording does, as the page hears of it. */
  state(state: string): void {
    this.#tell({ type: 'state', state });
  }

  /** Ends it when the page lets go of the source; what is kept stays until the recording is sealed. */
  close(): void {
    this.#tell({ type: 'close' });
  }

  /** Lets it hand over what is left by itself, and ends it then. */
  linger(): void {
    setTimeout(() => this.close(), 30_000);
  }

  #tell(message: ToWorker): void {
    this.#worker.postMessage(message);
  }

  async #told(message: FromWorker): Promise<void> {
    switch (message.type) {
      case 'ready':
        this.trouble = undefined;
        this.#opened();
        break;
      case 'failed':
        this.trouble = message.why;
        this.#opened();
        break;
      case 'standing':
        this.missing = message.missing;
        this.waiting = message.waiting;
        break;
      case 'token': {
        const token = await this.#renew().catch(() => undefined);
        if (token) this.token(token);
      }
    }
  }
}
