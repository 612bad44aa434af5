import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { account, demo } from './demo';
import { api, expect, expectAccessible, picture, test } from './fixtures';
import { CasePages, GrantPages, ReviewPage, RoomPage } from './pages';
import { t } from './words';

const run = promisify(execFile);

// The story in order: each part goes on where the one before ended.
test.describe.configure({ mode: 'serial' });

const reference = `E2E ${Date.now()}`;
const pseudonym = 'Swallow';
const purpose = `Charging decision ${Date.now()}`;
let caseId = '';
let interview = '';
let grant = '';
let bounds = { from: 0, until: 0 };

test('a case file is opened, with a victim under a pseudonym and a team', async ({ person }) => {
  const { page } = await person('case_manager');
  const cases = new CasePages(page);
  caseId = await cases.open(reference);
  for (const role of ['interviewer', 'prosecutor', 'advocate'] as const) {
    await cases.addMember(caseId, new RegExp(t(`role_${role}`)));
  }
  await cases.addAdultVictim(caseId, pseudonym);
  await expect(page.getByText(pseudonym).first()).toBeVisible();
  await expectAccessible(page);
  await picture(page, 'case-people');
  await page.goto(`/cases/${caseId}`);
  await expect(page.getByRole('heading', { level: 1 })).toContainText(reference);
  await expectAccessible(page);
  await picture(page, 'case-overview');
});

test('an interview is planned, and cannot start without a consent (P40)', async ({ person }) => {
  const { page } = await person('interviewer');
  interview = await new CasePages(page).plan(caseId, 'Tires easily; a break every twenty minutes.');
  await expect(page.getByText(t('room_missing'))).toBeVisible();
  await expectAccessible(page);
  await picture(page, 'interview-not-ready');
  const room = new RoomPage(page);
  await room.open(interview);
  await expect(page.getByText(t('room_missing'))).toBeVisible();
  await expect(room.next()).toBeDisabled();
  await expectAccessible(page);
  await picture(page, 'room-no-consent');
  const refused = await api('interviewer', 'POST', `/interviews/${interview}/start`);
  expect(refused.status).toBeGreaterThanOrEqual(400);
  expect(JSON.stringify(refused.data)).toMatch(/consent/i);
});

test('a consent in writing is recorded, and the room records from a real camera to a seal', async ({ person }) => {
  const { page } = await person('interviewer');
  await new CasePages(page).recordWrittenConsent(caseId, 'Form 12/2026');
  await expect(page.getByText(t('consent_state_given')).first()).toBeVisible();
  await expectAccessible(page);
  await picture(page, 'consents');

  const room = new RoomPage(page);
  await room.open(interview);
  await room.people(pseudonym);
  await expect(page.getByText(t('picture_good'))).toBeVisible();
  await expectAccessible(page);
  await picture(page, 'room-picture');
  await room.picture();
  await picture(page, 'room-start');
  await room.start();
  await expect(room.recording()).toBeVisible();
  await room.runFor(8);
  await room.mark();
  await expectAccessible(page);
  await picture(page, 'room-recording');
  await room.takeBreak('She asked for water.');
  await expect(page.getByText(t('rec_break'))).toBeVisible();
  await expect(room.recording()).toBeHidden();
  await room.endBreak();
  await expect(room.recording()).toBeVisible();
  await room.runFor(16);
  await room.stop();
  await expect(page.getByText(t('sealed_title'))).toBeVisible({ timeout: 60_000 });
  await expectAccessible(page);
  await picture(page, 'room-sealed');

  const status = await api('interviewer', 'GET', `/interviews/${interview}/status`);
  expect(status.data).toMatchObject({ state: 'sealed', sealed: true });
  for (const track of status.data.tracks) {
    expect(track.frames.whole, `${track.source} ${track.kind}`).toBeGreaterThan(100);
    expect(track.frames.damaged).toBe(0);
    expect(track.frames.missing).toBe(0);
  }
});

