import { readFileSync } from 'node:fs';

const messages = JSON.parse(readFileSync(new URL('../ui/messages/en.json', import.meta.url), 'utf8')) as Record<string, unknown>;

/** The English sentence of a message, as the pages show it. */
export function t(key: string, values: Record<string, string | number> = {}): string {
  const text = messages[key];
  if (typeof text !== 'string') throw new Error(`no plain message ${key}`);
  return text.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? `{${name}}`));
}
