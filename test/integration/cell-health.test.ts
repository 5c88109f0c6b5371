// What a cell says of itself while its PostgreSQL is well, frozen or killed.
import { afterEach, expect, test } from 'vitest';
import { databasePids } from '../../cell-template/postgres/embedded.ts';
import { signal as sendSignal } from '../../cell-template/postgres/processes.ts';
import { startCell, type RunningCell, type StartOptions } from '../support/cell.ts';
import { until } from '../support/wait.ts';

const cells: RunningCell[] = [];

afterEach(async () => {
  await Promise.all(cells.splice(0).map((cell) => cell.stop()));
});

async function start(options: Partial<StartOptions> = {}): Promise<RunningCell> {
  const cell = await startCell({ id: 'cell-a', ...options });
  cells.push(cell);
  return cell;
}

const order = {
  method: 'POST',
  headers: { 'x-tenant-id': 'acme', 'content-type': 'application/json' },
  body: '{"item":"tea","quantity":1}',
};

async function signalDatabase(cell: RunningCell, signal: NodeJS.Signals): Promise<number[]> {
  const pids = await databasePids(cell.dataDir);
  for (const pid of pids) sendSignal(pid, signal);
  return pids;
}

test('a healthy cell says who it is and that its database answered', async () => {
  const cell = await start({ env: { CELL_VERSION: '7.1.0' } });
  const answer = await fetch(`${cell.url}/health`);
  expect(answer.status).toBe(200);
  expect(await answer.json()).toEqual({
    cell: 'cell-a',
    version: '7.1.0',
    status: expect.stringMatching(/^(ok|degraded)$/),
    checks: {
      database: { status: expect.stringMatching(/^(ok|degraded)$/), latencyMs: expect.any(Number) },
    },
    standbys: {},
    epochs: { 'cell-a': 1 },
    rules: { 'cell-a': expect.objectContaining({ home: 'cell-a', epoch: 1 }) },
  });
});

test('a frozen database makes the cell say 503 down, and 200 when it goes on', async () => {
  const cell = await start();
  const frozen = await signalDatabase(cell, 'SIGSTOP');
  const answer = await fetch(`${cell.url}/health`);
  expect(answer.status).toBe(503);
  expect(await answer.json()).toMatchObject({
    status: 'down',
    checks: { database: { status: 'down', latencyMs: null } },
  });
  for (const pid of frozen) sendSignal(pid, 'SIGCONT');
  await until('the cell is healthy again', async () => (await fetch(`${cell.url}/health`)).ok);
});

test('an order that meets a frozen database is refused with 503, not left hanging', async () => {
  const cell = await start();
  await signalDatabase(cell, 'SIGSTOP');
  const answer = await fetch(`${cell.url}/orders`, order);
  expect(answer.status).toBe(503);
  expect(answer.headers.get('retry-after')).toBe('1');
  expect(await answer.json()).toMatchObject({ code: 'database-unavailable' });
});

test('a cell whose database is frozen still stops, and leaves no process', async () => {
  const cell = await start();
  const pids = await signalDatabase(cell, 'SIGSTOP');
  expect(await cell.kill('SIGTERM')).toBe(0);
  await until('no process of the database is left', () => pids.every((pid) => !isAlive(pid)));
});

test('a killed database is started again with its orders, without a restart of the cell', async () => {
  const cell = await start();
  await fetch(`${cell.url}/orders`, order);
  const [postmaster = 0] = await databasePids(cell.dataDir);
  process.kill(postmaster, 'SIGKILL');
  await until('another PostgreSQL runs', async () => {
    const [now] = await databasePids(cell.dataDir);
    return now !== undefined && now !== postmaster;
  });
  await until('the cell is healthy again', async () => (await fetch(`${cell.url}/health`)).ok);
  const answer = await fetch(`${cell.url}/orders`, { headers: { 'x-tenant-id': 'acme' } });
  expect(await answer.json()).toMatchObject({ orders: [{ item: 'tea' }] });
  expect(cell.process.exitCode).toBeNull();
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
