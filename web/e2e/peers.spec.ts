import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { api, expect, test } from './fixtures';
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
