import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { cyrillic, translate } from '../scripts/cyrillic.mjs';
import { complaints } from '../scripts/messages.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const messages = (locale: string): Record<string, unknown> => JSON.parse(readFileSync(`${root}/messages/${locale}.json`, 'utf8'));

function sources(dir: string): string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = `${dir}/${entry.name}`;
    if (entry.isDirectory()) return entry.name === 'paraglide' ? [] : sources(path);
    return [path];
  });
}

test('no message is missing, unused, or different in its values', () => {
  expect(complaints()).toEqual([]);
});

describe('Serbian in Cyrillic', () => {
  test.each([
    ['Čuvar dokaza njenog ljudskog džepa', 'Чувар доказа њеног људског џепа'],
    ['Razgovor {number} sa {person}', 'Разговор {number} са {person}'],
    ['Proverite kabl ili Wi-Fi.', 'Проверите кабл или Wi-Fi.'],
    ['injekcija', 'инјекција'],
    ['Šta, Žena, Đak, Ćerka', 'Шта, Жена, Ђак, Ћерка'],
  ])('“%s” is “%s”', (from, to) => expect(cyrillic(from)).toBe(to));

  test('is what the Latin messages give', () => {
    const latin = messages('sr-Latn');
    const made = Object.fromEntries(Object.entries(latin).map(([key, message]) => [key, translate(message)]));
    expect(messages('sr-Cyrl')).toEqual(made);
  });
});

describe('source', () => {
  const files = sources(`${root}/src`);

  test('holds no words of its own: text between tags, labels and titles come from messages', () => {
    const found = files
      .filter((path) => path.endsWith('.svelte'))
      .flatMap((path) => {
        const markup = readFileSync(path, 'utf8')
          .replace(/<script[\s\S]*?<\/script>/g, '')
          .replace(/<style[\s\S]*?<\/style>/g, '')
          .replace(/<!--[\s\S]*?-->/g, '');
        const attributes = [...markup.matchAll(/\b(?:aria-label|title|placeholder|alt|label)="([^"{]*[A-Za-z]{2}[^"{]*)"/g)].map((m) => m[1]);
        const text = withoutExpressions(markup)
          .replace(/<[^>]*>/g, '\n')
          .split('\n')
          .filter((line) => /[A-Za-z]{2}/.test(line));
        return [...attributes, ...text].map((words) => `${path.slice(root.length)}: ${words?.trim()}`);
      });
    expect(found).toEqual([]);
  });

  test('uses the recording red for a recording alone', () => {
    const may = ['tokens.css', 'Badge.svelte', 'RecordingState.svelte'];
    const found = files.filter((path) => readFileSync(path, 'utf8').includes('--recording') && !may.some((name) => path.endsWith(name)));
    expect(found).toEqual([]);
    const badges = files.filter((path) => /kind="recording"|'recording' as/.test(readFileSync(path, 'utf8')));
    expect(badges).toEqual([]);
  });

  test('sets no style attribute, which the content security policy refuses', () => {
    expect(files.filter((path) => path.endsWith('.svelte') && /\sstyle=|\sstyle:/.test(readFileSync(path, 'utf8')))).toEqual([]);
  });

  test('puts no markup together', () => {
    expect(files.filter((path) => /\{@html|innerHTML|insertAdjacentHTML|document\.write/.test(readFileSync(path, 'utf8')))).toEqual([]);
  });
});

/** Markup without what stands in braces, to any depth. */
function withoutExpressions(markup: string): string {
  let depth = 0;
  let out = '';
  for (const letter of markup) {
    if (letter === '{') depth++;
    else if (letter === '}') depth--;
    else if (depth === 0) out += letter;
  }
  return out;
}
