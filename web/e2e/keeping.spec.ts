import { demo } from './demo';
import { api, expect, expectAccessible, picture, test } from './fixtures';
import { totp } from './totp';
import { t } from './words';
import { readyInterview } from './world';

// What the custodians come for at the end: how long a case is kept, holds, and
// erasure by two of them (P34, P35).

/** A second custodian, by her token. */
async function secondCustodian(): Promise<{ login: string; password: string; secret: string }> {
  const login = `custodian.${Date.now()}`;
  const password = 'a sentence that nobody guesses';
  const { data: made } = await api('admin', 'POST', '/accounts', { login, name: 'Besa Second', role: 'custodian', language: 'en' });
  await api('custodian', 'POST', `/accounts/${made.id}/approve`);
  const { data: invitation } = await api('admin', 'POST', `/accounts/${made.id}/invitation`);
  const token = invitation.link.split('#')[1];
  const open = async (path: string, body: unknown) =>
    (await fetch(`${demo.url.replace(/\/$/, '')}/api/v1${path}`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) })).json();
  const { totp_secret: secret } = await open('/invitations/open', { token });
  await open('/invitations/accept', { token, password, code: totp(secret, Date.now()) });
  return { login, password, secret };
}

test('a case is classed, held, let go and erased by two custodians, with a certificate (P34, P35)', async ({ person, browser, complaints }) => {
  const world = await readyInterview('Swift');
  await api('interviewer', 'POST', `/interviews/${world.interview}/start`);
  await api('interviewer', 'POST', `/interviews/${world.interview}/stop`);
  const reference = (await api('custodian', 'GET', `/cases/${world.case}`)).data.reference;

  const { page } = await person('custodian');
  await page.goto('/retention/rules');
  const name = `Adults ${Date.now()}`;
  await page.getByRole('button', { name: t('rule_new') }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel(t('rule_name')).fill(name);
  await dialog.getByLabel(t('rule_days')).fill('3650');
  await dialog.getByLabel(t('rule_basis')).fill('Archive rules, article 12');
  await expectAccessible(page);
  await picture(page, 'keeping-class');
  await dialog.getByRole('button', { name: t('save') }).click();
  await expect(dialog).toBeHidden();
  await expect(page.getByRole('heading', { name })).toBeVisible();
  await expectAccessible(page);
  await picture(page, 'keeping-rules');

  await page.goto('/retention');
  const card = page.getByRole('article').filter({ hasText: reference });
  await expect(card.getByText(t('retention_no_rule_text'))).toBeVisible();
  await card.getByRole('button', { name: t('retention_choose_class') }).click();
  await dialog.getByLabel(t('retention_class')).selectOption({ label: name });
  await dialog.getByLabel(t('reason')).fill('An adult witness.');
  await dialog.getByRole('button', { name: t('retention_choose_class') }).click();
  await expect(dialog).toBeHidden();
  await expect(card.getByText(t('term_not_begun'))).toBeVisible();

  await card.getByRole('button', { name: t('hold_place') }).click();
  await dialog.getByLabel(t('reason')).fill('An appeal is open.');
  await dialog.getByLabel(t('hold_authority')).fill('KMLC 7/2026');
  await expectAccessible(page);
  await picture(page, 'keeping-hold');
  await dialog.getByRole('button', { name: t('hold_place') }).click();
  await expect(dialog).toBeHidden();
  await expect(card.getByText(t('retention_held'), { exact: true })).toBeVisible();
  await expectAccessible(page);
  await picture(page, 'keeping-calendar');

  complaints.expect(/409/);
  await card.getByRole('button', { name: t('erase_ask') }).click();
  await dialog.getByLabel(t('reason')).fill('By order.');
  await dialog.getByLabel(t('erase_order')).fill('Court of Prizren 12/2026');
  await dialog.getByRole('button', { name: t('erase_ask') }).click();
  await expect(dialog.getByText(t('reason_erasure_held'))).toBeVisible();
  await picture(page, 'keeping-erase-held');
  await dialog.getByRole('button', { name: t('back') }).click();
  await card.getByRole('button', { name: t('hold_lift') }).click();
  await dialog.getByLabel(t('reason')).fill('The appeal is over.');
  await dialog.getByRole('button', { name: t('hold_lift') }).click();
  await expect(dialog).toBeHidden();
  await card.getByRole('button', { name: t('erase_ask') }).click();
  await dialog.getByLabel(t('reason')).fill('By order.');
  await dialog.getByLabel(t('erase_order')).fill('Court of Prizren 12/2026');
  await dialog.getByRole('button', { name: t('erase_ask') }).click();
  await expect(dialog).toBeHidden();
  await page.goto('/retention/erasures');
  const mine = page.getByRole('article').filter({ hasText: reference });
  await expect(mine.getByText(t('erasure_waits'))).toBeVisible(); // not by herself
  await expect(mine.getByRole('button', { name: t('erasure_approve') })).toHaveCount(0);

  const who = await secondCustodian();
  const hers = await browser.newContext();
  const second = await hers.newPage();
  complaints.watch(second);
  await second.goto('/');
  await second.getByLabel('Login').fill(who.login);
  await second.getByLabel('Password', { exact: true }).fill(who.password);
  await second.getByLabel('Code').fill(totp(who.secret, Date.now() + 30_000)); // the last one was used
  await second.getByRole('button', { name: 'Sign in', exact: true }).click();
  await expect(second.getByText(t('duty_erasure', { case: reference }))).toBeVisible();
  await second.goto('/retention/erasures');
  const theirs = second.getByRole('article').filter({ hasText: reference });
  await theirs.getByRole('button', { name: t('erasure_approve') }).click();
  await second.getByRole('dialog').getByLabel(t('reason')).fill('Checked with the court.');
  await expectAccessible(second);
  await picture(second, 'keeping-erase-approve');
  await second.getByRole('dialog').getByRole('button', { name: t('erasure_approve') }).click();
  await expect(theirs.getByText(t('erasure_provisional'))).toBeVisible();
  await expectAccessible(second);
  await picture(second, 'keeping-erased');
  const download = second.waitForEvent('download');
  await theirs.getByRole('button', { name: t('erasure_certificate') }).click();
  expect((await download).suggestedFilename()).toBe('erasure.json');
  await theirs.getByRole('button', { name: t('erasure_attest') }).click();
  await second.getByRole('dialog').getByRole('textbox').fill('No backup was ever made.');
  await expectAccessible(second);
  await picture(second, 'keeping-attest');
  await second.getByRole('dialog').getByRole('button', { name: t('erasure_attest') }).click();
  await expect(theirs.getByText(t('erasure_state_final'), { exact: true })).toBeVisible();
  await hers.close();

  const check = await api('custodian', 'GET', `/interviews/${world.interview}/verification`);
  expect(check.data.checks.map((it: any) => it.code)).toContain('storage.key'); // the seal still holds; nothing opens
});
