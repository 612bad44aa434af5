import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test, vi } from 'vitest';

vi.hoisted(() => {
  (globalThis as { document?: unknown }).document = { documentElement: {} };
});
const { reasonTexts } = await import('$lib/text/reasons');
const { knownActions } = await import('$lib/text/custody');

const repository = fileURLToPath(new URL('../../..', import.meta.url));

/** Go files of the packages whose refusals reach a page. */
function goFiles(dir: string): string[] {
  return readdirSync(`${repository}/${dir}`, { withFileTypes: true }).flatMap((entry) => {
    if (entry.isDirectory()) return goFiles(`${dir}/${entry.name}`);
    return entry.name.endsWith('.go') && !entry.name.endsWith('_test.go') ? [`${dir}/${entry.name}`] : [];
  });
}

const packages = ['evidence/people', 'evidence/casefile', 'evidence/access', 'evidence/disclosure', 'evidence/retention', 'evidence/transcript', 'evidence/derivative', 'consent', 'recorder'];

test('each reason for which the server refuses has words in every language', () => {
  const codes = new Set<string>();
  for (const file of packages.flatMap(goFiles)) {
    const source = readFileSync(`${repository}/${file}`, 'utf8');
    for (const found of source.matchAll(/Refuse\(\s*[\w.]+,\s*"([a-z0-9_.]+)"/g)) codes.add(found[1] ?? '');
    if (file.startsWith('evidence/retention/')) for (const found of source.matchAll(/\binvalid\("([a-z0-9_.]+)"/g)) codes.add(found[1] ?? '');
    for (const found of source.matchAll(/Reason\{Code:\s*"([a-z0-9_.]+)"/g)) codes.add(found[1] ?? '');
  }
  for (const found of readFileSync(`${repository}/evidence/access/policy.cedar`, 'utf8').matchAll(/@code\("([^"]+)"\)/g)) codes.add(found[1] ?? '');
  expect(codes.size).toBeGreaterThan(40);
  // A code that ends in a dot is the beginning of several, put together where it is used;
  // those of WHIP and WHEP are for programs.
  expect([...codes].filter((code) => !code.endsWith('.') && !/^wh[ie]p\./.test(code) && !(code in reasonTexts)).sort()).toEqual([]);
});

test('each act that the custody log can hold has a sentence', () => {
  const source = readFileSync(`${repository}/evidence/access/actions.go`, 'utf8');
  const silent = new Set(['list', 'read', 'play', 'head', 'watch', 'calls', 'words']);
  const actions = [...source.matchAll(/=\s*"([a-z_]+\.[a-z_.]+)"/g)].map((m) => m[1] ?? '').filter((action) => !silent.has(action.split('.').at(-1) ?? ''));
  expect(actions.length).toBeGreaterThan(30);
  expect(actions.filter((action) => !knownActions.includes(action)).sort()).toEqual([]);
});
