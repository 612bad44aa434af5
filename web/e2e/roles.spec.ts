import { demo } from './demo';
import { api, expect, expectAccessible, picture, test } from './fixtures';
import { totp } from './totp';
import { t } from './words';
import { readyInterview } from './world';

// What each kind of person comes for, beside the story.

test('an account is made by two people, and its holder sets it up herself (P38)', async ({ person, browser, complaints }) => {
  const login = `new.${Date.now()}`;
  const name = 'Ema Novak';
  const { page } = await person('admin');
  await page.goto('/accounts');
  await page.getByRole('button', { name: t('new_account') }).click();
  const form = page.getByRole('dialog');
  await form.getByLabel(t('account_name')).fill(name);
  await form.getByLabel(t('login'), { exact: true }).fill(login);
  await form.getByLabel(t('account_role')).selectOption('prosecutor');
  await form.getByLabel(t('language')).selectOption('en');
  await expectAccessible(page);
  await picture(page, 'account-new');
  await form.getByRole('button', { name: t('account_propose') }).click();
  await expect(form).toBeHidden();
  const row = page.getByRole('row').filter({ hasText: login });
  await expect(row.getByText(t('account_state_proposed'))).toBeVisible();
  await expect(row.getByRole('button', { name: t('grant_approve') })).toHaveCount(0); // not by herself

  const second = await person('custodian');
  await second.page.goto('/accounts');
  await second.page.getByRole('row').filter({ hasText: login }).getByRole('button', { name: t('grant_approve') }).click();
  await second.page.getByRole('dialog').getByRole('button', { name: t('grant_approve') }).click();
  await expect(second.page.getByRole('dialog')).toBeHidden();

  await page.reload();
  await expect(row.getByText(t('account_state_invited'))).toBeVisible();
  await row.getByRole('button', { name: t('account_invite') }).click();
  await page.getByRole('dialog').getByRole('button', { name: t('account_invite') }).click();
  await expect(page.getByText(t('account_invitation_once'))).toBeVisible();
  const link = (await page.getByRole('dialog').locator('code').textContent()) ?? '';
  expect(link).toMatch(/\/welcome#\S{16,}$/);
  await expectAccessible(page);

  const hers = await browser.newContext();
  const welcome = await hers.newPage();
  complaints.watch(welcome);
  await welcome.goto(link);
  await expect(welcome.getByRole('img', { name: t('welcome_qr') })).toBeVisible();
  expect(welcome.url(), 'the token leaves the address bar').not.toContain('#');
  await expectAccessible(welcome);
  await picture(welcome, 'welcome');
  await welcome.getByLabel(t('password_new'), { exact: true }).fill('short');
  await welcome.getByLabel(t('password_again')).fill('short');
  await welcome.getByLabel(t('code'), { exact: true }).fill('000000');
  await welcome.getByRole('button', { name: t('welcome_accept') }).click();
  await expect(welcome.getByText(t('password_short', { least: 12 }))).toBeVisible();
  const secret = (await welcome.locator('code').textContent()) ?? '';
  await welcome.getByLabel(t('password_new'), { exact: true }).fill('a sentence that nobody guesses');
  await welcome.getByLabel(t('password_again')).fill('a sentence that nobody guesses');
  await welcome.getByLabel(t('code'), { exact: true }).fill(totp(secret.trim(), Date.now()));
  await welcome.getByRole('button', { name: t('welcome_accept') }).click();
  await expect(welcome.getByRole('heading', { level: 1 })).toHaveText(t('start_title'));
  await expect(welcome.getByText(name)).toBeVisible();
  await hers.close();
});

test('an advocate sees what was agreed and who may see what, on a phone too, and no video', async ({ person }) => {
  const { page } = await person('advocate');
  await page.goto('/people');
  await expectAccessible(page);
  await page.getByRole('link', { name: /Mira/ }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Mira');
  for (const section of ['person_agreed', 'person_sees', 'person_delivered']) {
    await expect(page.getByRole('heading', { name: t(section) })).toBeVisible();
  }
  await expect(page.locator('video, audio')).toHaveCount(0);
  await expectAccessible(page);
  await picture(page, 'advocate-person');
  await page.setViewportSize({ width: 390, height: 844 });
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  expect(overflow, 'readable on a phone without scrolling sideways').toBeLessThanOrEqual(0);
  await page.screenshot({ path: 'screenshots/advocate-person-phone.png' });
});

test('a withdrawal by the advocate stops what rests on it (P37)', async ({ person }) => {
  const world = await readyInterview('Lark');
  expect((await api('interviewer', 'GET', `/interviews/${world.interview}`)).data.ready).toBe(true);

  const { page } = await person('advocate');
  await page.goto(`/cases/${world.case}/people/${world.person}`);
  await page.getByRole('button', { name: t('consent_withdraw') }).click();
  const dialog = page.getByRole('dialog');
  await expect(dialog.getByText(t('consent_withdraw_text'))).toBeVisible();
  await dialog.getByRole('checkbox', { name: t('purpose_training') }).uncheck();
  await expectAccessible(page);
  await picture(page, 'consent-withdraw');
  await dialog.getByRole('button', { name: t('consent_withdraw') }).click();
  await expect(dialog).toBeHidden();
  await expect(page.getByRole('listitem').filter({ hasText: t('purpose_record') })).toContainText(t('consent_item_withdrawn'));
  await expect(page.getByRole('listitem').filter({ hasText: t('purpose_training') })).toContainText(t('consent_item_valid')); // left as it is

  const after = await api('interviewer', 'GET', `/interviews/${world.interview}`);
  expect(after.data.ready).toBe(false);
  expect(after.data.missing.map((it: any) => it.code)).toContain('consent.withdrawn');
});

test('an auditor rebuilds the log, keeps a checkpoint, and finds what was delivered', async ({ person }) => {
  const { page } = await person('auditor');
  await page.goto('/custody');
  await page.getByRole('button', { name: t('audit_do') }).click();
  await expect(page.getByText(t('audit_holds'), { exact: true })).toBeVisible({ timeout: 30_000 });
  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: t('checkpoint_save') }).click();
  expect((await download).suggestedFilename()).toMatch(/^checkpoint-\d+\.txt$/);
  await expectAccessible(page);
  await picture(page, 'audit');
  await page.getByLabel(t('log_filter')).selectOption('interview');
  await expect(page.getByText(/No\. \d+/).first()).toBeVisible();
  // Names and reasons are not an auditor's to read.
  await expect(page.getByText('Mira')).toHaveCount(0);
});