test('without a grant the recording does not exist for the prosecutor; she asks for one', async ({ person }) => {
  const missing = '01900000-0000-7000-8000-000000000000';
  const hers = await api('prosecutor', 'GET', `/interviews/${interview}/hls/main.m3u8`);
  const none = await api('prosecutor', 'GET', `/interviews/${missing}/hls/main.m3u8`);
  expect(hers.status).toBe(404);
  expect(hers).toEqual(none);

  const { page } = await person('prosecutor');
  const review = new ReviewPage(page);
  await review.open(interview);
  await expect(page.getByText(t('review_none'))).toBeVisible();
  await expectAccessible(page);
  await picture(page, 'review-no-grant');
  await review.ask('0:02', '0:07', purpose, 'Criminal procedure code, article 127');
  await expect(page.getByText(t('ask_grant_sent'))).toBeVisible();
  await picture(page, 'grant-asked');
});

test('the custodian sees the true bounds and approves', async ({ person }) => {
  const { page } = await person('custodian');
  await page.goto('/grants');
  const grants = new GrantPages(page);
  await expect(grants.card(purpose)).toBeVisible();
  await expectAccessible(page);
  await picture(page, 'grants-to-decide');
  await grants.approve(purpose);
  const listed = await api('custodian', 'GET', `/interviews/${interview}/grants`);
  const given = listed.data.items.find((it: any) => it.purpose === purpose);
  expect(given.state).toBe('active');
  grant = given.id;
  bounds = given.bounds;
  expect(bounds.from).toBeGreaterThanOrEqual(2_000_000);
  expect(bounds.until).toBeLessThanOrEqual(7_000_000);
});

test('she plays exactly that, and revocation empties her player within two seconds', async ({ person, complaints }) => {
  const prosecutor = await person('prosecutor');
  const { page } = prosecutor;
  const segments: { url: string; status: number }[] = [];
  page.on('response', (response) => {
    if (response.url().includes('/hls/')) segments.push({ url: response.url(), status: response.status() });
  });
  const review = new ReviewPage(page);
  await review.open(interview);
  await expect(page.getByRole('button', { name: t('terms_accept') })).toBeVisible();
  await expectAccessible(page);
  await picture(page, 'review-terms');
  expect(segments, 'nothing is asked for before the terms are accepted').toEqual([]);
  await review.accept();
  await review.video().waitFor();
  await expect.poll(() => review.video().evaluate((v: HTMLVideoElement) => v.readyState)).toBeGreaterThanOrEqual(2);
  await review.play();
  await expect.poll(() => review.video().evaluate((v: HTMLVideoElement) => v.currentTime), { timeout: 20_000 }).toBeGreaterThan(1);
  const shown = await review.video().evaluate((v: HTMLVideoElement) => ({ width: v.videoWidth, height: v.videoHeight, ahead: v.buffered.length ? v.buffered.end(v.buffered.length - 1) - v.currentTime : 0 }));
  expect(shown.height).toBeGreaterThanOrEqual(360);
  expect(shown.ahead).toBeLessThanOrEqual(8.5);
  await expectAccessible(page);
  await picture(page, 'review-playing');
  await page.keyboard.press('j');
  await expect.poll(() => review.video().evaluate((v: HTMLVideoElement) => v.currentTime)).toBeLessThan(1);
  await expect.poll(() => review.video().evaluate((v: HTMLVideoElement) => !v.seeking && v.readyState >= 2)).toBe(true);

  // Only what is granted was asked for, and every answer was yes.
  expect(segments.every((it) => it.status === 200)).toBe(true);
  // A program that acts as her accepts them for itself.
  expect((await api('prosecutor', 'GET', `/interviews/${interview}/playback`)).data.reasons[0].code).toBe('grant.terms');
  const terms = await api('prosecutor', 'GET', '/terms?language=sq');
  expect((await api('prosecutor', 'POST', `/grants/${grant}/viewings`, { terms_sha256: terms.data.sha256 })).status).toBe(200);
  const playback = await api('prosecutor', 'GET', `/interviews/${interview}/playback`);
  for (const source of playback.data.sources) {
    for (const track of source.tracks) {
      for (const range of track.ranges) {
        expect(range.from).toBeGreaterThanOrEqual(bounds.from);
        expect(range.until).toBeLessThanOrEqual(bounds.until);
      }
    }
  }
  const media = segments.map((it) => /hls\/([0-9a-f-]{36})\/(\d+)\.m4s/.exec(it.url)).filter((it) => it !== null);
  expect(media.length).toBeGreaterThan(0);
  const [, track, index] = media[0]!;
  const outside = await api('prosecutor', 'GET', `/interviews/${interview}/hls/${track}/0.m4s`);
  expect(outside.status).toBe(403);

  complaints.expect(/40[34]/);
  const custodian = await person('custodian');
  await custodian.page.goto('/grants');
  const grants = new GrantPages(custodian.page);
  const darkAfter = page.evaluate(
    () =>
      new Promise<void>((resolve) => {
        const empty = () => {
          const video = document.querySelector('video');
          return !video || (video.readyState === 0 && video.buffered.length === 0);
        };
        const timer = setInterval(() => {
          if (empty()) {
            clearInterval(timer);
            resolve();
          }
        }, 20);
      }),
  ).then(() => Date.now());
  let revokedAt = 0;
  custodian.page.on('response', (response) => {
    if (response.url().endsWith('/revoke')) revokedAt = Date.now();
  });
  await grants.revoke(purpose, 'The charge was dropped.');
  const darkAt = await darkAfter;
  expect(darkAt - revokedAt).toBeLessThanOrEqual(2000);
  await expect(review.dark()).toContainText(t('dark_revoked'));
  await expectAccessible(page);
  await picture(page, 'review-revoked');
  const after = await api('prosecutor', 'GET', `/interviews/${interview}/hls/${track}/${index}.m4s`);
  expect(after.status).toBe(403);
  expect(JSON.stringify(after.data)).toMatch(/revoked/);
});

