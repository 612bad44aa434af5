// Frames that are kept on this device until the recorder has them, encrypted, in
// the browser's private file system. Used in a worker: only there files can be
// written in place.
import { fromHex, toHex, uuidBytes, type Kind, type Made } from './claims';

/** A frame that is kept, and where. */
export interface Kept extends Made {
  session: string;
  file: number;
  /** Of the chunk that holds it, in the file. */
  chunk: number;
  /** Of the sample in the chunk. */
  offset: number;
}

/** A frame to keep. */
export interface Fresh extends Made {
  session: string;
  sample: Uint8Array;
}

/** A new file is begun after so many bytes. */
const fileSize = 16 << 20;
/** So much is kept even if the recorder has it. */
const bound = 64 << 20;
const headSize = 16 + 1 + 4 + 8 + 4 + 32;

interface File {
  number: number;
  handle: FileSystemSyncAccessHandle;
  size: number;
}

/** The store of one source. */
export class FrameStore {
  frames: Kept[] = [];
  #dir: FileSystemDirectoryHandle;
  #key: CryptoKey;
  #bind: Uint8Array<ArrayBuffer>;
  #files: File[] = [];

  private constructor(dir: FileSystemDirectoryHandle, key: CryptoKey, source: string) {
    this.#dir = dir;
    this.#key = key;
    this.#bind = new TextEncoder().encode(source);
  }

  /** What was needed to open an earlier store: a key that the server wrapped. */
  static async wrapped(source: string): Promise<Uint8Array | undefined> {
    const dir = await folder(source);
    const file = await (await dir.getFileHandle('key', { create: true })).getFile();
    return file.size > 0 ? new Uint8Array(await file.arrayBuffer()) : undefined;
  }

  /** Opens the store of a source; what an earlier page left in it is there again. */
  static async open(source: string, raw: Uint8Array<ArrayBuffer>, wrapped: Uint8Array<ArrayBuffer>): Promise<FrameStore> {
    const dir = await folder(source);
    const key = await crypto.subtle.importKey('raw', raw, 'AES-GCM', false, ['encrypt', 'decrypt']);
    const note = await (await dir.getFileHandle('key', { create: true })).createSyncAccessHandle();
    note.truncate(0);
    note.write(wrapped, { at: 0 });
    note.flush();
    note.close();
    const store = new FrameStore(dir, key, source);
    try {
      await store.#read();
    } catch (thrown) {
      store.close(); // so that another try may open the files
      throw thrown;
    }
    return store;
  }

  /** Keeps frames, all of them in one encrypted chunk. */
  async keep(frames: Fresh[]): Promise<Kept[]> {
    if (frames.length === 0) return [];
    const plain = new Uint8Array(frames.reduce((sum, it) => sum + headSize + it.sample.length, 0));
    const offsets = pack(plain, frames);
    const sealed = await this.#seal(plain);
    let file = this.#files.at(-1);
    if (!file || file.size > fileSize) file = await this.#next();
    const chunk = file.size;
    const length = new Uint8Array(4);
    new DataView(length.buffer).setUint32(0, sealed.length);
    file.handle.write(length, { at: chunk });
    file.handle.write(sealed, { at: chunk + 4 });
    file.handle.flush();
    file.size = chunk + 4 + sealed.length;
    const number = file.number;
    const kept = frames.map(({ sample: _, ...it }, i): Kept => ({ ...it, file: number, chunk, offset: offsets[i] ?? 0 }));
    this.frames.push(...kept);
    return kept;
  }

