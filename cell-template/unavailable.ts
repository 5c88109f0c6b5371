// Which failures of the database mean "not now": the one place that says so.
import { DatabaseError } from 'pg';
import { Refusal } from './errors.ts';

/** SQLSTATE classes: connection, transaction rolled back (try again), resources, operator intervention and shutdown. */
const CLASSES = new Set(['08', '40', '53', '57']);
/** A lock not free in time, a transaction idle or open for too long, a database that takes no writes now. */
const CODES = new Set(['55P03', '25P03', '25P04', '25006']);

/** Whether `error`, thrown by a statement, is the database's "not now". What the driver itself throws (no connection, no answer in time) is. */
export function isUnavailable(error: unknown): boolean {
  if (!(error instanceof DatabaseError)) return true;
  const code = error.code ?? '';
  return CLASSES.has(code.slice(0, 2)) || CODES.has(code);
}

/** The refusal for such a failure; 503. */
export function unavailable(cause: unknown): Refusal {
  return new Refusal('database-unavailable', 'the database of the cell did not answer', { cause });
}
