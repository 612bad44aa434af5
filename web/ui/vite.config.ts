import { fileURLToPath } from 'node:url';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

const src = (path: string) => fileURLToPath(new URL(`./src/${path}`, import.meta.url));

export default defineConfig({
  plugins: [svelte()],
  resolve: {
    alias: {
      $lib: src('lib'),
      $m: src('paraglide/messages.js'),
      $paraglide: src('paraglide'),
    },
  },
  build: {
    target: 'es2022',
    // The content security policy allows no data: fonts, images or styles.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    manifest: 'assets/manifest.json',
    rolldownOptions: {
      output: {
        codeSplitting: {
          // Few files: what many pages share is one, the words are another.
          groups: [
            { name: 'words', test: /src\/paraglide\/(?!messages\/(log|sheet|field|opt|apart|danger|file|room_check|rehearsal|setup|capture|camera|microphone|meter|alarm|publish|check|leaving|live|start|picture|rec|devices|consent_receipt|consent_sign)_)/, minShareCount: 3 },
            { name: 'shared', test: /src\/lib\/(?!player|media|text\/custody|text\/reasons|proof|sheets|documents)|node_modules\/(?!hls\.js)/, minShareCount: 2 },
          ],
        },
      },
    },
    // hls.js with alternate audio is one piece, loaded with the player alone.
    chunkSizeWarningLimit: 700,
  },
  server: {
    // For work on pages against a running server: TOLDONCE_URL=https://localhost:8443 npm run dev
    proxy: process.env.TOLDONCE_URL
      ? { '^/(api|whip)': { target: process.env.TOLDONCE_URL, secure: false } }
      : undefined,
  },
  test: { include: ['test/**/*.test.ts'], environment: 'node' },
});
