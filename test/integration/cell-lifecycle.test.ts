// Cells started, stopped, killed and started again: what survives, and what must not be left behind.
import { once } from 'node:events';
import { access, rm } from 'node:fs/promises';
import { request, type IncomingMessage } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { databasePids } from '../../cell-template/postgres/embedded.ts';
import { signal } from '../../cell-template/postgres/processes.ts';
import {
  runCellToEnd,
  startCell,
  temporaryDataDir,
  type RunningCell,
  type StartOptions,
} from '../support/cell.ts';
import { until } from '../support/wait.ts';

/** An ordinary user that every machine has; initdb wants one that it can look up. */
const NOBODY = 65_534;

const cells: RunningCell[] = [];

afterEach(async () => {
  await Promise.all(cells.splice(0).map((cell) => cell.stop()));
});

async function start(options: Partial<StartOptions> = {}): Promise<RunningCell> {
  const cell = await startCell({ id: 'cell-a', ...options });
  cells.push(cell);
  return cell;
}

async function placeOrder(cell: RunningCell): Promise<void> {
  const answer = await fetch(`${cell.url}/orders`, {
    method: 'POST',
    headers: { 'x-tenant-id': 'acme', 'content-type': 'application/json' },
    body: '{"item":"tea","quantity":1}',
  });
  expect(answer.status).toBe(201);
}

async function countOrders(cell: RunningCell): Promise<number> {
  const answer = await fetch(`${cell.url}/orders`, { headers: { 'x-tenant-id': 'acme' } });
  return ((await answer.json()) as { orders: unknown[] }).orders.length;
}

test('SIGTERM ends the cell with 0 and its database with it', async () => {
  const cell = await start();
  const pids = await databasePids(cell.dataDir);
  expect(pids.length).toBeGreaterThan(1);
  expect(await cell.kill('SIGTERM')).toBe(0);
  expect(await databasePids(cell.dataDir)).toEqual([]);
});

test('SIGINT right after the start leaves no database either', async () => {
  const cell = await start();
  expect(await cell.kill('SIGINT')).toBe(0);
  expect(await databasePids(cell.dataDir)).toEqual([]);
});

/** An order of which the cell has seen the head alone; `finish` sends the body and answers the answer's head. */
async function openOrder(cell: RunningCell): Promise<{ finish(): Promise<IncomingMessage>; abort(): void }> {
  const body = '{"item":"tea","quantity":1}';
  const open = request(`${cell.url}/orders`, {
    method: 'POST',
    headers: {
      'x-tenant-id': 'acme',
      'content-type': 'application/json',
      'content-length': body.length,
      expect: '100-continue',
    },
  });
  open.flushHeaders();
  await once(open, 'continue');
  open.on('error', () => undefined);
  const finish = async (): Promise<IncomingMessage> => {
    open.end(body);
    const [answer] = (await once(open, 'response')) as [IncomingMessage];
    return answer.resume();
  };
  return { finish, abort: () => open.destroy() };
}

async function refusesConnections(cell: RunningCell): Promise<boolean> {
  return fetch(`${cell.url}/health`).then(
    () => false,
    () => true,
  );
}

test('a request in flight at SIGTERM is finished, a new one is refused', async () => {
  const cell = await start();
  const order = await openOrder(cell);
  const exit = cell.kill('SIGTERM');
  await until('the cell accepts no more', () => refusesConnections(cell));
  const { statusCode, headers } = await order.finish();
  expect([statusCode, headers.connection]).toEqual([201, 'close']);
  expect(await exit).toBe(0);
});

test('a second signal ends the cell at once, not with 0, and its database too', async () => {
  const cell = await start();
  const order = await openOrder(cell);
  const exit = cell.kill('SIGTERM');
  await until('the cell accepts no more', () => refusesConnections(cell));
  cell.process.kill('SIGTERM');
  expect(await exit).toBe(1);
  order.abort();
  await until('its database is gone', async () => (await databasePids(cell.dataDir)).length === 0);
});

test('orders survive kill -9, and the next cell adopts the database that was left', async () => {
  const killed = await start();
  await placeOrder(killed);
  const [left] = await databasePids(killed.dataDir);
  await killed.kill('SIGKILL');
  expect((await databasePids(killed.dataDir))[0]).toBe(left);

  const next = await start({ dataDir: killed.dataDir, port: killed.port });
  expect(await countOrders(next)).toBe(1);
  expect((await databasePids(next.dataDir))[0]).toBe(left);
  expect(await next.kill('SIGTERM')).toBe(0);
  expect(await databasePids(next.dataDir)).toEqual([]);
});

