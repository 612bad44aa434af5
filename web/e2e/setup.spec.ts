import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, expectAccessible, picture, test } from './fixtures';
import { totp } from './totp';
import { t } from './words';

// A new user's first minutes, on an installation that was just made.

const program = join(process.env.TOLDONCE_BIN!, 'toldonce');
let folder: string;
let server: ChildProcess;
let link: string;

test.beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'toldonce-first-'));
  const data = join(folder, 'data');
  // Its own stores, whatever the demonstration uses.
  const env = { ...process.env, TOLDONCE_DB: '', TOLDONCE_OBJECTS: '' };
  execFileSync(program, ['init', '--data', data, '--org', 'Policia e Kosovës'], { env });
  server = spawn(program, ['serve', '--data', data, '--listen', '127.0.0.1:0', '--spool-reserve', '1', '--json'], { env, stdio: ['ignore', 'pipe', 'ignore'] });
  const [line] = await new Promise<[string]>((resolve) => createInterface({ input: server.stdout! }).once('line', (text) => resolve([text])));
  link = JSON.parse(line).first_administrator_link;
});

test.afterAll(async () => {
  const ended = new Promise((resolve) => server.once('exit', resolve));
  server.kill('SIGTERM');
  await ended;
  rmSync(folder, { recursive: true, force: true });
});

test('a new administrator sets up: password, room, test recording that plays and holds, people', async ({ page }) => {
  await page.goto(link);
  await page.getByLabel(t('password_new'), { exact: true }).fill('a long first password');
  await page.getByLabel(t('password_again')).fill('a long first password');
  await expect(page.getByRole('img', { name: t('welcome_qr') })).toBeVisible();
  const secret = (await page.locator('code').filter({ hasText: /^[A-Z2-7]{16,}/ }).first().innerText()).match(/[A-Z2-7]{16,}/)![0];
  await page.getByLabel(t('code'), { exact: true }).fill(totp(secret, Date.now()));
  await page.getByRole('button', { name: t('welcome_accept') }).click();

  // The empty start page leads to the first steps.
  await page.getByRole('link', { name: t('setup_go') }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(t('setup_title'));
  await expect(page.getByText('Policia e Kosovës').first()).toBeVisible();
  await expectAccessible(page);
  await picture(page, 'setup-empty');
  await page.getByLabel(t('account_name')).fill('Dhoma 1');
  await page.getByRole('button', { name: t('room_add') }).click();

  await page.getByRole('link', { name: t('rehearsal_make') }).click();
  await expect(page.getByText(t('rehearsal_rule'))).toBeVisible();
  await page.getByRole('button', { name: t('rehearsal_start') }).click();
  await expect(page.getByRole('status').filter({ hasText: t('rehearsal_recording') })).toBeVisible();
  await expectAccessible(page);
  await picture(page, 'setup-recording');
  await expect(page.getByText(t('rehearsal_good'))).toBeVisible({ timeout: 60_000 });
  const video = page.getByLabel(t('rehearsal_video'));
  await video.evaluate((it: HTMLVideoElement) => {
    it.muted = true;
    return it.play();
  });
  await expect.poll(() => video.evaluate((it: HTMLVideoElement) => it.currentTime)).toBeGreaterThan(1);
  expect(await video.evaluate((it: HTMLVideoElement) => it.duration)).toBeGreaterThan(6);
  await page.getByText(t('rehearsal_checks').split('(')[0]!).click();
  await expectAccessible(page);
  await picture(page, 'setup-tested');
  await page.getByRole('link', { name: t('rehearsal_finish') }).click();

  await expect(page.getByText(t('setup_test_done', { room: 'Dhoma 1' }))).toBeVisible();
  await picture(page, 'setup-after-test');
  await page.getByRole('link', { name: t('setup_people_go') }).click();
  await page.getByRole('button', { name: t('new_account') }).first().click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel(t('account_name')).fill('Second Administrator');
  await dialog.getByLabel(t('login')).fill('second');
  await dialog.getByLabel(t('account_role')).selectOption('admin');
  await dialog.getByRole('button', { name: t('account_propose') }).click();
  await dialog.waitFor({ state: 'hidden' });
  // Not against the demonstration, which is what a bare path means here.
  await page.goto(new URL('/setup', page.url()).href);
  await expect(page.getByText(t('setup_over'))).toBeVisible();
  await picture(page, 'setup-over');
});
