// A small WHIP client (RFC 9725): one camera with its microphone, sent to the
// recorder, and sent again for as long as the page wants whenever the network
// lets go of it.
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
}

/** Publishes one stream until closed. Not to be used again after close. */
export class Publisher {
  state: PublishState = 'connecting';
  trouble: PublishTrouble;
  #session: Session | undefined;
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
   */
  constructor(stream: MediaStream, endpoint: () => Promise<Endpoint>, tell: () => void) {
    this.#stream = stream;
    this.#endpoint = endpoint;
    this.#tell = tell;
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
    for (const sender of this.#session?.pc.getSenders() ?? []) {
      const track = stream.getTracks().find((it) => it.kind === sender.track?.kind);
      if (track) await sender.replaceTrack(track);
    }
  }

  /** Ends the session at the recorder, unless the recorder ended it itself. */
  close(how: Closing = 'here'): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#end(how);
    this.#set('closed');
  }

  #set(state: PublishState, trouble?: PublishTrouble): void {
    this.state = state;
    this.trouble = trouble;
    this.#tell();
  }

  async #connect(): Promise<void> {
    this.#end('here');
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
    for (const track of this.#stream.getTracks()) {
      const video = track.kind === 'video';
      const transceiver = pc.addTransceiver(track, {
        direction: 'sendonly',
        streams: [this.#stream],
        ...(video ? { sendEncodings: [{ maxBitrate: maxVideoBitrate }] } : {}),
      });
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
    if (location) session.location = new URL(location, this.#current.whip).href;
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
          this.#set('live');
          break;
        case 'disconnected':
          this.#set('lost', 'network');
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

  #again(trouble: PublishTrouble): void {
    this.#end('here');
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
    if (!session) return;
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
