import type { Locator, Page } from '@playwright/test';
import { t } from './words';

/** What a person does on each page, by what she reads there. Asserts nothing. */

export class CasePages {
  constructor(private readonly page: Page) {}

  async open(reference: string): Promise<string> {
    await this.page.goto('/cases');
    await this.page.getByRole('button', { name: t('new_case') }).click();
    const dialog = this.page.getByRole('dialog');
    await dialog.getByLabel(t('case_reference')).fill(reference);
    await dialog.getByRole('button', { name: t('open_case') }).click();
    await this.page.waitForURL(/\/cases\/[0-9a-f-]{36}$/);
    return this.page.url().split('/').pop()!;
  }

  async addMember(caseId: string, name: RegExp): Promise<void> {
    await this.page.goto(`/cases/${caseId}`);
    await this.page.getByRole('button', { name: t('team_add') }).click();
    const dialog = this.page.getByRole('dialog');
    const who = dialog.getByLabel(t('team_who'), { exact: true });
    const option = who.locator('option').filter({ hasText: name }).first();
    await option.waitFor({ state: 'attached' });
    await who.selectOption((await option.getAttribute('value'))!);
    await dialog.getByRole('button', { name: t('team_add') }).click();
    await dialog.waitFor({ state: 'hidden' });
  }

  async addAdultVictim(caseId: string, pseudonym: string): Promise<void> {
    await this.page.goto(`/cases/${caseId}/people`);
    await this.page.getByRole('button', { name: t('person_add') }).first().click();
    const dialog = this.page.getByRole('dialog');
    await dialog.getByLabel(t('person_pseudonym')).fill(pseudonym);
    await dialog.getByLabel(t('age_adult')).check();
    await dialog.getByRole('button', { name: t('person_add') }).click();
    await dialog.waitFor({ state: 'hidden' });
  }

  async plan(caseId: string, needs: string): Promise<string> {
    await this.page.goto(`/cases/${caseId}/interviews`);
    await this.page.getByRole('button', { name: t('interview_plan') }).first().click();
    const dialog = this.page.getByRole('dialog');
    await choosePlaceholder(dialog.getByLabel(t('plan_person')));
    await choosePlaceholder(dialog.getByLabel(t('room'), { exact: true }));
    await dialog.getByLabel(t('plan_needs')).fill(needs);
    await dialog.getByRole('button', { name: t('interview_plan') }).click();
    await this.page.waitForURL(/\/interviews\/[0-9a-f-]{36}$/);
    return this.page.url().split('/').pop()!;
  }

  async recordWrittenConsent(caseId: string, document: string): Promise<void> {
    await this.page.goto(`/cases/${caseId}/consents/new`);
    await this.page.getByRole('radio', { name: t('giver_self') }).check();
    await this.page.getByRole('radio', { name: t('form_written') }).check();
    await this.page.getByLabel(t('consent_document')).fill(document);
    await this.page.getByRole('button', { name: t('consent_record') }).click();
    await this.page.waitForURL(/\/consents$/);
  }
}

export class RoomPage {
  constructor(private readonly page: Page) {}

  readonly recording = (): Locator => this.page.getByRole('status').filter({ hasText: new RegExp(`^\\s*${t('rec_on')}\\s*$`) });
  readonly clock = (): Locator => this.page.getByLabel(t('rec_elapsed'));
  readonly next = (): Locator => this.page.getByRole('button', { name: t('room_next_picture') });

  async open(interview: string): Promise<void> {
    await this.page.goto(`/interviews/${interview}/room`);
  }

  async people(pseudonym: string): Promise<void> {
    await this.page.getByRole('checkbox', { name: t('room_present_person', { person: pseudonym }), exact: true }).check();
    await this.page.getByRole('checkbox', { name: t('room_told', { person: pseudonym }) }).check();
    await this.next().click();
  }

  async picture(): Promise<void> {
    await this.page.getByRole('button', { name: t('room_next_start') }).click();
  }

  async start(): Promise<void> {
    await this.page.getByText(t('start_arrives')).first().waitFor();
    await this.page.getByRole('button', { name: t('start_recording') }).click();
  }

  /** Waits until the page's own clock shows at least so many seconds. */
  async runFor(seconds: number): Promise<void> {
    await this.page.waitForFunction(
      ([label, least]) => {
        const parts = (document.querySelector(`[aria-label="${label}"]`)?.textContent ?? '').trim().split(':').map(Number);
        return parts.reduce((sum, part) => sum * 60 + part, 0) >= (least as number);
      },
      [t('rec_elapsed'), seconds] as const,
      { timeout: (seconds + 30) * 1000 },
    );
  }

