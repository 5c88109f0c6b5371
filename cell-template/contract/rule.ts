// What a rule is: who serves a home's tenants, as routers bring it (docs/cell-contract.md). What came is hostile until it was read here.
import { z } from 'zod';

/** A rule may be as large as a health answer that shows it. */
export const RULE_BYTES_MOST = 1_048_576;
/** More than any home ever changes. The highest epoch wins, so that one rule could else be the last for ever. */
const EPOCH_MOST = 2 ** 52 - 1;

const cell = z.string().min(1).max(256);
const percent = z.number().min(0).max(100);
const range = z.tuple([bucket(), bucket()]);
const pin = z.object({ cell, until: z.number() });
const moved = z.union([
  z.object({ buckets: range, to: cell, generation: z.int().min(0) }),
  z.object({ tenant: z.string(), to: cell }),
]);
/** By tenant. No `z.record`: it loses a tenant that is called `__proto__`. */
const pins = z
  .custom<object>((value) => typeof value === 'object' && value !== null && !Array.isArray(value))
  .transform((value) => Object.entries(value))
  .pipe(z.array(z.tuple([z.string(), pin])))
  .transform((entries): Readonly<Record<string, z.infer<typeof pin>>> => Object.fromEntries(entries));

/** Loose: what a newer release says in a rule is shown as it came. */
const rule = z
  .looseObject({
    home: cell,
    neighbour: cell.nullable(),
    phase: z.enum(['open', 'closing']),
    target: cell,
    epoch: z.int().min(1).max(EPOCH_MOST),
    share: percent,
    shareBefore: percent,
    operation: z.int().nullable(),
    position: z.string().max(1_024).nullable(),
    // Routers of a release before handovers leave these out.
    pins: pins.default({}),
    moved: z.array(moved).default([]),
    changing: z
      .object({ tenants: z.array(z.string()), buckets: z.array(range) })
      .nullable()
      .default(null),
  })
  .refine(({ home, neighbour, target }) => target === home || target === neighbour);

/** `state`, `deadline` and whatever else is for people came with it, too. */
export type Rule = z.infer<typeof rule>;

/** A rule from what was parsed from its JSON; null: it is none. */
export function readRule(value: unknown): Rule | null {
  return rule.safeParse(value).data ?? null;
}

function bucket(): z.ZodNumber {
  return z.int().min(0).max(65_535);
}
