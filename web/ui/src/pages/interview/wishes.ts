/** What somebody wishes of a package. */
export interface Wishes {
  how: 'key' | 'passphrase' | 'clear' | '';
  to: string;
  reason: string;
  profile: string;
  exhibit: string;
  authority: string;
}

export const noWishes = (): Wishes => ({ how: 'key', to: '', reason: '', profile: 'full', exhibit: '', authority: '' });

/** The wishes as the API takes them. */
export function asked(wishes: Wishes) {
  return {
    ...(wishes.how === 'clear' ? { clear: true } : wishes.how === 'passphrase' ? { passphrase: true } : { to: wishes.to.trim() }),
    reason: wishes.reason.trim() || undefined,
    profile: wishes.profile as 'full' | 'prosecution' | 'defence' | 'protected',
    exhibit: wishes.exhibit.trim() || undefined,
    authority: wishes.authority.trim() || undefined,
  };
}
