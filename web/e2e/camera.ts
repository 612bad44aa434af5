import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';

// Makes what the fake camera shows and the fake microphone hears, once: a moving
// test picture with a clock, and speech-like sound with pauses.
export default function makeCamera(): void {
  const folder = new URL('./camera/', import.meta.url).pathname;
  mkdirSync(folder, { recursive: true });
  const picture = folder + 'camera.y4m';
  const sound = folder + 'voice.wav';
  const ffmpeg = (...args: string[]) => execFileSync('ffmpeg', ['-v', 'error', '-y', ...args], { stdio: ['ignore', 'inherit', 'inherit'] });
  if (!existsSync(picture)) {
    ffmpeg('-f', 'lavfi', '-i', 'testsrc=size=1280x720:rate=30:duration=4', '-pix_fmt', 'yuv420p', picture);
  }
  if (!existsSync(sound)) {
    ffmpeg('-f', 'lavfi', '-i', "aevalsrc='0.3*sin(2*PI*220*t)*(0.6+0.4*sin(2*PI*4*t))*lt(mod(t,2),1.5)+0.001*sin(2*PI*90*t)':s=48000:d=8", '-ac', '2', sound);
  }
}
