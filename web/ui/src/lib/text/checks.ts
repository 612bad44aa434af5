import { m } from '$m';

/** What each check says when it holds, in plain words, by code. */
const words: Record<string, () => string> = {
  'storage.objects': m.check_storage_objects,
  'recording.bundle': m.check_recording_bundle,
  'recording.statement': m.check_recording_statement,
  'recording.signer': m.check_recording_signer,
  'recording.signature': m.check_recording_signature,
  'recording.timestamp': m.check_recording_timestamp,
  'recording.manifest': m.check_recording_manifest,
  'recording.outline': m.check_recording_outline,
  'recording.pages': m.check_recording_pages,
  'recording.leaves': m.check_recording_leaves,
  'recording.tree': m.check_recording_tree,
  'recording.times': m.check_recording_times,
  'recording.gaps': m.check_recording_gaps,
  'recording.renewal': m.check_recording_renewal,
  'log.seal': m.check_log_seal,
};

/** The words of one check: plain ones where it holds, the server's own where the particulars matter. */
export function checkWords(check: { code: string; result: 'holds' | 'fails' | 'unknown'; text: string }): string {
  return (check.result === 'holds' && words[check.code]?.()) || check.text;
}
