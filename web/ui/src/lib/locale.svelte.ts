import { getLocale, isLocale, locales, overwriteGetLocale, type Locale } from '$paraglide/runtime.js';

export { locales, type Locale };

const key = 'PARAGLIDE_LOCALE';

/** Each language by its own name; never translated. */
export const languageNames: Record<Locale, string> = {
  en: 'English',
  sq: 'Shqip',
  'sr-Latn': 'Srpski',
  'sr-Cyrl': 'Српски',
};

function stored(): string | undefined {
  try {
    return localStorage.getItem(key) ?? undefined;
  } catch {
    return undefined;
  }
}

function preferred(): Locale {
  for (const tag of [stored(), ...(typeof navigator === 'undefined' ? [] : navigator.languages)]) {
    const locale = nearest(tag);
    if (locale) return locale;
  }
  return 'en';
}

/** The locale that serves a BCP 47 tag: exact, or the same language; plain Serbian is Latin. */
export function nearest(tag: string | undefined): Locale | undefined {
  if (!tag) return undefined;
  if (isLocale(tag)) return tag;
  const lower = tag.toLowerCase();
  if (lower.startsWith('sq')) return 'sq';
  if (lower.startsWith('sr')) return lower.includes('cyrl') ? 'sr-Cyrl' : 'sr-Latn';
  if (lower.startsWith('en')) return 'en';
  return undefined;
}

class Language {
  now = $state<Locale>(preferred());
}

/** The language in force. The whole page is drawn anew when it changes. */
export const language = new Language();

overwriteGetLocale(() => language.now);

/** Uses a language. One that the person chose here outlives what the account says. */
export function useLocale(tag: string, by: 'person' | 'account'): void {
  const locale = nearest(tag);
  if (!locale || (by === 'account' && stored())) return;
  language.now = locale;
  document.documentElement.lang = locale;
  if (by !== 'person') return;
  try {
    localStorage.setItem(key, locale);
  } catch {
    // Without storage the choice lasts until the page is closed.
  }
}

document.documentElement.lang = getLocale();
