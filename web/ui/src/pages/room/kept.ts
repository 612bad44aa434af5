// What a tab remembers of what it sends, so that a reload goes on with it. Nothing
// else of the page is needed to know whether there is something to go on with.
import type { Schema } from '$lib/api/client';
import type { Sending } from './sending.svelte';

/** What is kept in this tab so that a reload goes on with the same devices. No token is kept. */
export interface Kept {
  source: string;
  name: string;
  role: Schema['InterviewSource']['role'];
  camera: string;
  microphone: string;
}

const key = (interview: string) => `toldonce.room.${interview}`;

export function keep(interview: string, all: Sending[]): void {
  const kept: Kept[] = all
    .filter((it) => it.source)
    .map((it) => ({ source: it.source, name: it.name, role: it.role, camera: it.capture.camera, microphone: it.capture.microphone }));
  try {
    sessionStorage.setItem(key(interview), JSON.stringify(kept));
  } catch {
    // Without storage a reload asks for the devices again.
  }
}

export function forget(interview: string): void {
  try {
    sessionStorage.removeItem(key(interview));
  } catch {
    // There was nothing to keep it in.
  }
}

/** What this tab sent before it was loaded again. */
export function kept(interview: string): Kept[] {
  try {
    const value: unknown = JSON.parse(sessionStorage.getItem(key(interview)) ?? '[]');
    return Array.isArray(value) ? (value as Kept[]) : [];
  } catch {
    return [];
  }
}