test('every act stands in the custody log of the case', async ({ person }) => {
  const { page } = await person('case_manager');
  await page.goto(`/cases/${caseId}/custody`);
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
  await expectAccessible(page);
  await picture(page, 'case-custody');
  const log = await api('case_manager', 'GET', `/cases/${caseId}/custody?limit=200`);
  const actions: string[] = log.data.items.map((it: any) => it.action);
  for (const action of ['case.open', 'team.add', 'person.add', 'interview.plan', 'consent.record', 'interview.start', 'interview.pause', 'interview.resume', 'interview.stop', 'grant.request', 'grant.approve', 'grant.accept', 'grant.revoke']) {
    expect(actions, action).toContain(action);
  }
});

test('a package is exported and holds for whoever has the trust file', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'toldonce-package-'));
  try {
    const bin = process.env.TOLDONCE_BIN!;
    const env = { ...process.env, TOLDONCE_URL: demo.url, TOLDONCE_TOKEN: demo.tokens.custodian };
    const out = join(folder, 'package');
    await run(join(bin, 'toldonce'), ['export', interview, '--out', out, '--clear', '--reason', 'For the court.'], { env });
    const media = await readdir(join(out, 'data', 'media'));
    // Picture and sound, before and after the break. What a starved machine lost on the
    // way was handed over again, and lies beside them.
    expect(media.filter((file) => !file.includes('-backfill'))).toHaveLength(4);
    for (const file of media) {
      // In the file's own timebase: ffmpeg otherwise counts its output in frames of a
      // constant rate that it guesses, which a live camera does not keep.
      const { stderr } = await run('ffmpeg', ['-v', 'warning', '-i', join(out, 'data', 'media', file), '-enc_time_base', '-1', '-f', 'null', '-']);
      expect(stderr, file).toBe('');
    }
    const verified = await run(join(bin, 'toldonce-verify'), [out, '--trust', demo.trust, '--json']);
    expect(JSON.parse(verified.stdout).verdict).toBe('verified');
    const untrusted = await run(join(bin, 'toldonce-verify'), [out]).catch((error) => error);
    expect(untrusted.code).toBe(2);
    const first = join(out, 'data', 'media', media.find((file) => !file.includes('-backfill'))!);
    const { stdout } = await run('head', ['-c', '4000', first], { encoding: 'buffer' });
    stdout[2000]! ^= 1;
    await writeFile(first, stdout);
    const tampered = await run(join(bin, 'toldonce-verify'), [out, '--trust', demo.trust]).catch((error) => error);
    expect(tampered.code).toBe(1);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test('the people of the demonstration are who they say', async () => {
  for (const role of ['admin', 'case_manager', 'interviewer', 'observer', 'prosecutor', 'advocate', 'custodian', 'auditor'] as const) {
    const me = await api(role, 'GET', '/me');
    expect(me.data).toMatchObject({ role, login: account(role).login });
  }
});
