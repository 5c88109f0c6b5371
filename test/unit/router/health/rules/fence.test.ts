// The fence against real cells: who is told which rule, and what becomes of one that is not taken.
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { Fence } from '../../../../../router/health/rules/fence.ts';
import { initialRecord } from '../../../../../router/health/record.ts';
import { startFencedCell, type FencedCell } from '../../../../support/fenced-cell.ts';
import { awayRecord } from '../../../../support/machine.ts';
import { freePort } from '../../../../support/ports.ts';
import { until } from '../../../../support/wait.ts';
import { plainNetwork } from '../../../../support/network.ts';

const TOKEN = 'a-secret-of-cells';
const AWAY = awayRecord('cell-a', 'cell-b', 4);

type Line = { level: number; msg: string; status?: number };

function fenceOf(token: string | null = TOKEN): { fence: Fence; lines: Line[] } {
  const lines: Line[] = [];
  const log = pino({ level: 'trace' }, { write: (line: string) => lines.push(JSON.parse(line) as Line) });
  const fence = new Fence(token, plainNetwork(), log);
  onTestFinished(async () => {
    await fence.close();
    expect(JSON.stringify(lines)).not.toContain(TOKEN);
  });
  return { fence, lines };
}

async function cell(id: string, token: string | null = TOKEN): Promise<FencedCell> {
  const started = await startFencedCell(id, token);
  onTestFinished(async () => await started.close());
  return started;
}

test('a rule is brought with the token, and without what is not the cell’s business', async () => {
  const [{ fence }, b] = [fenceOf(), await cell('cell-b')];
  fence.learn('cell-b', b.origin, {});
  await fence.deliver({ ...AWAY, since: 1, cause: 'unreachable' }, 'cell-b');
  const { since: _, cause: __, returned: ___, relapses: ____, undone: _____, ...more } = AWAY;
  const { handover: ______, ...rule } = more;
  expect(b.brought).toEqual([{ rule, authorization: `Bearer ${TOKEN}` }]);
});

test('without a token none is sent', async () => {
  const [{ fence }, b] = [fenceOf(null), await cell('cell-b', null)];
  fence.learn('cell-b', b.origin, {});
  await fence.deliver(AWAY, 'cell-b');
  expect(b.brought).toMatchObject([{ authorization: undefined }]);
});

test('however many ask at once, a rule is brought once', async () => {
  const [{ fence }, b] = [fenceOf(), await cell('cell-b')];
  fence.learn('cell-b', b.origin, {});
  await Promise.all(Array.from({ length: 20 }, async () => await fence.deliver(AWAY, 'cell-b')));
  expect(b.brought).toHaveLength(1);
  await fence.deliver(AWAY, 'cell-b');
  expect(b.brought).toHaveLength(2);
});

test('both cells of a pair are told, and no third', async () => {
  const { fence } = fenceOf();
  const cells = await Promise.all(['cell-a', 'cell-b', 'cell-c'].map(async (id) => await cell(id)));
  for (const one of cells) fence.learn(one.id, one.origin, {});
  fence.bring([AWAY]);
  await until('both are told', () => cells[0]?.rules.size === 1 && cells[1]?.rules.size === 1);
  expect(cells[2]?.brought).toEqual([]);
});

test('only a cell with an older epoch is told, or with none', async () => {
  const { fence } = fenceOf();
  const [a, b] = await Promise.all([cell('cell-a'), cell('cell-b')]);
  const others = [awayRecord('cell-c', 'cell-b', 4), awayRecord('cell-d', 'cell-b', 4)];
  fence.learn('cell-a', a.origin, { 'cell-a': 5 });
  fence.learn('cell-b', b.origin, { 'cell-a': 4, 'cell-c': 3 });
  fence.bring([AWAY, ...others]);
  await until('the older ones are told', () => b.brought.length === 2);
  expect(b.brought.map(({ rule }) => rule.home).sort()).toEqual(['cell-c', 'cell-d']);
  expect(a.brought).toEqual([]);
});

test('a rule that was taken is not brought again, until the cell knows less than that', async () => {
  const [{ fence }, b] = [fenceOf(), await cell('cell-b')];
  fence.learn('cell-b', b.origin, {});
  await fence.deliver(AWAY, 'cell-b');
  fence.bring([AWAY]);
  fence.bring([awayRecord('cell-z', 'cell-b', 2)]);
  await until('the other rule is there', () => b.rules.has('cell-z'));
  expect(b.brought).toHaveLength(2);
  fence.learn('cell-b', b.origin, {});
  fence.bring([AWAY]);
  await until('it is told again', () => b.brought.length === 3);
});

test('a cell of contract level 0 gets nothing', async () => {
  const [{ fence }, b] = [fenceOf(), await cell('cell-b')];
  fence.learn('cell-b', b.origin, null);
  expect(fence.isFenced('cell-b')).toBe(false);
  fence.bring([AWAY]);
  await fence.deliver(AWAY, 'cell-b');
  expect(b.brought).toEqual([]);
});

test('a cell that was fenced and no longer is gets nothing any more', async () => {
  const [{ fence }, b] = [fenceOf(), await cell('cell-b')];
  fence.learn('cell-b', b.origin, {});
  fence.learn('cell-b', b.origin, null);
  await fence.deliver(AWAY, 'cell-b');
  expect([fence.isFenced('cell-b'), b.brought]).toEqual([false, []]);
});

