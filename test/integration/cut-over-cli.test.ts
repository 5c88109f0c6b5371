// `cellgate cut-over` against a real router: what it prints, what it leaves, and how it ends.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startFencedCell, type FencedCell } from '../support/fenced-cell.ts';
import { fileOf, FIRST, JOINING, openMoving, TOKEN, type MovingFleet } from '../support/moving-fleet.ts';
import { spawnScript } from '../support/processes.ts';
import { until } from '../support/wait.ts';

const WHY = ['--reason', 'a new cell', '--owner', 'anna'];
const PINS = { acme: { cell: 'cell-a', settled: false }, bolt: { cell: 'cell-a', settled: false } };

let cells: FencedCell[];
let fleet: MovingFleet;

beforeAll(async () => {
  cells = await Promise.all([...FIRST.add, ...JOINING.add].map((id) => startFencedCell(id)));
  fleet = await openMoving(fileOf(cells, [FIRST, JOINING], PINS));
  await until('all cells are up', async () =>
    (await fleet.cellsNow()).every(({ opinion }) => opinion === 'up'),
  );
});

afterAll(async () => {
  await fleet.stop();
  await Promise.all(cells.map((cell) => cell.close()));
});

async function cellgate(...args: string[]) {
  const env = { CELLGATE_ADMIN: fleet.router.admin, CELLGATE_TOKEN: TOKEN };
  const cli = spawnScript('infra/cli.ts', args, env);
  return { code: await cli.exited, out: cli.stdout(), err: cli.stderr() };
}

async function bucketsOf(cell: string): Promise<number> {
  return (await fleet.cellsNow()).find(({ id }) => id === cell)?.buckets ?? -1;
}

test('what is still to move is among the cells', async () => {
  const { out } = await cellgate('cells');
  expect(out).toMatch(/^cell-a +serving .* 21846, 5462 to cell-d /m);
});

test('named ranges move step by step, and it says what is left', async () => {
  const named = ['--to', 'cell-d', '--buckets', '0-1999,4000', '--step', '1000'];
  const { code, out, err } = await cellgate('cut-over', ...named, ...WHY);
  expect([code, err]).toEqual([0, '']);
  expect(out).toMatch(/^buckets 0-999: \d+ from cell-a, \d+ from cell-b, \d+ from cell-c$/m);
  expect(out).toMatch(/^buckets 1000-1999: /m);
  expect(out).toMatch(/^buckets 4000-4000: /m);
  expect(out).toMatch(/^still to move to cell-d: \d+ from cell-a, \d+ from cell-b, \d+ from cell-c\n$/m);
  expect(await bucketsOf('cell-d')).toBeGreaterThan(300);
});

test('one home alone, as JSON', async () => {
  const { code, out } = await cellgate('cut-over', '--to', 'cell-d', '--from', 'cell-b', '--json', ...WHY);
  expect(code).toBe(0);
  expect(JSON.parse(out)).toEqual({ to: 'cell-d', moved: expect.any(Number) as number, left: {} });
  const { moving } = (await fleet.cellsNow()).find(({ id }) => id === 'cell-b') ?? {};
  expect(moving).toEqual({});
});

test('all that is left, and again, which finds nothing', async () => {
  const all = ['cut-over', '--to', 'cell-d', '--step', '20000', ...WHY];
  expect(await cellgate(...all)).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^buckets 0-19999: .*\nstill to move to cell-d: none\n$/s) as string,
  });
  expect(await bucketsOf('cell-d')).toBe(16_384);
  expect(await cellgate(...all)).toMatchObject({ code: 0, out: 'still to move to cell-d: none\n' });
});

test('tenants by name', async () => {
  const { code, out } = await cellgate('cut-over', '--to', 'cell-a', '--tenants', 'acme,bolt', ...WHY);
  expect([code, out]).toEqual([0, expect.stringMatching(/^acme, bolt: at home in cell-a \(\d moved\)\n$/)]);
  for (const tenant of ['acme', 'bolt']) expect((await fleet.explain(tenant)).home).toBe('cell-a');
});

test.each([
  [['--to', 'cell-z'], 'cell-z is no cell of the fleet'],
  [['--to', 'cell-d', '--from', 'cell-z'], 'cell-z is no cell of the fleet'],
  [['--to', 'cell-d', '--buckets', '9-1'], 'Allowed: ranges as in 0-4095,8192, up to 65535.'],
  [['--to', 'cell-d', '--buckets', '65536'], 'Allowed: ranges as in 0-4095,8192, up to 65535.'],
  [['--to', 'cell-d', '--step', '0'], 'Allowed: 1–65536.'],
  [['--to', 'cell-d', '--tenants', 'acme,'], 'Allowed: names as in acme,globex.'],
  [['--to', 'cell-d', '--tenants', 'acme', '--buckets', '1'], 'cannot be used with'],
  [['--to', 'cell-d', '--tenants', 'acme'], 'acme: the fleet file has no pin to cell-d'],
  [[], "required option '--to <cell>' not specified"],
])('%j is bad input', async (args, message) => {
  const { code, out, err } = await cellgate('cut-over', ...args, ...WHY);
  expect([code, out]).toEqual([2, '']);
  expect(err).toContain(message);
});

test('what can not be cut over now is exit code 1', async () => {
  const [cell] = cells;
  await fleet.give(fileOf(cells, [FIRST, { ...JOINING, settled: true }, { remove: ['cell-d'] }]));
  await cell?.die();
  await until('it is down', async () =>
    (await fleet.cellsNow()).some(({ id, opinion }) => id === 'cell-a' && opinion === 'down'),
  );
  const { code, err } = await cellgate('cut-over', '--to', 'cell-a', ...WHY);
  expect(code).toBe(1);
  expect(err).toMatch(/^the router at \S+ answered 409: /);
});
