import { expect, test } from 'vitest';
import { follow } from '$lib/player/follow';
import { Levels } from '$lib/player/previews.svelte';

const spans = [
  { from: 0, until: 10e6, player_us: 0 },
  { from: 60e6, until: 90e6, player_us: 10e6 },
];

test('a second camera keeps step with the first', () => {
  expect(follow(spans, 65e6, 15, 1)).toEqual({ do: 'rate', rate: 1 });
  expect(follow(spans, 65e6, 12, 1)).toEqual({ do: 'seek', to: 15 });
  const slow = follow(spans, 65e6, 14.8, 1);
  expect(slow.do === 'rate' && slow.rate > 1 && slow.rate <= 1.12).toBe(true);
  const fast = follow(spans, 65e6, 15.2, 2);
  expect(fast.do === 'rate' && fast.rate < 2).toBe(true);
  // Standing still it stands on the same picture.
  expect(follow(spans, 65e6, 14.9, 0)).toEqual({ do: 'seek', to: 15 });
});

test('it rests where it has nothing, but not for the moment in which cameras begin', () => {
  expect(follow(spans, 30e6, 10, 1)).toEqual({ do: 'rest' });
  expect(follow(spans, 10.1e6, 10, 1).do).not.toBe('rest');
});

test('loudness is the loudest of each piece, and unknown is not silence', () => {
  const base64 = (levels: number[]) => btoa(String.fromCharCode(...levels));
  const levels = new Levels([
    { from: 0, until: 1e6, levels: base64([10, 10, 10, 10, 10, 10, 200, 200, 200, 200]) },
    { from: 2e6, until: 3e6, levels: base64([10, 10, 10, 10, 10, 10, 10, 10, 10, 10]) },
  ]);
  expect(levels.peaks(0, 3e6, 6)).toEqual([10, 200, -1, -1, 10, 10]);
  expect(levels.voices()).toEqual([{ from: 600_000, until: 1_000_000 }]);
  expect(new Levels([]).empty).toBe(true);
});