  async takeBreak(reason: string): Promise<void> {
    await this.page.getByRole('button', { name: t('live_pause') }).click();
    const dialog = this.page.getByRole('dialog');
    await dialog.getByRole('textbox').fill(reason);
    await dialog.getByRole('button', { name: t('live_pause') }).click();
  }

  async endBreak(): Promise<void> {
    await this.page.getByRole('button', { name: t('live_resume') }).click();
  }

  async mark(): Promise<void> {
    await this.page.getByRole('button', { name: t('mark_set') }).click();
  }

  async stop(): Promise<void> {
    await this.page.getByRole('button', { name: t('live_stop') }).click();
    await this.page.getByRole('dialog').getByRole('button', { name: t('live_stop') }).click();
  }
}

export class ReviewPage {
  constructor(private readonly page: Page) {}

  readonly video = (): Locator => this.page.locator('video').first();
  readonly dark = (): Locator => this.page.getByRole('alert');

  async open(interview: string): Promise<void> {
    await this.page.goto(`/interviews/${interview}/review`);
  }

  async ask(from: string, until: string, purpose: string, basis: string): Promise<void> {
    await this.page.getByRole('button', { name: t('ask_grant') }).first().click();
    const dialog = this.page.getByRole('dialog');
    await dialog.getByLabel(t('need_sight')).check();
    await dialog.getByLabel(t('ask_from'), { exact: true }).fill(from);
    await dialog.getByLabel(t('ask_until'), { exact: true }).fill(until);
    await dialog.getByLabel(t('grant_purpose')).fill(purpose);
    await dialog.getByLabel(t('grant_basis')).fill(basis);
    await dialog.getByLabel(t('ask_rests_on_law')).check();
    await dialog.getByRole('button', { name: t('ask_send') }).click();
  }

  /** Accepts the terms of viewing, and looks at the picture. */
  async accept(): Promise<void> {
    await this.page.getByRole('button', { name: t('terms_accept') }).click();
    await this.page.getByRole('button', { name: t('blur_show') }).click();
  }

  async play(): Promise<void> {
    await this.page.getByRole('button', { name: t('play'), exact: true }).click();
  }
}

export class GrantPages {
  constructor(private readonly page: Page) {}

  async approve(purpose: string): Promise<void> {
    await this.page.goto('/grants');
    await this.card(purpose).getByRole('button', { name: t('grant_approve') }).click();
    await this.confirm(t('grant_approve'));
  }

  async revoke(purpose: string, reason: string): Promise<void> {
    await this.card(purpose).getByRole('button', { name: t('grant_revoke') }).click();
    await this.page.getByRole('dialog').getByLabel(t('reason')).fill(reason);
    await this.confirm(t('grant_revoke'));
  }

  readonly card = (purpose: string): Locator => this.page.getByRole('article').filter({ hasText: purpose });

  private async confirm(act: string): Promise<void> {
    const dialog = this.page.getByRole('dialog');
    await dialog.getByRole('button', { name: act }).click();
    await dialog.waitFor({ state: 'hidden' });
  }
}

/** Chooses the first real option of a list that asks for a choice. */
async function choosePlaceholder(select: Locator): Promise<void> {
  const option = select.locator('option:not([value=""])').first();
  await option.waitFor({ state: 'attached' });
  await select.selectOption((await option.getAttribute('value'))!);
}

export class MonitorPage {
  constructor(private readonly page: Page) {}

  readonly video = (): Locator => this.page.locator('video').first();
  readonly state = (): Locator => this.page.getByRole('status').filter({ hasText: new RegExp(`^\\s*(${t('rec_on')}|${t('rec_break')})\\s*$`) });

  async enter(interview: string): Promise<void> {
    await this.page.goto(`/interviews/${interview}/monitor`);
    await this.page.getByRole('button', { name: t('mon_enter') }).click();
  }

  /** Waits until the picture moves. */
  async sees(): Promise<void> {
    await this.video().evaluate(
      (video: HTMLVideoElement) =>
        new Promise<void>((resolve) => {
          let frames = 0;
          const seen = () => (++frames > 5 ? resolve() : video.requestVideoFrameCallback(seen));
          video.requestVideoFrameCallback(seen);
        }),
    );
  }

  async propose(question: string): Promise<void> {
    await this.page.getByLabel(t('mon_question')).fill(question);
    await this.page.getByRole('button', { name: t('mon_propose') }).click();
  }

  async press(what: 'mon_ask_break' | 'mon_signal'): Promise<void> {
    await this.page.getByRole('button', { name: t(what) }).click();
  }

  async note(text: string): Promise<void> {
    await this.page.getByLabel(t('mon_note'), { exact: true }).fill(text);
    await this.page.getByRole('button', { name: t('mon_note_keep') }).click();
  }
}
