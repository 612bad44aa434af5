/** What the server's verification checks, by code. */
const words: Record<string, (result: 'holds' | 'fails' | 'unknown') => string | undefined> = {};

/** The words of one check; where they say more, the server's own sentence. */
export function checkWords(check: { code: string; result: 'holds' | 'fails' | 'unknown'; text: string }): string {
  return words[check.code]?.(check.result) ?? check.text;
}
