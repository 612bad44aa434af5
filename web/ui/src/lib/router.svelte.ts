import type { Component } from 'svelte';

/** A page's module, loaded when its route is first opened. A page takes `params`, or nothing. */
export type PageModule = { default: Component<{ params: Record<string, string> }> | Component<Record<string, never>> };

export interface Route {
  /** Path with `:name` for a parameter of one segment. */
  path: string;
  load: () => Promise<PageModule>;
  /** Open without a session. */
  open?: boolean;
  /** Shown without the header, dark: the interview room. */
  bare?: boolean;
  /** What goes on here when nobody is signed in; it does if `leftOff` says so. */
  alone?: { leftOff: (params: Record<string, string>) => boolean; load: () => Promise<PageModule> };
}

export interface Match {
  route: Route;
  params: Record<string, string>;
}

/** Finds the route of a path. A trailing slash does not matter. */
export function match(routes: readonly Route[], path: string): Match | undefined {
  const parts = split(path);
  for (const route of routes) {
    const pattern = split(route.path);
    if (pattern.length !== parts.length) continue;
    const params: Record<string, string> = {};
    const fits = pattern.every((part, i) => {
      const actual = parts[i] ?? '';
      if (!part.startsWith(':')) return part === actual;
      params[part.slice(1)] = decode(actual);
      return actual !== '';
    });
    if (fits) return { route, params };
  }
  return undefined;
}

function split(path: string): string[] {
  return path.replace(/^\/+|\/+$/g, '').split('/');
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** A page that must not be left by accident, such as a running recording. */
export type Guard = () => boolean;

class Location {
  path = $state(typeof location === 'undefined' ? '/' : location.pathname);
  /** Counts navigations made in the page, so that focus moves to the new heading. */
  moves = $state(0);
  #guard: Guard | undefined;

  /** Goes to a path of this interface. */
  go(path: string, how: 'push' | 'replace' = 'push'): void {
    if (path !== this.path && this.#guard && !this.#guard()) return;
    const url = new URL(path, location.origin);
    history[how === 'push' ? 'pushState' : 'replaceState'](null, '', url);
    this.path = url.pathname;
    this.moves++;
    scrollTo(0, 0);
  }

  /** Asks `guard` before the page is left; returns how to stop asking. */
  hold(guard: Guard): () => void {
    this.#guard = guard;
    const unload = (event: BeforeUnloadEvent) => event.preventDefault();
    addEventListener('beforeunload', unload);
    return () => {
      this.#guard = undefined;
      removeEventListener('beforeunload', unload);
    };
  }

  /** Follows the browser's buttons and turns clicks on inner links into navigations. */
  listen(): () => void {
    const popped = () => {
      if (this.#guard && location.pathname !== this.path && !this.#guard()) {
        history.pushState(null, '', this.path);
        return;
      }
      this.path = location.pathname;
      this.moves++;
    };
    const clicked = (event: MouseEvent) => {
      if (event.defaultPrevented || event.button !== 0) return;
      if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
      const link = event.target instanceof Element ? event.target.closest('a') : null;
      if (!link || link.target || link.hasAttribute('download') || link.origin !== location.origin) return;
      if (link.pathname.startsWith('/api/')) return;
      if (link.hash && link.pathname === location.pathname) return;
      event.preventDefault();
      this.go(link.pathname);
    };
    addEventListener('popstate', popped);
    document.addEventListener('click', clicked);
    return () => {
      removeEventListener('popstate', popped);
      document.removeEventListener('click', clicked);
    };
  }
}

export const here = new Location();
