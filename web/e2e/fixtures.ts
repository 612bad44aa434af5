import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { test as base, expect, type BrowserContext, type Page } from '@playwright/test';
import AxeBuilder from '@axe-core/playwright';
import { account, demo, type Role } from './demo';
import { totp } from './totp';

/** Anything the page complains of, but for what a test says it expects. */
export class Complaints {
  private readonly found: string[] = [];
  private readonly expected: RegExp[] = [];

  watch(page: Page): void {
    page.on('pageerror', (error) => this.found.push(`page error: ${error.stack ?? error.message}`));
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') {
        this.found.push(`console ${message.type()}: ${message.text()} (${message.location().url})`);
      }
    });
  }

  /** Chromium logs each refused request as an error: a test that provokes one says so. */
  expect(pattern: RegExp): void {
    this.expected.push(pattern);
  }

  unexpected(): string[] {
    return this.found.filter((text) => !this.expected.some((pattern) => pattern.test(text)));
  }
}

/** A signed-in person with a browser of her own. */
export interface Person {
  page: Page;
  context: BrowserContext;
  complaints: Complaints;
}

interface Fixtures {
  complaints: Complaints;
  /** Signs in as a demonstration account, through the sign-in page. */
  person: (role: Role) => Promise<Person>;
}

export const test = base.extend<Fixtures>({
  complaints: async ({}, use) => {
    const complaints = new Complaints();
    await use(complaints);
    expect(complaints.unexpected(), 'the pages complained').toEqual([]);
  },
  person: async ({ browser, complaints }, use) => {
    const contexts: BrowserContext[] = [];
    await use(async (role) => {
      const context = await browser.newContext();
      contexts.push(context);
      const page = await context.newPage();
      complaints.watch(page);
      await signIn(page, role);
      return { page, context, complaints };
    });
    for (const context of contexts) await context.close();
  },
  page: async ({ page, complaints }, use) => {
    complaints.watch(page);
    await use(page);
  },
});

// A code counts once: the next sign-in of the same account takes the code of the
// step before or after, which the server accepts too, and then waits for a new one.
export async function nextCode(role: Role): Promise<string> {
  const step = 30_000;
  for (;;) {
    const used = readUsed();
    const now = Math.floor(Date.now() / step);
    // Never the step before: it may be two steps old by the time it arrives.
    const next = Math.max((used[role] ?? 0) + 1, now);
    if (next <= now + 1) {
      writeFileSync(usedFile, JSON.stringify({ ...used, [role]: next }));
      return totp(account(role).totp_secret, next * step);
    }
    await new Promise((resolve) => setTimeout(resolve, (next - 1) * step - Date.now()));
  }
}

// Beside the demonstration's file, because another try of a journey has another process.
const usedFile = `${process.env.TOLDONCE_DEMO_JSON}.codes`;

function readUsed(): Partial<Record<Role, number>> {
  return existsSync(usedFile) ? JSON.parse(readFileSync(usedFile, 'utf8')) : {};
}

export async function signIn(page: Page, role: Role): Promise<void> {
  const { login, password } = account(role);
  await page.goto('/');
  await page.getByLabel('Login').fill(login);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByLabel('Code').fill(await nextCode(role));
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await expect(page.getByRole('heading', { level: 1 })).not.toHaveText('Sign in');
}

/** Fails on any breach of WCAG 2.2 AA that axe can see. */
export async function expectAccessible(page: Page): Promise<void> {
  const result = await new AxeBuilder({ page }).withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']).analyze();
  expect(
    result.violations.map((v) => `${v.id}: ${v.help}: ${v.nodes.map((n) => n.target.join(' ')).join(', ')}`),
    'axe found violations',
  ).toEqual([]);
}

/** Takes the page's picture at desktop and tablet size into screenshots/. */
export async function picture(page: Page, name: string): Promise<void> {
  const before = page.viewportSize();
  for (const [size, viewport] of Object.entries({ desktop: { width: 1440, height: 900 }, tablet: { width: 1024, height: 768 } })) {
    await page.setViewportSize(viewport);
    await page.screenshot({ path: `screenshots/${name}-${size}.png`, animations: 'disabled' });
  }
  if (before) await page.setViewportSize(before);
}

/** Calls the API as a role by its demonstration token. */
export async function api(role: Role, method: string, path: string, body?: unknown): Promise<{ status: number; data: any }> {
  const response = await fetch(demo.url.replace(/\/$/, '') + '/api/v1' + path, {
    method,
    headers: { Authorization: `Bearer ${demo.tokens[role]}`, ...(body === undefined ? {} : { 'Content-Type': 'application/json' }) },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, data: text && response.headers.get('content-type')?.includes('json') ? JSON.parse(text) : text };
}

export { expect };
