// What is looked at before an interview, and how it is judged. The server judges
// what it measures itself.
import { api, ok, type Schema } from '$lib/api/client';
import { silence, type Capture } from './capture.svelte';

export type Line = Schema['CheckLine'];
type Verdict = Line['verdict'];

/** What one camera with its microphone shows now. */
export interface Measured {
  height?: number | undefined;
  rate?: number | undefined;
  /** For how many seconds the picture stands still. */
  still?: number | undefined;
  light?: number | undefined;
  spread?: number | undefined;
  /** Whether there is a microphone at all. */
  sound: boolean;
  heard: boolean;
  loudest?: number | undefined;
  clipping?: number | undefined;
  aboveNoise?: number | undefined;
}

/** Limits, each with the reason for it in the guide for interviewers. */
export const limits = { height: 720, rate: 20, still: 3, dark: 6, dim: 12, flat: 1, quiet: -40, clipping: 100, aboveNoise: 15, clock: 1_000 } as const;

const whole = (value: number | undefined) => (value === undefined ? undefined : Math.round(value));

/** Judges what a camera and a microphone show. */
export function judge(it: Measured): Line[] {
  const lines: Line[] = [];
  const add = (code: Line['code'], value: number | undefined, verdict: (value: number) => Verdict) => {
    const shown = whole(value);
    lines.push(shown === undefined || value === undefined ? { code, verdict: 'unknown' } : { code, verdict: verdict(value), value: shown });
  };
  add('picture-size', it.height, (height) => (height >= limits.height ? 'good' : 'look'));
  add('picture-rate', it.rate, (rate) => (rate >= limits.rate ? 'good' : 'look'));
  add('picture-moves', it.still, (still) => (still < limits.still ? 'good' : 'stop'));
  add('picture-light', it.light, (light) => (light < limits.dark || (it.spread ?? 100) < limits.flat ? 'stop' : light < limits.dim ? 'look' : 'good'));
  if (!it.sound) return lines;
  add('sound-level', it.loudest, (loudest) => (!it.heard ? 'stop' : loudest < limits.quiet ? 'look' : 'good'));
  add('sound-clipping', it.clipping, (clipping) => (clipping <= limits.clipping ? 'good' : 'look'));
  // Without a voice there is nothing to compare with the noise.
  add('sound-noise', it.heard && (it.loudest ?? -100) > silence ? it.aboveNoise : undefined, (above) => (above >= limits.aboveNoise ? 'good' : 'look'));
  return lines;
}

/** What a page that records says to the recorder of its own source: what is wrong now. */
export function wrong(it: Measured): string[] {
  const causes: string[] = [];
  if ((it.still ?? 0) >= limits.still) causes.push('picture-frozen');
  if (it.light !== undefined && (it.light < limits.dark || (it.spread ?? 100) < limits.flat)) causes.push('picture-black');
  if (it.sound && it.loudest !== undefined && it.loudest < -75) causes.push('sound-silent');
  if (it.sound && (it.clipping ?? 0) > 10 * limits.clipping) causes.push('sound-clipping');
  return causes;
}

/** What a capture measures now. */
export const measuredBy = (capture: Capture): Measured => ({
  height: capture.stream && capture.size?.height,
  rate: capture.rate,
  still: capture.still,
  light: capture.light,
  spread: capture.spread,
  sound: capture.microphone !== 'none',
  heard: capture.heard,
  loudest: capture.loudest,
  clipping: capture.clipping,
  aboveNoise: capture.aboveNoise,
});

/** By how much this device's clock is ahead of the server's, ms, and how far that may be off. */
export interface ClockOffset {
  ahead: number;
  within: number;
}

/**
 * Tells two clocks apart by one question and its answer (RFC 5905 section 8). Times in
 * ms: sent and came by this device's clock, received and answered by the server's.
 */
export function clockOffset(sent: number, received: number, answered: number, came: number): ClockOffset {
  return { ahead: (sent - received + (came - answered)) / 2, within: Math.max(0, (came - sent - (answered - received)) / 2) };
}

/** The line for a measured offset. */
export function clockLine(offset: ClockOffset | undefined): Line {
  if (!offset || offset.within > limits.clock) return { code: 'device-clock', verdict: 'unknown' };
  const value = Math.round(offset.ahead);
  return { code: 'device-clock', verdict: Math.abs(value) <= limits.clock ? 'good' : 'look', value };
}

/** What the server says, and how far the clocks are apart. */
export async function askServer(interview: string, signal?: AbortSignal): Promise<{ lines: Line[]; clock: ClockOffset }> {
  const sent = Date.now();
  const answer = await ok(api.GET('/interviews/{id}/check', { params: { path: { id: interview } }, ...(signal ? { signal } : {}) }));
  return { lines: answer.lines, clock: clockOffset(sent, answer.received_us / 1000, answer.answered_us / 1000, Date.now()) };
}
