import { describe, expect, test } from 'vitest';
import { match } from '$lib/router.svelte';
import { routes } from '../src/routes';

describe('a path', () => {
  const found = (path: string) => {
    const it = match(routes, path);
    return it && { path: it.route.path, params: it.params };
  };

  test('finds its page and its parameters', () => {
    expect(found('/')).toEqual({ path: '/', params: {} });
    expect(found('/cases/1/people/2')).toEqual({ path: '/cases/:case/people/:person', params: { case: '1', person: '2' } });
    expect(found('/cases/1/consents/new')).toEqual({ path: '/cases/:case/consents/new', params: { case: '1' } });
    expect(found('/cases/')).toEqual({ path: '/cases', params: {} });
  });

  test('that no page has finds none', () => {
    expect(found('/nothing')).toBeUndefined();
    expect(found('/cases//people')).toBeUndefined();
    expect(found('/cases/1/people/2/3')).toBeUndefined();
  });

  test('with a broken escape does not throw', () => {
    expect(found('/cases/%E0%A4%A')?.params.case).toBe('%E0%A4%A');
  });
});

test('only what is open needs no session', () => {
  expect(routes.filter((route) => route.open).map((route) => route.path)).toEqual(['/welcome']);
});
