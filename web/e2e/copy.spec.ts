import { demo } from './demo';
import { api, expect, expectAccessible, picture, test } from './fixtures';
import { ReviewPage } from './pages';
import { t } from './words';

// A copy for the court: marked by one person, made by the server, released by another.
test('a copy is marked, made, looked at by somebody else and released', async ({ person }) => {
  for (const to of ['interviewer', 'prosecutor'] as const) {
    const asked = await api('interviewer', 'POST', `/interviews/${demo.sealed_interview_id}/grants`, {
      source: 'all', to, from: 0, until: 3_600_000_000, outward: true, not_after: new Date(Date.now() + 3_600_000).toISOString(),
      purpose: 'A copy for the hearing.', basis: 'Order 12/2026', rests_on: 'law',
    });
    expect(asked.status).toBe(201);
    for (let n = 0; n < asked.data.approvals_needed; n++) await api(n === 0 ? 'custodian' : 'case_manager', 'POST', `/grants/${asked.data.id}/approve`);
  }
  const { page } = await person('interviewer');
  await new ReviewPage(page).open(demo.sealed_interview_id);
  const copies = page.getByRole('region', { name: t('copies'), exact: true });
  await copies.getByRole('button', { name: t('copy_make') }).click();
  await copies.getByLabel(t('ask_until'), { exact: true }).first().fill('0:02');
  await copies.getByLabel(t('copy_height')).selectOption('360');
  await copies.getByRole('button', { name: t('redact_add') }).click();
  await copies.getByLabel(t('redact_kind')).selectOption('blur');
  const box = copies.getByRole('application');
  await box.focus();
  await page.keyboard.press('ArrowLeft');
  await page.keyboard.press('Shift+ArrowDown');
  await expect(box).toHaveAccessibleName(/34 %, 20 %, 30 % × 41 %/);
  await expectAccessible(page);
  await picture(page, 'review-redact');
  await copies.getByLabel(t('copy_watermark')).fill('Basic Court, order 12/2026');
  await copies.getByLabel(t('copy_reason')).fill('Hearing of 3 March.');
  await copies.getByRole('button', { name: t('copy_make') }).click();
  await expect(copies.getByText(t('copy_state_review'))).toBeVisible({ timeout: 60_000 });

  const other = await person('prosecutor');
  await new ReviewPage(other.page).open(demo.sealed_interview_id);
  const theirs = other.page.getByRole('region', { name: t('copies'), exact: true });
  await theirs.getByRole('button', { name: t('copy_look') }).click();
  const film = other.page.getByRole('dialog').locator('video');
  await expect.poll(() => film.evaluate((v: HTMLVideoElement) => v.duration)).toBeGreaterThan(1.5);
  await expectAccessible(other.page);
  await picture(other.page, 'review-copy');
  await other.page.keyboard.press('Escape');
  await theirs.getByRole('button', { name: t('copy_release') }).click();
  await other.page.getByRole('dialog').getByLabel(t('copy_reason')).fill('The face is gone.');
  await other.page.getByRole('dialog').getByRole('button', { name: t('copy_release') }).click();
  await expect(theirs.getByText(t('copy_state_released'), { exact: true })).toBeVisible();
  await expect(copies.getByRole('button', { name: t('copy_fetch') })).toBeVisible();
});
