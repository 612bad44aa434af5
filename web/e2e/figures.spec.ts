import { demo } from './demo';
import { expect, picture, test } from './fixtures';
import { ReviewPage } from './pages';

// How long a person waits, in a real browser against the real server: printed by
// `make bench`, and no part of the tests, because a busy machine is no defect.

const median = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
const rounds = 9;

test('from click to first frame, and seeking @bench', async ({ person }) => {
  const { page } = await person('interviewer');
  const first: number[] = [];
  for (let i = 0; i < rounds; i++) {
    await page.goto(`/interviews/${demo.sealed_interview_id}`);
    const link = page.locator(`a[href$="/interviews/${demo.sealed_interview_id}/review"]`).first();
    await link.waitFor();
    first.push(
      await link.evaluate(
        (anchor: HTMLElement) =>
          new Promise<number>((resolve) => {
            const begin = performance.now();
            const seen = () => {
              const video = document.querySelector('video');
              if (!video) return requestAnimationFrame(seen);
              video.requestVideoFrameCallback((now) => resolve(now - begin));
            };
            anchor.click();
            requestAnimationFrame(seen);
          }),
      ),
    );
  }
  console.log(`figure: click to first frame, median of ${rounds}: ${Math.round(median(first))} ms`);

  const review = new ReviewPage(page);
  await review.play();
  await expect.poll(() => review.video().evaluate((v: HTMLVideoElement) => v.currentTime)).toBeGreaterThan(1);
  await picture(page, 'figures-playing');
  const seeks: number[] = [];
  for (let i = 0; i < rounds; i++) {
    // Back and forth, further than what the player keeps.
    seeks.push(
      await review.video().evaluate(
        (video: HTMLVideoElement, to) =>
          new Promise<number>((resolve) => {
            const begin = performance.now();
            video.addEventListener('seeked', () => video.requestVideoFrameCallback((now) => resolve(now - begin)), { once: true });
            video.currentTime = to;
          }),
        i % 2 === 0 ? 15 + i / 10 : 2 + i / 10,
      ),
    );
  }
  console.log(`figure: seek to another place, median of ${rounds}: ${Math.round(median(seeks))} ms`);
});
