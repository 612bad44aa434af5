import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { account, demo } from './demo';
import { expect, nextCode, test } from './fixtures';

// The other engine: sign in, see two cameras in step, with Debian's own Firefox over
// WebDriver BiDi. Playwright's Firefox is a build of its own, which nobody uses.
test('Firefox signs in by the keyboard and plays two cameras', async () => {
  const { login, password } = account('interviewer');
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--no-warnings', '--experimental-websocket', 'firefox.mjs', demo.url.replace(/\/$/, ''), login, password, await nextCode('interviewer'), `/interviews/${demo.sealed_interview_id}/review`, 'screenshots/firefox-review.png'],
    { cwd: new URL('.', import.meta.url).pathname, timeout: 240_000 },
  );
  expect(stdout).toContain('played in Firefox');
});
