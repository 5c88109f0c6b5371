// What operators have to say for themselves: who, why, for how long, and which safety rules they overrule.
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { faultLine, faultsOf } from '../faults.ts';
import { isTenantId, TENANT_ID_ALLOWED } from '../tenant-id.ts';
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

const reason = words('a reason');
const owner = words('an owner');

const override = z
  .array(z.string().max(64), 'not a list (allowed: names of safety rules)')
  .max(16)
  .default(() => []);

/** In seconds. */
const expiresIn = z
  .int(`missing or not whole seconds ${EXPIRY_ALLOWED}`)
  .min(1, `out of range ${EXPIRY_ALLOWED}`)
  .max(LONGEST_S, `out of range ${EXPIRY_ALLOWED}`);

/** Of whatever stays until its time has passed. */
const wordsOfStay = { reason, owner, override, expiresIn };

/**
 * Of whatever ends something, or brings it back: nobody is kept from that for want of words. `done` is the reason where
 * none is given; without an owner it is who asks.
 */
const wordsOfEnd = (done: string) => ({ reason: reason.default(done), owner: owner.optional() });

export const drainEndBody = z.strictObject({ ...wordsOfEnd('the drain was ended by hand'), override });
export const restoreBody = z.strictObject({ ...wordsOfEnd('brought home by hand'), override });
export const unpinBody = z.strictObject({ ...wordsOfEnd('unpinned by hand'), override });

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

/** No safety rule speaks against refusing a tenant, or letting it in. */
export const quarantineBody = z.strictObject({ reason, owner, expiresIn });

export const releaseBody = z.strictObject(wordsOfEnd('let in by hand'));

const cellName = (allowed: string) => z.string(`missing (allowed: ${allowed})`).max(128);
const RANGES_ALLOWED = '(allowed: [[from, to], …], 0–65535, 1–1000 of them)';
const TENANTS_ALLOWED = '(allowed: a list of 1–100)';
const bucket = z.int(`not a bucket ${RANGES_ALLOWED}`).min(0).max(65_535, `not a bucket ${RANGES_ALLOWED}`);

/** Either buckets or tenants; `from`: of these only those that are at home there now. Without an owner it is who asks. */
export const cutOverBody = z
  .strictObject({
    reason,
    owner: owner.optional(),
    override,
    to: cellName('the cell that they are to move to'),
    from: cellName('the cell that is their home now').optional(),
    buckets: z
      .array(
        z
          .tuple([bucket, bucket], `not a range ${RANGES_ALLOWED}`)
          .refine(([from, to]) => from <= to, `not a range ${RANGES_ALLOWED}`),
        `not a list ${RANGES_ALLOWED}`,
      )
      .min(1, `empty ${RANGES_ALLOWED}`)
      .max(1_000, `too many ${RANGES_ALLOWED}`)
      .optional(),
    tenants: z
      .array(
        z.string().refine(isTenantId, `not a tenant ID (allowed: ${TENANT_ID_ALLOWED})`),
        TENANTS_ALLOWED,
      )
      .min(1, `empty ${TENANTS_ALLOWED}`)
      .max(100, `too many ${TENANTS_ALLOWED}`)
      .optional(),
  })
  .refine(({ buckets, tenants }) => (buckets === undefined) !== (tenants === undefined), {
    path: ['buckets'],
    error: 'missing, or beside tenants (allowed: one of the two)',
    // Also where something else is wrong: all of it is named at once.
    when: ({ value }) => typeof value === 'object' && value !== null,
  });

export type CutOverBody = z.infer<typeof cutOverBody>;
export type EndBody = z.infer<typeof restoreBody>;
export type StayBody = EndBody & { owner: string; expiresIn: number };
export type ReleaseBody = z.infer<typeof releaseBody>;

/**
 * The body as the schema has it, or the refusal that was sent, which names all that is wrong with it. None at all is an
 * empty one.
 */
export function readBody<T>(
  schema: z.ZodType<T>,
  body: unknown,
  reply: FastifyReply,
): { body: T } | { sent: FastifyReply } {
  const read = schema.safeParse(body ?? {});
  if (read.success) return { body: read.data };
  return { sent: problem(reply, 'admin-invalid', faultsOf(read.error).map(faultLine).join('; ')) };
}
