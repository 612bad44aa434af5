// The worker that accounts for what the encoders of one source make: it sees each
// encoded frame before it is sent, hashes it, keeps it, signs batches, and hands
// over what the recorder lacks. It outlives every connection of its source.
import { encodeBatch, encodeRun, fromBase64, fromHex, maxEntries, sampleOf, toBase64, type Kind, type Made } from './claims';
import { FrameStore, type Fresh } from './store';

/** What the page tells the worker. */
export type ToWorker =
  | { type: 'open'; source: string; keyId: string; key: CryptoKey; base: string; token: string }
  | { type: 'token'; token: string }
  | { type: 'session'; peer: number; session: string }
  | { type: 'state'; state: string }
  | { type: 'close' };

/** What keeps frames from being claimed, or kept to be handed over again. */
export type Why = 'storage' | 'unreachable' | 'refused';

/** What the worker tells the page. */
export type FromWorker = { type: 'ready' } | { type: 'failed'; why: Why } | { type: 'token' } | { type: 'standing'; missing: number; waiting: number };

interface Wanted {
  session: string;
  kind: Kind;
  from: number;
  to: number;
  frames: number;
}

interface Answer {
  state: string;
  settled: { session: string; kind: Kind; timestamp: number }[];
  wanted: Wanted[];
  missing: number;
}

interface Session {
  sequence: number;
  previous: Uint8Array;
  /** Signed and not taken yet, with the frames that are in it. */
  sent?: { batch: Uint8Array<ArrayBuffer>; frames: Made[] };
  waiting: Made[];
}

interface Raw {
  kind: Kind;
  key: boolean;
  timestamp: number;
  at: number;
  sample: Uint8Array<ArrayBuffer>;
}

/** How often frames are hashed and kept, ms: what a reload may cost. */
const keepEvery = 100;
/** How often a batch is sent, ms. */
const claimEvery = 500;
/** What is held in memory while nothing is recorded, microseconds. */
const before = 5_000_000;
/** What is kept at most, in frames: an hour and a half that nobody took. */
const mostFrames = 500_000;

const peers = new Map<number, { session?: string; frames: Raw[] }>();
const sessions = new Map<string, Session>();
const settled = new Map<string, number>();
let opened: Extract<ToWorker, { type: 'open' }> | undefined;
let store: FrameStore | undefined;
let token = '';
let state = '';
let recent: Fresh[] = [];
let keeping = false;
let claiming = false;
let closed = false;
let wanted: Wanted[] = [];
let missing = 0;
let asked = 0;
let failing: Why | undefined;

const tell = (message: FromWorker) => postMessage(message);
const now = () => Math.round((performance.timeOrigin + performance.now()) * 1000);
const recording = () => state === 'recording' || state === 'stopping';

addEventListener('rtctransform', (event) => {
  const { transformer } = event as Event & { transformer: RTCRtpScriptTransformer };
  const { peer, kind } = transformer.options as { peer: number; kind: Kind };
  const at = peers.get(peer) ?? { frames: [] };
  peers.set(peer, at);
  const see = new TransformStream<RTCEncodedVideoFrame | RTCEncodedAudioFrame>({
    transform(frame, controller) {
      const about = frame.getMetadata() as { rtpTimestamp?: number; mimeType?: string };
      const data = new Uint8Array(frame.data.slice(0));
      controller.enqueue(frame);
      if (closed || data.length === 0) return;
      at.frames.push({
        kind,
        key: kind === 'audio' || (frame as RTCEncodedVideoFrame).type === 'key',
        timestamp: about.rtpTimestamp ?? frame.timestamp,
        at: now(),
        sample: kind === 'video' ? sampleOf(about.mimeType ?? 'video/h264', data) : data,
      });
    },
  });
  void transformer.readable.pipeThrough(see).pipeTo(transformer.writable).catch(() => undefined);
});

addEventListener('message', (event: MessageEvent<ToWorker>) => {
  const message = event.data;
  switch (message.type) {
    case 'open':
      opened = message;
      token = message.token;
      void begin(message);
      break;
    case 'token':
      token = message.token;
      break;
    case 'session': {
      const peer = peers.get(message.peer) ?? { frames: [] };
      peer.session = message.session;
      peers.set(message.peer, peer);
      break;
    }
    case 'state':
      if (message.state !== 'sealed') state = message.state; // that, only the recorder itself says
      break;
    case 'close':
      closed = true;
      store?.close();
      self.close();
  }
});

class Failure extends Error {
  constructor(readonly why: Why) {
    super(why);
  }
}

