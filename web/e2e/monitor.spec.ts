import { api, expect, expectAccessible, picture, test } from './fixtures';
import { MonitorPage, RoomPage } from './pages';
import { readyInterview, type World } from './world';
import { t } from './words';

// The observation room (P14, P15): an observer watches what the interviewer's browser
// films, asks silently, and goes dark when the person withdraws.

async function recordingOf(page: import('@playwright/test').Page, world: World, pseudonym: string): Promise<RoomPage> {
  const room = new RoomPage(page);
  await room.open(world.interview);
  await room.people(pseudonym);
  await room.picture();
  await room.start();
  await expect(room.recording()).toBeVisible();
  return room;
}

test('an observer watches live, asks, and goes dark with the consent', async ({ person, complaints }) => {
  const pseudonym = 'Mimosa';
  const world = await readyInterview(pseudonym, true);
  const interviewer = await person('interviewer');
  const observer = await person('observer');
  const room = await recordingOf(interviewer.page, world, pseudonym);

  const monitor = new MonitorPage(observer.page);
  await observer.page.goto(`/interviews/${world.interview}/monitor`);
  await expect(observer.page.getByText(t('mon_enter_title'))).toBeVisible();
  await expectAccessible(observer.page);
  await picture(observer.page, 'monitor-door');
  const before = await api('interviewer', 'GET', `/interviews/${world.interview}/status`);
  expect(before.data.observers, 'nobody is present before she enters').toEqual([]);
  await monitor.enter(world.interview);
  await monitor.sees();
  await expect(monitor.state()).toHaveText(new RegExp(t('rec_on')));
  const sound = await monitor.video().evaluate((video: HTMLVideoElement) => {
    const stream = video.srcObject as MediaStream;
    return { muted: video.muted, audio: stream.getAudioTracks().filter((it) => !it.muted).length };
  });
  expect(sound).toEqual({ muted: false, audio: 1 });
  const { data: status } = await api('interviewer', 'GET', `/interviews/${world.interview}/status`);
  expect(status.observers).toHaveLength(1);
  expect(status.observers[0].role).toBe('observer');
  await expect(interviewer.page.getByRole('region', { name: t('mon_present') })).toContainText(status.observers[0].account.name);

  await monitor.propose('What happened after the door was closed?');
  const asked = interviewer.page.getByRole('region', { name: t('asked_title') });
  await expect(asked).toContainText('What happened after the door was closed?');
  await monitor.note('She looked at the door.');
  await monitor.press('mon_signal');
  await expect(asked).toContainText(t('call_distress'));
  await expectAccessible(interviewer.page);
  await picture(interviewer.page, 'room-asked');
  await asked.getByRole('button', { name: t('asked_seen') }).click();
  await asked.getByRole('button', { name: t('asked_relayed') }).click();
  const answers = observer.page.getByRole('region', { name: t('mon_ask') });
  await expect(answers).toContainText(t('call_relayed'));
  await expect(answers).toContainText(t('call_seen'));
  await expect(observer.page.getByRole('region', { name: t('mon_notes') })).toContainText('She looked at the door.');
  await expectAccessible(observer.page);
  await picture(observer.page, 'monitor-live');

  await monitor.press('mon_ask_break');
  await asked.getByRole('button', { name: t('asked_take_break') }).click();
  const dialog = interviewer.page.getByRole('dialog');
  await dialog.getByRole('textbox').fill('Team break.');
  await dialog.getByRole('button', { name: t('live_pause') }).click();
  await expect(observer.page.getByText(t('mon_break'))).toBeVisible();
  expect(await monitor.video().evaluate((video: HTMLVideoElement) => video.srcObject), 'no last picture stays').toBeNull();
  await picture(observer.page, 'monitor-break');
  await room.endBreak();
  await monitor.sees();

  complaints.expect(/403/);
  const { data: consents } = await api('advocate', 'GET', `/cases/${world.case}/consents`);
  const consent = consents.items.find((it: any) => it.items.some((item: any) => item.purpose === 'observe_live'));
  const withdrawn = await api('advocate', 'POST', `/consents/${consent.id}/withdraw`, { purposes: ['observe_live'], by: 'self', reason: 'She does not want it.' });
  expect(withdrawn.status).toBeLessThan(300);
  await expect(observer.page.getByText(t('reason_watch_no_consent'))).toBeVisible();
  expect(await monitor.video().evaluate((video: HTMLVideoElement) => video.srcObject), 'the picture is gone').toBeNull();
  await picture(observer.page, 'monitor-withdrawn');
  await expect(room.recording(), 'the recording goes on').toBeVisible();
  await expect(interviewer.page.getByText(t('mon_nobody'))).toBeVisible();
  await room.stop();
  await expect(observer.page.getByText(t('mon_over'))).toBeVisible();

  const { data: log } = await api('interviewer', 'GET', `/cases/${world.case}/custody`);
  const actions = log.items.map((it: any) => it.action);
  for (const action of ['interview.observe_join', 'interview.propose', 'interview.settle', 'interview.observe_leave']) expect(actions).toContain(action);
});

