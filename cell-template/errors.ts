// Every refusal of the cell: its code, status and title, as application/problem+json (RFC 9457).
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { misdirected } from './contract/answers.ts';
import { TenantError } from './contract/tenant.ts';
import { NewerRule } from './newer-rule.ts';

export const REFUSALS = {
  'tenant-missing': { status: 400, title: 'The request names no tenant' },
  'tenant-invalid': { status: 400, title: 'The tenant is not a usable name' },
  'bad-request': { status: 400, title: 'The request cannot be understood' },
  unauthorized: { status: 401, title: 'Only operators may ask this' },
  'not-found': { status: 404, title: 'There is nothing here' },
  'order-cancelled': { status: 409, title: 'The order is cancelled' },
  'conflict-settled': { status: 409, title: 'The conflict was settled otherwise' },
  'precondition-failed': { status: 412, title: 'The order is not in that state any more' },
  'body-too-large': { status: 413, title: 'The body is too large' },
  'unsupported-media-type': { status: 415, title: 'The body is not application/json' },
  'idempotency-key-reused': { status: 422, title: 'The Idempotency-Key stands for another request' },
  'upgrade-required': { status: 426, title: 'This path speaks WebSocket' },
  'precondition-required': { status: 428, title: 'The request must say which state it changes' },
  internal: { status: 500, title: 'The cell failed' },
  'no-standby': { status: 503, title: 'This cell has no copy of the home' },
  'guests-refused': { status: 503, title: 'This cell takes no guests' },
  'guests-read-only': { status: 503, title: 'Guests may only read here' },
  'standby-silent': { status: 503, title: 'The standby does not confirm writes' },
  recovering: { status: 503, title: 'The cell is getting its data back' },
  'database-unavailable': { status: 503, title: 'The database does not answer' },
} as const satisfies Record<string, { status: number; title: string }>;

type RefusalCode = keyof typeof REFUSALS;

/** Thrown to refuse a request. `detail` reaches the client: no address, no stack, no secret. */
export class Refusal extends Error {
  override name = 'Refusal';
  readonly code: RefusalCode;

  constructor(code: RefusalCode, detail: string, options?: ErrorOptions) {
    super(detail, options);
    this.code = code;
  }
}

/** What to say of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Answers every error of `app`, and every path it does not know, as a problem. */
export function installErrors(app: FastifyInstance): void {
  app.setErrorHandler((error: FastifyError, request, reply) => {
    if (error instanceof NewerRule) {
      error.tell(app.contract);
      return misdirected(reply, app.contract.epochOf(request.whose.home));
    }
    const refusal = asRefusal(error);
    if (REFUSALS[refusal.code].status >= 500) request.log.error({ err: error }, 'request failed');
    return send(reply, refusal);
  });
  app.setNotFoundHandler((request: FastifyRequest, reply: FastifyReply) =>
    send(reply, new Refusal('not-found', `no ${request.method} at this path`)),
  );
}

function send(reply: FastifyReply, { code, message }: Refusal): FastifyReply {
  const { status, title } = REFUSALS[code];
  if (status === 503) reply.header('retry-after', '1');
  if (status === 401) reply.header('www-authenticate', 'Bearer');
  if (status === 426) reply.header('upgrade', 'websocket');
  return reply
    .code(status)
    .type('application/problem+json')
    .send({ type: `urn:cellgate:cell-error:${code}`, title, status, detail: message, code });
}

function asRefusal(error: FastifyError): Refusal {
  if (error instanceof Refusal) return error;
  if (error instanceof TenantError) return new Refusal(error.code, error.message);
  switch (error.statusCode ?? 500) {
    case 413:
      return new Refusal('body-too-large', error.message);
    case 415:
      return new Refusal('unsupported-media-type', error.message);
    default:
      if ((error.statusCode ?? 500) < 500) return new Refusal('bad-request', error.message);
      return new Refusal('internal', 'the log of the cell says more');
  }
}
