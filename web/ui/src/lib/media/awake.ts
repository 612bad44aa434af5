/** Keeps the screen on until the returned function is called: a tablet must not fall asleep over a running interview. */
export function stayAwake(): () => void {
  if (!('wakeLock' in navigator)) return () => undefined;
  let lock: WakeLockSentinel | undefined;
  const hold = () => {
    if (document.visibilityState === 'visible') navigator.wakeLock.request('screen').then((it) => (lock = it), () => undefined);
  };
  hold();
  document.addEventListener('visibilitychange', hold);
  return () => {
    document.removeEventListener('visibilitychange', hold);
    void lock?.release();
  };
}
