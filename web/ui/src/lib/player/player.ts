// hls.js, held to the rules: little is buffered, and dark means empty.
import Hls, { type HlsConfig } from 'hls.js';

/**
 * Seconds after which no further segment is fetched. A segment is at most 4 s, so
 * at most 8 s lie ahead.
 */
const ahead = 4;

const config: Partial<HlsConfig> = {
  // The content security policy allows no worker from a blob.
  enableWorker: false,
  maxBufferLength: ahead,
  maxMaxBufferLength: ahead,
  backBufferLength: ahead,
  // A hole of up to a frame between segments is stepped over.
  maxBufferHole: 0.3,
  startFragPrefetch: false,
  capLevelToPlayerSize: false,
  enableWebVTT: false,
  enableIMSC1: false,
  enableCEA708Captions: false,
};

export interface PlayerEvents {
  /** The server refused a playlist or a segment. */
  refused: () => void;
  /** The server could not be reached for a while. */
  unreachable: () => void;
  /** The media could not be decoded. */
  broken: () => void;
}

/** One source in one video element. Not to be used after dark. */
export class Player {
  #hls: Hls;
  #video: HTMLVideoElement;
  #recovered = 0;

  /** @param start seconds of player time to begin at */
  constructor(video: HTMLVideoElement, playlist: string, start: number, events: PlayerEvents) {
    this.#video = video;
    this.#hls = new Hls({ ...config, startPosition: start });
    this.#hls.on(Hls.Events.ERROR, (_, data) => {
      const status = data.response?.code;
      if (status === 401 || status === 403 || status === 404) events.refused();
      else if (!data.fatal) return;
      else if (data.type === Hls.ErrorTypes.MEDIA_ERROR && this.#recovered++ < 2) this.#hls.recoverMediaError();
      else if (data.type === Hls.ErrorTypes.NETWORK_ERROR) events.unreachable();
      else events.broken();
    });
    this.#hls.loadSource(playlist);
    this.#hls.attachMedia(video);
  }

  /** Whether this browser can play at all. */
  static get supported(): boolean {
    return Hls.isSupported();
  }

  /** Empties every buffer and shows nothing. */
  dark(): void {
    this.#video.pause();
    this.#hls.stopLoad();
    this.#hls.detachMedia();
    this.#hls.destroy();
    this.#video.removeAttribute('src');
    this.#video.load();
  }
}
