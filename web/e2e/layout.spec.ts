import type { Page } from '@playwright/test';
import { demo, type Role } from './demo';
import { expect, expectAccessible, signIn, test } from './fixtures';

// Layouts that hold: with words half as long again as English ones, at twice the size,
// in the dark, and without motion.
const pages: { role: Role; path: string }[] = [
  { role: 'case_manager', path: `/cases/${demo.case_id}` },
  { role: 'case_manager', path: `/cases/${demo.case_id}/custody` },
  { role: 'interviewer', path: `/interviews/${demo.sealed_interview_id}/review` },
  { role: 'interviewer', path: '/help' },
];

/** Every text on the page 40 % longer, as other languages make it. */
async function lengthen(page: Page): Promise<void> {
  await page.evaluate(() => {
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walk.nextNode(); node; node = walk.nextNode()) {
      const text = node.textContent ?? '';
      if (text.trim().length < 2 || node.parentElement?.closest('script, style, svg, option')) continue;
      node.textContent = `${text}${' ëšć'.repeat(Math.ceil((text.trim().length * 0.4) / 4))}`;
    }
  });
}

async function expectNothingCut(page: Page, how: string): Promise<void> {
  const wrong = await page.evaluate(() => {
    const found: string[] = [];
    if (document.documentElement.scrollWidth > innerWidth) found.push(`the page is ${document.documentElement.scrollWidth - innerWidth} px too wide`);
    for (const it of document.querySelectorAll<HTMLElement>('button, a, th, dt, dd, h1, h2, h3, .badge')) {
      if (it.closest('.unseen, [hidden], .skip') || it.matches('.unseen, .skip') || it.clientWidth === 0) continue;
      if (it.scrollWidth > it.clientWidth + 2 && getComputedStyle(it).overflowX !== 'visible') found.push(`cut: ${it.textContent?.trim().slice(0, 40)}`);
    }
    return found;
  });
  expect(wrong, how).toEqual([]);
}

for (const role of [...new Set(pages.map((it) => it.role))]) {
  test(`the pages of the ${role} hold with longer words, at 200 %, in the dark and without motion`, async ({ browser, complaints }) => {
    const context = await browser.newContext({ colorScheme: 'dark', reducedMotion: 'reduce' });
    const page = await context.newPage();
    complaints.watch(page);
    await signIn(page, role);
    for (const { path } of pages.filter((it) => it.role === role)) {
      await page.setViewportSize({ width: 1024, height: 768 });
      await page.goto(path);
      await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
      await expect(page.locator('[aria-busy="true"]')).toHaveCount(0);
      await expectAccessible(page); // contrast in the dark theme
      const moving = await page.evaluate(() => document.getAnimations().filter((it) => it.playState === 'running' && Number(it.effect?.getComputedTiming().duration) > 50).length);
      expect(moving, `${path}: nothing moves`).toBe(0);
      // 1440 px wide at 200 % are 720 of the page's own.
      await page.setViewportSize({ width: 720, height: 450 });
      await expectNothingCut(page, `${path} at 200 %`);
      await page.setViewportSize({ width: 1024, height: 768 });
      await lengthen(page);
      await expectNothingCut(page, `${path} with longer words`);
      await page.screenshot({ path: `screenshots/long-${path.split('/').pop()}.png` });
    }
    await context.close();
  });
}
