import { defineConfig } from '@playwright/test';

// Debian's Chromium with a camera and a microphone from files (camera.ts makes them).
const chromium = process.env.CHROMIUM ?? '/usr/bin/chromium';

export default defineConfig({
  testDir: '.',
  testMatch: '**/*.spec.ts',
  // Figures are for `make bench` alone.
  grepInvert: process.env.TOLDONCE_BENCH ? undefined : /@bench/,
  // What does not depend on the stores is tried on one pair of them.
  testIgnore: process.env.TOLDONCE_DB ? /(backfill|firefox|health|layout|pages|peers|setup|states|verifier)\.spec\.ts$/ : [],
  outputDir: 'test-results',
  globalSetup: './camera.ts',
  // One recorder, one story: the journeys build on the same demonstration.
  workers: 1,
  fullyParallel: false,
  // A machine that does several things at once may starve the browser's encoder: what
  // passes only at the second try is reported as flaky, and never hidden.
  retries: process.env.CI ? 1 : 0,
  forbidOnly: !!process.env.CI,
  timeout: 300_000,
  expect: { timeout: 30_000 },
  reporter: [['list'], ['html', { outputFolder: 'report', open: 'never' }]],
  use: {
    baseURL: process.env.BASE_URL,
    locale: 'en-GB',
    timezoneId: 'Europe/Belgrade',
    viewport: { width: 1440, height: 900 },
    permissions: ['camera', 'microphone'],
    trace: 'retain-on-failure',
    launchOptions: {
      executablePath: chromium,
      args: [
        '--headless=new',
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        '--use-fake-ui-for-media-stream',
        '--use-fake-device-for-media-stream',
        '--use-file-for-fake-video-capture=' + new URL('./camera/camera.y4m', import.meta.url).pathname,
        '--use-file-for-fake-audio-capture=' + new URL('./camera/voice.wav', import.meta.url).pathname,
        '--disable-features=WebRtcHideLocalIpsWithMdns',
        '--autoplay-policy=no-user-gesture-required',
      ],
    },
  },
});
