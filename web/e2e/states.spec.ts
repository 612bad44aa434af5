import type { Page } from '@playwright/test';
import { account, demo } from './demo';
import { api, expect, expectAccessible, nextCode, picture, test } from './fixtures';
import { RoomPage } from './pages';
import { t } from './words';
import { readyInterview } from './world';

// What a page says when something is missing, refused, broken or gone. Each state
// is provoked in the real program, or on the way between it and the page.

const problem = (status: number, code: string, reasons: { code: string; text: string }[] = []) => ({
  status,
  contentType: 'application/problem+json',
  body: JSON.stringify({ type: 'about:blank', title: '', status, detail: '', code, reasons }),
});

/** Ready to be looked at: checked for barriers, and pictured at both sizes. */
async function look(page: Page, name: string): Promise<void> {
  await expectAccessible(page);
  await picture(page, `state-${name}`);
}

test('a page says that the server cannot be reached, that it failed, and that one may not', async ({ person, complaints }) => {
  complaints.expect(/ERR_FAILED|500|403/);
  const { page } = await person('case_manager');

  await test.step('offline, and back', async () => {
    await page.route('**/api/v1/cases', (route) => route.abort());
    await page.goto('/cases');
    await expect(page.getByText(t('problem_offline'))).toBeVisible();
    await expect(page.getByText(t('problem_offline_todo'))).toBeVisible();
    await look(page, 'offline');
    await page.unroute('**/api/v1/cases');
    await page.getByRole('button', { name: t('try_again') }).click();
    await expect(page.getByText(t('problem_offline'))).toBeHidden();
    await expect(page.getByRole('table')).toBeVisible();
  });

  await test.step('the server fails', async () => {
    await page.route('**/api/v1/cases', (route) => route.fulfill(problem(500, 'internal')));
    await page.goto('/cases');
    await expect(page.getByText(t('problem_server'))).toBeVisible();
    await expect(page.getByRole('button', { name: t('try_again') })).toBeVisible();
    await look(page, 'server-failed');
    await page.unroute('**/api/v1/cases');
  });

  await test.step('no permission, with the reason', async () => {
    await page.route('**/api/v1/grants', (route) => route.fulfill(problem(403, 'refused', [{ code: 'access.role', text: 'x' }])));
    await page.goto('/grants');
    await expect(page.getByText(t('reason_access_role'))).toBeVisible();
    await look(page, 'refused');
    await page.unroute('**/api/v1/grants');
  });

  await test.step('slow: a skeleton that says so', async () => {
    let go = () => {};
    const held = new Promise<void>((resolve) => (go = resolve));
    await page.route('**/api/v1/cases', async (route) => {
      await held;
      await route.continue();
    });
    await page.goto('/cases');
    await expect(page.getByRole('status').filter({ hasText: t('loading') })).toBeVisible();
    await look(page, 'loading');
    go();
    await expect(page.getByRole('table')).toBeVisible();
    await page.unroute('**/api/v1/cases');
  });
});

test('what does not exist, and what one may not know, are the same page', async ({ person, complaints }) => {
  complaints.expect(/404/);
  const { page } = await person('observer');
  await page.goto('/cases/01900000-0000-7000-8000-000000000000');
  await expect(page.getByText(t('problem_not_found'))).toBeVisible();
  await look(page, 'case-not-found');
  await page.goto('/no/such/page');
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(t('problem_not_found'));
  await look(page, 'page-not-found');
});

test('an empty case says what to do next', async ({ person }) => {
  const { page } = await person('case_manager');
  const { data } = await api('case_manager', 'POST', '/cases', { reference: `Empty ${Date.now()}` });
  const empty: [string, string][] = [
    ['people', 'people_none'],
    ['consents', 'consents_none'],
    ['interviews', 'interviews_none'],
    ['access', 'access_none'],
  ];
  for (const [part, message] of empty) {
    await page.goto(`/cases/${data.id}/${part}`);
    await expect(page.getByText(t(message)).first()).toBeVisible();
    await look(page, `empty-${part}`);
  }
  await page.goto(`/cases/${data.id}`);
  await expect(page.getByText(t('step_person_text'))).toBeVisible();
  await look(page, 'empty-case');
});

