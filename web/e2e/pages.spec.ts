import { demo, type Role } from './demo';
import { expect, expectAccessible, picture, test } from './fixtures';
import { t } from './words';

// Every page as each person who uses it finds it in the demonstration.
const visits: Record<string, { role: Role; path: string }> = {
  start: { role: 'interviewer', path: '/' },
  cases: { role: 'case_manager', path: '/cases' },
  case: { role: 'case_manager', path: `/cases/${demo.case_id}` },
  'case-file': { role: 'case_manager', path: `/cases/${demo.case_id}/file` },
  'case-file-custodian': { role: 'custodian', path: `/cases/${demo.case_id}/file` },
  'consent-new': { role: 'interviewer', path: `/cases/${demo.case_id}/consents/new` },
  'rooms-interviewer': { role: 'interviewer', path: '/rooms' },
  'case-access': { role: 'custodian', path: `/cases/${demo.case_id}/access` },
  'case-interviews': { role: 'interviewer', path: `/cases/${demo.case_id}/interviews` },
  'interview-ready': { role: 'interviewer', path: `/interviews/${demo.interview_id}` },
  'interview-sealed': { role: 'prosecutor', path: `/interviews/${demo.sealed_interview_id}` },
  'advocate-people': { role: 'advocate', path: '/people' },
  packages: { role: 'custodian', path: '/packages' },
  'custody-log': { role: 'auditor', path: '/custody' },
  accounts: { role: 'admin', path: '/accounts' },
  agencies: { role: 'admin', path: '/agencies' },
  rooms: { role: 'admin', path: '/rooms' },
  'my-account': { role: 'interviewer', path: '/account' },
};

test('the sign-in page', async ({ page, complaints }) => {
  complaints.expect(/401/);
  await page.goto('/');
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
  await expectAccessible(page);
  await picture(page, 'sign-in');
  await page.getByLabel(t('login'), { exact: true }).fill('nobody');
  await page.getByLabel(t('password'), { exact: true }).fill('wrong wrong wrong');
  await page.getByLabel(t('code'), { exact: true }).fill('000000');
  await page.getByRole('button', { name: t('sign_in'), exact: true }).click();
  await expect(page.getByRole('alert')).toBeVisible();
  await expectAccessible(page);
  await picture(page, 'sign-in-refused');
});

for (const role of [...new Set(Object.values(visits).map((it) => it.role))]) {
  test(`the pages of the ${role}`, async ({ person }) => {
    const { page } = await person(role);
    for (const [name, visit] of Object.entries(visits)) {
      if (visit.role !== role) continue;
      await page.goto(visit.path);
      await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
      await expect(page.locator('[aria-busy="true"]')).toHaveCount(0);
      await expectAccessible(page);
      await picture(page, name);
    }
  });
}

test('the other languages and the dark theme hold', async ({ browser, complaints }) => {
  complaints.expect(/401/);
  for (const locale of ['sq', 'sr-Latn', 'sr-Cyrl']) {
    const context = await browser.newContext({ locale, colorScheme: 'dark' });
    const page = await context.newPage();
    complaints.watch(page);
    await page.goto('/');
    await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
    await expectAccessible(page);
    await picture(page, `sign-in-${locale}`);
    await context.close();
  }
});
