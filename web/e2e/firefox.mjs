// A small WebDriver BiDi client (W3C WebDriver BiDi) for the smoke journey in Firefox.
// Started by firefox.spec.ts: node --experimental-websocket firefox.mjs URL LOGIN PASSWORD CODE PATH
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const [url, login, password, code, path, picture] = process.argv.slice(2);
const profile = await mkdtemp(join(tmpdir(), 'toldonce-firefox-'));
await writeFile(join(profile, 'user.js'), 'user_pref("media.autoplay.default", 0);\nuser_pref("datareporting.policy.dataSubmissionEnabled", false);\n');
const firefox = spawn(process.env.FIREFOX ?? 'firefox-esr', ['--headless', '--no-remote', '--profile', profile, '--remote-debugging-port', '0', 'about:blank'], {
  stdio: ['ignore', 'ignore', 'pipe'],
});

try {
  const address = await new Promise((resolve, reject) => {
    let said = '';
    firefox.stderr.on('data', (piece) => {
      const found = /WebDriver BiDi listening on (ws:\/\/\S+)/.exec((said += piece));
      if (found) resolve(found[1]);
    });
    firefox.once('exit', () => reject(new Error(`Firefox ended: ${said}`)));
    firefox.once('error', reject);
  });
  const socket = new WebSocket(`${address}/session`);
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve);
    socket.addEventListener('error', () => reject(new Error('no BiDi connection')));
  });
  const waiting = new Map();
  const complaints = [];
  socket.addEventListener('message', ({ data }) => {
    const message = JSON.parse(data);
    if (message.method === 'log.entryAdded' && message.params.level === 'error') complaints.push(message.params.text);
    const mine = waiting.get(message.id);
    if (!mine) return;
    waiting.delete(message.id);
    message.type === 'error' ? mine.reject(new Error(`${message.error}: ${message.message}`)) : mine.resolve(message.result);
  });
  let last = 0;
  const send = (method, params) =>
    new Promise((resolve, reject) => {
      waiting.set(++last, { resolve, reject });
      socket.send(JSON.stringify({ id: last, method, params }));
    });

  await send('session.new', { capabilities: {} });
  const context = (await send('browsingContext.getTree', {})).contexts[0].context;
  await send('session.subscribe', { events: ['log.entryAdded'] });
  const go = (to) => send('browsingContext.navigate', { context, url: to, wait: 'complete' });
  const run = async (expression) => {
    const { result, exceptionDetails } = await send('script.evaluate', { expression, target: { context }, awaitPromise: true });
    if (exceptionDetails) throw new Error(exceptionDetails.text);
    return result.value;
  };
  const until = async (what, expression) => {
    const end = Date.now() + 60_000;
    for (;;) {
      if (await run(expression).catch(() => false)) return;
      if (Date.now() > end) throw new Error(`not within a minute: ${what}; complaints: ${complaints.join('; ')}`);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  };
  const keys = (text) =>
    send('input.performActions', {
      context,
      actions: [{ type: 'key', id: 'keys', actions: [...text].flatMap((value) => [{ type: 'keyDown', value }, { type: 'keyUp', value }]) }],
    });

  await go(url);
  await until('the sign-in page', `document.querySelectorAll('form input').length >= 3`);
  complaints.length = 0; // that nobody is signed in is no complaint
  await run(`document.querySelector('form input').focus()`);
  // By the keyboard alone: Tab leads from field to field, Enter sends.
  await keys(login + '\uE004' + password);
  await run(`document.querySelectorAll('form input')[2].focus()`);
  await keys(code + '\uE007');
  await until('the start page', `document.querySelector('header nav') !== null`);
  if (complaints.length > 0) throw new Error(`the first pages complained: ${complaints.join('; ')}`);
  await go(url + path);
  complaints.length = 0; // what the page that was left had not fetched yet is no complaint
  await until('a picture', `(document.querySelector('video')?.readyState ?? 0) >= 2`);
  await keys('l');
  await until('a picture that runs', `document.querySelector('video').currentTime > 1`);
  await until('a second camera in step', `(() => { const [a, b] = document.querySelectorAll('video'); return b && b.currentTime > 0.5 && Math.abs(a.currentTime - b.currentTime) < 1; })()`);
  const ahead = await run(`(() => { const v = document.querySelector('video'); return v.buffered.length ? v.buffered.end(v.buffered.length - 1) - v.currentTime : 0; })()`);
  if (ahead > 8.5) throw new Error(`${ahead} s are buffered ahead`);
  const { data } = await send('browsingContext.captureScreenshot', { context });
  await mkdir(dirname(picture), { recursive: true });
  await writeFile(picture, Buffer.from(data, 'base64'));
  if (complaints.length > 0) throw new Error(`the pages complained: ${complaints.join('; ')}`);
  console.log('played in Firefox');
  await send('browser.close', {}).catch(() => undefined);
} finally {
  firefox.kill();
  await new Promise((resolve) => (firefox.exitCode === null && firefox.signalCode === null ? firefox.once('exit', resolve) : resolve()));
  await rm(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}
