import { readFileSync } from 'node:fs';

export type Role = 'admin' | 'case_manager' | 'interviewer' | 'observer' | 'prosecutor' | 'advocate' | 'custodian' | 'auditor';

export interface Account {
  role: Role;
  login: string;
  password: string;
  totp_secret: string;
}

/** What `toldonce demo --json` prints. */
export interface Demo {
  url: string;
  accounts: Account[];
  tokens: Record<Role, string>;
  case_id: string;
  interview_id: string;
  sealed_interview_id: string;
  /** Of three hours, for the figures alone. */
  long_interview_id?: string;
  trust: string;
}

const file = process.env.TOLDONCE_DEMO_JSON;
if (!file) throw new Error('TOLDONCE_DEMO_JSON names no file: run scripts/e2e');

export const demo: Demo = JSON.parse(readFileSync(file, 'utf8'));

export function account(role: Role): Account {
  const found = demo.accounts.find((a) => a.role === role);
  if (!found) throw new Error(`the demonstration has no ${role}`);
  return found;
}
