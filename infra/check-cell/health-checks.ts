// What a cell's health answer shows of its levels. Nothing but GET: a cell that serves can be asked at any time.
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import type { JsonAnswer } from '../http-json.ts';
import type { CellUnderTest } from './cell.ts';
import type { Findings } from './findings.ts';

/** `PROBE_TIMEOUT_MS` of the routers. */
const PROBE_MS = 400;
/** The fastest counts: the first may have found the cell cold. */
const PROBES = 3;

const base = z.object({
  cell: z.string().min(1).max(63),
  version: z.string().max(64),
  status: z.enum(['ok', 'degraded', 'down']),
  checks: z.record(z.string(), z.unknown()),
});
const epochs = z.record(z.string().max(63), z.int().min(1));
const rules = z.record(z.string().max(63), z.looseObject({ home: z.string(), epoch: z.int().min(1) }));
const amount = z.number().min(0).nullable();
const standbys = z.record(
  z.string(),
  z.object({ state: z.enum(['synced', 'copying', 'broken']), lagBytes: amount, lagSeconds: amount }),
);

export type Health = z.infer<typeof base> & Record<string, unknown>;

/** Level 0, and what the health answer shows of the others; null: there is nothing to go on with. */
export async function checkHealth(cell: CellUnderTest, findings: Findings): Promise<Health | null> {
  let last: JsonAnswer = { status: 0, body: undefined };
  let fastestMs = Number.POSITIVE_INFINITY;
  await findings.look(0, 'GET /health answers 200 or 503, with JSON of 1 MiB at most', async () => {
    for (let i = 0; i < PROBES; i += 1) {
      const askedAtMs = performance.now();
      last = await cell.health();
      fastestMs = Math.min(fastestMs, performance.now() - askedAtMs);
      if (faultOf(last) !== null) break;
    }
    return faultOf(last);
  });
  await findings.look(0, `it answers within ${PROBE_MS} ms`, async () =>
    fastestMs <= PROBE_MS ? null : `it took ${Math.ceil(fastestMs)} ms`,
  );
  const told = isObject(last.body) ? last.body : {};
  const isWhole = await findings.look(0, 'it says cell, version, status and checks', async () =>
    missingOf(base, told),
  );
  await findings.look(0, 'it answers 200, unless it says that it is down', async () => {
    const status = String(told['status']);
    return last.status === 200 || status === 'down' ? null : `answered ${last.status} with status ${status}`;
  });
  await checkShown(told, findings);
  return isWhole && faultOf(last) === null ? { ...told, ...base.parse(told) } : null;
}

async function checkShown(told: Record<string, unknown>, findings: Findings): Promise<void> {
  await findings.look(1, 'health shows epochs, by home', async () => missingOf(z.object({ epochs }), told));
  await findings.look(1, 'health shows rules, by home, of those epochs', async () => {
    return missingOf(z.object({ rules }), told) ?? unlike(told);
  });
  await findings.look(2, 'health shows standbys: state, lagBytes and lagSeconds of each', async () =>
    missingOf(z.object({ standbys }), told),
  );
  await findings.look(2, 'health says whether it has caughtUp', async () =>
    missingOf(z.object({ caughtUp: z.boolean() }), told),
  );
}

/** A home that is not confirmed has a rule alone; one that is has the rule of its epoch. */
function unlike(told: Record<string, unknown>): string | null {
  const shown = z.object({ epochs, rules }).safeParse(told).data;
  const other = Object.entries(shown?.epochs ?? {}).find(
    ([home, epoch]) =>
      !isDeepStrictEqual([home, epoch], [shown?.rules[home]?.home, shown?.rules[home]?.epoch]),
  );
  return other === undefined ? null : `the rule of ${other[0]} is not the one of epoch ${other[1]}`;
}

function faultOf({ status, body }: JsonAnswer): string | null {
  if (status >= 300 && status < 400) return `answered ${status}: routers follow no redirects`;
  if (status !== 200 && status !== 503) return `answered ${status}`;
  return isObject(body) ? null : `answered ${status} with something that is not a JSON object`;
}

/** The first fault, with where it is. */
function missingOf(schema: z.ZodType, told: unknown): string | null {
  const [issue] = schema.safeParse(told).error?.issues ?? [];
  if (issue === undefined) return null;
  const place = issue.path.join('.');
  return issue.message.endsWith('received undefined') ? `${place} is missing` : `${place}: ${issue.message}`;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
