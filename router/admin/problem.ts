// The admin port's refusals: one table, `application/problem+json` (RFC 9457).
import type { FastifyReply } from 'fastify';

/** Code → status. The table in `docs/admin.md` is compared with it by a test. */
export const STATUS = {
  'admin-invalid': 400,
  'admin-unauthorized': 401,
  'admin-disabled': 403,
  'not-found': 404,
  'safety-rule': 409,
  'quarantine-full': 409,
  'internal-error': 500,
  'handover-undone': 503,
  'plan-busy': 503,
  'store-unavailable': 503,
} as const;

export type AdminCode = keyof typeof STATUS;

/** Answers with a refusal. `more`: members beside the usual ones, such as the `rule` of a `safety-rule`. */
export function problem(
  reply: FastifyReply,
  code: AdminCode,
  detail: string,
  more: Readonly<Record<string, unknown>> = {},
): FastifyReply {
  const status = STATUS[code];
  if (status === 401) reply.header('www-authenticate', 'Bearer');
  return reply
    .code(status)
    .type('application/problem+json')
    .send(JSON.stringify({ type: `urn:cellgate:error:${code}`, title: detail, status, code, ...more }));
}