// How far behind the observer is, with a clock in the picture: the camera draws the
// time as black and white fields, and the observer's page reads it off each frame.
test('glass to glass @bench', async ({ person }) => {
  const world = await readyInterview('Clock', true);
  const interviewer = await person('interviewer');
  const observer = await person('observer');
  await interviewer.page.addInitScript(() => {
    const bits = 24;
    const devices = navigator.mediaDevices;
    const real = devices.getUserMedia.bind(devices);
    devices.getUserMedia = async (wanted) => {
      const stream = await real(wanted);
      if (!stream.getVideoTracks().length) return stream;
      const canvas = document.createElement('canvas');
      canvas.width = 1280;
      canvas.height = 720;
      const pen = canvas.getContext('2d', { alpha: false })!;
      setInterval(() => {
        const now = Date.now() % 2 ** bits;
        pen.fillStyle = '#888';
        pen.fillRect(0, 0, canvas.width, canvas.height);
        for (let i = 0; i < bits; i++) {
          pen.fillStyle = (now >> i) & 1 ? '#fff' : '#000';
          pen.fillRect((i % 8) * 160, Math.floor(i / 8) * 240, 160, 240);
        }
      }, 33);
      const drawn = canvas.captureStream(30).getVideoTracks()[0]!;
      // What is asked of the camera is a canvas's already.
      drawn.getSettings = () => stream.getVideoTracks()[0]!.getSettings();
      return new MediaStream([drawn, ...stream.getAudioTracks()]);
    };
  });
  const room = await recordingOf(interviewer.page, world, 'Clock');
  const monitor = new MonitorPage(observer.page);
  await monitor.enter(world.interview);
  await monitor.sees();
  const delays = await monitor.video().evaluate(
    (video: HTMLVideoElement) =>
      new Promise<number[]>((resolve) => {
        const canvas = document.createElement('canvas');
        canvas.width = 64;
        canvas.height = 36;
        const pen = canvas.getContext('2d', { alpha: false, willReadFrequently: true })!;
        const out: number[] = [];
        const seen = () => {
          const now = Date.now() % 2 ** 24;
          pen.drawImage(video, 0, 0, 64, 36);
          let time = 0;
          for (let i = 0; i < 24; i++) {
            const dot = pen.getImageData((i % 8) * 8 + 4, Math.floor(i / 8) * 12 + 6, 1, 1).data[0]!;
            if (dot > 128) time |= 1 << i;
          }
          const delay = now - time;
          if (delay >= 0 && delay < 5_000) out.push(delay);
          if (out.length >= 330) resolve(out.slice(30));
          else video.requestVideoFrameCallback(seen);
        };
        video.requestVideoFrameCallback(seen);
      }),
  );
  delays.sort((a, b) => a - b);
  const at = (share: number) => delays[Math.floor(delays.length * share)];
  console.log(`figure: glass to glass, ${delays.length} frames: p50 ${at(0.5)} ms, p95 ${at(0.95)} ms, most ${delays.at(-1)} ms`);
  await room.stop();
});
