import { describe, expect, test, vi } from 'vitest';

vi.hoisted(() => {
  // The page's language lives on the document, which Node has not.
  (globalThis as { document?: unknown }).document = { documentElement: {} };
});
const time = await import('$lib/text/time');
const { language } = await import('$lib/locale.svelte');

describe('a position in an interview', () => {
  test.each([
    [0, '0:00'],
    [59_999_999, '0:59'],
    [60_000_000, '1:00'],
    [754_000_000, '12:34'],
    [3_600_000_000, '1:00:00'],
    [-5, '0:00'],
  ])('%i µs is %s', (us, text) => expect(time.position(us)).toBe(text));

  test('is cut, never rounded up', () => expect(time.exactPosition(1_999_999)).toBe('0:01.9'));

  test('runs in a width that does not change', () => {
    expect(time.runningClock(0)).toBe('00:00:00');
    expect(time.runningClock(36_754_000_000)).toBe('10:12:34');
  });

  test.each([
    ['12:34', 754_000_000],
    ['1:00:00', 3_600_000_000],
    ['90', 90_000_000],
    ['0:01.5', 1_500_000],
    ['0:01,25', 1_250_000],
    [' 2:05 ', 125_000_000],
  ])('“%s” is read', (text, us) => expect(time.readPosition(text)).toBe(us));

  test.each(['', 'a', '1:60', '1:5', '1:60:00', '-1', '1::2', '12:34:56:78', '1.2.3'])('“%s” is refused', (text) =>
    expect(time.readPosition(text)).toBeUndefined(),
  );

  test('written and read again is the same to a tenth of a second', () => {
    for (const us of [0, 100_000, 59_900_000, 3_599_900_000, 36_000_000_000]) expect(time.readPosition(time.exactPosition(us))).toBe(us);
  });
});

test('a moment names its zone in every language', () => {
  for (const locale of ['en', 'sq', 'sr-Latn', 'sr-Cyrl'] as const) {
    language.now = locale;
    expect(time.moment('2026-07-01T12:00:00Z', 'Europe/Belgrade')).toMatch(/14[:.]00.*(CEST|GMT\+2|UTC\+2)/);
  }
  language.now = 'en';
});

test('what is left is said in the largest unit that says enough', () => {
  const now = Date.parse('2026-07-01T12:00:00Z');
  const left = (seconds: number) => time.until(new Date(now + seconds * 1000), now);
  expect(left(30)).toBe('in 30 seconds');
  expect(left(600)).toBe('in 10 minutes');
  expect(left(7200)).toBe('in 2 hours');
  expect(left(4 * 86400)).toBe('in 4 days');
  expect(left(-60)).toBe('60 seconds ago');
});
