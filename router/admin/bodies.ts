// What operators have to say for themselves: who, why, for how long, and which safety rules they overrule.
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { faultLine, faultsOf } from '../faults.ts';
import { problem } from './problem.ts';

/** A week: what is meant to last for longer belongs into the fleet file. */
const LONGEST_S = 604_800;
const EXPIRY_ALLOWED = `(allowed: 1–${LONGEST_S})`;
const PERCENT_ALLOWED = '(allowed: whole, 1–100)';

const words = (name: string) => {
  const allowed = `(allowed: 1–200 characters)`;
  return z
    .string(`${name} is missing ${allowed}`)
    .trim()
    .min(1, `empty ${allowed}`)
    .max(200, `too long ${allowed}`);
};

/** Of whatever ends something, or brings it back. */
const wordsOfEnd = {
  reason: words('a reason'),
  owner: words('an owner'),
  override: z
    .array(z.string().max(64), 'not a list (allowed: names of safety rules)')
    .max(16)
    .default(() => []),
};

/** Of whatever stays until its time has passed; `expiresIn` is in seconds. */
const wordsOfStay = {
  ...wordsOfEnd,
  expiresIn: z
    .int(`missing or not whole seconds ${EXPIRY_ALLOWED}`)
    .min(1, `out of range ${EXPIRY_ALLOWED}`)
    .max(LONGEST_S, `out of range ${EXPIRY_ALLOWED}`),
};

export const endBody = z.strictObject(wordsOfEnd);

export const failOverBody = z.strictObject({
  ...wordsOfStay,
  percent: z.literal(100, 'not possible (allowed: 100)').optional(),
});

export const drainBody = z.strictObject({
  ...wordsOfStay,
  percent: z
    .int(`missing or not whole ${PERCENT_ALLOWED}`)
    .min(1, `out of range ${PERCENT_ALLOWED}`)
    .max(100, `out of range ${PERCENT_ALLOWED}`),
});

export const pinBody = z.strictObject({
  ...wordsOfStay,
  cell: z.string('missing (allowed: the home, or its neighbour)').max(128),
});

export type EndBody = z.infer<typeof endBody>;
export type StayBody = EndBody & { expiresIn: number };

/** The body as the schema has it, or the refusal that was sent, which names all that is wrong with it. */
export function readBody<T>(
  schema: z.ZodType<T>,
  body: unknown,
  reply: FastifyReply,
): { body: T } | { sent: FastifyReply } {
  const read = schema.safeParse(body);
  if (read.success) return { body: read.data };
  return { sent: problem(reply, 'admin-invalid', faultsOf(read.error).map(faultLine).join('; ')) };
}
