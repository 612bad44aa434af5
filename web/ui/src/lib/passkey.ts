// Passkeys (W3C Web Authentication) as the server's ceremonies want them.
import { Problem } from './api/problem';

/** Whether they work here: WebAuthn needs a browser that knows it, and a name instead of a bare address. */
export function passkeysWork(): boolean {
  const bare = /^[\d.]+$/.test(location.hostname) || location.hostname.includes(':');
  return !bare && typeof PublicKeyCredential === 'function' && 'parseRequestOptionsFromJSON' in PublicKeyCredential;
}

/** What the server sends to begin a ceremony; its inside is the standard's. */
interface Options {
  publicKey: never;
}

/** Asks the person's device to make a passkey, and returns its answer. */
export async function makePasskey(options: unknown): Promise<Record<string, unknown>> {
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON((options as Options).publicKey);
  return answer(await ask(() => navigator.credentials.create({ publicKey })));
}

/** Asks the person's device to sign with a passkey, and returns its answer. */
export async function usePasskey(options: unknown): Promise<Record<string, unknown>> {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON((options as Options).publicKey);
  return answer(await ask(() => navigator.credentials.get({ publicKey })));
}

async function ask(act: () => Promise<Credential | null>): Promise<PublicKeyCredential> {
  let found: Credential | null = null;
  try {
    found = await act();
  } catch (thrown) {
    if (thrown instanceof DOMException && thrown.name === 'InvalidStateError') throw local('passkey.known');
    // NotAllowedError: the person closed the device's question, or it took too long.
  }
  if (!(found instanceof PublicKeyCredential)) throw local('passkey.cancelled');
  return found;
}

function answer(key: PublicKeyCredential): Record<string, unknown> {
  return key.toJSON() as Record<string, unknown>;
}

/** A problem that never reached the server. */
function local(code: string): Problem {
  return new Problem(400, code, '', [{ code, text: '' }]);
}
