// A small WHEP client (draft-ietf-wish-whep): one source, watched live, and watched
// again for as long as the page wants whenever the network lets go of it.
import { prepareOffer, preferVideo } from './sdp';

export type ViewState = 'connecting' | 'live' | 'lost' | 'refused' | 'closed';

/** How long candidates are gathered at most, ms. On one network they are there at once. */
const gatherFor = 1_500;
/** ICE `disconnected` passes by itself mostly; after so long, ms, a new session begins. */
const patience = 3_000;
/** Waits between tries, ms. */
const waits = [300, 1_000, 2_000, 3_000];

/** A token to watch with, and relays for networks that let nothing else through. */
export interface Admission {
  token: string;
  ice_servers: RTCIceServer[];
}

/** Who lets the page watch: an admission, and a new one when that has ended. */
export interface Admitting {
  admit: (renew: boolean) => Promise<Admission>;
}

/** Watches one source until closed. Not to be used again after close. */
export class Viewer {
  state: ViewState = 'connecting';
  readonly stream = new MediaStream();
  #pc: RTCPeerConnection | undefined;
  #location: string | undefined;
  #used = '';
  #timer: ReturnType<typeof setTimeout> | undefined;
  #tries = 0;
  #closed = false;

  /**
   * @param endpoint WHEP address of the source
   * @param admitting gives the token
   * @param tell called after each change of state
   */
  constructor(
    readonly endpoint: string,
    private readonly admitting: Admitting,
    private readonly tell: () => void,
  ) {
    void this.#connect(false);
  }

  close(leaving = false): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#end(leaving);
    this.#set('closed');
  }

  #set(state: ViewState): void {
    this.state = state;
    this.tell();
  }

  async #connect(renew: boolean): Promise<void> {
    this.#end(false);
    const pc = (this.#pc = new RTCPeerConnection());
    try {
      const admission = await this.admitting.admit(renew);
      this.#used = admission.token;
      pc.setConfiguration({ iceServers: admission.ice_servers });
      for (const kind of ['video', 'audio'] as const) {
        const { receiver, ...rest } = transceive(pc, kind);
        const codecs = kind === 'video' ? preferVideo(RTCRtpReceiver.getCapabilities('video')?.codecs ?? []) : [];
        if (codecs.length > 0) rest.transceiver.setCodecPreferences(codecs);
        // As soon as a picture is there it is shown: what waits is not live.
        if ('jitterBufferTarget' in receiver) receiver.jitterBufferTarget = 0;
        for (const old of this.stream.getTracks()) if (old.kind === kind) this.stream.removeTrack(old);
        this.stream.addTrack(receiver.track);
      }
      const offer = await pc.createOffer();
      await pc.setLocalDescription({ type: 'offer', sdp: prepareOffer(offer.sdp ?? '') });
      await gathered(pc);
      const response = await fetch(this.endpoint, {
        method: 'POST',
        headers: { Authorization: `Bearer ${this.#used}`, 'Content-Type': 'application/sdp' },
        body: pc.localDescription?.sdp ?? '',
        credentials: 'omit',
      });
      if (this.#pc !== pc || this.#closed) return;
      if (response.status !== 201) throw new Answered(response.status);
      const location = response.headers.get('Location');
      if (location) this.#location = new URL(location, this.endpoint).href;
      await pc.setRemoteDescription({ type: 'answer', sdp: await response.text() });
      this.#watch(pc);
    } catch (thrown) {
      if (this.#pc !== pc || this.#closed) return;
      const status = thrown instanceof Answered ? thrown.status : 0;
      if (status === 403 || thrown instanceof NotAdmitted) {
        this.#end(false);
        // Asking to be admitted anew tells why.
        const still = status === 403 && (await this.admitting.admit(true).then(() => true, () => false));
        if (this.#closed) return;
        if (!still) {
          this.#set('refused');
          return;
        }
      }
      this.#again(status === 401);
    }
  }

  #watch(pc: RTCPeerConnection): void {
    const look = () => {
      if (this.#pc !== pc || this.#closed) return;
      clearTimeout(this.#timer);
      switch (pc.connectionState) {
        case 'connected':
          this.#tries = 0;
          this.#set('live');
          break;
        case 'disconnected':
          this.#set('lost');
          this.#timer = setTimeout(() => this.#again(false), patience);
          break;
        case 'failed':
        case 'closed':
          this.#again(false);
          break;
        default:
          this.#timer = setTimeout(() => this.#again(false), 3 * patience);
      }
    };
    pc.addEventListener('connectionstatechange', look);
    look();
  }

  #again(renew: boolean): void {
    this.#end(false);
    this.#set(this.#tries === 0 ? 'connecting' : 'lost');
    const wait = waits[Math.min(this.#tries, waits.length - 1)] ?? 3_000;
    this.#tries++;
    this.#timer = setTimeout(() => void this.#connect(renew), wait);
  }

  #end(leaving: boolean): void {
    const pc = this.#pc;
    const location = this.#location;
    this.#pc = this.#location = undefined;
    pc?.close();
    if (!location) return;
    void fetch(location, { method: 'DELETE', headers: { Authorization: `Bearer ${this.#used}` }, credentials: 'omit', keepalive: leaving }).catch(() => {
      // The server notices by itself that the connection is gone.
    });
  }
}

/** The server does not admit this person (any more). */
export class NotAdmitted extends Error {}

class Answered extends Error {
  constructor(readonly status: number) {
    super(`WHEP answered ${status}`);
  }
}

function transceive(pc: RTCPeerConnection, kind: 'video' | 'audio') {
  const transceiver = pc.addTransceiver(kind, { direction: 'recvonly' });
  return { transceiver, receiver: transceiver.receiver as RTCRtpReceiver & { jitterBufferTarget?: number | null } };
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
