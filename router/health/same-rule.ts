// Whether two records of a home say the same of its tenants. Pure; `scripts/restore.lua` compares the same fields.
import { isDeepStrictEqual } from 'node:util';
import type { HealthRecord } from './record.ts';

const PLAIN = ['neighbour', 'state', 'phase', 'target', 'share', 'shareBefore', 'operation'] as const;
const DEEP = ['pins', 'moved', 'changing'] as const;

/** Two records of one epoch that differ come from a store that lost its memory, or its last writes, and gave it twice. */
export function saysTheSame(one: HealthRecord, other: HealthRecord): boolean {
  if (!PLAIN.every((field) => one[field] === other[field])) return false;
  return DEEP.every((field) => isDeepStrictEqual(one[field], other[field]));
}