test('a home without a neighbour has its rule brought to itself', async () => {
  const [{ fence }, a] = [fenceOf(), await cell('cell-a')];
  fence.learn('cell-a', a.origin, {});
  fence.bring([initialRecord('cell-a', null)]);
  await until('it is told', () => a.rules.has('cell-a'));
});

test('a cell that moved is told at its new origin', async () => {
  const { fence } = fenceOf();
  const [old, moved] = await Promise.all([cell('cell-b'), cell('cell-b')]);
  fence.learn('cell-b', old.origin, {});
  await fence.deliver(AWAY, 'cell-b');
  fence.learn('cell-b', moved.origin, {});
  fence.bring([AWAY]);
  await until('it is told there', () => moved.rules.has('cell-a'));
  await until('the old connections are closed', () => old.sockets.size === 0);
});

test('what a cell says of a rule that it took is answered', async () => {
  const [{ fence }, b] = [fenceOf(), await cell('cell-b')];
  fence.learn('cell-b', b.origin, {});
  expect(await fence.deliver(AWAY, 'cell-b')).toEqual({ epoch: 4, position: null });
  b.show([awayRecord('cell-a', 'cell-b', 9)]);
  expect(await fence.deliver(AWAY, 'cell-b')).toEqual({ epoch: 9, position: null });
});

test('a losing cell’s position is answered, and a gaining one is brought it', async () => {
  const [{ fence }, b] = [fenceOf(), await cell('cell-b')];
  b.position = '0/17';
  fence.learn('cell-b', b.origin, {});
  const closing = { ...AWAY, phase: 'closing' } as const;
  expect(await fence.deliver(closing, 'cell-b')).toEqual({ epoch: 4, position: '0/17' });
  await fence.deliver(closing, 'cell-b', { position: '0/99' });
  expect(b.brought.map(({ rule }) => rule.position)).toEqual([null, '0/99']);
});

test.each<[string, unknown]>([
  ['nothing that can be read', 'well'],
  ['nothing of its epoch', { home: 'cell-a' }],
  ['of another home', { home: 'cell-z', epoch: 4 }],
  ['a position beyond measure', { home: 'cell-a', epoch: 4, position: 'x'.repeat(1_025) }],
])('a cell that took a rule and says %s has not said that it took it', async (_, said) => {
  const [{ fence }, b] = [fenceOf(), await cell('cell-b')];
  b.scripts.set('/.cellgate/serving', (_, response) => response.end(JSON.stringify(said)));
  fence.learn('cell-b', b.origin, {});
  expect(await fence.deliver(AWAY, 'cell-b')).toBeNull();
});

test('a cell is known to take no rules only once it has answered so', async () => {
  const [{ fence }, b] = [fenceOf(), await cell('cell-b')];
  expect(fence.isUnfenced('cell-b')).toBe(false);
  fence.learn('cell-b', b.origin, null);
  expect(fence.isUnfenced('cell-b')).toBe(true);
  fence.learn('cell-b', b.origin, {});
  expect(fence.isUnfenced('cell-b')).toBe(false);
});

test('a rule that is refused is told to operators, and brought again at the next health answer', async () => {
  const [{ fence, lines }, b] = [fenceOf(), await cell('cell-b', 'another')];
  fence.learn('cell-b', b.origin, {});
  await fence.deliver(AWAY, 'cell-b');
  expect(lines).toMatchObject([{ level: 40, msg: 'cell refused a rule', status: 401 }]);
  fence.learn('cell-b', b.origin, {});
  fence.bring([AWAY]);
  await until('it is brought again', () => b.brought.length === 2);
});

test('a cell that is gone is no error: it is told when it answers again', async () => {
  const { fence, lines } = fenceOf();
  fence.learn('cell-b', `http://127.0.0.1:${await freePort()}`, {});
  await fence.deliver(AWAY, 'cell-b');
  expect(lines).toMatchObject([{ level: 20, msg: 'rule not delivered' }]);
});

test.each([
  ['never answers', null],
  ['never ends its answer', 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nx'],
  [
    'answers without an end in sight',
    `HTTP/1.1 200 OK\r\ncontent-length: 900000\r\n\r\n${'x'.repeat(400_000)}`,
  ],
  ['speaks something else', '220 mail.test ESMTP\r\n'],
])('bringing a rule to a cell that %s ends all the same', async (_, reply) => {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket.on('error', () => undefined));
    if (reply !== null) socket.once('data', () => socket.write(reply));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { fence } = fenceOf();
  fence.learn('cell-b', `http://127.0.0.1:${(server.address() as AddressInfo).port}`, {});
  await fence.deliver(AWAY, 'cell-b');
});

test('closing ends what is under way, and nothing is brought after it', async () => {
  const [{ fence }, b] = [fenceOf(), await cell('cell-b')];
  b.scripts.set('/.cellgate/serving', () => undefined);
  fence.learn('cell-b', b.origin, {});
  const pending = fence.deliver(AWAY, 'cell-b');
  await until('it is under way', () => b.sockets.size > 0);
  await fence.close();
  await pending;
  await fence.deliver(AWAY, 'cell-b');
  await until('no connection is left', () => b.sockets.size === 0);
});
