// What the room page changes in its offer, because browsers leave it out: lost
// sound is asked for again (nack on Opus), and speech is sent in full quality.

/** What the recorder wants of Opus: stereo, no silence suppression, 128 kb/s, forward error correction. */
const opusParameters: Record<string, string> = {
  minptime: '10',
  useinbandfec: '1',
  stereo: '1',
  'sprop-stereo': '1',
  maxaveragebitrate: '128000',
  usedtx: '0',
};

/**
 * Prepares an offer: in each audio section Opus gets `rtcp-fb … nack` and the
 * parameters above. Everything else stays byte for byte. An offer without Opus
 * is returned as it is.
 */
export function prepareOffer(sdp: string): string {
  const end = sdp.includes('\r\n') ? '\r\n' : '\n';
  const lines = sdp.split(end);
  const out: string[] = [];
  let section: string[] = [];
  const flush = () => {
    out.push(...(section[0]?.startsWith('m=audio ') ? prepareAudio(section) : section));
    section = [];
  };
  for (const line of lines) {
    if (line.startsWith('m=')) flush();
    section.push(line);
  }
  flush();
  return out.join(end);
}

function prepareAudio(section: string[]): string[] {
  const opus = section.map((line) => /^a=rtpmap:(\d+) opus\/48000(?:\/2)?$/i.exec(line)?.[1]).find((type) => type !== undefined);
  if (opus === undefined) return section;
  const nack = `a=rtcp-fb:${opus} nack`;
  const fmtp = `a=fmtp:${opus} `;
  const before = section.find((line) => line.startsWith(fmtp));
  const parameters = fmtp + mergeParameters(before?.slice(fmtp.length) ?? '', opusParameters);
  const rest = section.filter((line) => line !== nack && line !== before);
  return rest.flatMap((line) => (line.startsWith(`a=rtpmap:${opus} `) ? [line, nack, parameters] : [line]));
}

/** Sets `wanted` in a list of `key=value` parameters, keeping the others and their order. */
export function mergeParameters(list: string, wanted: Record<string, string>): string {
  const given = list
    .split(';')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map((part): [string, string | undefined] => {
      const at = part.indexOf('=');
      return at < 0 ? [part, undefined] : [part.slice(0, at), part.slice(at + 1)];
    });
  const parameters = new Map<string, string | undefined>(given);
  for (const [key, value] of Object.entries(wanted)) parameters.set(key, value);
  return [...parameters].map(([key, value]) => (value === undefined ? key : `${key}=${value}`)).join(';');
}

/** The part of a codec's description that choosing needs. */
export interface CodecLike {
  mimeType: string;
  sdpFmtpLine?: string;
}

/**
 * The video codecs to offer, best first: H.264 of constrained baseline, other
 * H.264, VP9, AV1. Nothing that the recorder does not take is offered: no VP8
 * (it cannot be played from MP4) and no RTX (see the recorder).
 */
export function preferVideo<C extends CodecLike>(codecs: readonly C[]): C[] {
  const rank = (codec: C): number => {
    const type = codec.mimeType.toLowerCase();
    const line = codec.sdpFmtpLine?.toLowerCase() ?? '';
    if (type === 'video/h264') {
      if (!line.includes('packetization-mode=1')) return -1;
      return line.includes('profile-level-id=42e0') ? 0 : 1;
    }
    if (type === 'video/vp9') return 2;
    if (type === 'video/av1') return 3;
    return -1;
  };
  return codecs
    .map((codec, index) => ({ codec, index, rank: rank(codec) }))
    .filter((it) => it.rank >= 0)
    .sort((a, b) => a.rank - b.rank || a.index - b.index)
    .map((it) => it.codec);
}
