// The verifier's page, opened from disk with no network: a good package, a clip, and
// packages that were tampered with (vectors of evidence/disclosure/testdata/v2).
import { readFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import AxeBuilder from '@axe-core/playwright';
import type { Page } from '@playwright/test';
import { expect, test } from './fixtures';

const root = fileURLToPath(new URL('../..', import.meta.url));
const page_ = pathToFileURL(`${root}bin/toldonce-verify.html`).href;
const vector = (name: string) => readFileSync(`${root}evidence/disclosure/testdata/v2/${name}`);

async function verify(page: Page, tar: Buffer, trust?: Buffer) {
  await page.locator('#tar').setInputFiles({ name: 'package.tar', mimeType: 'application/x-tar', buffer: tar });
  if (trust) await page.locator('#trust').setInputFiles({ name: 'trust.json', mimeType: 'application/json', buffer: trust });
  await page.locator('#go').click();
  await expect(page.locator('#report')).toBeVisible({ timeout: 120_000 });
  return page.locator('#verdict').innerText();
}

/** Changes a byte of the first media file's end. */
function flipped(tar: Buffer): Buffer {
  const copy = Buffer.from(tar);
  const at = copy.lastIndexOf('mdat');
  copy[at + 8] = copy[at + 8]! ^ 1;
  return copy;
}

test('a stranger verifies packages in a page with no network', async ({ browser, complaints }) => {
  const context = await browser.newContext({ offline: true, acceptDownloads: true });
  const page = await context.newPage();
  complaints.watch(page);
  await page.goto(page_);
  await expect(page.locator('#chosen')).not.toBeEmpty();
  await expect.poll(() => page.evaluate(() => 'toldonceVerify' in window), { timeout: 120_000 }).toBe(true);

  expect(await verify(page, vector('good.tar'))).toBe('consistent; signer not identified');
  expect(await verify(page, vector('good.tar'), vector('trust.json'))).toBe('verified');
  await expect(page.locator('#kind')).toContainText('whole recording');
  await page.screenshot({ path: 'report/verifier-verified.png', fullPage: true });
  expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);
  const [download] = await Promise.all([page.waitForEvent('download'), page.locator('#pdf').click()]);
  expect(readFileSync(await download.path()).subarray(0, 5).toString()).toBe('%PDF-');

  expect(await verify(page, vector('clip.tar'))).toBe('verified');
  await expect(page.locator('#kind')).toContainText('clip of whole segments');

  expect(await verify(page, flipped(vector('good.tar')))).toBe('failed');
  await expect(page.locator('#findings')).toContainText('media.segments');
  await expect(page.locator('#findings')).toContainText('bag.digest');
  await page.screenshot({ path: 'report/verifier-failed.png', fullPage: true });

  expect(await verify(page, vector('good.tar'), vector('other-trust.json'))).toBe('signer not trusted');
  await page.locator('#lang').selectOption('sq');
  expect(await verify(page, vector('good.tar'), vector('trust.json'))).toBe('e verifikuar');
  await page.locator('#lang').selectOption('sr');
  expect(await verify(page, vector('good.tar'), vector('trust.json'))).toBe('provereno');
  await context.close();
});