test('orders survive kill -9 of the cell and of its database', async () => {
  const killed = await start();
  await placeOrder(killed);
  const pids = await databasePids(killed.dataDir);
  await killed.kill('SIGKILL');
  for (const pid of pids) signal(pid, 'SIGKILL');
  const next = await start({ dataDir: killed.dataDir, port: killed.port });
  expect(await countOrders(next)).toBe(1);
});

test('a second cell on the same data is refused, and the first goes on', async () => {
  const first = await start();
  const { code, stderr } = await runCellToEnd({
    PATH: process.env['PATH'] ?? '',
    CELL_ID: 'cell-b',
    HOST: '127.0.0.1',
    PORT: '0',
    DATA_DIR: first.dataDir,
  });
  expect(stderr).toContain('another cell is running on the same DATA_DIR');
  expect(code).toBe(1);
  await placeOrder(first);
});

test('three cells starting at once each get a database of their own', async () => {
  const all = await Promise.all(['cell-a', 'cell-b', 'cell-c'].map((id) => start({ id })));
  await Promise.all(all.map((cell) => placeOrder(cell)));
  expect(await Promise.all(all.map((cell) => countOrders(cell)))).toEqual([1, 1, 1]);
});

test('a path with a space, a comma and more bytes than a socket path holds is fine', async () => {
  const dataDir = await temporaryDataDir();
  try {
    const cell = await start({ dataDir: `${dataDir}/a b, "c"/${'long'.repeat(25)}` });
    await placeOrder(cell);
    await cell.stop();
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
});

test('a cell on another database than its own starts none', async () => {
  const host = await start({ id: 'cell-a' });
  const url = `postgres://cell@localhost:5432/postgres?host=${encodeURIComponent(`${host.dataDir}/postgres`)}`;
  const guest = await start({ id: 'cell-b', env: { DATABASE_URL: url } });
  await placeOrder(guest);
  expect(await countOrders(host)).toBe(1);
  await expect(access(`${guest.dataDir}/postgres`)).rejects.toThrow('ENOENT');
});

test('a busy port is one line that names it, with exit code 1 and no database left', async () => {
  const squatter = createServer().listen(0, '127.0.0.1');
  await once(squatter, 'listening');
  const { port } = squatter.address() as AddressInfo;
  const dataDir = await temporaryDataDir();
  try {
    const { code, stderr } = await runCellToEnd({
      PATH: process.env['PATH'] ?? '',
      CELL_ID: 'cell-a',
      HOST: '127.0.0.1',
      PORT: String(port),
      DATA_DIR: dataDir,
    });
    expect(stderr).toBe(`cell cell-a cannot start: port ${port} on 127.0.0.1 is in use\n`);
    expect(code).toBe(1);
    expect(await databasePids(dataDir)).toEqual([]);
  } finally {
    squatter.close();
    await rm(dataDir, { recursive: true, force: true });
  }
});

test('a wrong environment names every fault at once and exits 2', async () => {
  const { code, stderr } = await runCellToEnd({ CELL_ID: 'Cell A', PORT: '70000' });
  expect(stderr.trimEnd().split('\n')).toEqual([
    expect.stringMatching(/^CELL_ID: .*allowed: /),
    expect.stringMatching(/^PORT: .*allowed: /),
    expect.stringMatching(/^DATA_DIR: .*allowed: /),
  ]);
  expect(code).toBe(2);
});

test.runIf(process.getuid?.() === 0)('an ordinary user can run a cell too', async () => {
  const cell = await start({ uid: NOBODY, dataDir: await temporaryDataDir(NOBODY) });
  await placeOrder(cell);
  expect(await cell.kill('SIGTERM')).toBe(0);
});

test('the log holds one line that says where the cell listens, and no secret', async () => {
  const cell = await start();
  const lines = cell.output().trimEnd().split('\n');
  const listening = lines
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter(({ port }) => port);
  expect(listening).toEqual([
    expect.objectContaining({ msg: 'cell listening', cell: 'cell-a', port: cell.port }),
  ]);
  expect(cell.output()).not.toContain('postgres://');
});
