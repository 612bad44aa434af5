// Files that a page hands to whoever reads it.

/** Offers text as a file. The name says what it is, and names nobody. */
export function save(name: string, type: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // The browser has taken it once this turn is over.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/**
 * A table as comma-separated values (RFC 4180) that spreadsheets open as text: a
 * cell that they would take for a formula gets an apostrophe in front.
 */
export function csv(rows: readonly (readonly (string | number)[])[]): string {
  const cell = (value: string | number) => {
    const text = String(value);
    const safe = typeof value === 'string' && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  // The mark tells spreadsheets that it is UTF-8.
  return '\uFEFF' + rows.map((row) => row.map(cell).join(',') + '\r\n').join('');
}
