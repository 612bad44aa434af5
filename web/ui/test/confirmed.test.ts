import { expect, test } from 'vitest';
import { unconfirmed } from '../src/pages/room/confirmed';

const at = { pieces: 12, at_us: 20_000_000, stored: true, witnessed: 1, witnesses: 1, acknowledged: true, acknowledged_at_us: 20_000_000 };

test('nothing is said of a recording that is confirmed, or before its first checkpoint', () => {
  expect(unconfirmed(undefined, 60_000_000)).toBeUndefined();
  expect(unconfirmed(at, 29_000_000)).toBeUndefined();
});

test('a checkpoint on its way is no news, one that does not arrive is', () => {
  const pending = { ...at, stored: false, acknowledged: false, acknowledged_at_us: 10_000_000 };
  expect(unconfirmed(pending, 21_000_000)).toBeUndefined();
  expect(unconfirmed(pending, 24_000_000)).toEqual({ by: 'store', last: 14_000_000 });
});

test('a witness that does not answer is named apart from the store', () => {
  expect(unconfirmed({ ...at, witnessed: 0, acknowledged: false, acknowledged_at_us: 0 }, 30_000_000)).toEqual({ by: 'witness', last: 30_000_000 });
});
