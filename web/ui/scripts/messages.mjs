// Fails when a message is missing in a language, is used nowhere, is used but
// does not exist, or takes other values in one language than in another.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const locales = ['en', 'sq', 'sr-Latn', 'sr-Cyrl'];

/** The texts of a message: one, or one for each plural form. */
function texts(message) {
  return typeof message === 'string' ? [message] : message.flatMap((variant) => Object.values(variant.match));
}

/** The values that a message takes, in order of name. */
function values(message) {
  const found = texts(message).map((text) => [...text.matchAll(/\{(\w+)\}/g)].map((m) => m[1]));
  return [...new Set(found.flat())].sort().join(',');
}

function sources(dir) {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) return entry.name === 'paraglide' ? [] : sources(path);
    return /\.(svelte|ts)$/.test(entry.name) ? [path] : [];
  });
}

/** Everything that is wrong, a sentence each. */
export function complaints() {
  const all = Object.fromEntries(locales.map((locale) => [locale, JSON.parse(readFileSync(join(root, 'messages', `${locale}.json`), 'utf8'))]));
  const used = new Set();
  for (const path of sources(join(root, 'src'))) {
    for (const found of readFileSync(path, 'utf8').matchAll(/\bm\.([a-z][a-z0-9_]*)\b/g)) used.add(found[1]);
  }
  const wrong = [];
  const english = all.en;
  for (const key of Object.keys(english)) if (!used.has(key)) wrong.push(`${key} is used nowhere`);
  for (const key of used) if (!(key in english)) wrong.push(`${key} is used but does not exist`);
  for (const locale of locales.slice(1)) {
    for (const key of Object.keys(english)) {
      if (!(key in all[locale])) wrong.push(`${key} is missing in ${locale}`);
      else if (texts(all[locale][key]).some((text) => text.trim() === '')) wrong.push(`${key} is empty in ${locale}`);
      else if (values(all[locale][key]) !== values(english[key])) wrong.push(`${key} takes other values in ${locale}`);
    }
    for (const key of Object.keys(all[locale])) if (!(key in english)) wrong.push(`${key} stands in ${locale} but not in en`);
  }
  return wrong;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const wrong = complaints();
  for (const sentence of wrong) console.error(sentence);
  console.log(`messages: ${wrong.length === 0 ? 'complete' : `${wrong.length} wrong`}`);
  process.exit(wrong.length === 0 ? 0 : 1);
}
