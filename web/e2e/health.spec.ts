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
  const stopped = await api('interviewer', 'POST', `/interviews/${world.interview}/stop`);
  expect(stopped.data.sealed).toBe(true);
});
