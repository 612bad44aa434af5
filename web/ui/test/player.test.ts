import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Lease, leaseFor, type Darkness } from '$lib/player/lease';
import { length, toInterview, toPlayer } from '$lib/player/timeline';

describe('the two clocks', () => {
  // Minutes 2:00 to 2:10 and, after a break, 3:00 to 3:20 are granted.
  const spans = [
    { from: 120e6, until: 130e6, player_us: 0 },
    { from: 180e6, until: 200e6, player_us: 10e6 },
  ];

  test.each([
    [0, 120e6],
    [5e6, 125e6],
    [10e6, 180e6],
    [29e6, 199e6],
    [40e6, 200e6],
  ])('player %i is interview %i', (player, interview) => expect(toInterview(spans, player)).toBe(interview));

  test.each([
    [0, 0],
    [121e6, 1e6],
    [150e6, 10e6],
    [185e6, 15e6],
    [500e6, 30e6],
  ])('interview %i is player %i', (interview, player) => expect(toPlayer(spans, interview)).toBe(player));

  test('agree inside what is granted', () => {
    for (let at = 0; at < 30e6; at += 777_777) expect(toPlayer(spans, toInterview(spans, at))).toBe(at);
    expect(length(spans)).toBe(30e6);
    expect(length([])).toBe(0);
  });
});

describe('the lease', () => {
  let clock = 0;
  let ended: { why: Darkness; at: number }[] = [];

  beforeEach(() => {
    vi.useFakeTimers();
    clock = 0;
    ended = [];
  });
  afterEach(() => vi.useRealTimers());

  const start = (beat: () => Promise<{ live: boolean }>) =>
    new Lease({ beat, clock: () => clock, dark: (why) => ended.push({ why, at: clock }) });
  async function pass(ms: number) {
    for (let i = 0; i < ms; i += 50) {
      clock += 50;
      await vi.advanceTimersByTimeAsync(50);
    }
  }

  test('lasts while the server says so', async () => {
    const lease = start(async () => ({ live: true }));
    await pass(60_000);
    expect(ended).toEqual([]);
    lease.stop();
  });

  test('ends within its term when the server falls silent', async () => {
    let answers = true;
    start(async () => {
      if (answers) return { live: true };
      throw 'silent';
    });
    await pass(5_000);
    answers = false;
    const silentSince = clock;
    await pass(5_000);
    expect(ended).toHaveLength(1);
    expect(ended[0]?.why).toBe('lost');
    expect((ended[0]?.at ?? Infinity) - silentSince).toBeLessThanOrEqual(leaseFor);
  });

  test('counts from when a heartbeat was sent, however late its answer comes', async () => {
    start(async () => {
      await new Promise((resolve) => setTimeout(resolve, leaseFor + 500));
      return { live: true };
    });
    await pass(leaseFor + 200);
    expect(ended[0]?.why).toBe('lost');
  });

  test('ends at once when nothing may be played, and says so once', async () => {
    start(async () => ({ live: false }));
    await pass(3_000);
    expect(ended).toEqual([{ why: 'revoked', at: expect.any(Number) }]);
    expect(ended[0]?.at).toBeLessThanOrEqual(50);
  });

  test('ends when the server refuses the heartbeat', async () => {
    start(() => Promise.reject('refused'));
    await pass(1_000);
    expect(ended[0]?.why).toBe('revoked');
  });

  test('stopped, says nothing more', async () => {
    const lease = start(() => Promise.reject('silent'));
    lease.stop();
    await pass(10_000);
    expect(ended).toEqual([]);
  });
});
