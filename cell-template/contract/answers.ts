// What the contract itself answers where it refuses: 421 as routers read it, the rest as problems (RFC 9457).
import type { FastifyReply } from 'fastify';

/** Not processed: by the newest rule that is known the tenant is not this cell's. `epoch`: of that rule; 0: none is known. */
export function misdirected(reply: FastifyReply, epoch: number): FastifyReply {
  return reply
    .code(421)
    .type('application/json')
    .send(JSON.stringify(epoch === 0 ? {} : { epoch }));
}

export function problem(reply: FastifyReply, status: number, title: string): FastifyReply {
  return reply
    .code(status)
    .type('application/problem+json')
    .send(JSON.stringify({ type: 'about:blank', title, status }));
}
