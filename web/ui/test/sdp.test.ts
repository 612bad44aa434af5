import { describe, expect, test } from 'vitest';
import { mergeParameters, prepareOffer, preferVideo } from '$lib/media/sdp';

const offer = [
  'v=0',
  'o=- 1 2 IN IP4 127.0.0.1',
  's=-',
  't=0 0',
  'a=group:BUNDLE 0 1',
  'm=audio 9 UDP/TLS/RTP/SAVPF 111 63 9',
  'a=mid:0',
  'a=rtpmap:111 opus/48000/2',
  'a=rtcp-fb:111 transport-cc',
  'a=fmtp:111 minptime=10;useinbandfec=1',
  'a=rtpmap:63 red/48000/2',
  'a=fmtp:63 111/111',
  'm=video 9 UDP/TLS/RTP/SAVPF 102',
  'a=mid:1',
  'a=rtpmap:102 H264/90000',
  'a=rtcp-fb:102 nack',
  '',
];
const join = (lines: string[]) => lines.join('\r\n');

describe('an offer', () => {
  const prepared = prepareOffer(join(offer)).split('\r\n');

  test('asks for lost sound again', () => {
    expect(prepared).toContain('a=rtcp-fb:111 nack');
  });

  test('sends stereo without silence suppression and keeps what was there', () => {
    expect(prepared).toContain('a=fmtp:111 minptime=10;useinbandfec=1;stereo=1;sprop-stereo=1;maxaveragebitrate=128000;usedtx=0');
    expect(prepared.filter((line) => line.startsWith('a=fmtp:111'))).toHaveLength(1);
  });

  test('leaves every other line as it was, in order', () => {
    const untouched = (lines: string[]) => lines.filter((line) => line !== 'a=rtcp-fb:111 nack' && !line.startsWith('a=fmtp:111'));
    expect(untouched(prepared)).toEqual(untouched(offer));
  });

  test('is the same when it is prepared twice', () => {
    expect(prepareOffer(join(prepared))).toBe(join(prepared));
  });

  test('without Opus, or without sound, is not touched', () => {
    const silent = join(offer.slice(0, 5).concat(offer.slice(12)));
    expect(prepareOffer(silent)).toBe(silent);
    const pcm = join(['v=0', 'm=audio 9 UDP/TLS/RTP/SAVPF 0', 'a=rtpmap:0 PCMU/8000', '']);
    expect(prepareOffer(pcm)).toBe(pcm);
  });

  test('gets parameters where Opus had none', () => {
    const bare = join(['v=0', 'm=audio 9 UDP/TLS/RTP/SAVPF 96', 'a=rtpmap:96 opus/48000/2', '']);
    expect(prepareOffer(bare)).toContain('a=rtpmap:96 opus/48000/2\r\na=rtcp-fb:96 nack\r\na=fmtp:96 minptime=10');
  });
});

test('parameters are merged by key', () => {
  expect(mergeParameters('a=1; b=2;c', { b: '3', d: '4' })).toBe('a=1;b=3;c;d=4');
  expect(mergeParameters('', { a: '1' })).toBe('a=1');
});

test('only what the recorder takes is offered, H.264 baseline first', () => {
  const codec = (mimeType: string, sdpFmtpLine?: string) => ({ mimeType, sdpFmtpLine });
  const chosen = preferVideo([
    codec('video/VP8'),
    codec('video/rtx'),
    codec('video/VP9', 'profile-id=0'),
    codec('video/AV1'),
    codec('video/H264', 'level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42e01f'),
    codec('video/H264', 'level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=64001f'),
    codec('video/H264', 'level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f'),
    codec('video/ulpfec'),
  ]);
  expect(chosen.map((it) => `${it.mimeType} ${it.sdpFmtpLine?.slice(-6) ?? ''}`.trim())).toEqual([
    'video/H264 42e01f',
    'video/H264 64001f',
    'video/VP9 e-id=0',
    'video/AV1',
  ]);
});
