// Who was in flight when a cell was lost, as one router tells it.
import { expect, test } from 'vitest';
import { DeathWatch, type Inside } from '../../../../../router/health/cells/death-watch.ts';
import type { InFlight } from '../../../../../router/health/verdicts/suspects.ts';
import { until } from '../../../../support/wait.ts';

const WINDOW_MS = 1_000;
const LOST = { id: 'cell-a', state: 'down', unreachable: true } as const;
const ILL = { id: 'cell-a', state: 'down', unreachable: false } as const;
const UP = { id: 'cell-a', state: 'up', unreachable: false } as const;

function one(tenant: string, again = false): InFlight {
  return { home: 'cell-a', tenant, again };
}

class Scene {
  nowMs = 5_000;
  inside: Inside | Promise<Inside> = [];
  gathered = 0;
  readonly watch = new DeathWatch(
    WINDOW_MS,
    () => this.inside,
    () => (this.gathered += 1),
    () => this.nowMs,
  );

  /** The tenants of the deaths that are to be told. */
  get told(): string[][] {
    return (this.watch.pending?.deaths ?? []).map(({ tenants }) => tenants.map(({ tenant }) => tenant));
  }
}

test('nothing is to be told while no cell is lost', () => {
  const { watch } = new Scene();
  watch.broke('cell-a', one('acme'));
  expect([watch.look(UP), watch.look(ILL), watch.pending]).toEqual([false, false, undefined]);
});

test('a cell that is lost had those in it whose sendings broke shortly before, and those that are still inside', () => {
  const scene = new Scene();
  scene.watch.broke('cell-a', one('early'));
  scene.nowMs += WINDOW_MS + 1;
  scene.watch.broke('cell-a', one('acme'));
  scene.watch.broke('cell-b', one('bolt'));
  scene.inside = [one('core'), one('acme', true)];
  expect(scene.watch.look(LOST)).toBe(true);
  expect(scene.watch.pending).toEqual({
    deaths: [
      expect.objectContaining({
        cell: 'cell-a',
        many: false,
        tenants: [one('acme', true), one('core')],
      }),
    ],
    failing: [],
  });
});

test('a death is told once, and the next one after the cell was up', () => {
  const scene = new Scene();
  scene.watch.look(ILL);
  expect([scene.watch.look(LOST), scene.watch.look(LOST)]).toEqual([true, false]);
  // One good probe, and then a bad one: it was never found up in between.
  scene.watch.look(ILL);
  expect(scene.watch.look(LOST)).toBe(false);
  scene.watch.look(UP);
  expect(scene.watch.look(LOST)).toBe(true);
});

test('who was in flight at one death is not for that in flight at the next', () => {
  const scene = new Scene();
  scene.watch.broke('cell-a', one('acme'));
  scene.watch.look(LOST);
  scene.watch.look(UP);
  scene.watch.look(LOST);
  expect(scene.told).toEqual([['acme'], []]);
});

test('what is to be told stays so until the store has taken it', () => {
  const scene = new Scene();
  scene.watch.look(LOST);
  const first = scene.watch.pending;
  scene.watch.failsAlone({ cell: 'cell-b', home: 'cell-b', tenant: 'bolt' });
  scene.watch.told(first);
  expect(scene.watch.pending).toEqual({
    deaths: [],
    failing: [expect.objectContaining({ cell: 'cell-b', tenant: 'bolt' })],
  });
  scene.watch.told(scene.watch.pending);
  expect(scene.watch.pending).toBe(undefined);
});

test('what could not be told for long is told no more', () => {
  const scene = new Scene();
  scene.watch.look(LOST);
  scene.nowMs += 10_000;
  expect(scene.watch.pending).toBe(undefined);
});

test('of a death with too many tenants only that is told', () => {
  const scene = new Scene();
  for (let i = 0; i < 300; i += 1) scene.watch.broke('cell-a', one(`t${i}`));
  scene.watch.look(LOST);
  expect(scene.watch.pending?.deaths).toMatchObject([{ many: true, tenants: [] }]);
});

test('a request that was in another cell before is remembered though another of its tenant’s breaks after it', () => {
  const scene = new Scene();
  scene.watch.broke('cell-a', one('acme', true));
  scene.watch.broke('cell-a', one('acme'));
  scene.watch.look(LOST);
  expect(scene.watch.pending?.deaths[0]?.tenants).toEqual([one('acme', true)]);
});

test('where others have to be asked who is inside, a death is told once they have answered', async () => {
  const scene = new Scene();
  const { watch } = scene;
  watch.broke('cell-a', one('acme'));
  let answer: (inside: Inside) => void = () => undefined;
  scene.inside = new Promise((resolve) => (answer = resolve));
  expect(watch.look(LOST)).toBe(false);
  expect([watch.pending, watch.isGathering('cell-a'), watch.isGathering('cell-b')]).toEqual([
    undefined,
    true,
    false,
  ]);
  // What broke until they answered was inside, too.
  watch.broke('cell-a', one('bolt'));
  answer([one('core')]);
  await until('it is worth telling', () => scene.gathered === 1);
  expect(watch.isGathering('cell-a')).toBe(false);
  expect(scene.told).toEqual([['acme', 'bolt', 'core']]);
});

test('where nobody can say who is inside, nobody is accused', async () => {
  const scene = new Scene();
  scene.watch.broke('cell-a', one('acme'));
  scene.inside = Promise.resolve(null);
  scene.watch.look(LOST);
  await until('it is worth telling', () => scene.gathered === 1);
  expect(scene.watch.pending?.deaths).toMatchObject([{ many: true, tenants: [] }]);
});
