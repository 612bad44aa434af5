import { api, expect, expectAccessible, picture, test } from './fixtures';
import { RoomPage } from './pages';
import { readyInterview } from './world';
import { t } from './words';

// Picture, sound, clocks and stores are looked at before an interview and while it
// runs. The camera here is a canvas, which can be covered and uncovered.

const pretend = () => {
  const canvas = document.createElement('canvas');
  canvas.width = 1280;
  canvas.height = 720;
  const pencil = canvas.getContext('2d', { alpha: false })!;
  (window as any).covered = true;
  setInterval(() => {
    pencil.fillStyle = 'black';
    pencil.fillRect(0, 0, 1280, 720);
    if ((window as any).covered) return;
    for (let i = 0; i < 64; i++) {
      pencil.fillStyle = `hsl(${Math.random() * 360} 40% 50%)`;
      pencil.fillRect((i % 8) * 160, Math.floor(i / 8) * 90, 160, 90);
    }
  }, 40);
  const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (wanted) => {
    const stream = await real(wanted);
    for (const track of stream.getVideoTracks()) {
      stream.removeTrack(track);
      track.stop();
    }
    const [made] = canvas.captureStream(25).getVideoTracks();
    made!.getSettings = () => ({ width: 1280, height: 720, frameRate: 25, deviceId: 'canvas' });
    stream.addTrack(made!);
    return stream;
  };
};

test('what is wrong with picture and sound is said before and while it is recorded', async ({ person }) => {
  const world = await readyInterview('Hana');
  const { page } = await person('interviewer');
  await page.addInitScript(pretend);
  const cover = (on: boolean) => page.evaluate((covered) => ((window as any).covered = covered), on);
  const room = new RoomPage(page);
  await room.open(world.interview);
  await room.people('Hana');

  const next = page.getByRole('button', { name: t('room_next_start') });
  await expect(page.getByText(t('check_todo_picture_dark'))).toBeVisible();
  await expect(page.getByText(t('check_todo_picture_moves'))).toBeVisible();
  await expect(next).toBeDisabled();
  await expectAccessible(page);
  await picture(page, 'room-check-stop');

  await cover(false);
  await expect(page.getByText(t('check_todo_picture_dark'))).toBeHidden();
  await expect(page.getByText(t('check_todo_picture_moves'))).toBeHidden();
  await expect(next).toBeEnabled();
  await expect(page.getByText(t('check_todo_sound_speak'))).toBeHidden();
  await expectAccessible(page);
  await picture(page, 'room-check');

  await cover(true);
  await expect(next).toBeDisabled();
  await page.getByRole('checkbox', { name: t('check_overrule') }).check();
  await next.click();
  await page.getByText(t('start_arrives')).first().waitFor();
  await expect(page.getByRole('heading', { name: t('check_title_received') })).toBeVisible();
  await expectAccessible(page);
  await picture(page, 'room-check-received');
  await room.start();
  await expect(room.recording()).toBeVisible();

  await expect(page.getByText(t('alarm_quality_black'))).toBeVisible();
  const { data: status } = await api('interviewer', 'GET', `/interviews/${world.interview}/status`);
  expect(status.alarms.map((it: any) => it.code)).toContain('quality.picture_black');
  await expectAccessible(page);
  await picture(page, 'room-alarm');
  await cover(false);
  await expect(page.getByText(t('alarm_quality_black'))).toBeHidden();

  // Before the stop what is missing is said while it can be put right; after it, in
  // large words, whether she may go, and that is signed.
  await page.getByRole('button', { name: t('live_stop') }).click();
  const dialog = page.getByRole('dialog');
  await expect(dialog.getByText(t('leaving_todo_still'))).toBeVisible();
  await dialog.getByRole('checkbox', { name: 'Hana' }).check();
  await expectAccessible(page);
  await picture(page, 'room-before-leaving');
  await dialog.getByRole('button', { name: t('live_stop') }).click();
  await expect(page.getByRole('heading', { name: t('leaving_wait') })).toBeVisible();
  await expect(page.getByText(t('leaving_todo_introduced'))).toBeVisible();
  await expectAccessible(page);
  await picture(page, 'room-leaving-wait');
  const { data: check } = await api('interviewer', 'GET', `/interviews/${world.interview}/leaving`);
  expect(check.signed).toBe(true);
  const verdict = (code: string) => check.lines.find((it: any) => it.code === code)?.verdict;
  expect([verdict('introduced'), verdict('still'), verdict('tracks'), verdict('speech')]).toEqual(['look', 'look', 'good', 'good']);
  expect(check.before.find((it: any) => it.code === 'picture-light').verdict).toBe('stop');
  expect(check.overruled).toBe(true);
});

test('whether she may go is said as it was signed', async ({ person }) => {
  const world = await readyInterview('Lule');
  const { page } = await person('interviewer');
  const room = new RoomPage(page);
  await room.open(world.interview);
  await room.people('Lule');
  await room.picture();
  await room.start();
  await expect(room.recording()).toBeVisible();
  await room.runFor(4);
  await page.getByRole('button', { name: t('live_stop') }).click();
  const dialog = page.getByRole('dialog');
  for (const who of ['Lule', t('role_interviewer')]) await dialog.getByRole('checkbox', { name: who, exact: true }).check();
  await dialog.getByRole('button', { name: t('live_stop') }).click();
  await page.getByRole('heading', { name: t('leaving_lines') }).waitFor();
  // On a machine that is short of time a moment may be missing: then that is what is said.
  const { data: check } = await api('interviewer', 'GET', `/interviews/${world.interview}/leaving`);
  expect(check.lines.find((it: any) => it.code === 'introduced').verdict).toBe('good');
  expect(check.verdict).toBe(check.lines.some((it: any) => it.verdict === 'look') ? 'look' : 'complete');
  await expect(page.getByRole('heading', { name: check.verdict === 'complete' ? t('leaving_may_go', { person: 'Lule' }) : t('leaving_wait') })).toBeVisible();
  await expectAccessible(page);
  await picture(page, 'room-leaving-go');
});
