import { demo } from './demo';
import { expect, expectAccessible, picture, test } from './fixtures';
import { ReviewPage } from './pages';
import { t } from './words';

// The review page as whoever cuts films for a living would try it.
test('two cameras in step, by keys, and asking for the stretch between in and out', async ({ person }) => {
  const { page } = await person('interviewer');
  const review = new ReviewPage(page);
  await review.open(demo.sealed_interview_id);
  const videos = page.locator('video');
  await expect(videos).toHaveCount(2);
  const time = (n: number) => videos.nth(n).evaluate((v: HTMLVideoElement) => v.currentTime);
  const ready = (n: number) => expect.poll(() => videos.nth(n).evaluate((v: HTMLVideoElement) => v.readyState)).toBeGreaterThanOrEqual(2);
  await ready(0);
  await ready(1);
  await page.keyboard.press('l');
  await expect.poll(() => time(0)).toBeGreaterThan(2);
  await expect
    .poll(() => videos.evaluateAll((all) => Math.abs((all[0] as HTMLVideoElement).currentTime - (all[1] as HTMLVideoElement).currentTime)))
    .toBeLessThan(0.3);
  for (const n of [0, 1]) {
    const ahead = await videos.nth(n).evaluate((v: HTMLVideoElement) => (v.buffered.length ? v.buffered.end(v.buffered.length - 1) - v.currentTime : 0));
    expect(ahead).toBeLessThanOrEqual(8);
  }
  await page.keyboard.press('k');
  await expectAccessible(page);
  await picture(page, 'review-side');
  await expect(page.getByRole('button', { name: t('play'), exact: true })).toBeVisible();
  const stood = await time(0);
  await page.keyboard.press('.');
  await expect.poll(() => time(0)).toBeGreaterThan(stood);
  expect((await time(0)) - stood).toBeLessThan(0.2);
  await expect.poll(async () => Math.abs((await time(0)) - (await time(1)))).toBeLessThan(0.06);

  await page.keyboard.press('i');
  await page.keyboard.press('l');
  await expect.poll(() => time(0)).toBeGreaterThan(stood + 1.5);
  await page.keyboard.press('k');
  await page.keyboard.press('o');
  await page.getByRole('button', { name: t('player_ask_range') }).click();
  const from = await page.getByRole('dialog').getByLabel(t('ask_from'), { exact: true }).inputValue();
  expect(from).toMatch(/^0:\d\d\.\d$/);
  await page.keyboard.press('Escape');

  await page.getByRole('button', { name: t('layout_inset') }).click();
  await page.keyboard.press('s');
  await expect(page.locator('.stage.inset')).toHaveCount(1);
  await picture(page, 'review-inset');
  await page.getByRole('button', { name: t('layout_one') }).click();
  await expect(videos).toHaveCount(1);
  await page.keyboard.press('j');
  await expect.poll(() => time(0)).toBeLessThan(0.3);
});

test('thumbnails and loudness along the line, and the check that opens its proof', async ({ person }) => {
  const { page } = await person('interviewer');
  const review = new ReviewPage(page);
  await review.open(demo.sealed_interview_id);
  // They are made once the recording is sealed, by the time somebody comes to look.
  await expect
    .poll(async () => {
      await page.reload();
      await page.locator('video').first().waitFor();
      return page.locator('path.wave').evaluate((path) => new Promise<number>((done) => setTimeout(() => done((path.getAttribute('d') ?? '').length), 900)));
    }, { timeout: 30_000 })
    .toBeGreaterThan(100);
  const line = page.getByLabel(t('player_seek'));
  const box = (await line.boundingBox())!;
  await page.mouse.move(box.x + box.width * 0.4, box.y + box.height / 2);
  const small = page.locator('.bubble img');
  await expect.poll(() => small.evaluate((it: HTMLImageElement) => it.naturalHeight)).toBe(108);
  await picture(page, 'review-scrubbing');
  await page.getByRole('button', { name: t('badge_unchecked') }).click();
  await page.getByRole('dialog').getByRole('button', { name: t('verify_do') }).click();
  await expect(page.getByRole('dialog').getByText(t('verify_holds'), { exact: true })).toBeVisible();
  await expectAccessible(page);
  await picture(page, 'review-proof');
});

test('a prosecutor notes what a court decided about a recording', async ({ person, complaints }) => {
  complaints.expect(/422/);
  const { page } = await person('prosecutor');
  await page.goto(`/interviews/${demo.sealed_interview_id}`);
  await page.getByRole('button', { name: t('ruling_note') }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel(t('field_outcome')).selectOption('edited');
  await dialog.getByLabel(t('field_court'), { exact: true }).fill('Basic court');
  await dialog.getByLabel(t('field_reference'), { exact: true }).fill('P 12/26');
  await expectAccessible(page);
  await dialog.getByRole('button', { name: t('ruling_note') }).click();
  await expect(dialog.getByText(t('reason_ruling_terms'))).toBeVisible();
  await dialog.getByLabel(t('field_terms')).fill('Without the name of the school.');
  await dialog.getByRole('button', { name: t('ruling_note') }).click();
  await expect(dialog).toBeHidden();
  await expect(page.getByText(t('ruling_minds'))).toBeVisible();
  await picture(page, 'interview-ruling');
});
