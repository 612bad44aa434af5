// The guides in web/guide: a small part of Markdown, as blocks that pages draw
// themselves, so that no text ever becomes markup.

/** A piece of a line; a name of a page or a button is strong. */
export interface Piece {
  text: string;
  strong: boolean;
}

export type Block = { kind: 'h1' | 'h2' | 'p'; line: Piece[] } | { kind: 'ol' | 'ul'; items: Piece[][] };

const pieces = (text: string): Piece[] =>
  text
    .split(/\*\*([^*]+)\*\*/)
    .map((part, i) => ({ text: part, strong: i % 2 === 1 }))
    .filter((it) => it.text !== '');

/** Reads headings, paragraphs and lists of one level. */
export function readGuide(markdown: string): Block[] {
  const blocks: Block[] = [];
  for (const chunk of markdown.trim().split(/\n{2,}/)) {
    const lines = chunk.split('\n');
    const first = lines[0] ?? '';
    const item = /^(?:\d+\.|-) /;
    if (item.test(first)) blocks.push({ kind: first.startsWith('-') ? 'ul' : 'ol', items: lines.map((line) => pieces(line.replace(item, ''))) });
    else if (first.startsWith('## ')) blocks.push({ kind: 'h2', line: pieces(first.slice(3)) });
    else if (first.startsWith('# ')) blocks.push({ kind: 'h1', line: pieces(first.slice(2)) });
    else blocks.push({ kind: 'p', line: pieces(lines.join(' ')) });
  }
  return blocks;
}

/** The names of pages and buttons that a guide mentions. */
export const namesIn = (markdown: string): string[] => [...markdown.matchAll(/\*\*([^*]+)\*\*/g)].map((found) => found[1] ?? '');