test('each line of the custody log carries its proof, checked in the browser', async ({ person }) => {
  const { page } = await person('case_manager');
  await page.goto(`/cases/${demo.case_id}/custody`);
  await page.getByRole('button', { name: /^Proof/ }).first().click();
  await expect(page.getByText(t('proof_holds'), { exact: true })).toBeVisible();
  await expectAccessible(page);
  await picture(page, 'custody-proof');
  await page.keyboard.press('Escape');

  // Told another entry's proof, it says so.
  const log = await api('case_manager', 'GET', `/cases/${demo.case_id}/custody`);
  await page.route('**/custody/*/proof', async (route) => {
    const other = route.request().url().replace(/custody\/(\d+)\//, (_, n) => `custody/${log.data.items.find((it: { position: number }) => it.position !== Number(n)).position}/`);
    await route.fulfill({ response: await route.fetch({ url: other }) });
  });
  await page.getByRole('button', { name: /^Proof/ }).first().click();
  await expect(page.getByText(t('proof_fails'), { exact: true })).toBeVisible();
  await picture(page, 'custody-proof-fails');
});

test('a package is asked for with a key, approved by a second person, and fetched encrypted (P19)', async ({ person, complaints }) => {
  complaints.expect(/422/); // what is no key
  const { page } = await person('prosecutor');
  await page.goto(`/interviews/${demo.sealed_interview_id}`);
  await page.getByRole('button', { name: t('verify_do') }).click();
  await expect(page.getByText(t('verify_holds'), { exact: true }).first()).toBeVisible({ timeout: 30_000 });
  await expectAccessible(page);
  await picture(page, 'interview-verified');
  await page.getByRole('button', { name: t('package_ask') }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel(t('package_key')).fill('not a key');
  await dialog.getByRole('button', { name: t('package_ask') }).click();
  await expect(dialog.getByText(t('reason_export_recipient'))).toBeVisible();
  await dialog.getByLabel(t('package_key')).fill('age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p');
  await expectAccessible(page);
  await picture(page, 'package-ask');
  await dialog.getByRole('button', { name: t('package_ask') }).click();
  await page.waitForURL('/packages');
  await expect(page.getByText(t('export_state_proposed')).first()).toBeVisible();

  const custodian = await person('custodian');
  await custodian.page.goto('/packages');
  await custodian.page.getByRole('button', { name: t('grant_approve') }).first().click();
  await custodian.page.getByRole('dialog').getByRole('button', { name: t('grant_approve') }).click();
  await expect(custodian.page.getByRole('dialog')).toBeHidden();

  const fetchLink = page.getByRole('link', { name: t('package_fetch') }).first();
  await expect(fetchLink).toBeVisible();
  await picture(page, 'package-ready');
  const download = page.waitForEvent('download');
  await fetchLink.click();
  const file = await (await download).createReadStream();
  const head = await new Promise<string>((resolve) => file.once('data', (chunk) => resolve(chunk.toString('latin1').slice(0, 21))));
  expect(head).toBe('age-encryption.org/v1');
});

test('a personal token is shown once and can be ended', async ({ person, complaints }) => {
  complaints.expect(/401/);
  const { page } = await person('observer');
  await page.goto('/account');
  await page.getByLabel(t('token_name')).fill('for a test');
  await page.getByRole('button', { name: t('token_make') }).click();
  await expect(page.getByText(t('token_made'))).toBeVisible();
  const token = ((await page.locator('code').first().textContent()) ?? '').trim();
  const me = () => fetch(new URL('/api/v1/me', demo.url), { headers: { Authorization: `Bearer ${token}` } });
  expect((await me()).status).toBe(200);
  await page.getByRole('button', { name: new RegExp(`${t('token_end')}.*for a test`) }).click();
  await page.getByRole('dialog').getByRole('button', { name: t('token_end') }).click();
  await expect(page.getByRole('dialog')).toBeHidden();
  expect((await me()).status).toBe(401);
  await page.getByRole('radio', { name: 'Shqip' }).check();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Llogaria ime');
  await expectAccessible(page);
  await picture(page, 'my-account-sq');
});

test('a passkey is added on a device, signs in, and is removed (P38)', async ({ person }) => {
  const { page, context } = await person('advocate');
  const device = await context.newCDPSession(page);
  await device.send('WebAuthn.enable');
  await device.send('WebAuthn.addVirtualAuthenticator', {
    options: { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true },
  });
  await page.goto('/account');
  await page.getByLabel(t('passkey_name')).fill('Tablet');
  await page.getByRole('button', { name: t('passkey_make') }).click();
  await expect(page.getByText('Tablet', { exact: true })).toBeVisible();
  await picture(page, 'my-account-passkey');
  await expectAccessible(page);
  await page.getByRole('banner').getByRole('button', { name: t('role_advocate') }).click();
  await page.getByRole('menuitem', { name: t('sign_out') }).click();
  await expect(page.getByRole('heading', { level: 1, name: t('sign_in') })).toBeVisible();
  await picture(page, 'sign-in-passkey');
  await page.getByRole('button', { name: t('sign_in_passkey') }).click();
  await expect(page.getByRole('heading', { level: 1 })).not.toHaveText(t('sign_in'));
  await page.goto('/account');
  await page.getByRole('button', { name: new RegExp(`${t('passkey_remove')}.*Tablet`) }).click();
  await page.getByRole('dialog').getByRole('button', { name: t('passkey_remove') }).click();
  await expect(page.getByText(t('passkeys_none'))).toBeVisible();
});
