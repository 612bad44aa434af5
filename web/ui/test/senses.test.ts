import { describe, expect, it } from 'vitest';
import { clockLine, clockOffset, judge, wrong, type Measured } from '../src/lib/media/precheck';
import { cutOff, Hearing, look, Rate } from '../src/lib/media/senses';

const flat = (value: number) => new Uint8ClampedArray(400).fill(value);
const noise = (seed: number) => new Uint8ClampedArray(400).map((_, i) => 100 + ((i * 31 + seed * 17) % 50));

describe('a look at a picture', () => {
  it('knows dark, one colour, and the same again', () => {
    expect(look(flat(0), undefined)).toEqual({ light: 0, spread: 0, same: false });
    expect(look(flat(255), undefined).light).toBeCloseTo(100);
    expect(look(flat(128), flat(128))).toMatchObject({ spread: 0, same: true });
    expect(look(noise(1), noise(2)).same).toBe(false);
    expect(look(noise(1), noise(1)).same).toBe(true);
    expect(look(noise(1), new Uint8ClampedArray(8)).same).toBe(false);
    expect(look(noise(1), undefined).spread).toBeGreaterThan(3);
  });
});

describe('what is heard', () => {
  it('counts what is cut off', () => {
    expect(cutOff([0, 0.5, 0.99, -1, 0.98])).toBe(2);
  });

  it('tells a voice with pauses from a noise that goes on', () => {
    const voice = new Hearing();
    const hum = new Hearing();
    for (let i = 0; i < 100; i++) {
      voice.add(i % 4 === 3 ? -60 : -25, 0, 2048);
      hum.add(-25 - (i % 3), 0, 2048);
    }
    expect(voice.aboveNoise).toBe(35);
    expect(hum.aboveNoise).toBeLessThan(5);
    expect(voice.loudest).toBe(-25);
  });

  it('forgets, and says nothing too early', () => {
    const hearing = new Hearing();
    for (let i = 0; i < 30; i++) hearing.add(-1, 2048, 2048);
    expect(hearing.enough).toBe(false);
    for (let i = 0; i < 100; i++) hearing.add(-30, 0, 2048);
    expect(hearing.enough).toBe(true);
    expect(hearing.clipping).toBe(0);
    expect(hearing.loudest).toBe(-30);
  });
});

describe('frames a second', () => {
  it('are those of the last seconds', () => {
    const rate = new Rate();
    for (let s = 0; s <= 10; s += 0.5) rate.count(s * 1000, s * 30);
    expect(rate.now).toBe(30);
    for (let s = 10.5; s <= 20; s += 0.5) rate.count(s * 1000, 300 + (s - 10) * 10);
    expect(rate.now).toBe(10);
    rate.count(20_500, 1);
    expect(rate.now).toBeUndefined();
  });
});

const good: Measured = { height: 720, rate: 30, still: 0.5, light: 40, spread: 20, sound: true, heard: true, loudest: -20, clipping: 0, aboveNoise: 30 };
const verdict = (change: Partial<Measured>, code: string) => judge({ ...good, ...change }).find((it) => it.code === code)?.verdict;

describe('what is looked at before the start', () => {
  it('is good', () => {
    expect(judge(good).map((it) => it.verdict)).toEqual(Array(7).fill('good'));
    expect(wrong(good)).toEqual([]);
  });

  it.each([
    [{ height: 480 }, 'picture-size', 'look'],
    [{ rate: 12 }, 'picture-rate', 'look'],
    [{ rate: undefined }, 'picture-rate', 'unknown'],
    [{ still: 3 }, 'picture-moves', 'stop'],
    [{ light: 2 }, 'picture-light', 'stop'],
    [{ spread: 0.2 }, 'picture-light', 'stop'],
    [{ light: 9 }, 'picture-light', 'look'],
    [{ heard: false, loudest: -90 }, 'sound-level', 'stop'],
    [{ heard: false, loudest: -90 }, 'sound-noise', 'unknown'],
    [{ loudest: -50 }, 'sound-level', 'look'],
    [{ clipping: 500 }, 'sound-clipping', 'look'],
    [{ aboveNoise: 6 }, 'sound-noise', 'look'],
    [{ sound: false }, 'sound-level', undefined],
  ] as const)('%o: %s is %s', (change, code, want) => {
    expect(verdict(change, code)).toBe(want);
  });

  it('says while it records what is wrong', () => {
    expect(wrong({ ...good, still: 9, light: 1, loudest: -90 })).toEqual(['picture-frozen', 'picture-black', 'sound-silent']);
    expect(wrong({ ...good, clipping: 2_000 })).toEqual(['sound-clipping']);
    expect(wrong({ sound: false, heard: false })).toEqual([]);
  });
});

describe('two clocks', () => {
  it('are told apart by one question', () => {
    // The device is 5 s ahead; the way takes 40 ms each, the server 100 ms.
    expect(clockOffset(5_000, 40, 140, 5_180)).toEqual({ ahead: 5_000, within: 40 });
    expect(clockLine({ ahead: 5_000, within: 40 })).toEqual({ code: 'device-clock', verdict: 'look', value: 5_000 });
    expect(clockLine({ ahead: -20, within: 40 }).verdict).toBe('good');
    expect(clockLine({ ahead: 0, within: 4_000 }).verdict).toBe('unknown');
    expect(clockLine(undefined).verdict).toBe('unknown');
  });
});