  /** The samples of frames that are kept. */
  async samples(frames: readonly Kept[]): Promise<Uint8Array[]> {
    const chunks = new Map<string, Uint8Array>();
    const out: Uint8Array[] = [];
    for (const it of frames) {
      const name = `${it.file}/${it.chunk}`;
      let plain = chunks.get(name);
      if (!plain) {
        const file = this.#files.find((f) => f.number === it.file);
        if (!file) throw new Error('a frame that is wanted is not kept any more');
        plain = (await this.#chunk(file, it.chunk))?.plain ?? new Uint8Array();
        chunks.clear(); // frames come in order: one chunk at a time is enough
        chunks.set(name, plain);
      }
      out.push(plain.slice(it.offset, it.offset + it.size));
    }
    return out;
  }

  /** Drops the oldest files beyond the bound, if the recorder has all that is in them. */
  async drop(settled: (frame: Kept) => boolean): Promise<void> {
    while (this.#files.length > 1 && this.#files.reduce((sum, it) => sum + it.size, 0) > bound) {
      const oldest = this.#files[0];
      if (!oldest) return;
      const end = this.frames.findIndex((it) => it.file !== oldest.number);
      const inside = end < 0 ? this.frames : this.frames.slice(0, end);
      if (!inside.every(settled)) return;
      oldest.handle.close();
      await this.#dir.removeEntry(String(oldest.number));
      this.#files.shift();
      this.frames.splice(0, inside.length);
    }
  }

  close(): void {
    for (const file of this.#files) file.handle.close();
    this.#files = [];
  }

  /** Forgets everything: nothing of it is left on this device. */
  async wipe(source: string): Promise<void> {
    this.close();
    this.frames = [];
    await FrameStore.wipe(source);
  }

  static async wipe(source: string): Promise<void> {
    const root = await (await navigator.storage.getDirectory()).getDirectoryHandle('capture', { create: true });
    await root.removeEntry(source, { recursive: true }).catch(() => undefined);
  }

  async #next(): Promise<File> {
    const number = (this.#files.at(-1)?.number ?? -1) + 1;
    const handle = await (await this.#dir.getFileHandle(String(number), { create: true })).createSyncAccessHandle();
    handle.truncate(0);
    const file = { number, handle, size: 0 };
    this.#files.push(file);
    return file;
  }

  async #seal(plain: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
    const iv = crypto.getRandomValues(new Uint8Array(12));
    const sealed = new Uint8Array(await crypto.subtle.encrypt({ name: 'AES-GCM', iv, additionalData: this.#bind }, this.#key, plain));
    const out = new Uint8Array(12 + sealed.length);
    out.set(iv);
    out.set(sealed, 12);
    return out;
  }

  /** One chunk and where the next begins; nothing for one that is torn or not of this key. */
  async #chunk(file: File, at: number): Promise<{ plain: Uint8Array; next: number } | undefined> {
    const length = new Uint8Array(4);
    if (file.handle.read(length, { at }) < 4) return undefined;
    const size = new DataView(length.buffer).getUint32(0);
    if (size < 28 || at + 4 + size > file.size) return undefined;
    const sealed = new Uint8Array(size);
    file.handle.read(sealed, { at: at + 4 });
    try {
      const params = { name: 'AES-GCM', iv: sealed.slice(0, 12), additionalData: this.#bind };
      return { plain: new Uint8Array(await crypto.subtle.decrypt(params, this.#key, sealed.slice(12))), next: at + 4 + size };
    } catch {
      return undefined;
    }
  }

  async #read(): Promise<void> {
    const numbers: number[] = [];
    for await (const name of this.#dir.keys()) if (/^\d+$/.test(name)) numbers.push(Number(name));
    numbers.sort((a, b) => a - b);
    for (const number of numbers) {
      const handle = await open(await this.#dir.getFileHandle(String(number)));
      const file = { number, handle, size: handle.getSize() };
      this.#files.push(file);
      for (let at = 0; at < file.size; ) {
        const chunk = await this.#chunk(file, at);
        if (!chunk) {
          // A page that was closed in the middle of writing.
          handle.truncate(at);
          file.size = at;
          break;
        }
        for (const it of unpack(chunk.plain)) this.frames.push({ ...it, file: number, chunk: at });
        at = chunk.next;
      }
    }
  }
}

/** Another page may hold the file for a moment: the one before a reload. */
async function open(file: FileSystemFileHandle): Promise<FileSystemSyncAccessHandle> {
  for (let tries = 0; ; tries++) {
    try {
      return await file.createSyncAccessHandle();
    } catch (thrown) {
      if (tries === 50) throw thrown;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

async function folder(source: string): Promise<FileSystemDirectoryHandle> {
  const root = await navigator.storage.getDirectory();
  return (await root.getDirectoryHandle('capture', { create: true })).getDirectoryHandle(source, { create: true });
}

function pack(out: Uint8Array<ArrayBuffer>, frames: readonly Fresh[]): number[] {
  const view = new DataView(out.buffer);
  const offsets: number[] = [];
  let at = 0;
  for (const it of frames) {
    out.set(uuidBytes(it.session), at);
    view.setUint8(at + 16, (it.kind === 'video' ? 1 : 2) | (it.key ? 0x80 : 0));
    view.setUint32(at + 17, it.timestamp);
    view.setFloat64(at + 21, it.at);
    view.setUint32(at + 29, it.sample.length);
    out.set(it.sum, at + 33);
    out.set(it.sample, at + headSize);
    offsets.push(at + headSize);
    at += headSize + it.sample.length;
  }
  return offsets;
}

function* unpack(plain: Uint8Array): Generator<Omit<Kept, 'file' | 'chunk'>> {
  const view = new DataView(plain.buffer, plain.byteOffset, plain.byteLength);
  for (let at = 0; at + headSize <= plain.length; ) {
    const flags = view.getUint8(at + 16);
    const size = view.getUint32(at + 29);
    const hex = toHex(plain.subarray(at, at + 16));
    const kind: Kind = (flags & 0x7f) === 1 ? 'video' : 'audio';
    yield {
      session: `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`,
      kind,
      key: (flags & 0x80) !== 0,
      timestamp: view.getUint32(at + 17),
      at: view.getFloat64(at + 21),
      size,
      sum: fromHex(toHex(plain.subarray(at + 33, at + 65))),
      offset: at + headSize,
    };
    at += headSize + size;
  }
}
