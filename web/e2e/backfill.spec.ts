import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { expect, test, type Page } from '@playwright/test';
import type { Demo } from './demo';
import { RoomPage } from './pages';
import { expectAccessible, picture } from './fixtures';
import { Program } from './program';
import { totp } from './totp';
import { t } from './words';

/** The network between page and recorder: media goes through here, and can be cut. */
class Wire {
  cut = false;
  private readonly sockets: Socket[] = [];

  /** Puts itself in place of the recorder's media address, in each answer that it gives. */
  async watch(page: Page): Promise<void> {
    await page.route('**/whip/**', async (route) => {
      if (this.cut) return route.abort('internetdisconnected');
      if (route.request().method() !== 'POST') return route.continue();
      const response = await route.fetch();
      const answer = await response.text();
      const found = /a=candidate:\S+ 1 udp \d+ (\S+) (\d+) typ host/i.exec(answer);
      if (!found) return route.fulfill({ response, body: answer });
      const port = await this.to(found[1] ?? '', Number(found[2]));
      const lines = answer.split('\r\n').filter((line) => !/^a=candidate:/.test(line) || line === found[0]);
      const body = lines.join('\r\n').replace(found[0], found[0].replace(`${found[1]} ${found[2]}`, `127.0.0.1 ${port}`));
      await route.fulfill({ response, body });
    });
  }

  private async to(host: string, port: number): Promise<number> {
    const [front, back] = [createSocket('udp4'), createSocket('udp4')];
    this.sockets.push(front, back);
    let peer: { address: string; port: number } | undefined;
    front.on('message', (data, from) => {
      peer = from;
      if (!this.cut) back.send(data, port, host);
    });
    back.on('message', (data) => {
      if (!this.cut && peer) front.send(data, peer.port, peer.address);
    });
    front.bind(0, '127.0.0.1');
    await once(front, 'listening');
    return front.address().port;
  }

  close(): void {
    for (const socket of this.sockets) socket.close();
  }
}

async function signIn(page: Page, demo: Demo): Promise<void> {
  await page.goto(demo.url);
  await fillIn(page, demo);
  await expect(page.getByRole('heading', { level: 1 })).not.toHaveText('Sign in');
}

async function fillIn(page: Page, demo: Demo): Promise<void> {
  const account = demo.accounts.find((it) => it.role === 'interviewer');
  if (!account) throw new Error('no interviewer');
  await page.getByLabel('Login').fill(account.login);
  await page.getByLabel('Password', { exact: true }).fill(account.password);
  await page.getByLabel('Code').fill(totp(account.totp_secret, Date.now()));
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
}

const reserve = new RegExp(`${t('reserve_less')}|${t('reserve_minutes', { minutes: '\\d+' })}`);
const checkOf = (verification: any, code: string) => verification.checks.filter((it: any) => it.code === code);

test('nothing is missing after a cut network, a killed server and a reload without a login in one interview', async ({ browser }) => {
  test.setTimeout(240_000);
  const program = await Program.start();
  const wire = new Wire();
  const context = await browser.newContext({ permissions: ['camera', 'microphone'], baseURL: program.demo.url });
  const page = await context.newPage();
  if (process.env.BACKFILL_LOG) {
    page.on('console', (message) => console.log('page:', message.text()));
    page.on('response', async (r) => r.url().includes('/capture/') && console.log(new Date().toISOString(), r.url().split('/').at(-1), r.status(), (await r.text().catch(() => '?')).slice(0, 900)));
  }
  try {
    const { demo } = program;
    let opened = 0;
    page.on('response', (r) => r.request().method() === 'POST' && r.url().includes('/whip/') && r.status() === 201 && opened++);
    const { person } = await program.api('interviewer', 'GET', `/interviews/${demo.interview_id}`);
    await wire.watch(page);
    await signIn(page, demo);
    const room = new RoomPage(page);
    await room.open(demo.interview_id);
    await room.people(person.pseudonym);
    await room.picture();
    await room.start();
    await expect(room.recording()).toBeVisible();
    await room.runFor(8);

    const status = () => program.api('interviewer', 'GET', `/interviews/${demo.interview_id}/status`);
    const more = async (frames: number) => {
      const video = (st: any) => st.tracks.find((it: any) => it.kind === 'video').frames.whole;
      const before = video(await status());
      await expect.poll(async () => video(await status()), { timeout: 60_000 }).toBeGreaterThan(before + frames);
    };

    // The network is gone altogether, and comes back.
    wire.cut = true;
    await context.setOffline(true);
    // A length of time is what is tried: the connection is given up within it.
    await page.waitForTimeout(25_000);
    await context.setOffline(false);
    wire.cut = false;
    await more(90);

    // The login has ended, and the page is loaded again: the device goes on alone, and
    // shows nothing about anybody.
    await context.clearCookies();
    await page.reload();
    await expect(page.getByText(t('alone_text'))).toBeVisible({ timeout: 30_000 });
    await expect(room.recording()).toBeVisible({ timeout: 30_000 });
    await more(90);
    await expect(page.getByText(person.pseudonym)).toHaveCount(0);
    await expectAccessible(page);
    await picture(page, 'state-room-alone');

    // The server is killed, and started again over the same data, with little room left.
    await program.kill();
    // For so long the camera sends to nobody.
    await page.waitForTimeout(6_000);
    const taken = Math.ceil((await program.spooled()) / 2 ** 20);
    await program.again('--spool-reserve', '64', '--spool-limit', String(taken));
    await more(90);
    await expect(page.getByText(t('alone_text'))).toBeVisible();

    // Signed in again, the room's page goes on with what is sent; and it says for how long
    // the full disk is recorded on.
    const sent = opened;
    await fillIn(page, program.demo);
    await expect(page.getByText(t('alarm_spool_reserve'))).toBeVisible({ timeout: 60_000 });
    await expect(page.getByText(reserve)).toBeVisible();
    await expect(room.recording()).toBeVisible();
    await expectAccessible(page);
    await picture(page, 'state-room-disk-full');
    expect(opened, 'no new connection for the page of the person').toBe(sent);
    await more(90);

    await room.stop();
    await expect(page.getByText(t('sealed_title'))).toBeVisible({ timeout: 60_000 });
    const verification = await program.api('interviewer', 'GET', `/interviews/${demo.interview_id}/verification`);
    console.log(verification.verdict, checkOf(verification, 'recording.sources'), checkOf(verification, 'recording.replacements'));
    expect(verification.checks.filter((it: any) => it.result === 'fails')).toEqual([]);
    const [source] = checkOf(verification, 'recording.sources');
    expect(source.text).toMatch(/ 0 missing, 0 mismatched, /);
    // What was sent in the last moment before the reload was received, and could not be signed any more.
    expect(Number(/(\d+) unclaimed/.exec(source.text)?.[1])).toBeLessThan(20);
    expect(Number(/(\d+) back-filled/.exec(source.text)?.[1])).toBeGreaterThan(300);

    // What was kept on the device is gone.
    await expect
      .poll(() => page.evaluate(async () => (await Array.fromAsync((await (await navigator.storage.getDirectory()).getDirectoryHandle('capture')).keys())).length), { timeout: 40_000 })
      .toBe(0);
  } finally {
    await context.close();
    wire.close();
    await program.close();
  }
});
