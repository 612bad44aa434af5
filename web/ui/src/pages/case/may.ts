// What a page offers to a person by her part in the case. The server decides
// anew on each act; these keep what would be refused off the screen.
import type { Schema } from '$lib/api/client';

type File = Pick<Schema['Case'], 'my_roles'>;

const as = (file: File, ...roles: Schema['Case']['my_roles'][number][]) => file.my_roles.some((role) => roles.includes(role));

export const mayRecordConsent = (file: File) => as(file, 'case_manager', 'interviewer', 'advocate');
export const mayAttestConsent = (file: File) => file.my_roles.length > 0;
export const mayPlan = (file: File) => as(file, 'case_manager', 'interviewer');
export const mayConduct = (file: File) => as(file, 'interviewer');
export const mayWatch = (file: File) => as(file, 'observer', 'advocate', 'interviewer');
export const mayAskForGrant = (file: File) => file.my_roles.length > 0;
