// A home and its neighbour, as real cells with real PostgreSQL between them: failover, guests, and the way home.
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  awayRule,
  bringToBoth,
  healthOf,
  HOME,
  NEIGHBOUR,
  ruleOfHome,
  send,
  startCellPair,
  untilRows,
  untilSynced,
  type CellPair,
} from '../support/cell-pair.ts';
import { bringRule } from '../support/cell.ts';
import { ask } from '../support/cell-database.ts';
import { until } from '../support/wait.ts';

let pair: CellPair;
/** Each test brings rules of its own, newer than those before. */
let epoch = 1;

beforeAll(async () => {
  pair = await startCellPair();
  await untilSynced(pair);
  await bringToBoth(pair, ruleOfHome());
});

afterAll(async () => {
  await pair?.stop();
});

const next = (): number => (epoch += 1);
const tea = { item: 'tea', quantity: 1 };

async function sendHome(): Promise<void> {
  await bringToBoth(pair, ruleOfHome({ epoch: next(), shareBefore: 100 }));
}
async function sendAway(): Promise<void> {
  await bringToBoth(pair, awayRule(next()));
}

async function placeAtHome(key: string): Promise<string> {
  const { status, body } = await send(pair.home, 'POST', '/orders', {
    body: tea,
    headers: { 'idempotency-key': key },
  });
  expect(status).toBe(201);
  return String(body['id']);
}

async function arrives(url: string, id: string): Promise<void> {
  await untilRows(url, `select from orders where id = '${id}'`, (rows) => rows.length === 1);
}

test('the neighbour says that its copy is synced, and how far behind', async () => {
  const { standbys } = await healthOf(pair.neighbour);
  expect(standbys).toEqual({
    [HOME]: { state: 'synced', lagBytes: expect.any(Number), lagSeconds: expect.any(Number) },
  });
});

test('a guest finds what it wrote at home, and writes; all of it is at home afterwards', async () => {
  const id = await placeAtHome('before');
  await arrives(pair.standbyUrl, id);
  await sendAway();
  expect((await send(pair.neighbour, 'GET', `/orders/${id}`)).status).toBe(200);
  const placed = await send(pair.neighbour, 'POST', '/orders', { body: tea });
  expect(placed.status).toBe(201);
  await arrives(pair.homeUrl, String(placed.body['id']));
  await sendHome();
  expect((await send(pair.home, 'GET', `/orders/${String(placed.body['id'])}`)).status).toBe(200);
});

test('a key that was sent at home and again to the neighbour is one order', async () => {
  const id = await placeAtHome('once');
  await arrives(pair.standbyUrl, id);
  await sendAway();
  const again = await send(pair.neighbour, 'POST', '/orders', {
    body: tea,
    headers: { 'idempotency-key': 'once' },
  });
  expect([again.body['id'], again.headers.get('idempotency-replayed')]).toEqual([id, 'true']);
  await sendHome();
});

test('a home that no router has told is refused by what its neighbour wrote', async () => {
  const rule = awayRule(next());
  await bringRule(pair.neighbour.url, rule);
  await untilRows(pair.homeUrl, 'select epoch from rules', ([row]) => Number(row?.['epoch']) === epoch);
  const refused = await send(pair.home, 'POST', '/orders', {
    body: tea,
    headers: { 'x-cell-epoch': String(epoch - 1) },
  });
  expect([refused.status, refused.body]).toEqual([421, { epoch }]);
  expect((await send(pair.home, 'GET', '/orders')).status).toBe(421);
  await sendHome();
});

test('the losing cell answers a closing rule with a position, the gaining one once it has it', async () => {
  const id = await placeAtHome('last');
  const closing = awayRule(next(), { phase: 'closing', state: 'drained', operation: 7 });
  const { position = '' } = await bringRule(pair.home.url, closing);
  expect(position).toMatch(/^[0-9A-F]+\/[0-9A-F]+$/);
  expect((await send(pair.home, 'GET', `/orders/${id}`)).status).toBe(421);
  expect(await bringRule(pair.neighbour.url, { ...closing, position })).toEqual({ home: HOME, epoch });
  expect(await ask(pair.standbyUrl, 'select id from orders where id = $1', [id])).toEqual([{ id }]);
  await sendHome();
});

test('a position on the way home is that of the neighbour', async () => {
  await sendAway();
  const placed = await send(pair.neighbour, 'POST', '/orders', { body: tea });
  const closing = ruleOfHome({
    epoch: next(),
    phase: 'closing',
    state: 'returning',
    shareBefore: 100,
    operation: 8,
  });
  const { position = '' } = await bringRule(pair.neighbour.url, closing);
  await bringRule(pair.home.url, { ...closing, position });
  expect(await ask(pair.homeUrl, 'select from orders where id = $1', [placed.body['id']])).toHaveLength(1);
  await sendHome();
});

test('what follows from a guest’s order is done next door, and once', async () => {
  await sendAway();
  const { body } = await send(pair.neighbour, 'POST', '/orders', { body: tea });
  const done = `select kind, cell from effects where order_id = '${String(body['id'])}' order by kind`;
  const both = [
    { kind: 'confirm', cell: NEIGHBOUR },
    { kind: 'email', cell: NEIGHBOUR },
  ];
  await untilRows(pair.homeUrl, done, (rows) => rows.length === 2);
  expect([await ask(pair.homeUrl, done), await ask(pair.standbyUrl, done)]).toEqual([both, both]);
  await sendHome();
  expect(await ask(pair.homeUrl, 'select from pending')).toEqual([]);
});

test('a home whose neighbour is asked for nothing says that it is caught up', async () => {
  await until('it is caught up', async () => (await healthOf(pair.home)).caughtUp === true);
});

test('a home is up and writes while its neighbour is dead, which has all of it afterwards', async () => {
  await pair.neighbour.kill('SIGTERM');
  const id = await placeAtHome('alone');
  await pair.restart('neighbour');
  await bringRule(pair.neighbour.url, ruleOfHome({ epoch }));
  await arrives(pair.standbyUrl, id);
});

test('the lag stands as it was when a home is gone, also after a restart next door', async () => {
  await untilRows(pair.standbyUrl, 'select from looks', (rows) => rows.length === 1);
  await pair.home.kill('SIGTERM');
  expect((await healthOf(pair.neighbour)).standbys[HOME]).toMatchObject({ state: 'synced' });
  await pair.neighbour.kill();
  await pair.restart('neighbour');
  await until(
    'the copy is known',
    async () => (await healthOf(pair.neighbour)).standbys[HOME]?.state === 'synced',
  );
  await bringRule(pair.neighbour.url, awayRule(next()));
  expect((await send(pair.neighbour, 'POST', '/orders', { body: tea })).status).toBe(201);
  await pair.restart('home');
  await sendHome();
});
