// A client's write until it is clear: what the ledger holds after each way in which a request can end.
import { expect, test } from 'vitest';
import { Random } from '../../../../loadtest/bench/wire-random.ts';
import type { Answer, Call } from '../../../../loadtest/durability/calls.ts';
import type { Acknowledged, Entry } from '../../../../loadtest/durability/ledger.ts';
import { cancel, create, update, type Desk } from '../../../../loadtest/durability/writes.ts';

function answer(status: number, order: Partial<NonNullable<Answer['order']>> | null = null): Answer {
  const whole = { id: 'id-1', epoch: 1, version: 1, quantity: 1, cancelled: false, ...order };
  return {
    startedMs: 0,
    endedMs: 1,
    status,
    cell: 'cell-a',
    order: order === null ? null : whole,
    error: null,
  };
}

/** A desk at which these answers come in turn, and then it is over; `asked` are the calls. */
function deskWith(answers: Answer[]): { desk: Desk; asked: Call[]; waits: number[] } {
  const asked: Call[] = [];
  const waits: number[] = [];
  const left = [...answers];
  const desk: Desk = {
    random: new Random(1),
    ask: async (call) => {
      asked.push(call);
      return left.shift() ?? answer(503);
    },
    isOver: () => left.length === 0,
    waited: (_home, ms) => waits.push(ms),
  };
  return { desk, asked, waits };
}

const first: Acknowledged = { epoch: 1, version: 1, quantity: 1, cancelled: false, atMs: 0, base: null };

function entry(change: Partial<Entry> = {}): Entry {
  const names = { tenant: 't', home: 'cell-a', key: 'key-1', item: 'item-1', id: 'id-1' };
  return { ...names, acknowledged: [first], unclear: [], ...change };
}

const created = (): Entry => entry({ id: null, acknowledged: [] });

test('a creation without an answer is sent again with the same key, and acknowledged once', async () => {
  const one = created();
  const { desk, asked, waits } = deskWith([answer(0), answer(503), answer(201, {})]);
  expect(await create(desk, one, 1)).toBe('acknowledged');
  expect(asked.map(({ key }) => key)).toEqual(['key-1', 'key-1', 'key-1']);
  expect([one.id, one.acknowledged.length, one.unclear, waits.length]).toEqual(['id-1', 1, [], 1]);
});

test('a creation that is given up may have happened, and is no acknowledged order', async () => {
  const one = created();
  expect(await create(deskWith([answer(0)]).desk, one, 1)).toBe('given up');
  expect([one.id, one.acknowledged, one.unclear]).toEqual([null, [], [{ quantity: 1, cancelled: false }]]);
});

test('an update is made over the version that was acknowledged last, and says so', async () => {
  const one = entry();
  const { desk, asked } = deskWith([answer(200, { version: 2, quantity: 5 })]);
  expect(await update(desk, one, 5)).toBe('acknowledged');
  expect(asked[0]).toMatchObject({ method: 'PATCH', base: { epoch: 1, version: 1 }, body: { quantity: 5 } });
  expect(one.acknowledged.at(-1)).toMatchObject({ version: 2, quantity: 5 });
  expect(one.acknowledged.at(-1)?.base).toEqual({ epoch: 1, version: 1 });
});

test('an update that met a newer version looks again, and writes over that', async () => {
  const { desk, asked } = deskWith([
    answer(412),
    answer(200, { version: 2 }),
    answer(200, { version: 3, quantity: 5 }),
  ]);
  expect(await update(desk, entry(), 5)).toBe('acknowledged');
  expect(asked.map(({ method, base }) => [method, base?.version])).toEqual([
    ['PATCH', 1],
    ['GET', undefined],
    ['PATCH', 2],
  ]);
});

test('an update that was carried out though nobody answered is known by what is read', async () => {
  const one = entry();
  const { desk } = deskWith([answer(0), answer(412), answer(200, { version: 2, quantity: 5 })]);
  expect(await update(desk, one, 5)).toBe('acknowledged');
  expect(one.acknowledged.at(-1)).toMatchObject({ version: 2, quantity: 5, base: { version: 1 } });
});

test('an update of what is not there is left after a few tries, and did not happen', async () => {
  const one = entry();
  const { desk } = deskWith(Array.from({ length: 9 }, () => answer(404)));
  expect(await update(desk, one, 5)).toBe('gone');
  expect([one.acknowledged, one.unclear]).toEqual([[first], []]);
});

test('an update that may have happened before the order was gone stays unclear', async () => {
  const one = entry();
  const { desk } = deskWith([answer(503), ...Array.from({ length: 9 }, () => answer(404))]);
  expect(await update(desk, one, 5)).toBe('gone');
  expect(one.unclear).toEqual([{ quantity: 5, cancelled: false }]);
});

test('a cancellation is sent until it is acknowledged', async () => {
  const one = entry();
  const { desk, asked } = deskWith([answer(502), answer(200, { version: 2, cancelled: true })]);
  expect(await cancel(desk, one)).toBe('acknowledged');
  expect(asked.map(({ path }) => path)).toEqual(['/orders/id-1/cancel', '/orders/id-1/cancel']);
  expect(one.acknowledged.at(-1)).toMatchObject({ cancelled: true, quantity: 1 });
});
