import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { namesIn, readGuide } from '$lib/text/guide';

const folder = fileURLToPath(new URL('../../guide', import.meta.url));
const messages: Record<string, unknown> = JSON.parse(readFileSync(fileURLToPath(new URL('../messages/en.json', import.meta.url)), 'utf8'));
const known = new Set(Object.values(messages).filter((it) => typeof it === 'string'));
const guides = readdirSync(folder).filter((name) => name.endsWith('.md'));

test('there is a guide for each role', () => {
  const roles = ['admin', 'advocate', 'auditor', 'case_manager', 'custodian', 'interviewer', 'observer', 'prosecutor'];
  expect(guides.map((name) => name.replace('.md', '')).sort()).toEqual(roles);
});

describe.each(guides)('%s', (name) => {
  const text = readFileSync(`${folder}/${name}`, 'utf8');

  test('names only pages and buttons that there are', () => {
    expect(namesIn(text).length).toBeGreaterThan(0);
    expect(namesIn(text).filter((it) => !known.has(it))).toEqual([]);
  });

  test('is read as blocks, beginning with its title', () => {
    const blocks = readGuide(text);
    expect(blocks[0]?.kind).toBe('h1');
    expect(JSON.stringify(blocks)).not.toContain('**');
  });
});
