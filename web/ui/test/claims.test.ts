import { readFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { encodeBatch, encodeRun, lengthPrefixed, toHex, withoutDelimiters } from '../src/lib/media/claims';

// The vectors are the server's own: both must write the same bytes.
const vector = (name: string) => readFileSync(new URL(`../../../evidence/claims/testdata/${name}`, import.meta.url), 'utf8').trim();
const sha = (text: string) => new Uint8Array(createHash('sha256').update(text).digest());
const source = '0198f5a0-3c1e-7d3a-9c55-2f1b6a7d9e10';
const session = '0198f5a0-3c1e-7d3a-9c55-2f1b6a7d9e11';

describe('the formats of source manifests', () => {
  test('a batch is written as the server reads it', () => {
    const sentAt = 1_795_522_858_123_456;
    const batch = encodeBatch(
      { key: Uint8Array.from({ length: 32 }, (_, i) => i), source, session, sequence: 7, previous: Uint8Array.from({ length: 32 }, (_, i) => 255 - i), sentAt },
      [
        { kind: 'video', key: true, timestamp: 4_294_967_295, size: 2622, at: sentAt - 480_000, sum: sha('picture') },
        { kind: 'audio', key: true, timestamp: 2_330_364_879, size: 67, at: sentAt - 20_000, sum: sha('sound') },
        { kind: 'video', key: false, timestamp: 2_704, size: 114, at: sentAt, sum: sha('next') },
      ],
    );
    expect(toHex(batch)).toBe(vector('batch-v1.hex'));
  });

  test('a run is written as the server reads it', () => {
    const run = encodeRun(source, session, 'video', [
      { timestamp: 4_294_967_295, key: true, sample: Uint8Array.of(0, 0, 0, 2, 0x65, 0x88) },
      { timestamp: 2_704, key: false, sample: Uint8Array.of(0, 0, 0, 1, 0x61) },
    ]);
    expect(toHex(run)).toBe(vector('run-v1.hex'));
  });

  test.each([
    ['four-byte start codes', [0, 0, 0, 1, 7, 1, 0, 0, 0, 1, 8], '00000002070100000001 08'],
    ['three-byte start codes', [0, 0, 1, 7, 0, 0, 1, 8, 9], '0000000107 000000020809'],
    ['nothing else is a start code', [0, 0, 0, 1, 5, 0, 0, 3, 1], '000000050500000301'],
    ['no unit', [1, 2, 3], ''],
  ])('a sample is made of %s', (_, bytes, want) => {
    expect(toHex(lengthPrefixed(Uint8Array.from(bytes)))).toBe(want.replaceAll(' ', ''));
  });

  test('an AV1 sample has no temporal delimiter', () => {
    const unit = Uint8Array.of(0x12, 0, 0x0a, 2, 7, 8, 0x32, 1, 9);
    expect(toHex(withoutDelimiters(unit))).toBe('0a0207083201' + '09');
  });
});