/** Opens the account, again and again where the server may still let it. */
async function begin(to: Extract<ToWorker, { type: 'open' }>): Promise<void> {
  for (let wait = 1_000; !closed; wait = Math.min(2 * wait, 15_000)) {
    try {
      await open(to);
      failing = undefined;
      tell({ type: 'ready' });
      return;
    } catch (thrown) {
      fail(thrown instanceof Failure ? thrown.why : thrown instanceof TypeError ? 'unreachable' : 'storage');
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }
}

/** Says once what fails. */
function fail(why: Why): void {
  if (failing === why) return;
  failing = why;
  tell({ type: 'failed', why });
}

function mended(): void {
  if (!failing) return;
  failing = undefined;
  tell({ type: 'ready' });
}

async function open(to: Extract<ToWorker, { type: 'open' }>): Promise<void> {
  const wrapped = await FrameStore.wrapped(to.source);
  let admission = await admit(to, wrapped);
  // A key that the server does not know any more opens nothing: begin anew.
  if (admission.status === 422 && wrapped) {
    await FrameStore.wipe(to.source);
    admission = await admit(to, undefined);
  }
  if (admission.status === 401) tell({ type: 'token' });
  if (!admission.ok) throw new Failure(admission.status >= 500 || admission.status === 401 ? 'unreachable' : 'refused');
  const given = (await admission.json()) as { state: string; key: string; wrapped: string; sessions: Known[] };
  state = given.state;
  if (state === 'sealed') {
    closed = true;
    await FrameStore.wipe(to.source);
    return;
  }
  store = await FrameStore.open(to.source, fromBase64(given.key), fromBase64(given.wrapped));
  resume(given.sessions);
  setInterval(() => void keep(), keepEvery);
  setInterval(() => void claim(), claimEvery);
}

interface Known {
  session: string;
  sequence: number;
  previous: string;
  video?: number;
  audio?: number;
}

function admit(to: Extract<ToWorker, { type: 'open' }>, wrapped: Uint8Array | undefined): Promise<Response> {
  return fetch(`${to.base}/admission`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ key_id: to.keyId, ...(wrapped ? { wrapped: toBase64(wrapped) } : {}) }),
    credentials: 'omit',
  });
}

/** Goes on where an earlier page was: what it kept and did not say is said now. */
function resume(known: Known[]): void {
  const last = new Map<string, number>();
  for (const it of known) {
    sessions.set(it.session, { sequence: it.sequence, previous: fromHex(it.previous), waiting: [] });
    if (it.video !== undefined) last.set(`${it.session}/video`, it.video);
    if (it.audio !== undefined) last.set(`${it.session}/audio`, it.audio);
  }
  for (const frame of store?.frames ?? []) {
    const said = last.get(`${frame.session}/${frame.kind}`);
    if (said === undefined || signed(frame.timestamp - said) > 0) session(frame.session).waiting.push(frame);
  }
}

/** A difference of RTP timestamps, which wrap. */
const signed = (difference: number) => difference | 0;

function session(id: string): Session {
  let it = sessions.get(id);
  if (!it) {
    it = { sequence: 0, previous: new Uint8Array(32), waiting: [] };
    sessions.set(id, it);
  }
  return it;
}

async function keep(): Promise<void> {
  if (keeping || closed || !store) return;
  keeping = true;
  try {
    const raw: (Raw & { session: string })[] = [];
    for (const peer of peers.values()) {
      const id = peer.session;
      if (!id) continue;
      raw.push(...peer.frames.splice(0).map((it) => ({ ...it, session: id })));
    }
    raw.sort((a, b) => a.at - b.at);
    const sums = await Promise.all(raw.map((it) => crypto.subtle.digest('SHA-256', it.sample)));
    const fresh = raw.map((it, i): Fresh => ({ ...it, size: it.sample.length, sum: new Uint8Array(sums[i] ?? new ArrayBuffer(0)) }));
    recent.push(...fresh);
    if (!recording()) {
      // Nothing is kept of what is not recorded; the start may be known here a moment late.
      const from = now() - before;
      while ((recent[0]?.at ?? Infinity) < from) recent.shift();
      for (const it of fresh) session(it.session).waiting.push(it);
      return;
    }
    const keeps = recent.splice(0);
    // What cannot be kept is signed for all the same: then what is missing is known.
    for (const it of fresh) session(it.session).waiting.push(it);
    if (store.frames.length >= mostFrames) fail('storage');
    else {
      await store.keep(keeps);
      if (failing === 'storage' && keeps.length > 0) mended();
    }
    await store.drop((frame) => {
      const until = settled.get(`${frame.session}/${frame.kind}`);
      return until !== undefined && signed(frame.timestamp - until) <= 0;
    });
  } catch {
    fail('storage');
  } finally {
    keeping = false;
  }
}

