// Prints what a first visit loads, and fails beyond the budget: at most 150 kB of
// compressed script before the player, at most 350 kB with it.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const dist = fileURLToPath(new URL('../dist', import.meta.url));
const manifest = JSON.parse(readFileSync(join(dist, 'assets/manifest.json'), 'utf8'));

// A page that can be gone to is no part of the page that is open.
function reach(key, dynamic, seen = new Set()) {
  if (seen.has(key)) return seen;
  seen.add(key);
  const chunk = manifest[key];
  const later = dynamic ? (chunk.dynamicImports ?? []).filter((next) => !/^src\/pages\/.*\.svelte$/.test(next)) : [];
  for (const next of [...(chunk.imports ?? []), ...later]) reach(next, dynamic, seen);
  return seen;
}

const weigh = (keys) =>
  [...new Set([...keys].map((key) => manifest[key].file))]
    .filter((file) => file.endsWith('.js'))
    .reduce((sum, file) => sum + gzipSync(readFileSync(join(dist, file)), { level: 9 }).length, 0);

const entry = reach('index.html', false);
// Pages are what a route leads to (src/routes.ts is part of the entry); what a page fetches later is not in its first load.
const pages = [...entry].flatMap((key) => manifest[key].dynamicImports ?? []).filter((key) => /^src\/pages\/.*\.svelte$/.test(key));
if (pages.length < 10) throw new Error('the routes were not found');
const kB = (bytes) => `${(bytes / 1000).toFixed(1)} kB`;
let failed = false;
for (const page of pages) {
  const bytes = weigh(new Set([...entry, ...reach(page, false)]));
  const limit = 150_000;
  if (bytes > limit) {
    failed = true;
    console.error(`${page} loads ${kB(bytes)} of compressed script first; the budget is ${kB(limit)}`);
  }
}
const heaviest = Math.max(...pages.map((page) => weigh(new Set([...entry, ...reach(page, false)]))));
const review = 'src/pages/review/Review.svelte';
// What plays is all that the page fetches before the first picture; a dialog that is opened later is not.
const player = weigh(new Set([...entry, ...reach(review, false), ...reach('src/lib/player/player.ts', true)]));
console.log(`first load: ${kB(weigh(entry))} of compressed script, heaviest page ${kB(heaviest)}; with the player ${kB(player)}`);
if (player > 350_000) {
  failed = true;
  console.error('the player is over its budget of 350 kB');
}
process.exit(failed ? 1 : 0);
