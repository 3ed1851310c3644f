/** The roles of the sale: each has what those after it have. */
import { type Caller, hasRole } from '../../interactive-queries/auth/access.ts';

/** They see the state as it is stored. */
export const ADMINS = ['admin'];
/** They define what is sold, and see and do all that buyers can. */
export const OPERATORS = ['operator', ...ADMINS];
/** They see what is sold, and have to do with purchases of their own. */
export const BUYERS = ['buyer', ...OPERATORS];

/** Buyers act for themselves, operators for everybody. */
export function mayActFor(caller: Caller, buyerId: unknown): boolean {
  if (hasRole(caller, OPERATORS)) return true;
  return caller.kind === 'known' && caller.subject === buyerId;
}
