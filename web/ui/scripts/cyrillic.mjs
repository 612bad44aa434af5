// Writes messages/sr-Cyrl.json from messages/sr-Latn.json, so that the two
// scripts of one language never drift apart. Run with --check to compare only.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Written in Latin letters in either script: names, and signs that a machine reads. */
const latin = [
  'Told Once', 'toldonce-verify', 'H.264', 'Opus', 'TOTP', 'QR', 'SHA-256', 'UTC', 'Wi-Fi', 'age1', 'age', 'IANA', 'Europe/Belgrade', 'API', 'PDF', 'HTTPS',
];

const digraphs = {
  lj: 'љ', Lj: 'Љ', LJ: 'Љ', nj: 'њ', Nj: 'Њ', NJ: 'Њ', dž: 'џ', Dž: 'Џ', DŽ: 'Џ',
};

const letters = {
  a: 'а', b: 'б', v: 'в', g: 'г', d: 'д', đ: 'ђ', e: 'е', ž: 'ж', z: 'з', i: 'и', j: 'ј', k: 'к', l: 'л', m: 'м', n: 'н',
  o: 'о', p: 'п', r: 'р', s: 'с', t: 'т', ć: 'ћ', u: 'у', f: 'ф', h: 'х', c: 'ц', č: 'ч', š: 'ш',
};
for (const [from, to] of Object.entries(letters)) letters[from.toUpperCase()] = to.toUpperCase();

/** Words in which two letters meet at a seam and are no digraph. */
const seams = [/in(?=jek)/gi, /kon(?=jug)/gi, /nad(?=živ)/gi, /pod(?=žanr)/gi];

const seam = '\u2060';
const kept = new RegExp(`\\{[^}]*\\}|\\b(?:${latin.map((w) => w.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|')})\\b`, 'g');

/** Serbian in Cyrillic letters; placeholders and what is always Latin stay. */
export function cyrillic(text) {
  let out = '';
  let from = 0;
  for (const found of text.matchAll(kept)) {
    out += letterwise(text.slice(from, found.index)) + found[0];
    from = found.index + found[0].length;
  }
  return out + letterwise(text.slice(from));
}

function letterwise(text) {
  for (const rule of seams) text = text.replace(rule, (part) => part + seam);
  let out = '';
  for (let i = 0; i < text.length; ) {
    const pair = text.slice(i, i + 2);
    if (digraphs[pair]) {
      out += digraphs[pair];
      i += 2;
      continue;
    }
    const letter = text[i];
    if (letter !== seam) out += letters[letter] ?? letter;
    i++;
  }
  return out;
}

/** A message, plain or with variants, whose words alone are changed. */
export function translate(message) {
  if (typeof message === 'string') return cyrillic(message);
  return message.map((variant) => ({
    ...variant,
    match: Object.fromEntries(Object.entries(variant.match).map(([when, text]) => [when, cyrillic(text)])),
  }));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const path = (locale) => fileURLToPath(new URL(`../messages/${locale}.json`, import.meta.url));
  const source = JSON.parse(readFileSync(path('sr-Latn'), 'utf8'));
  const made = JSON.stringify(Object.fromEntries(Object.entries(source).map(([key, message]) => [key, translate(message)])), null, 2) + '\n';
  if (process.argv.includes('--check')) {
    if (readFileSync(path('sr-Cyrl'), 'utf8') !== made) {
      console.error('messages/sr-Cyrl.json is not what messages/sr-Latn.json gives: run node scripts/cyrillic.mjs');
      process.exit(1);
    }
  } else writeFileSync(path('sr-Cyrl'), made);
}
