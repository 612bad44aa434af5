// A small WHIP client (RFC 9725): one camera with its microphone, sent to the
// recorder, and sent again for as long as the page wants whenever the network
// lets go of it.
//
// Where the source accounts for its frames (account.svelte.ts), the encoders of a
// connection that was lost go on until the next one is live: what they make is
// handed over later.
import type { Account } from './account.svelte';
import { prepareOffer, preferVideo } from './sdp';

/** Where to publish, and with what credential. It is a source's own, no login's. */
export interface Endpoint {
  whip: string;
  token: string;
  /** Relays for networks that let nothing else through. */
  ice_servers: RTCIceServer[];
}

export type PublishState =
  | 'connecting' // an offer is on its way
  | 'live' // media flows
  | 'lost' // the connection failed; the next try is under way or waits
  | 'refused' // the recorder refuses; trying again would not help
  | 'closed';

/** Why a try failed, for words on screen. */
export type PublishTrouble = 'network' | 'occupied' | 'refused' | 'media' | undefined;

/** Bits a second at most: ample for 720p of people who sit and speak. */
const maxVideoBitrate = 2_500_000;
/** How long candidates are gathered at most, ms. On one network they are there at once. */
const gatherFor = 1_500;
/** ICE `disconnected` passes by itself mostly; after so long, ms, a new session begins. */
const patience = 4_000;
/** Waits between tries, ms. */
const waits = [500, 1_000, 2_000, 3_000, 5_000];

/** What ends a session: the page here, the page that is being closed, or the recorder at the seal. */
export type Closing = 'here' | 'page' | 'recorder';

interface Session {
  pc: RTCPeerConnection;
  location?: string;
  /** By which the account knows it. */
  peer?: number | undefined;
  /** Whether media flowed: its encoders are at work. */
  flowed?: boolean;
}

/** How often the encoder of a lost connection begins anew, ms, as the recorder would ask it to. */
const keyEvery = 2_000;

/** Publishes one stream until closed. Not to be used again after close. */
export class Publisher {
  state: PublishState = 'connecting';
  trouble: PublishTrouble;
  #session: Session | undefined;
  /** The connection that was lost, of which the encoders still work. */
  #lost: Session | undefined;
  #keys: ReturnType<typeof setInterval> | undefined;
  #account: () => Promise<Account | undefined>;
  #endpoint: () => Promise<Endpoint>;
  #current: Endpoint | undefined;
  #stream: MediaStream;
  #tell: () => void;
  #tries = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  /**
   * @param stream what to send; its tracks stay the caller's
   * @param endpoint fetches the endpoint, and a new token after a refusal
   * @param tell called after each change of state
   * @param account gives what accounts for the frames, for an endpoint; nothing where the browser cannot
   */
  constructor(stream: MediaStream, endpoint: () => Promise<Endpoint>, tell: () => void, account: (at: Endpoint) => Promise<Account | undefined> = () => Promise.resolve(undefined)) {
    this.#stream = stream;
    this.#endpoint = endpoint;
    this.#tell = tell;
    this.#account = async () => account((this.#current ??= await this.#endpoint()));
  }

  /** Takes a newer credential, which ended the one before. */
  renewed(endpoint: Endpoint): void {
    this.#current = endpoint;
  }

  /** With what it sends now; nothing before the first try. */
  get endpoint(): Endpoint | undefined {
    return this.#current;
  }

