// Whether answers are what they must be, byte by byte: before, under and after the load.
import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Target } from './contenders/launch.ts';
import { dial, type Answer, type HttpConnection } from './speed-exchange.ts';
import {
  answerTo,
  ECHO_PATH,
  requestBytes,
  tenantOf,
  type Tenants,
  type Workload,
} from './speed-workloads.ts';

/** Of whole answers, heads included, in bytes: the smallest and the largest that were seen. */
export type Sizes = { min: number; max: number };

export type Checked = { answers: number; sizes: Sizes };

/** Somebody answers something else than the cells do: whatever was measured of it means nothing. */
export class WrongAnswer extends Error {
  override name = 'WrongAnswer';
}

/** Between two answers that are checked under load. */
const SAMPLE_EVERY_MS = 10;

/** Asks for the answers to so many of the tenants, one after the other. Throws `WrongAnswer`. */
export async function checkAnswers(
  target: Target,
  workload: Workload,
  tenants: Tenants,
  count: number,
): Promise<Checked> {
  const connection = await dial(target.port, target.ca);
  try {
    let seen = NOTHING;
    for (let at = 0; at < count; at += 1) {
      const index = tenants.first + Math.floor((at * tenants.count) / count);
      seen = both(seen, await checkOne(connection, target, workload, tenantOf(index)));
    }
    return seen;
  } finally {
    connection.close();
  }
}

/** Checks answers at a steady slow pace until `stop`, which answers what was seen. Rejects there with `WrongAnswer`. */
export function sampleAnswers(
  target: Target,
  workload: Workload,
  tenants: Tenants,
): { stop(): Promise<Checked> } {
  const ended = new AbortController();
  const run = async (): Promise<Checked> => {
    const connection = await dial(target.port, target.ca);
    let seen = NOTHING;
    for (let at = 0; !ended.signal.aborted; at += 1) {
      const index = tenants.first + ((at * 7_919) % tenants.count);
      seen = both(seen, await checkOne(connection, target, workload, tenantOf(index)));
      await pause(SAMPLE_EVERY_MS);
    }
    connection.close();
    return seen;
  };
  const sampled = run();
  // It is asked for its outcome at the end of the load alone.
  sampled.catch(() => undefined);
  return {
    stop: async () => {
      ended.abort();
      return await sampled;
    },
  };
}

/** Whether the body of a request reaches a cell as it was sent: it comes back from there. */
export async function checkEcho(target: Target): Promise<void> {
  const body = JSON.stringify({ random: randomBytes(600).toString('base64') });
  const connection = await dial(target.port, target.ca);
  try {
    const host = `127.0.0.1:${target.port}`;
    const asked = { method: 'POST' as const, path: ECHO_PATH, body };
    const answer = await connection.exchange(requestBytes(asked, host, tenantOf(0)));
    compare(target, answer, body);
  } finally {
    connection.close();
  }
}

/** The load counted all of the bytes that it read. At its end some answers were under way. Throws `WrongAnswer`. Pure. */
export function checkBytes(
  label: string,
  { requests, bytes }: { requests: number; bytes: number },
  { min, max }: Sizes,
  underWay: number,
): void {
  if (bytes >= requests * min && bytes <= (requests + underWay) * max) return;
  throw new WrongAnswer(
    `${label}: ${requests} answers of ${min}–${max} bytes can not be ${bytes} bytes together`,
  );
}

/** No answer at all. */
export const NOTHING: Checked = { answers: 0, sizes: { min: Number.POSITIVE_INFINITY, max: 0 } };

/** What two checks saw together. Pure. */
export function both(one: Checked, other: Checked): Checked {
  const sizes = {
    min: Math.min(one.sizes.min, other.sizes.min),
    max: Math.max(one.sizes.max, other.sizes.max),
  };
  return { answers: one.answers + other.answers, sizes };
}

async function checkOne(
  connection: HttpConnection,
  target: Target,
  workload: Workload,
  tenant: string,
): Promise<Checked> {
  const request = requestBytes(workload, `127.0.0.1:${target.port}`, tenant);
  const answer = await connection.exchange(request);
  compare(target, answer, answerTo(workload, tenant));
  const bytes = answer.headBytes + answer.body.length;
  return { answers: 1, sizes: { min: bytes, max: bytes } };
}

function compare({ label }: Target, { status, body }: Answer, wanted: string): void {
  if (status === 200 && body.equals(Buffer.from(wanted))) return;
  const got = body.toString('latin1').slice(0, 200);
  throw new WrongAnswer(`${label}: status ${status}, ${body.length} bytes, other than expected: ${got}`);
}
