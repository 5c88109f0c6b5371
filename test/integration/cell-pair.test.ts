// A home and its neighbour, as real cells with real PostgreSQL between them: failover, guests, and the way home.
import { expect, test } from 'vitest';
import {
  HOME,
  NEIGHBOUR,
  awayRule,
  bringToBoth,
  healthOf,
  ruleOfHome,
  send,
  sharedCellPair,
  untilRows,
} from '../support/cell-pair.ts';
import { bringRule } from '../support/cell.ts';
import { ask } from '../support/cell-database.ts';
import { until } from '../support/wait.ts';

const shared = sharedCellPair();
/** Each test brings rules of its own, newer than those before. */
let epoch = 1;

const next = (): number => (epoch += 1);
const tea = { item: 'tea', quantity: 1 };

async function sendHome(): Promise<void> {
  await bringToBoth(shared.now, ruleOfHome({ epoch: next(), shareBefore: 100 }));
}
async function sendAway(): Promise<void> {
  await bringToBoth(shared.now, awayRule(next()));
}

async function placeAtHome(key: string): Promise<string> {
  const { status, body } = await send(shared.now.home, 'POST', '/orders', {
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
  const { standbys } = await healthOf(shared.now.neighbour);
  expect(standbys).toEqual({
    [HOME]: { state: 'synced', lagBytes: expect.any(Number), lagSeconds: expect.any(Number) },
  });
});

test('a guest finds what it wrote at home, and writes; all of it is at home afterwards', async () => {
  const id = await placeAtHome('before');
  await arrives(shared.now.standbyUrl, id);
  await sendAway();
  expect((await send(shared.now.neighbour, 'GET', `/orders/${id}`)).status).toBe(200);
  const placed = await send(shared.now.neighbour, 'POST', '/orders', { body: tea });
  expect(placed.status).toBe(201);
  await arrives(shared.now.homeUrl, String(placed.body['id']));
  await sendHome();
  expect((await send(shared.now.home, 'GET', `/orders/${String(placed.body['id'])}`)).status).toBe(200);
});

test('a key that was sent at home and again to the neighbour is one order', async () => {
  const id = await placeAtHome('once');
  await arrives(shared.now.standbyUrl, id);
  await sendAway();
  const again = await send(shared.now.neighbour, 'POST', '/orders', {
    body: tea,
    headers: { 'idempotency-key': 'once' },
  });
  expect([again.body['id'], again.headers.get('idempotency-replayed')]).toEqual([id, 'true']);
  await sendHome();
});

test('a home that no router has told is refused by what its neighbour wrote', async () => {
  const rule = awayRule(next());
  await bringRule(shared.now.neighbour.url, rule);
  await untilRows(shared.now.homeUrl, 'select epoch from rules', ([row]) => Number(row?.['epoch']) === epoch);
  const refused = await send(shared.now.home, 'POST', '/orders', {
    body: tea,
    headers: { 'x-cell-epoch': String(epoch - 1) },
  });
  expect([refused.status, refused.body]).toEqual([421, { epoch }]);
  expect((await send(shared.now.home, 'GET', '/orders')).status).toBe(421);
  await sendHome();
});

test('the losing cell answers a closing rule with a position, the gaining one once it has it', async () => {
  const id = await placeAtHome('last');
  const closing = awayRule(next(), { phase: 'closing', state: 'drained', operation: 7 });
  const { position = '' } = await bringRule(shared.now.home.url, closing);
  expect(position).toMatch(/^\d+\/[0-9A-F]+\/[0-9A-F]+$/);
  expect((await send(shared.now.home, 'GET', `/orders/${id}`)).status).toBe(421);
  expect(await bringRule(shared.now.neighbour.url, { ...closing, position })).toEqual({ home: HOME, epoch });
  expect(await ask(shared.now.standbyUrl, 'select id from orders where id = $1', [id])).toEqual([{ id }]);
  await sendHome();
});

test('a position on the way home is that of the neighbour', async () => {
  await sendAway();
  const placed = await send(shared.now.neighbour, 'POST', '/orders', { body: tea });
  const closing = ruleOfHome({
    epoch: next(),
    phase: 'closing',
    state: 'returning',
    shareBefore: 100,
    operation: 8,
  });
  const { position = '' } = await bringRule(shared.now.neighbour.url, closing);
  await bringRule(shared.now.home.url, { ...closing, position });
  expect(await ask(shared.now.homeUrl, 'select from orders where id = $1', [placed.body['id']])).toHaveLength(
    1,
  );
  await sendHome();
});

test('what follows from a guest’s order is done next door, and once', async () => {
  await sendAway();
  const { body } = await send(shared.now.neighbour, 'POST', '/orders', { body: tea });
  const done = `select kind, cell from effects where order_id = '${String(body['id'])}' order by kind`;
  const both = [
    { kind: 'confirm', cell: NEIGHBOUR },
    { kind: 'email', cell: NEIGHBOUR },
  ];
  await untilRows(shared.now.homeUrl, done, (rows) => rows.length === 2);
  expect([await ask(shared.now.homeUrl, done), await ask(shared.now.standbyUrl, done)]).toEqual([both, both]);
  await sendHome();
  expect(await ask(shared.now.homeUrl, 'select from pending')).toEqual([]);
});

test('a home whose neighbour is asked for nothing says that it is caught up', async () => {
  await until('it is caught up', async () => (await healthOf(shared.now.home)).caughtUp === true);
});

test('a home is up and writes while its neighbour is dead, which has all of it afterwards', async () => {
  await shared.now.neighbour.kill('SIGTERM');
  const id = await placeAtHome('alone');
  await shared.now.restart('neighbour');
  await bringRule(shared.now.neighbour.url, ruleOfHome({ epoch }));
  await arrives(shared.now.standbyUrl, id);
});

test('the lag stands as it was when a home is gone, also after a restart next door', async () => {
  await untilRows(shared.now.standbyUrl, 'select from looks', (rows) => rows.length === 1);
  await shared.now.home.kill('SIGTERM');
  expect((await healthOf(shared.now.neighbour)).standbys[HOME]).toMatchObject({ state: 'synced' });
  await shared.now.neighbour.kill();
  await shared.now.restart('neighbour');
  await until(
    'the copy is known',
    async () => (await healthOf(shared.now.neighbour)).standbys[HOME]?.state === 'synced',
  );
  await bringRule(shared.now.neighbour.url, awayRule(next()));
  expect((await send(shared.now.neighbour, 'POST', '/orders', { body: tea })).status).toBe(201);
  await shared.now.restart('home');
  await sendHome();
});
