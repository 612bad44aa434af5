// Checks, in this browser, that an entry stands in the custody log: RFC 6962
// hashing and RFC 9162 section 2.1.3.2 inclusion, with WebCrypto alone.

/** What the server sends as proof of an entry. */
export interface EntryProof {
  position: number;
  size: number;
  /** Root of the tree, lower-case hex. */
  root: string;
  /** The entry's canonical bytes, base64. */
  leaf: string;
  /** Audit path, lower-case hex, from the leaf upwards. */
  path: string[];
  /** Signed note over that tree (C2SP tlog-checkpoint). */
  checkpoint: string;
}

export interface Checked {
  /** The audit path leads from the entry's bytes to the root. */
  included: boolean;
  /** The checkpoint speaks of the same size and root. */
  sameTree: boolean;
  /** The entry's bytes are those of the line on screen: same identifier, action and time. */
  sameEntry: boolean;
  /** Hash of the leaf, lower-case hex. */
  leafHash: string;
}

async function sha256(...parts: Uint8Array[]): Promise<Uint8Array> {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return new Uint8Array(await crypto.subtle.digest('SHA-256', all));
}

const leafTag = Uint8Array.of(0);
const nodeTag = Uint8Array.of(1);

/** Recomputes the root from a leaf and its audit path; undefined if the path does not fit the position and size. */
export async function rootOf(leaf: Uint8Array, position: number, size: number, path: Uint8Array[]): Promise<Uint8Array | undefined> {
  if (!Number.isSafeInteger(position) || !Number.isSafeInteger(size) || position < 0 || position >= size) return undefined;
  let fn = position;
  let sn = size - 1;
  let hash = await sha256(leafTag, leaf);
  for (const sibling of path) {
    if (sn === 0) return undefined;
    if (fn % 2 === 1 || fn === sn) {
      hash = await sha256(nodeTag, sibling, hash);
      while (fn % 2 === 0 && fn !== 0) {
        fn = Math.floor(fn / 2);
        sn = Math.floor(sn / 2);
      }
    } else {
      hash = await sha256(nodeTag, hash, sibling);
    }
    fn = Math.floor(fn / 2);
    sn = Math.floor(sn / 2);
  }
  return sn === 0 ? hash : undefined;
}

/** Checks a proof against the entry that it should prove. */
export async function check(proof: EntryProof, entry: { id: string; action: string; position: number }): Promise<Checked> {
  const leaf = fromBase64(proof.leaf);
  const root = await rootOf(leaf, proof.position, proof.size, proof.path.map(fromHex));
  const [, size, hash] = proof.checkpoint.split('\n');
  const document = parse(new TextDecoder().decode(leaf));
  return {
    included: root !== undefined && toHex(root) === proof.root,
    sameTree: size === String(proof.size) && hash !== undefined && toHex(fromBase64(hash)) === proof.root,
    sameEntry: proof.position === entry.position && document?.id === entry.id && document?.action === entry.action,
    leafHash: toHex(await sha256(leafTag, leaf)),
  };
}

function parse(text: string): { id?: unknown; action?: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function fromHex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

function fromBase64(text: string): Uint8Array {
  try {
    return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  } catch {
    return new Uint8Array();
  }
}
