import { demo } from './demo';
import { api, expect, expectAccessible, picture, test } from './fixtures';
import { ReviewPage } from './pages';
import { t } from './words';

// What was said, beside the player: imported, found, gone to, corrected and certified.
test('a transcript is imported, searched, corrected and certified', async ({ person }) => {
  const asked = await api('interviewer', 'POST', `/interviews/${demo.sealed_interview_id}/grants`, {
    source: 'all', to: 'interviewer', from: 0, until: 3_600_000_000, outward: true, not_after: new Date(Date.now() + 3_600_000).toISOString(),
    purpose: 'Transcription.', basis: 'Order 4/2026', rests_on: 'law', transcript: true,
  });
  expect(asked.status).toBe(201);
  for (let n = 0; n < asked.data.approvals_needed; n++) await api(n === 0 ? 'custodian' : 'case_manager', 'POST', `/grants/${asked.data.id}/approve`);
  const { page } = await person('interviewer');
  const review = new ReviewPage(page);
  await review.open(demo.sealed_interview_id);
  const pane = page.getByRole('region', { name: t('transcript'), exact: true }).first();
  await expect(pane.getByText(t('transcript_none'))).toBeVisible();
  await pane.getByRole('button', { name: t('transcript_import') }).click();
  const vtt = 'WEBVTT\n\n00:00.500 --> 00:01.500\n<v Interviewer>Do you know why you are here today?\n\n00:02.000 --> 00:03.000\n<v Wren>Because of the blue dor.\n\n00:03.500 --> 00:04.500\n<v Interviewer>Tell me everything about it.\n';
  await page.getByRole('dialog').locator('input[type=file]').setInputFiles({ name: 'a.vtt', mimeType: 'text/vtt', buffer: Buffer.from(vtt) });
  await expectAccessible(page);
  await page.getByRole('dialog').getByRole('button', { name: t('transcript_import') }).click();
  await expect(pane.getByText(t('transcript_unofficial'))).toBeVisible();
  await pane.getByRole('button', { name: /blue dor/ }).click();
  await expect.poll(() => page.locator('video').first().evaluate((v: HTMLVideoElement) => v.currentTime)).toBeGreaterThan(1);
  await expect(pane.locator('[aria-current="true"]')).toContainText('blue dor');
  await expectAccessible(page);
  await picture(page, 'review-transcript');
  await pane.getByLabel(t('transcript_search')).fill('EVERYTHING');
  await expect(pane.locator('ol > li')).toHaveCount(1);
  await pane.getByLabel(t('transcript_search')).fill('');

  await pane.getByRole('button', { name: t('transcript_edit') }).click();
  await pane.getByLabel(t('transcript_text')).nth(1).fill('Because of the blue door.');
  await picture(page, 'review-transcript-edit');
  await pane.getByRole('button', { name: t('transcript_save') }).click();
  await expect(pane.getByRole('button', { name: /blue door\./ })).toBeVisible();
  await pane.getByRole('button', { name: t('transcript_certify') }).click();
  await page.getByRole('dialog').getByLabel(t('transcript_name')).fill('A. B., sworn transcriber');
  await page.getByRole('dialog').getByRole('button', { name: t('transcript_certify') }).click();
  await expect(pane.getByText(t('transcript_official', { name: 'A. B., sworn transcriber' }))).toBeVisible();
  await expectAccessible(page);
});
