import { demo } from './demo';
import { expect, picture, test } from './fixtures';
import { ReviewPage } from './pages';

// How long a person waits, in a real browser against the real server: printed by
// `make bench`, and no part of the tests, because a busy machine is no defect.

const median = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
const rounds = 9;

for (const [what, interview, places] of [
  ['20 seconds', demo.sealed_interview_id, [15, 2]],
  ['three hours, two cameras', demo.long_interview_id, [9_800, 1_200]],
] as const) test(`from click to first frame, and seeking, in ${what} @bench`, async ({ person }) => {
  if (!interview) throw new Error('the demonstration has no long interview: set TOLDONCE_BENCH');
  const { page } = await person('interviewer');
  const first: number[] = [];
  for (let i = 0; i < rounds; i++) {
    await page.goto(`/interviews/${interview}`);
    const link = page.locator(`a[href$="/interviews/${interview}/review"]`).first();
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
  console.log(`figure: ${what}: click to first frame, median of ${rounds}: ${Math.round(median(first))} ms`);

  const review = new ReviewPage(page);
  await review.play();
  await expect.poll(() => review.video().evaluate((v: HTMLVideoElement) => v.currentTime)).toBeGreaterThan(1);
  await picture(page, interview === demo.long_interview_id ? 'review-long' : 'figures-playing');
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
        places[i % 2]! + i * (places[0] > 100 ? 60 : 0.1),
      ),
    );
  }
  console.log(`figure: ${what}: seek to another place, median of ${rounds}: ${Math.round(median(seeks))} ms`);
});
