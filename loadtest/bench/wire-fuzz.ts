// Sends the generated cases to a router with a strict cell behind it, and notes whatever should not have happened.
import { connect, type Socket } from 'node:net';
import type { StrictCell } from '../stubs/strict-cell.ts';
import { caseOf, type Case } from './wire-cases.ts';
import { readMade, type Made, type Reading } from './wire-reader.ts';

/** How long the router may take to answer or close what it can read to its end: a bound against hanging. */
const HANG_MS = 30_000;
/** What nobody may read on may also be waited for, until the time-out of a head; here nobody waits so long. */
const PATIENCE_MS = 300;
const BREATH_MS = 30;
const CONCURRENCY = 32;
/** So many cases, and then what the cell has seen meanwhile is compared with what was sent. */
const BATCH = 512;

export type FuzzReport = {
  cases: number;
  /** Requests that clients made, and those of them that reached the cell. */
  made: number;
  seen: number;
  /** How many answers had each status. */
  statuses: Map<string, number>;
  /** What went wrong, each with the number of its case where it is known. */
  failures: string[];
};

/** `cases` of them from `first` on. `alive`: whether the router's process still runs. */
export async function fuzz(
  target: { port: number; cell: StrictCell; alive: () => boolean },
  plan: { seed: number; cases: number },
): Promise<FuzzReport> {
  const report: FuzzReport = { cases: 0, made: 0, seen: 0, statuses: new Map(), failures: [] };
  const owed = new Map<string, number>();
  while (report.cases < plan.cases && report.failures.length === 0) {
    const numbers = Array.from(
      { length: Math.min(BATCH, plan.cases - report.cases) },
      (_, i) => report.cases + i,
    );
    report.cases += numbers.length;
    const worker = async (): Promise<void> => {
      for (let number = numbers.pop(); number !== undefined; number = numbers.pop()) {
        await tryCase(target.port, caseOf(plan.seed, number), number, { report, owed });
      }
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, worker));
    compare(target.cell, owed, report);
    if (!target.alive()) report.failures.push(`the router died within ${BATCH} cases before ${report.cases}`);
  }
  return report;
}

type Books = { report: FuzzReport; owed: Map<string, number> };

async function tryCase(port: number, one: Case, number: number, { report, owed }: Books): Promise<void> {
  const reading = readMade(one.text);
  report.made += reading.made.length;
  // Before it is sent: the cell may see it before this function goes on.
  for (const made of reading.made) count(owed, keyOf(made), 1);
  const { received, hung } = await send(port, one, reading);
  for (const [, status = ''] of received.matchAll(/^HTTP\/1\.1 (\d{3})/gm)) {
    count(report.statuses, status, 1);
    if (status >= '500') report.failures.push(`case ${number} was answered ${status}`);
  }
  if (hung) report.failures.push(`case ${number} hung`);
}

async function send(
  port: number,
  one: Case,
  { rest, closes }: Reading,
): Promise<{ received: string; hung: boolean }> {
  const socket = connect(port, '127.0.0.1').setNoDelay(true);
  let received = '';
  socket.on('data', (chunk: Buffer) => (received += chunk.toString('latin1')));
  socket.on('error', () => undefined);
  for (const piece of one.pieces) {
    if (socket.destroyed) break;
    socket.write(piece, 'latin1');
    await new Promise((resolve) => setImmediate(resolve));
  }
  const limitMs = closes ? HANG_MS : rest === 'unreadable' ? PATIENCE_MS : BREATH_MS;
  const ended = await closesWithin(socket, limitMs);
  if (one.reset) socket.resetAndDestroy();
  else socket.destroy();
  return { received, hung: closes && !ended };
}

async function closesWithin(socket: Socket, limitMs: number): Promise<boolean> {
  if (socket.closed) return true;
  return await new Promise((resolve) => {
    const late = setTimeout(() => resolve(false), limitMs);
    socket.once('close', () => {
      clearTimeout(late);
      resolve(true);
    });
  });
}

/** Everything the cell has seen must have been made, in exactly these words, and no more often. */
function compare(cell: StrictCell, owed: Map<string, number>, report: FuzzReport): void {
  for (const request of cell.seen.splice(0)) {
    report.seen += 1;
    const tenants = request.headers.filter(
      ([name]) => name.toLowerCase().replaceAll('_', '-') === 'x-tenant-id',
    );
    const tenant = tenants.map(([, value]) => value).join(' and ');
    const key = keyOf({ ...request, tenant });
    if ((owed.get(key) ?? 0) < 1) report.failures.push(`nobody made ${JSON.stringify(key.slice(0, 300))}`);
    else count(owed, key, -1);
  }
  report.failures.push(...cell.faults.splice(0).map((fault) => `the cell was sent ${fault}`));
}

function keyOf({ method, target, tenant, body }: Made): string {
  return `${tenant}: ${method} ${target} ${body}`;
}

function count<T>(counts: Map<T, number>, key: T, more: number): void {
  counts.set(key, (counts.get(key) ?? 0) + more);
}
