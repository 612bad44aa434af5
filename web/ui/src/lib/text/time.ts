import { language } from '../locale.svelte';

/** Microseconds of interview time. */
export type Micros = number;

// British order and 24 hours for English: no reader may take 3/4 for the fourth of March.
const tags = { en: 'en-GB', sq: 'sq', 'sr-Latn': 'sr-Latn', 'sr-Cyrl': 'sr-Cyrl' } as const;

const tag = () => tags[language.now];

const formats = new Map<string, Intl.DateTimeFormat>();

function format(name: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${tag()} ${name}`;
  let found = formats.get(key);
  if (!found) formats.set(key, (found = new Intl.DateTimeFormat(tag(), { hourCycle: 'h23', ...options })));
  return found;
}

const asDate = (instant: string | number | Date) => (instant instanceof Date ? instant : new Date(instant));

/** Day and time to the minute, with zone. */
export function moment(instant: string | number | Date, timeZone?: string): string {
  return format(`moment ${timeZone}`, {
    day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit', timeZoneName: 'short', timeZone,
  }).format(asDate(instant));
}

/** Day alone. */
export function day(instant: string | number | Date): string {
  return format('day', { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' }).format(asDate(instant));
}

/** Time of day to the second, with zone. */
export function clock(instant: string | number | Date): string {
  return format('clock', { hour: '2-digit', minute: '2-digit', second: '2-digit', timeZoneName: 'short' }).format(asDate(instant));
}

/** Interview time as `m:ss` or `h:mm:ss`, cut, never rounded up. */
export function position(us: Micros): string {
  const all = Math.max(0, Math.floor(us / 1e6));
  const hours = Math.floor(all / 3600);
  const minutes = Math.floor(all / 60) % 60;
  const seconds = String(all % 60).padStart(2, '0');
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${seconds}` : `${minutes}:${seconds}`;
}

/** Interview time as `hh:mm:ss`, whose width never changes: for a running clock. */
export function runningClock(us: Micros): string {
  const all = Math.max(0, Math.floor(us / 1e6));
  return [Math.floor(all / 3600), Math.floor(all / 60) % 60, all % 60].map((n) => String(n).padStart(2, '0')).join(':');
}

/** Interview time with tenths of a second: for bounds that are not whole seconds. */
export function exactPosition(us: Micros): string {
  return `${position(us)}.${Math.floor((us % 1e6) / 1e5)}`;
}

/** Reads `ss`, `m:ss` or `h:mm:ss`, with a decimal fraction of a second, as microseconds; undefined if it is none. */
export function readPosition(text: string): Micros | undefined {
  const found = /^(?:(?:(\d+):)?(\d{1,2}):)?(\d{1,6})(?:[.,](\d{1,6}))?$/.exec(text.trim());
  if (!found) return undefined;
  const [, hours, minutes, seconds, fraction] = found;
  if (minutes !== undefined && (Number(seconds) > 59 || seconds?.length !== 2)) return undefined;
  if (hours !== undefined && Number(minutes) > 59) return undefined;
  const whole = Number(hours ?? 0) * 3600 + Number(minutes ?? 0) * 60 + Number(seconds);
  return whole * 1e6 + Number((fraction ?? '').padEnd(6, '0'));
}

/** How long from now until then, in the largest unit that says enough: "in 3 hours". */
export function until(then: string | number | Date, now: number): string {
  const seconds = (asDate(then).getTime() - now) / 1000;
  const words = new Intl.RelativeTimeFormat(tag(), { numeric: 'always' });
  const size = Math.abs(seconds);
  if (size < 90) return words.format(Math.round(seconds), 'second');
  if (size < 90 * 60) return words.format(Math.round(seconds / 60), 'minute');
  if (size < 36 * 3600) return words.format(Math.round(seconds / 3600), 'hour');
  return words.format(Math.round(seconds / 86400), 'day');
}

/** A whole number as the language writes it. */
export function number(value: number): string {
  return new Intl.NumberFormat(tag()).format(value);
}

/** Items joined as the language joins them: "a, b and c". */
export function listing(items: string[]): string {
  return new Intl.ListFormat(tag(), { type: 'conjunction' }).format(items);
}

/** The name of a language by its BCP 47 tag, in the page's language. */
export function languageName(code: string): string {
  try {
    return new Intl.DisplayNames(tag(), { type: 'language' }).of(code) ?? code;
  } catch {
    return code;
  }
}

/** What `<input type="datetime-local">` shows for an instant, in the machine's zone. */
export function toLocalInput(instant: Date): string {
  const two = (n: number) => String(n).padStart(2, '0');
  return `${instant.getFullYear()}-${two(instant.getMonth() + 1)}-${two(instant.getDate())}T${two(instant.getHours())}:${two(instant.getMinutes())}`;
}
