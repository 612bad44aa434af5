import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';

// Makes what the fake camera shows and the fake microphone hears, once: a moving
// test picture with a clock, and speech-like sound.
export default function makeCamera(): void {
  const folder = new URL('./camera/', import.meta.url).pathname;
  mkdirSync(folder, { recursive: true });
  const picture = folder + 'camera.y4m';
  const sound = folder + 'microphone.wav';
  const ffmpeg = (...args: string[]) => execFileSync('ffmpeg', ['-v', 'error', '-y', ...args], { stdio: ['ignore', 'inherit', 'inherit'] });
  if (!existsSync(picture)) {
    ffmpeg('-f', 'lavfi', '-i', 'testsrc=size=1280x720:rate=30:duration=4', '-pix_fmt', 'yuv420p', picture);
  }
  if (!existsSync(sound)) {
    ffmpeg('-f', 'lavfi', '-i', 'sine=frequency=220:sample_rate=48000:duration=8', '-af', 'tremolo=f=4:d=0.8,volume=0.5', '-ac', '2', sound);
  }
}