  /** Begins, or tries at once where it would have waited. */
  start(): void {
    if (this.#closed) return;
    clearTimeout(this.#timer);
    void this.#connect();
  }

  /** Puts another camera or microphone in place without a new session. */
  async replace(stream: MediaStream): Promise<void> {
    this.#stream = stream;
    for (const session of [this.#lost, this.#session]) {
      for (const sender of session?.pc.getSenders() ?? []) {
        const track = stream.getTracks().find((it) => it.kind === sender.track?.kind);
        if (track) await sender.replaceTrack(track);
      }
    }
  }

  /** Ends the session at the recorder, unless the recorder ended it itself. */
  close(how: Closing = 'here'): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    clearInterval(this.#keys);
    this.#end(how);
    this.#letGo(how);
    this.#set('closed');
  }

  #set(state: PublishState, trouble?: PublishTrouble): void {
    this.state = state;
    this.trouble = trouble;
    this.#tell();
  }

  async #connect(): Promise<void> {
    this.#setAside();
    this.#set(this.#tries === 0 ? 'connecting' : 'lost', this.trouble);
    const session: Session = { pc: new RTCPeerConnection() };
    this.#session = session;
    try {
      const answer = await this.#offer(session);
      if (this.#session !== session || this.#closed) return;
      await session.pc.setRemoteDescription({ type: 'answer', sdp: answer });
      this.#watch(session);
    } catch (thrown) {
      if (this.#session !== session || this.#closed) return;
      this.#again(thrown instanceof Refusal ? thrown.trouble : thrown instanceof TypeError ? 'network' : 'media');
    }
  }

  async #offer(session: Session): Promise<string> {
    const { pc } = session;
    const account = await this.#account();
    session.peer = account?.peer();
    for (const track of this.#stream.getTracks()) {
      const video = track.kind === 'video';
      const transceiver = pc.addTransceiver(track, {
        direction: 'sendonly',
        streams: [this.#stream],
        ...(video ? { sendEncodings: [{ maxBitrate: maxVideoBitrate }] } : {}),
      });
      if (account && session.peer !== undefined) account.watch(transceiver.sender, session.peer);
      if (!video) continue;
      const codecs = preferVideo(RTCRtpSender.getCapabilities('video')?.codecs ?? []);
      if (codecs.length > 0) transceiver.setCodecPreferences(codecs);
      // A picture that grows coarse hides a face; one that stutters for a moment does not.
      const parameters = transceiver.sender.getParameters();
      await transceiver.sender.setParameters({ ...parameters, degradationPreference: 'maintain-resolution' }).catch(() => {
        // A browser without the preference keeps its own.
      });
    }
    this.#current ??= await this.#endpoint();
    pc.setConfiguration({ iceServers: this.#current.ice_servers });
    const offer = await pc.createOffer();
    await pc.setLocalDescription({ type: 'offer', sdp: prepareOffer(offer.sdp ?? '') });
    await gathered(pc);
    const response = await fetch(this.#current.whip, {
      method: 'POST',
      headers: { Authorization: `Bearer ${this.#current.token}`, 'Content-Type': 'application/sdp' },
      body: pc.localDescription?.sdp ?? '',
      credentials: 'omit',
    });
    if (response.status !== 201) {
      if (response.status === 401) this.#current = undefined;
      throw new Refusal(response.status);
    }
    const location = response.headers.get('Location');
    if (location) {
      session.location = new URL(location, this.#current.whip).href;
      if (account && session.peer !== undefined) account.session(session.peer, session.location.split('/').at(-1) ?? '');
    }
    return response.text();
  }

  #watch(session: Session): void {
    const { pc } = session;
    const look = () => {
      if (this.#session !== session || this.#closed) return;
      clearTimeout(this.#timer);
      switch (pc.connectionState) {
        case 'connected':
          this.#tries = 0;
          session.flowed = true;
          this.#letGo('here');
          clearInterval(this.#keys);
          this.#set('live');
          break;
        case 'disconnected':
          this.#set('lost', 'network');
          this.#beginAnew(session);
          this.#timer = setTimeout(() => this.#again('network'), patience);
          break;
        case 'failed':
        case 'closed':
          this.#again('network');
          break;
        default:
          // A peer that answered but never connects is tried anew.
          this.#timer = setTimeout(() => this.#again('network'), 3 * patience);
      }
    };
    pc.addEventListener('connectionstatechange', look);
    look();
  }

  /**
   * Makes room for a new connection. If the one before flowed and its frames are
   * kept, its encoders go on.
   */
  #setAside(): void {
    const session = this.#session;
    if (session?.flowed && session.peer !== undefined && !this.#lost) {
      this.#lost = session;
      this.#session = undefined;
      this.#beginAnew(session);
      return;
    }
    this.#end('here');
  }

  /** Makes the encoder begin anew now and then, which the recorder cannot ask for now. */
  #beginAnew(session: Session): void {
    clearInterval(this.#keys);
    if (session.peer === undefined) return;
    const sender = session.pc.getSenders().find((it) => it.track?.kind === 'video');
    if (!sender) return;
    this.#keys = setInterval(() => {
      const parameters = sender.getParameters();
      const set = sender.setParameters as (p: RTCRtpSendParameters, o: { encodingOptions: { keyFrame: boolean }[] }) => Promise<void>;
      set.call(sender, parameters, { encodingOptions: parameters.encodings.map(() => ({ keyFrame: true })) }).catch(() => {
        // A browser that cannot: the run is handed over in one piece.
      });
    }, keyEvery);
  }

  #letGo(how: Closing): void {
    const lost = this.#lost;
    this.#lost = undefined;
    if (lost) this.#finish(lost, how);
  }

  #again(trouble: PublishTrouble): void {
    this.#setAside();
    if (trouble === 'refused' || trouble === 'media') {
      this.#set('refused', trouble);
      this.#timer = setTimeout(() => void this.#connect(), 5_000);
      return;
    }
    this.#set('lost', trouble);
    const wait = waits[Math.min(this.#tries, waits.length - 1)] ?? 5_000;
    this.#tries++;
    this.#timer = setTimeout(() => void this.#connect(), wait);
  }

  #end(how: Closing): void {
    const session = this.#session;
    this.#session = undefined;
    if (session) this.#finish(session, how);
  }

  #finish(session: Session, how: Closing): void {
    session.pc.close();
    if (!session.location || !this.#current || how === 'recorder') return;
    void fetch(session.location, {
      method: 'DELETE',
      headers: { Authorization: `Bearer ${this.#current.token}` },
      credentials: 'omit',
      keepalive: how === 'page',
    }).catch(() => {
      // The recorder notices by itself that the connection is gone.
    });
  }
}

class Refusal extends Error {
  readonly trouble: PublishTrouble;

  constructor(status: number) {
    super(`WHIP answered ${status}`);
    // 401: the token is renewed. 409: the recorder still holds the connection before. 5xx: it comes back.
    this.trouble = status === 401 || status >= 500 ? 'network' : status === 409 ? 'occupied' : 'refused';
  }
}

function gathered(pc: RTCPeerConnection): Promise<void> {
  if (pc.iceGatheringState === 'complete') return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, gatherFor);
    pc.addEventListener('icegatheringstatechange', () => {
      if (pc.iceGatheringState !== 'complete') return;
      clearTimeout(timer);
      resolve();
    });
  });
}
