// `cellgate plan` against a real router: what it prints, and the exit codes a pipeline goes by.
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { freePort } from '../support/ports.ts';
import { spawnScript, temporaryFolder } from '../support/processes.ts';
import { fleetOf, startRouter, type RunningRouter } from '../support/router.ts';
import { startStubCell, type StubCell } from '../support/stub-cell.ts';
import { until } from '../support/wait.ts';

const folder = temporaryFolder();
let cells: StubCell[];
let router: RunningRouter;

beforeAll(async () => {
  cells = await Promise.all(['cell-a', 'cell-b'].map((id) => startStubCell(id)));
  router = await startRouter(fleetOf(zoned('az-1', 'az-2')));
  await until('the router tells its load', async () => {
    const answer = await fetch(`${router.admin}/v1/plan`);
    return ((await answer.json()) as { routers: { told: number } }).routers.told === 1;
  });
});

afterAll(async () => {
  await router.stop();
  await Promise.all(cells.map((cell) => cell.close()));
  rmSync(folder, { recursive: true });
});

function zoned(...zones: string[]): Record<string, { origin: string; zone: string }> {
  return Object.fromEntries(
    zones.map((zone, i) => [
      `cell-${'abcd'[i]}`,
      { origin: cells[i]?.origin ?? `http://127.0.0.1:${9 + i}`, zone },
    ]),
  );
}

function fileOf(fleet: unknown): string {
  const file = join(folder, 'new.yaml');
  writeFileSync(file, fleet instanceof Uint8Array ? fleet : stringify(fleet));
  return file;
}

async function plan(...args: string[]) {
  const cli = spawnScript('infra/cli.ts', ['plan', ...args], { CELLGATE_ADMIN: router.admin });
  return { code: await cli.exited, out: cli.stdout(), err: cli.stderr() };
}

test('a fleet that bears every loss is exit code 0, and a line a cell', async () => {
  const { code, out, err } = await plan();
  expect([code, err]).toEqual([0, '']);
  expect(out).toMatch(/^cell +zone +load +neighbour +if the cell dies +by weights$/m);
  expect(out).toMatch(/^cell-a +az-1 +0\/s, 0 inside, 0 tunnels +cell-b +0 % +100 %$/m);
  expect(out).toMatch(/^load told by 1 of 1 routers; no violations$/m);
});

test('--json passes on the whole plan', async () => {
  const { code, out } = await plan('--json');
  expect([code, JSON.parse(out)]).toMatchObject([0, { routers: { told: 1, live: 1 }, violations: [] }]);
});

test('a new file that adds a cell shows what moves, and is exit code 0', async () => {
  const file = fileOf({
    cells: zoned('az-1', 'az-2', 'az-3'),
    generations: [{ add: ['cell-a', 'cell-b'] }, { add: ['cell-c'] }],
  });
  const { code, out, err } = await plan('--fleet', file);
  expect([code, err]).toEqual([0, '']);
  expect(out).toMatch(/^21845 of 65536 buckets move$/m);
  expect(out).toMatch(/^joining: cell-c$/m);
  expect(out).toMatch(/^cell-a +cell-c +\d+ +at its cut-over$/m);
  expect(out).toMatch(/^cell-c +- +cell-[ab] +at activation$/m);
});

test('a new file with a violation is exit code 1, and says which', async () => {
  const file = fileOf({
    cells: zoned('az-1', 'az-2'),
    generations: [{ add: ['cell-a', 'cell-b'] }, { remove: ['cell-b'] }],
  });
  const { code, out } = await plan('--fleet', file);
  expect(code).toBe(1);
  expect(out).toMatch(/^cell-a +no-neighbour +nobody stands in for it$/m);
  expect((await plan('--fleet', file, '--json')).code).toBe(1);
});

test('a wrong file is exit code 2, with a line a fault', async () => {
  const { code, out, err } = await plan('--fleet', fileOf({ cells: { 'cell-a': {} }, frobnicate: 1 }));
  expect([code, out]).toEqual([2, '']);
  expect(err).toMatch(/^cells\.cell-a\.origin: /m);
  expect(err).toMatch(/^frobnicate: /m);
  expect(err).toMatch(/^generations: /m);
});

test('a file that can not be read, or sent, is exit code 2', async () => {
  const missing = join(folder, 'missing.yaml');
  const { code, err } = await plan('--fleet', missing);
  expect([code, err]).toEqual([2, `${missing}: can not be read (ENOENT)\n`]);
  expect((await plan('--fleet', fileOf(new Uint8Array([0xff])))).code).toBe(2);
  const large = await plan('--fleet', fileOf(new Uint8Array(8_388_609)));
  expect([large.code, large.err]).toEqual([
    2,
    expect.stringMatching(/: too large \(allowed: 8388608 bytes\)\n$/),
  ]);
});

test('without a router it is exit code 1: nobody could say', async () => {
  const cli = spawnScript('infra/cli.ts', ['plan'], {
    CELLGATE_ADMIN: `http://127.0.0.1:${await freePort()}`,
  });
  expect(await cli.exited).toBe(1);
  expect(cli.stderr()).toMatch(/^no router answers at /);
});
