// A camera with its microphone as this page sees and hears it. Nothing leaves the
// page from here.
import { cutOff, Hearing, look, Rate } from './senses';

/** Why there is no picture or sound. */
export type CaptureTrouble = 'denied' | 'missing' | 'busy' | 'unplugged' | 'other';

export interface Device {
  id: string;
  label: string;
}

export interface Devices {
  cameras: Device[];
  microphones: Device[];
}

/** What is plugged in. Labels are there once the person allowed camera or microphone. */
export async function devices(): Promise<Devices> {
  const all = await navigator.mediaDevices.enumerateDevices();
  const of = (kind: MediaDeviceKind) =>
    all.filter((it) => it.kind === kind && it.deviceId !== '').map((it) => ({ id: it.deviceId, label: it.label }));
  return { cameras: of('videoinput'), microphones: of('audioinput') };
}

/** Below this, dBFS, a microphone counts as silent. */
export const silence = -55;
/** Above this, dBFS, sound is about to be cut off. */
export const tooLoud = -3;

const width = 1280;
const height = 720;

/** One camera and microphone, opened and watched. */
export class Capture {
  stream = $state.raw<MediaStream>();
  trouble = $state<CaptureTrouble>();
  /** Loudness now, dBFS (0 the loudest); undefined without a microphone. */
  level = $state<number>();
  /** Whether something was ever heard: a microphone that is dead stays false. */
  heard = $state(false);
  /** What the camera delivers. */
  size = $state<{ width: number; height: number; rate: number }>();
  camera = $state('');
  microphone = $state('');
  /** Frames a second that the camera delivers; undefined until measured. */
  rate = $state<number>();
  /** For how many seconds the picture has stood still. */
  still = $state<number>();
  /** Mean brightness, percent, and how much it differs over the picture. */
  light = $state<number>();
  spread = $state<number>();
  /** Of the last ten seconds: the loudest, dBFS; samples in a million that were cut off; voice above noise, dB. */
  loudest = $state<number>();
  clipping = $state<number>();
  aboveNoise = $state<number>();
  #eye: ReturnType<typeof setInterval> | undefined;
  #audio: AudioContext | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;

  /** Opens a camera and a microphone by id; '' takes the first, 'none' does without a microphone. */
  async open(camera: string, microphone: string): Promise<boolean> {
    this.close();
    this.trouble = undefined;
    try {
      const stream = await navigator.mediaDevices.getUserMedia({
        video: {
          deviceId: camera ? { exact: camera } : undefined,
          width: { ideal: width },
          height: { ideal: height },
          frameRate: { ideal: 30 },
        },
        // Sound as it was in the room: nothing is suppressed, cancelled or turned up.
        audio:
          microphone === 'none'
            ? false
            : {
                deviceId: microphone ? { exact: microphone } : undefined,
                echoCancellation: false,
                noiseSuppression: false,
                autoGainControl: false,
                channelCount: { ideal: 2 },
                sampleRate: { ideal: 48_000 },
              },
      });
      this.#take(stream, microphone === 'none');
      return true;
    } catch (thrown) {
      this.trouble = troubleOf(thrown);
      return false;
    }
  }

  close(): void {
    clearInterval(this.#timer);
    clearInterval(this.#eye);
    this.rate = this.still = this.light = this.spread = undefined;
    this.loudest = this.clipping = this.aboveNoise = undefined;
    void this.#audio?.close();
    this.#audio = undefined;
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = undefined;
    this.level = undefined;
    this.size = undefined;
    this.heard = false;
  }

  #take(stream: MediaStream, silent: boolean): void {
    this.stream = stream;
    for (const track of stream.getTracks()) {
      track.addEventListener('ended', () => {
        if (this.stream === stream) this.trouble = 'unplugged';
      });
    }
    const picture = stream.getVideoTracks()[0]?.getSettings();
    this.camera = picture?.deviceId ?? '';
    this.size = { width: picture?.width ?? 0, height: picture?.height ?? 0, rate: Math.round(picture?.frameRate ?? 0) };
    this.microphone = silent ? 'none' : (stream.getAudioTracks()[0]?.getSettings().deviceId ?? '');
    if (!silent) this.#listen(stream);
    this.#watch(stream);
  }

  // Looks at the picture twice a second. Pixels are taken as they are: averages
  // would take away the noise by which a live picture is known.
  #watch(stream: MediaStream): void {
    const video = document.createElement('video');
    const pencil = document.createElement('canvas').getContext('2d', { willReadFrequently: true, alpha: false });
    if (!pencil) return;
    const [across, down] = [160, 90];
    pencil.canvas.width = across;
    pencil.canvas.height = down;
    pencil.imageSmoothingEnabled = false;
    video.muted = true;
    video.srcObject = stream;
    video.play().catch(() => undefined);
    const rate = new Rate();
    let before: Uint8ClampedArray | undefined;
    let moved = performance.now();
    this.#eye = setInterval(() => {
      const now = performance.now();
      // A page in the background is given no pictures: nothing is said then.
      if (document.hidden || video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) {
        moved = now;
        return;
      }
      rate.count(now, video.getVideoPlaybackQuality().totalVideoFrames);
      this.rate = rate.now;
      pencil.drawImage(video, 0, 0, across, down);
      const pixels = pencil.getImageData(0, 0, across, down).data;
      const seen = look(pixels, before);
      before = pixels;
      if (!seen.same) moved = now;
      this.still = (now - moved) / 1000;
      this.light = seen.light;
      this.spread = seen.spread;
    }, 500);
  }

  #listen(stream: MediaStream): void {
    const audio = (this.#audio = new AudioContext());
    const analyser = audio.createAnalyser();
    analyser.fftSize = 2048;
    audio.createMediaStreamSource(stream).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    const hearing = new Hearing();
    this.#timer = setInterval(() => {
      if (audio.state !== 'running') {
        void audio.resume();
        return;
      }
      analyser.getFloatTimeDomainData(samples);
      this.level = loudness(samples);
      if (this.level > silence) this.heard = true;
      hearing.add(this.level, cutOff(samples), samples.length);
      if (!hearing.enough) return;
      this.loudest = hearing.loudest;
      this.clipping = hearing.clipping;
      this.aboveNoise = hearing.aboveNoise;
    }, 100);
  }
}

/** Root mean square of samples, dBFS, not below -100. */
export function loudness(samples: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < samples.length; i++) sum += (samples[i] ?? 0) ** 2;
  const rms = Math.sqrt(sum / Math.max(1, samples.length));
  return Math.max(-100, 20 * Math.log10(rms || 1e-5));
}

function troubleOf(thrown: unknown): CaptureTrouble {
  switch (thrown instanceof DOMException ? thrown.name : '') {
    case 'NotAllowedError':
    case 'SecurityError':
      return 'denied';
    case 'NotFoundError':
    case 'OverconstrainedError':
      return 'missing';
    case 'NotReadableError':
    case 'AbortError':
      return 'busy';
    default:
      return 'other';
  }
}
