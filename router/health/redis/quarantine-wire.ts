// What Redis holds of the quarantine, read with the same distrust as its records (`wire.ts`).
import { z } from 'zod';
import { isTenantId } from '../../tenant-id.ts';
import type { QuarantineChange, QuarantineEntry } from '../verdicts/quarantine.ts';

const moment = z.int().min(-8.64e15).max(8.64e15);
const tenant = z.string().refine(isTenantId);

const entry = z.object({
  until: moment,
  since: moment,
  tenant,
  home: z.string().min(1).max(256),
  actor: z.string(),
  owner: z.string().nullable(),
  reason: z.string(),
}) satisfies z.ZodType<QuarantineEntry>;

const change = z
  .tuple([tenant, entry.nullable()])
  .refine(([name, one]) => one === null || one.tenant === name)
  .transform(([name, one]): QuarantineChange => ({ tenant: name, entry: one }));

/** What `scripts/quarantine-by-hand.lua` answers. */
export const quarantineAnswer = z.union([
  z.tuple([z.literal('done'), z.string(), z.coerce.number().int()]),
  z.tuple([z.enum(['too-many', 'not-found', 'behind', 'passive']), z.string()]),
]);

/** One entry from its JSON, or null when it is malformed. */
export function readEntry(json: string): QuarantineEntry | null {
  try {
    return entry.safeParse(JSON.parse(json)).data ?? null;
  } catch {
    return null;
  }
}

/** A published change, or null when it is malformed. */
export function readQuarantineChange(value: unknown): QuarantineChange | null {
  return change.safeParse(value).data ?? null;
}
