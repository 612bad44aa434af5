import { expect, test } from 'vitest';
import { csv } from '$lib/file';

test('a table survives a spreadsheet, and no cell of it becomes a formula', () => {
  expect(csv([['a', 1], ['says "no", twice', -2], ['=HYPERLINK("x")', 3], ['line\nbreak', 4]])).toBe(
    '\uFEFFa,1\r\n"says ""no"", twice",-2\r\n"\'=HYPERLINK(""x"")",3\r\n"line\nbreak",4\r\n',
  );
});
