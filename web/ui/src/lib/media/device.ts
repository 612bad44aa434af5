// The key of this browser: it signs what its encoders made, and lets it go on with
// a recording when nobody is signed in any more. It cannot be read out, not by this
// page either.
import { fromBase64, toBase64, toHex } from './claims';
import type { Endpoint } from './whip';

export interface Device {
  key: CryptoKey;
  /** SubjectPublicKeyInfo. */
  publicKey: Uint8Array<ArrayBuffer>;
  /** Its SHA-256, in hex. */
  id: string;
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };

/** The device key, made the first time. */
export async function device(): Promise<Device> {
  const db = await database();
  try {
    let pair = await request<CryptoKeyPair | undefined>(db.transaction('key').objectStore('key').get('device'));
    if (!pair) {
      const fresh = (await crypto.subtle.generateKey(algorithm, false, ['sign', 'verify'])) as CryptoKeyPair;
      // Another tab may have been first: what is there stays.
      await request(db.transaction('key', 'readwrite').objectStore('key').add(fresh, 'device')).catch(() => undefined);
      pair = (await request<CryptoKeyPair | undefined>(db.transaction('key').objectStore('key').get('device'))) ?? fresh;
    }
    const publicKey = new Uint8Array(await crypto.subtle.exportKey('spki', pair.publicKey));
    return { key: pair.privateKey, publicKey, id: toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', publicKey))) };
  } finally {
    db.close();
  }
}

/** A new token for a source, by this device's signature alone; nothing if the server does not give one. */
export async function deviceToken(own: Device, interview: string, source: string): Promise<Endpoint | undefined> {
  const asked = await post(`/capture/${source}/challenge`, {});
  if (!asked.ok) return undefined;
  const { challenge } = (await asked.json()) as { challenge: string };
  const head = new TextEncoder().encode('toldonce/device/v1\n');
  const bytes = fromBase64(challenge);
  const text = new Uint8Array(head.length + bytes.length);
  text.set(head);
  text.set(bytes, head.length);
  const signature = new Uint8Array(await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, own.key, text));
  const response = await post(`/capture/${source}/token`, { interview, key_id: own.id, challenge, signature: toBase64(signature) });
  return response.ok ? ((await response.json()) as Endpoint) : undefined;
}

function post(path: string, body: unknown): Promise<Response> {
  return fetch(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body), credentials: 'omit' });
}

function database(): Promise<IDBDatabase> {
  const opening = indexedDB.open('toldonce-device', 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore('key');
  return request(opening);
}

function request<T>(it: IDBRequest): Promise<T> {
  return new Promise((resolve, reject) => {
    it.onsuccess = () => resolve(it.result as T);
    it.onerror = () => reject(it.error ?? new Error('the browser keeps no data'));
  });
}