async function claim(): Promise<void> {
  if (claiming || closed || !opened || !store) return;
  claiming = true;
  try {
    for (const [id, it] of sessions) {
      // What is made meanwhile is said the next time.
      for (let left = it.waiting.length + (it.sent?.frames.length ?? 0); left > 0; ) {
        it.sent ??= await sign(id, it);
        if (!it.sent) break;
        left -= it.sent.frames.length;
        const answer = await send('manifest', it.sent.batch);
        if (!answer) return;
        it.previous = new Uint8Array(await crypto.subtle.digest('SHA-256', it.sent.batch));
        it.sequence++;
        it.sent = undefined;
        take(answer);
      }
    }
    while (wanted.length > 0 && !closed) {
      const run = wanted[0];
      const body = run && (await collect(run));
      if (!body) {
        wanted.shift(); // it was not kept: the server will say that it is missing
        continue;
      }
      const answer = await send('frames', body);
      if (!answer) return;
      take(answer);
    }
  } finally {
    claiming = false;
    tell({ type: 'standing', missing, waiting: [...sessions.values()].reduce((sum, it) => sum + it.waiting.length, 0) });
  }
}

async function sign(id: string, it: Session): Promise<Session['sent']> {
  const frames = it.waiting.splice(0, maxEntries);
  if (frames.length === 0 || !opened) return undefined;
  const head = { key: fromHex(opened.keyId), source: opened.source, session: id, sequence: it.sequence, previous: it.previous, sentAt: now() };
  const body = encodeBatch(head, frames);
  const signature = new Uint8Array(await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, opened.key, body));
  const batch = new Uint8Array(body.length + signature.length);
  batch.set(body);
  batch.set(signature, body.length);
  return { batch, frames };
}

/** The answer, or nothing if it is tried again later. */
async function send(what: 'manifest' | 'frames', body: Uint8Array<ArrayBuffer>): Promise<Answer | undefined> {
  if (!opened) return undefined;
  let response: Response;
  try {
    response = await fetch(`${opened.base}/${what}`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/octet-stream' },
      body,
      credentials: 'omit',
      signal: AbortSignal.timeout(what === 'frames' ? 120_000 : 10_000),
    });
  } catch {
    return undefined;
  }
  if (response.ok) return (await response.json()) as Answer;
  if (response.status === 401 && now() - asked > 3_000_000) {
    asked = now();
    tell({ type: 'token' });
  }
  if (what === 'frames') wanted = []; // the next answer says what is wanted then
  else if (response.status === 409) await catchUp();
  return undefined;
}

/** Asks which batches the recorder has: one that it took and could not say so of is not sent again. */
async function catchUp(): Promise<void> {
  if (!opened) return;
  const response = await admit(opened, await FrameStore.wrapped(opened.source)).catch(() => undefined);
  if (!response?.ok) return;
  const given = (await response.json()) as { sessions: Known[] };
  for (const it of given.sessions) {
    const own = sessions.get(it.session);
    if (!own || own.sequence === it.sequence) continue;
    own.waiting.unshift(...(own.sent?.frames ?? []));
    own.sent = undefined;
    own.sequence = it.sequence;
    own.previous = fromHex(it.previous);
  }
}

function take(answer: Answer): void {
  state = answer.state;
  wanted = answer.wanted;
  missing = answer.missing;
  for (const it of answer.settled) settled.set(`${it.session}/${it.kind}`, it.timestamp);
  if (state === 'sealed') void finish();
}

async function finish(): Promise<void> {
  if (closed || !opened) return;
  closed = true;
  await store?.wipe(opened.source);
}

async function collect(run: Wanted): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (!store || !opened) return undefined;
  const of = store.frames.filter((it) => it.session === run.session && it.kind === run.kind);
  const from = of.findIndex((it) => it.timestamp === run.from);
  const to = of.findIndex((it, i) => i >= from && it.timestamp === run.to);
  if (from < 0 || to < from || to - from + 1 !== run.frames) return undefined;
  const frames = of.slice(from, to + 1);
  const samples = await store.samples(frames);
  return encodeRun(
    opened.source,
    run.session,
    run.kind,
    frames.map((it, i) => ({ timestamp: it.timestamp, key: it.key, sample: samples[i] ?? new Uint8Array() })),
  );
}

