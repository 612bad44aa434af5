// The formats in which this page accounts for the frames that its encoders made:
// batches that it signs, and runs of frames that it hands over again. They are
// specified in evidence/claims/FORMAT.md; the server reads the same.

export type Kind = 'video' | 'audio';

/** One frame as the encoder made it. */
export interface Made {
  kind: Kind;
  key: boolean;
  /** Of its RTP packets. */
  timestamp: number;
  /** Bytes of the sample. */
  size: number;
  /** SHA-256 of the sample. */
  sum: Uint8Array;
  /** When it was made, microseconds since the epoch by this device's clock. */
  at: number;
}

export const maxEntries = 4096;

const version = 1;
const headSize = 115;
const entrySize = 45;

const kindCode = (kind: Kind) => (kind === 'video' ? 1 : 2);

/** The 16 bytes of a UUID. */
export function uuidBytes(id: string): Uint8Array {
  return fromHex(id.replaceAll('-', ''));
}

export function fromHex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (it) => it.toString(16).padStart(2, '0')).join('');
}

export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (it) => it.charCodeAt(0));
}

export function toBase64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}

/** What a batch says beside its frames. */
export interface BatchHead {
  /** SHA-256 of the device's public key. */
  key: Uint8Array;
  source: string;
  /** WHIP session in which the frames were sent. */
  session: string;
  sequence: number;
  /** SHA-256 of the batch before, with its signature; zeros for the first. */
  previous: Uint8Array;
  /** Microseconds since the epoch. */
  sentAt: number;
}

/** A batch without its signature. */
export function encodeBatch(head: BatchHead, frames: readonly Made[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(headSize + frames.length * entrySize);
  const view = new DataView(out.buffer);
  out.set([0x54, 0x4f, 0x53, 0x4d, version]); // TOSM
  out.set(head.key, 5);
  out.set(uuidBytes(head.source), 37);
  out.set(uuidBytes(head.session), 53);
  view.setUint32(69, head.sequence);
  out.set(head.previous, 73);
  view.setBigUint64(105, BigInt(head.sentAt));
  view.setUint16(113, frames.length);
  frames.forEach((frame, i) => {
    const at = headSize + i * entrySize;
    view.setUint8(at, kindCode(frame.kind) | (frame.key ? 0x80 : 0));
    view.setUint32(at + 1, frame.timestamp);
    view.setUint32(at + 5, frame.size);
    view.setUint32(at + 9, Math.min(Math.max(0, head.sentAt - frame.at), 0xffffffff));
    out.set(frame.sum, at + 13);
  });
  return out;
}

/** A frame that is handed over again. */
export interface Again {
  timestamp: number;
  key: boolean;
  sample: Uint8Array;
}

export function encodeRun(source: string, session: string, kind: Kind, frames: readonly Again[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(42 + frames.reduce((sum, it) => sum + 9 + it.sample.length, 0));
  const view = new DataView(out.buffer);
  out.set([0x54, 0x4f, 0x52, 0x46, version]); // TORF
  out.set(uuidBytes(source), 5);
  out.set(uuidBytes(session), 21);
  view.setUint8(37, kindCode(kind));
  view.setUint32(38, frames.length);
  let at = 42;
  for (const frame of frames) {
    view.setUint32(at, frame.timestamp);
    view.setUint8(at + 4, frame.key ? 1 : 0);
    view.setUint32(at + 5, frame.sample.length);
    out.set(frame.sample, at + 9);
    at += 9 + frame.sample.length;
  }
  return out;
}

/** The sample of an encoded frame, whatever its codec: what the recorder makes of the packets that it is sent in. */
export function sampleOf(mime: string, frame: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  switch (mime.toLowerCase()) {
    case 'video/h264':
      return lengthPrefixed(frame);
    case 'video/av1':
      return withoutDelimiters(frame);
  }
  return frame;
}

/** An AV1 temporal unit without its delimiter, which is not sent. */
export function withoutDelimiters(unit: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const kept: Uint8Array[] = [];
  for (let at = 0; at < unit.length; ) {
    const head = unit[at] ?? 0;
    let size = head & 4 ? 2 : 1;
    if (head & 2) {
      let length = 0;
      for (let shift = 0; ; shift += 7) {
        const byte = unit[at + size++] ?? 0;
        length += (byte & 0x7f) * 2 ** shift;
        if (byte < 0x80 || shift > 42) break;
      }
      size += length;
    } else size = unit.length - at;
    if (((head >> 3) & 15) !== 2) kept.push(unit.subarray(at, at + size));
    at += size;
  }
  const out = new Uint8Array(kept.reduce((sum, it) => sum + it.length, 0));
  let at = 0;
  for (const it of kept) {
    out.set(it, at);
    at += it.length;
  }
  return out;
}

/**
 * Turns H.264 as encoders hand it out, NAL units behind start codes, into the
 * sample that a recording holds: each unit with its length in four bytes before it.
 */
export function lengthPrefixed(annexB: Uint8Array): Uint8Array<ArrayBuffer> {
  const units: [number, number][] = [];
  let begin = -1;
  for (let i = 0; i + 3 <= annexB.length; ) {
    if (annexB[i] !== 0 || annexB[i + 1] !== 0 || annexB[i + 2] !== 1) {
      i++;
      continue;
    }
    let end = i;
    while (end > 0 && end > begin && annexB[end - 1] === 0) end--;
    if (begin >= 0 && end > begin) units.push([begin, end]);
    i += 3;
    begin = i;
  }
  if (begin >= 0 && begin < annexB.length) units.push([begin, annexB.length]);
  const out = new Uint8Array(units.reduce((sum, [from, to]) => sum + 4 + to - from, 0));
  const view = new DataView(out.buffer);
  let at = 0;
  for (const [from, to] of units) {
    view.setUint32(at, to - from);
    out.set(annexB.subarray(from, to), at + 4);
    at += 4 + to - from;
  }
  return out;
}