test('a locked screen lets the same person go on where she was', async ({ person, complaints }) => {
  complaints.expect(/401/);
  const { page } = await person('advocate');
  await page.goto(`/cases/${demo.case_id}`);
  await expect(page.getByRole('heading', { level: 1 })).toContainText(/\S/);
  await page.route('**/api/v1/cases/*/consents', (route) => route.fulfill(problem(401, 'session.locked')));
  await page.getByRole('navigation').getByRole('link', { name: new RegExp(`^${t('case_consents')}`) }).click();
  const dialog = page.getByRole('dialog', { name: t('lock_title') });
  await expect(dialog).toBeVisible();
  await look(page, 'locked');
  await page.keyboard.press('Escape');
  await expect(dialog).toBeVisible();
  await page.unroute('**/api/v1/cases/*/consents');
  await dialog.getByLabel(t('password')).fill(account('advocate').password);
  await dialog.getByLabel(t('code')).fill(await nextCode('advocate'));
  await dialog.getByRole('button', { name: t('lock_enter') }).click();
  await expect(dialog).toBeHidden();
  expect(page.url()).toContain(`/cases/${demo.case_id}/consents`);
});

test('a player without its heartbeat goes dark within two seconds, and goes on where it was', async ({ person, complaints }) => {
  complaints.expect(/ERR_FAILED/);
  const { page } = await person('interviewer'); // the demonstration gives her a grant
  await page.goto(`/interviews/${demo.sealed_interview_id}/review`);
  const video = page.locator('video').first();
  await expect.poll(() => video.evaluate((v: HTMLVideoElement) => v.readyState)).toBeGreaterThanOrEqual(2);
  await page.keyboard.press('l');
  await expect.poll(() => video.evaluate((v: HTMLVideoElement) => v.currentTime)).toBeGreaterThan(4);
  await expect(page.getByRole('button', { name: t('pause'), exact: true })).toBeVisible();

  let lostAt = 0;
  await page.route('**/heartbeat', (route) => {
    lostAt ||= Date.now();
    return route.abort();
  });
  await expect(page.getByText(t('dark_lost'))).toBeVisible({ timeout: 5_000 });
  expect(Date.now() - lostAt, 'from the first heartbeat that was lost').toBeLessThanOrEqual(2_500);
  const left = await video.evaluate((v: HTMLVideoElement) => ({ state: v.readyState, ranges: v.buffered.length, source: v.currentSrc || v.src }));
  expect(left).toMatchObject({ state: 0, ranges: 0 });
  await look(page, 'player-lost');

  // It goes on by itself once the server answers, where it was, and playing as it did.
  await page.unroute('**/heartbeat');
  await expect(page.getByText(t('dark_lost'))).toBeHidden({ timeout: 10_000 });
  await expect.poll(() => video.evaluate((v: HTMLVideoElement) => v.currentTime)).toBeGreaterThan(3);
  await expect(page.getByRole('button', { name: t('pause'), exact: true })).toBeVisible();
});

test('a camera that may not be used, or is not there, says what to do', async ({ person }) => {
  const { page } = await person('interviewer');
  const room = new RoomPage(page);
  for (const [name, message] of [
    ['NotAllowedError', 'capture_denied'],
    ['NotFoundError', 'capture_missing'],
    ['NotReadableError', 'capture_busy'],
  ] as const) {
    await page.addInitScript((error) => {
      navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', error));
    }, name);
    await room.open(demo.interview_id);
    await page.getByRole('checkbox').first().check();
    await page.getByRole('checkbox').last().check();
    await room.next().click();
    await expect(page.getByText(t(message))).toBeVisible();
    await expect(page.getByRole('button', { name: t('room_next_start') })).toBeDisabled();
    await look(page, `room-${message.replace('_', '-')}`);
  }
});

