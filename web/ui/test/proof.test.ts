import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { check, rootOf, toHex, type EntryProof } from '$lib/proof';

const sha = (...parts: Uint8Array[]) => new Uint8Array(createHash('sha256').update(Buffer.concat(parts)).digest());
const bytes = (text: string) => new TextEncoder().encode(text);
const leafHash = (leaf: Uint8Array) => sha(Uint8Array.of(0), leaf);
const node = (left: Uint8Array, right: Uint8Array) => sha(Uint8Array.of(1), left, right);

/** RFC 6962 section 2.1, written from its definition: the oracle. */
function split(n: number): number {
  let k = 1;
  while (k * 2 < n) k *= 2;
  return k;
}
function tree(leaves: Uint8Array[]): Uint8Array {
  if (leaves.length === 1) return leafHash(leaves[0] as Uint8Array);
  const k = split(leaves.length);
  return node(tree(leaves.slice(0, k)), tree(leaves.slice(k)));
}
function path(m: number, leaves: Uint8Array[]): Uint8Array[] {
  if (leaves.length === 1) return [];
  const k = split(leaves.length);
  return m < k ? [...path(m, leaves.slice(0, k)), tree(leaves.slice(k))] : [...path(m - k, leaves.slice(k)), tree(leaves.slice(0, k))];
}

const entry = (i: number) => ({ id: `id-${i}`, action: 'grant.approve', position: i });
const leaf = (i: number) => bytes(JSON.stringify({ action: 'grant.approve', id: `id-${i}` }));

function proofOf(i: number, size: number): EntryProof {
  const leaves = Array.from({ length: size }, (_, n) => leaf(n));
  const root = tree(leaves);
  return {
    position: i,
    size,
    root: toHex(root),
    leaf: Buffer.from(leaf(i)).toString('base64'),
    path: path(i, leaves).map(toHex),
    checkpoint: `example.org/log\n${size}\n${Buffer.from(root).toString('base64')}\n\n— example.org/log AAAA\n`,
  };
}

describe('a proof', () => {
  test('holds for every entry of every tree up to 40', async () => {
    for (let size = 1; size <= 40; size++) {
      for (let i = 0; i < size; i++) {
        expect(await check(proofOf(i, size), entry(i)), `${i} of ${size}`).toMatchObject({ included: true, sameTree: true, sameEntry: true });
      }
    }
  });

  test('fails when anything in it is changed', async () => {
    const good = proofOf(5, 21);
    const flip = (hex: string) => (hex.startsWith('0') ? '1' : '0') + hex.slice(1);
    expect((await check({ ...good, path: good.path.map((hash, i) => (i === 1 ? flip(hash) : hash)) }, entry(5))).included).toBe(false);
    expect((await check({ ...good, path: good.path.slice(1) }, entry(5))).included).toBe(false);
    expect((await check({ ...good, path: [...good.path, good.root] }, entry(5))).included).toBe(false);
    expect((await check({ ...good, position: 6 }, entry(5))).included).toBe(false);
    expect((await check({ ...good, root: flip(good.root) }, entry(5))).included).toBe(false);
    expect((await check({ ...good, leaf: proofOf(6, 21).leaf }, entry(5))).included).toBe(false);
    expect((await check({ ...good, checkpoint: proofOf(5, 22).checkpoint }, entry(5))).sameTree).toBe(false);
    expect((await check({ ...good, checkpoint: '' }, entry(5))).sameTree).toBe(false);
  });

  test('of another entry is not taken for this one', async () => {
    expect((await check(proofOf(6, 21), entry(5))).sameEntry).toBe(false);
  });

  test('never throws on nonsense', async () => {
    const nonsense = { ...proofOf(0, 1), leaf: '%%%', path: ['zz'], checkpoint: 'x' };
    expect(await check(nonsense, entry(0))).toMatchObject({ included: false, sameTree: false, sameEntry: false });
    expect(await rootOf(leaf(0), 3, 2, [])).toBeUndefined();
    expect(await rootOf(leaf(0), -1, 2, [])).toBeUndefined();
  });
});
