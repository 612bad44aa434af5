import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { api, expect, test } from './fixtures';
import { ReviewPage } from './pages';
import { readyInterview } from './world';

// WHIP clients that are not ours (RFC 9725): Eyevinn's, as its package ships it, on a
// page of another origin, with the defaults that it has.

const require = createRequire(import.meta.url);

/** Everything that the client consists of, as one script for a browser. */
function client(): string {
  const main = require.resolve('@eyevinn/whip-web-client');
  const files: Record<string, string> = {};
  const add = (name: string, file: string) => {
    if (files[name]) return;
    const source = readFileSync(file, 'utf8');
    files[name] = source;
    for (const match of source.matchAll(/require\(["']([^"']+)["']\)/g)) {
      const wanted = match[1]!;
      const from = createRequire(file);
      const path = wanted === 'events' ? from.resolve('events/events.js') : from.resolve(wanted);
      add(wanted.startsWith('.') ? join(dirname(name), wanted) : wanted, path);
    }
  };
  add('client', main);
  const modules = Object.entries(files).map(([name, source]) => `${JSON.stringify(name)}: function (require, module, exports) {\n${source}\n}`);
  return `const files = {${modules.join(',\n')}};
    const made = {};
    function load(name) {
      if (made[name]) return made[name].exports;
      const module = (made[name] = { exports: {} });
      const folder = name.split('/').slice(0, -1).join('/');
      files[name]((wanted) => load(wanted.startsWith('./') ? (folder ? folder + '/' : '') + wanted.slice(2) : wanted), module, module.exports);
      return module.exports;
    }
    window.WHIPClient = load('client').WHIPClient;`;
}

test("Eyevinn's WHIP client publishes from a page of another origin", async ({ page }) => {
  const script = client();
  const server = createServer((request, response) => {
    const js = request.url === '/client.js';
    response.setHeader('Content-Type', js ? 'text/javascript' : 'text/html');
    response.end(js ? script : '<!doctype html><title>Somebody else</title><link rel="icon" href="data:,"><script src="/client.js"></script>');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const world = await readyInterview('Peer');
    const { data: source } = await api('interviewer', 'POST', `/interviews/${world.interview}/sources`, { role: 'wide' });
    await page.goto(`http://localhost:${(server.address() as AddressInfo).port}/`);
    await page.evaluate(
      async ([endpoint, authkey]) => {
        const stream = await navigator.mediaDevices.getUserMedia({ video: true, audio: true });
        const made = new (window as any).WHIPClient({ endpoint, opts: { authkey, iceServers: [] } });
        (window as any).made = made;
        await made.ingest(stream);
      },
      [source.whip, source.token],
    );
    const whole = async () => {
      const { data } = await api('interviewer', 'GET', `/interviews/${world.interview}/status`);
      return data.tracks.filter((it: any) => it.live && it.frames.whole > 10).length;
    };
    await expect.poll(whole, { timeout: 60_000 }).toBe(2);
    expect((await api('interviewer', 'POST', `/interviews/${world.interview}/start`)).status).toBe(200);
    await expect.poll(whole, { timeout: 60_000 }).toBe(2);
    await page.evaluate(() => (window as any).made.destroy());
    const stopped = await api('interviewer', 'POST', `/interviews/${world.interview}/stop`);
    expect(stopped.data.sealed).toBe(true);
  } finally {
    server.close();
  }
});

// Other codecs than H.264 from a real encoder, recorded and played back by the review page.
for (const [codec, mime] of [
  ['VP9', 'vp09'],
  ['AV1', 'av01'],
] as const) {
  test(`what Chromium encodes as ${codec} is recorded and plays`, async ({ person }) => {
    const world = await readyInterview(`Codec ${codec}`);
    const { page } = await person('interviewer');
    const { data: source } = await api('interviewer', 'POST', `/interviews/${world.interview}/sources`, { role: 'wide' });
    await page.evaluate(
      async ([endpoint, token, wanted]) => {
        const stream = await navigator.mediaDevices.getUserMedia({ video: { width: 320, height: 180 }, audio: true });
        const pc = ((window as any).pc = new RTCPeerConnection());
        for (const track of stream.getTracks()) {
          const sending = pc.addTransceiver(track, { direction: 'sendonly', streams: [stream] });
          if (track.kind !== 'video') continue;
          const codecs = RTCRtpSender.getCapabilities('video')!.codecs.filter((it) => it.mimeType === `video/${wanted}`);
          if (codecs.length === 0) throw new Error(`this Chromium does not encode ${wanted}`);
          sending.setCodecPreferences(codecs);
        }
        await pc.setLocalDescription();
        await new Promise<void>((resolve) => {
          if (pc.iceGatheringState === 'complete') resolve();
          pc.onicegatheringstatechange = () => pc.iceGatheringState === 'complete' && resolve();
        });
        const answer = await fetch(endpoint!, { method: 'POST', headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/sdp' }, body: pc.localDescription!.sdp, credentials: 'omit' });
        await pc.setRemoteDescription({ type: 'answer', sdp: await answer.text() });
      },
      [source.whip, source.token, codec],
    );
    const status = async () => (await api('interviewer', 'GET', `/interviews/${world.interview}/status`)).data;
    const whole = async () => (await status()).tracks.filter((it: any) => it.live && it.frames.whole > 60).length;
    await expect.poll(async () => (await status()).tracks.filter((it: any) => it.live).length, { timeout: 60_000 }).toBe(2);
    expect((await api('interviewer', 'POST', `/interviews/${world.interview}/start`)).status).toBe(200);
    await expect.poll(whole, { timeout: 60_000 }).toBe(2);
    const stopped = await api('interviewer', 'POST', `/interviews/${world.interview}/stop`);
    expect(stopped.data.tracks.find((it: any) => it.kind === 'video').codec).toMatch(new RegExp(`^${mime}\\.`));
    await page.evaluate(() => (window as any).pc.close());

    const asked = await api('interviewer', 'POST', `/interviews/${world.interview}/grants`, {
      source: 'all', to: 'interviewer', from: 0, until: stopped.data.elapsed_us, not_after: new Date(Date.now() + 3_600_000).toISOString(), purpose: `Look at ${codec}.`, basis: 'Art. 1', rests_on: 'law',
    });
    expect(asked.status, JSON.stringify(asked.data)).toBe(201);
    expect((await api('custodian', 'POST', `/grants/${asked.data.id}/approve`)).status).toBe(200);
    const review = new ReviewPage(page);
    await review.open(world.interview);
    await expect.poll(() => review.video().evaluate((v: HTMLVideoElement) => v.readyState)).toBeGreaterThanOrEqual(2);
    await review.play();
    await expect.poll(() => review.video().evaluate((v: HTMLVideoElement) => v.currentTime)).toBeGreaterThan(1);
    expect(await review.video().evaluate((v: HTMLVideoElement) => v.videoHeight)).toBe(180);
  });
}
