import type { Route } from '$lib/router.svelte';
import { kept } from './pages/room/kept';

/** Every page, in one list. */
export const routes: readonly Route[] = [
  { path: '/', load: () => import('./pages/Start.svelte') },
  { path: '/welcome', load: () => import('./pages/Welcome.svelte'), open: true, bare: true },
  { path: '/help', load: () => import('./pages/help/Help.svelte') },
  { path: '/account', load: () => import('./pages/MyAccount.svelte') },

  { path: '/cases', load: () => import('./pages/Cases.svelte') },
  { path: '/cases/:case', load: () => import('./pages/case/Overview.svelte') },
  { path: '/cases/:case/people', load: () => import('./pages/case/People.svelte') },
  { path: '/cases/:case/people/:person', load: () => import('./pages/case/Person.svelte') },
  { path: '/cases/:case/consents', load: () => import('./pages/case/Consents.svelte') },
  { path: '/cases/:case/consents/new', load: () => import('./pages/case/NewConsent.svelte') },
  { path: '/cases/:case/interviews', load: () => import('./pages/case/Interviews.svelte') },
  { path: '/cases/:case/file', load: () => import('./pages/case/FilePage.svelte') },
  { path: '/cases/:case/access', load: () => import('./pages/case/Access.svelte') },
  { path: '/cases/:case/custody', load: () => import('./pages/case/Custody.svelte') },

  { path: '/interviews/:interview', load: () => import('./pages/interview/Interview.svelte') },
  {
    path: '/interviews/:interview/room',
    load: () => import('./pages/room/Room.svelte'),
    bare: true,
    alone: { leftOff: (params) => kept(params.interview ?? '').length > 0, load: () => import('./pages/room/Alone.svelte') },
  },
  { path: '/interviews/:interview/monitor', load: () => import('./pages/monitor/Monitor.svelte'), bare: true },
  { path: '/interviews/:interview/review', load: () => import('./pages/review/Review.svelte') },

  { path: '/grants', load: () => import('./pages/Grants.svelte') },
  { path: '/packages', load: () => import('./pages/Packages.svelte') },
  { path: '/retention', load: () => import('./pages/Retention.svelte') },
  { path: '/retention/erasures', load: () => import('./pages/retention/Erasures.svelte') },
  { path: '/retention/rules', load: () => import('./pages/retention/Rules.svelte') },
  { path: '/people', load: () => import('./pages/People.svelte') },
  { path: '/custody', load: () => import('./pages/Log.svelte') },

  { path: '/accounts', load: () => import('./pages/Accounts.svelte') },
  { path: '/agencies', load: () => import('./pages/Agencies.svelte') },
  { path: '/setup', load: () => import('./pages/setup/Setup.svelte') },
  { path: '/rooms/:room/test', load: () => import('./pages/setup/TestRecording.svelte') },
  { path: '/rooms', load: () => import('./pages/Rooms.svelte') },
];