test('a recording survives a lost connection, a silent server and a reload, in plain sight', async ({ person, complaints }) => {
  complaints.expect(/ERR_FAILED|409|503|404.*\/whip\//); // the page tells the recorder to end what was cut
  const { page } = await person('interviewer');
  // Where the page publishes, and as whom: enough to cut its connection from outside.
  const sessions: { url: string; token: string }[] = [];
  page.on('response', async (response) => {
    if (response.request().method() !== 'POST' || !response.url().includes('/whip/') || response.status() !== 201) return;
    const location = await response.headerValue('location');
    const token = await response.request().headerValue('authorization');
    if (location && token) sessions.push({ url: new URL(location, response.url()).href, token });
  });
  const room = new RoomPage(page);
  const { interview } = await readyInterview('Wren');
  await page.route('**/capture/*/admission', (route) => route.fulfill({ status: 503 }));
  await room.open(interview);
  await page.getByRole('checkbox').first().check();
  await page.getByRole('checkbox').last().check();
  await room.next().click();
  await expect(page.getByText(t('picture_good'))).toBeVisible();
  await room.picture();
  await room.start();
  await expect(room.recording()).toBeVisible();
  await room.runFor(3);

  await test.step('it records though the page cannot account for its frames, and says so', async () => {
    await expect(page.getByText(t('account_unreachable'))).toBeVisible();
    await look(page, 'room-account-fails');
    await page.unroute('**/capture/*/admission');
    await expect(page.getByText(t('account_unreachable'))).toBeHidden();
  });

  await test.step('the connection of the camera is cut, and comes back by itself', async () => {
    const cut = sessions.at(-1)!;
    const response = await fetch(cut.url, { method: 'DELETE', headers: { Authorization: cut.token } });
    expect(response.status).toBe(200);
    await expect(page.getByText(t('live_source_lost_text'))).toBeVisible();
    await expect(page.getByText(t('rec_nothing'))).toBeVisible();
    await look(page, 'room-camera-lost');
    await expect(page.getByText(t('live_source_lost_text'))).toBeHidden({ timeout: 30_000 });
    await expect(room.recording()).toBeVisible();
    expect(sessions.length).toBeGreaterThan(1);
  });

  await test.step('after a reload it goes on sending, without a question, though the server is silent; and says that it is', async () => {
    const status = '**/api/v1/interviews/*/status**';
    await page.route(status, (route) => route.abort());
    await page.addInitScript(() => Reflect.deleteProperty(globalThis, 'RTCRtpScriptTransform')); // as in a browser without it
    page.once('dialog', (dialog) => dialog.accept()); // the browser asks before a page that records is left
    await page.reload();
    await expect(page.getByText(t('rec_unknown'), { exact: true })).toBeVisible({ timeout: 20_000 });
    await expect(page.getByText(t('live_unheard_text'))).toBeVisible();
    await look(page, 'room-server-silent');
    await page.unroute(status);
    await expect(room.recording()).toBeVisible({ timeout: 20_000 });
    await expect(page.getByText(t('live_unheard_text'))).toBeHidden();
    await expect(page.getByText(t('live_recorded'), { exact: true })).toBeVisible({ timeout: 30_000 });
    await expect(page.getByText(t('account_unsupported'))).toBeVisible();
    await look(page, 'room-after-reload');
  });

  await test.step('what was recorded is sealed, with each interruption on record', async () => {
    await room.stop();
    await expect(page.getByText(t('sealed_title'))).toBeVisible({ timeout: 60_000 });
    const status = await api('interviewer', 'GET', `/interviews/${interview}/status`);
    expect(status.data.sealed).toBe(true);
    expect(status.data.part).toBeGreaterThanOrEqual(2);
  });
});

test('an administrator sees the devices of a room and revokes one, with a reason', async ({ person }) => {
  // A device like those that interviewers' browsers become.
  const key = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify']);
  const spki = Buffer.from(await crypto.subtle.exportKey('spki', key.publicKey)).toString('base64');
  const { interview } = await readyInterview('Lark');
  const { data: enrolled } = await api('interviewer', 'POST', `/interviews/${interview}/devices`, { public_key: spki });
  const { page } = await person('admin');
  await page.goto('/rooms');
  const { data: detail } = await api('interviewer', 'GET', `/interviews/${interview}`);
  await page.getByRole('row').filter({ hasText: detail.room.name }).getByRole('button', { name: t('devices_show') }).click();
  const dialog = page.getByRole('dialog');
  const line = dialog.getByRole('listitem').filter({ has: page.getByRole('button', { name: new RegExp(enrolled.key_id.slice(0, 8)) }) });
  await expect(line).toBeVisible();
  await look(page, 'room-devices');
  await line.getByRole('button', { name: t('device_revoke') }).click();
  await page.getByRole('dialog').getByLabel(t('reason')).fill('The tablet was lost.');
  await page.getByRole('dialog').getByRole('button', { name: t('device_revoke') }).click();
  await expect(dialog.getByText(t('device_over')).first()).toBeVisible();
  await look(page, 'room-device-revoked');
  const again = await api('interviewer', 'POST', `/interviews/${interview}/devices`, { public_key: spki });
  expect(again.status, 'a revoked device is not taken again').toBe(403);
});

test('the whole way to a decision works by keyboard', async ({ person }) => {
  const { page } = await person('custodian');
  await page.goto('/');
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
  await page.keyboard.press('Tab');
  await expect(page.getByRole('link', { name: t('skip_to_content') })).toBeFocused();
  await picture(page, 'state-keyboard-skip');
  await page.keyboard.press('Enter');
  await page.goto('/grants');
  await page.getByRole('button', { name: t('grant_revoke') }).first().focus();
  await page.keyboard.press('Enter');
  const dialog = page.getByRole('dialog');
  await expect(dialog).toBeVisible();
  await expect(dialog.locator(':focus')).toHaveCount(1);
  await look(page, 'dialog');
  await page.keyboard.press('Escape');
  await expect(dialog).toBeHidden();
  await expect(page.getByRole('button', { name: t('grant_revoke') }).first()).toBeFocused();
});

test('a grant that ends while it is used darkens the player, and help lies over the page', async ({ person }) => {
  const { page } = await person('interviewer');
  await page.route('**/playback', async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, json: { ...(await response.json()), live_until: new Date(Date.now() + 4_000).toISOString() } });
  });
  await page.goto(`/interviews/${demo.sealed_interview_id}/review`);
  await expect(page.getByText(t('dark_over'))).toBeVisible({ timeout: 15_000 });
  expect(await page.locator('video').evaluateAll((all) => all.map((it) => (it as HTMLVideoElement).readyState))).toEqual([0, 0]);
  await look(page, 'expired');

  await page.getByRole('button', { name: t('help'), exact: true }).click();
  await expect(page.getByRole('dialog').getByRole('heading', { name: 'Guide for interviewers' })).toBeVisible();
  await look(page, 'help');
  await page.keyboard.press('Escape');
  await expect(page.getByRole('button', { name: t('help'), exact: true })).toBeFocused();
});

test('the custody log that is shown is kept as a file', async ({ person }) => {
  const { page } = await person('case_manager');
  await page.goto(`/cases/${demo.case_id}/custody`);
  await page.getByLabel(t('log_filter'), { exact: true }).selectOption('interview');
  const saving = page.waitForEvent('download');
  await page.getByRole('button', { name: /^Save these \d+ lines/ }).click();
  const file = await saving;
  expect(file.suggestedFilename()).toMatch(/^custody-log-\d{4}-\d\d-\d\d\.csv$/);
  const text = await (await file.createReadStream()).toArray().then((parts) => Buffer.concat(parts).toString('utf8'));
  expect(text).toContain('interview.seal');
  expect(text).not.toContain('case.open');
  await look(page, 'custody-kept');
});
