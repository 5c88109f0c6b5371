// An operator at the admin port of a router of a test's own, who need not wait for the end of what he asks for.
import type { RunningRouter } from './router.ts';

export const OPERATOR_TOKEN = 'a-long-enough-token';
/** For the environment of the router. */
export const WITH_OPERATOR = { ADMIN_TOKEN: `anna:${OPERATOR_TOKEN}` };

export type Told = { status: number; body: Record<string, unknown> };

/** Asks for a change, with a reason and all that belongs to it. */
export async function order(
  { admin }: Pick<RunningRouter, 'admin'>,
  method: 'POST' | 'PUT' | 'DELETE',
  path: string,
  wish: Record<string, unknown> = {},
): Promise<Told> {
  const answer = await fetch(admin + path, {
    method,
    headers: { 'content-type': 'application/json', authorization: `Bearer ${OPERATOR_TOKEN}` },
    body: JSON.stringify({ reason: 'power works', owner: 'anna', ...wish }),
  });
  return { status: answer.status, body: (await answer.json()) as Told['body'] };
}

/** Hands `percent` of the cell's tenants to its neighbour for a long time. */
export async function drain(
  router: Pick<RunningRouter, 'admin'>,
  cell: string,
  percent: number,
): Promise<Told> {
  return await order(router, 'POST', `/v1/cells/${cell}/drain`, { percent, expiresIn: 86_400 });
}
