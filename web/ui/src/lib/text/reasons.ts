/** Words for the reasons of the server's refusals, by code. */
export const reasonTexts: Record<string, () => string> = {};
