import type { Role } from '$lib/session.svelte';

/** The guides, by role. They are written in English. */
export const guides: Record<string, () => Promise<string>> = Object.fromEntries(
  Object.entries(import.meta.glob<string>('../../../../guide/*.md', { query: '?raw', import: 'default' })).map(([path, load]) => [path.replace(/^.*\/|\.md$/g, ''), load]),
);

/** The language that the guides are written in, BCP 47. */
export const guideLanguage = 'en';

export const roles: readonly Role[] = ['interviewer', 'observer', 'case_manager', 'prosecutor', 'advocate', 'custodian', 'auditor', 'admin'];
