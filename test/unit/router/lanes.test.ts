// Admission: home first, guests in a bounded lane, tunnels apart.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Role } from '../../../router/choose-cell.ts';
import type { Cell } from '../../../router/fleet/fleet.ts';
import { Lanes } from '../../../router/lanes.ts';

function cells(concurrency: number, tunnels = 10, ids = ['cell-a']): Map<string, Cell> {
  return new Map(
    ids.map((id) => [
      id,
      { id, origin: `http://${id}`, zone: null, capacity: { concurrency, rps: 1, tunnels }, tags: {} },
    ]),
  );
}

function lanesOf(concurrency: number, tunnels = 10): Lanes {
  const lanes = new Lanes();
  lanes.setFleet(cells(concurrency, tunnels));
  return lanes;
}

/** How many get in before the lane is full. */
function fill(lanes: Lanes, role: Role): number {
  let inside = 0;
  while (inside < 10_000 && lanes.enter('cell-a', role, 'acme')) inside += 1;
  return inside;
}

function inside(lanes: Lanes) {
  const [lane] = lanes.inside();
  return lane;
}

test('a cell takes as many of its own tenants’ requests as its concurrency', () => {
  expect(fill(lanesOf(32), 'home')).toBe(32);
});

test('who leaves makes room', () => {
  const lanes = lanesOf(1);
  fill(lanes, 'home');
  lanes.leave('cell-a', 'home', 'acme');
  expect(lanes.enter('cell-a', 'home', 'acme')).toBe(true);
});

test('guests get at most half of a cell, empty as it may be', () => {
  expect(fill(lanesOf(32), 'guest')).toBe(16);
});

test('guests get what the cell’s own tenants leave free, less a sixteenth', () => {
  const lanes = lanesOf(32);
  for (let i = 0; i < 20; i += 1) lanes.enter('cell-a', 'home', 'acme');
  expect(fill(lanes, 'guest')).toBe(10);
});

test('guests do not take what is free in a lull: the cell’s own tenants find it when it is over', () => {
  const lanes = lanesOf(32);
  for (let i = 0; i < 20; i += 1) lanes.enter('cell-a', 'home', 'acme');
  for (let i = 0; i < 20; i += 1) lanes.leave('cell-a', 'home', 'acme');
  expect([fill(lanes, 'guest'), fill(lanes, 'home')]).toEqual([10, 22]);
});

test('with each look guests get more of what the cell’s own tenants have left for good', () => {
  const lanes = lanesOf(32);
  for (let i = 0; i < 20; i += 1) lanes.enter('cell-a', 'home', 'acme');
  for (let i = 0; i < 20; i += 1) lanes.leave('cell-a', 'home', 'acme');
  const rooms = Array.from({ length: 5 }, () => {
    const room = fill(lanes, 'guest');
    for (let i = 0; i < room; i += 1) lanes.leave('cell-a', 'guest', 'acme');
    lanes.adjust('cell-a', false);
    return room;
  });
  expect(rooms).toEqual([10, 13, 16, 16, 16]);
});

test('a guest’s place counts against no home tenant’s share: guests are refused before those', () => {
  const lanes = lanesOf(32);
  lanes.enter('cell-a', 'home', 'bolt');
  for (let i = 0; i < 15; i += 1) lanes.enter('cell-a', 'home', 'acme');
  expect(fill(lanes, 'guest')).toBe(14);
  expect([lanes.enter('cell-a', 'home', 'acme'), lanes.enter('cell-a', 'home', 'acme')]).toEqual([
    true,
    true,
  ]);
});

test('where a home tenant finds the cell full, guests that leave are not followed by others', () => {
  const lanes = lanesOf(32);
  for (let i = 0; i < 16; i += 1) lanes.enter('cell-a', 'home', 'acme');
  expect([fill(lanes, 'guest'), fill(lanes, 'home')]).toEqual([14, 2]);
  lanes.leave('cell-a', 'guest', 'acme');
  expect([lanes.enter('cell-a', 'guest', 'acme'), lanes.enter('cell-a', 'home', 'acme')]).toEqual([
    false,
    true,
  ]);
});

test('guests keep a sixteenth of a cell however busy it is', () => {
  const lanes = lanesOf(32);
  expect(fill(lanes, 'home')).toBe(32);
  expect(fill(lanes, 'guest')).toBe(2);
});

test('the smallest cell has room for one guest', () => {
  expect(fill(lanesOf(1), 'guest')).toBe(1);
});

test('guests in their lane leave the cell’s own tenants at least half', () => {
  const lanes = lanesOf(32);
  fill(lanes, 'guest');
  expect(fill(lanes, 'home')).toBe(16);
});

test('routers divide the capacity between them', () => {
  const lanes = lanesOf(32, 8);
  lanes.setRouters(4);
  expect(fill(lanes, 'home')).toBe(8);
  expect([...Array(9)].map(() => lanes.enterTunnel('cell-a', 'home', 'acme')).filter(Boolean)).toHaveLength(
    2,
  );
});

test('with more routers than capacity each still has room for one', () => {
  const lanes = lanesOf(2);
  lanes.setRouters(5);
  expect(fill(lanes, 'home')).toBe(1);
});

test('a count of no routers changes nothing: the last known one stands', () => {
  const lanes = lanesOf(32);
  lanes.setRouters(2);
  lanes.setRouters(0);
  expect(fill(lanes, 'home')).toBe(16);
});

test('tunnels have a limit of their own and take no room from requests', () => {
  const lanes = lanesOf(4, 2);
  expect([1, 2, 3].map(() => lanes.enterTunnel('cell-a', 'home', 'acme'))).toEqual([true, true, false]);
  expect(fill(lanes, 'home')).toBe(4);
  lanes.leaveTunnel('cell-a', 'home', 'acme');
  expect(lanes.enterTunnel('cell-a', 'home', 'acme')).toBe(true);
});

test('nobody enters a cell that is not in the fleet', () => {
  const lanes = lanesOf(4);
  expect([
    lanes.enter('cell-z', 'home', 'acme'),
    lanes.enter('cell-z', 'guest', 'acme'),
    lanes.enterTunnel('cell-z', 'home', 'acme'),
  ]).toEqual([false, false, false]);
});

test('what is inside stays counted when the fleet changes', () => {
  const lanes = lanesOf(8);
  lanes.enter('cell-a', 'home', 'acme');
  lanes.setFleet(cells(2));
  expect(inside(lanes)).toMatchObject({ home: 1, limit: 2 });
  expect(fill(lanes, 'home')).toBe(1);
});

test('a removed cell is counted until it is empty', () => {
  const lanes = lanesOf(8);
  lanes.enter('cell-a', 'guest', 'acme');
  lanes.setFleet(cells(8, 10, ['cell-b']));
  expect([...lanes.inside()].map(({ cell }) => cell)).toEqual(['cell-a', 'cell-b']);
  lanes.leave('cell-a', 'guest', 'acme');
  lanes.setRouters(2);
  expect([...lanes.inside()].map(({ cell }) => cell)).toEqual(['cell-b']);
});

test('what was not let in is counted by role, and by whether the lane or the tenant’s share of it was full', () => {
  const lanes = lanesOf(4);
  fill(lanes, 'home');
  lanes.enter('cell-a', 'home', 'bolt');
  lanes.leave('cell-a', 'home', 'acme');
  lanes.enter('cell-a', 'home', 'acme');
  fill(lanes, 'guest');
  expect([...lanes.refused()].map(({ role, why, count }) => [role, why, count])).toEqual([
    ['home', 'full', 2],
    ['home', 'share', 1],
    ['guest', 'full', 1],
    ['guest', 'share', 0],
  ]);
});

test('one tenant at home does not touch the share of a guest, nor the other way round', () => {
  const lanes = lanesOf(32);
  fill(lanes, 'home');
  lanes.enter('cell-a', 'home', 'bolt');
  expect(fill(lanes, 'guest')).toBe(2);
});

test('guests get half of the tunnels at most, and the cell’s own tenants all that is left', () => {
  const lanes = lanesOf(10, 8);
  const tunnels = (role: Role, tenants: string): number =>
    tenants
      .repeat(2)
      .split('')
      .filter((tenant) => lanes.enterTunnel('cell-a', role, tenant)).length;
  expect(tunnels('guest', 'abcdefgh')).toBe(4);
  expect(tunnels('home', 'qrstuvwx')).toBe(4);
  lanes.leaveTunnel('cell-a', 'guest', 'a');
  expect([lanes.enterTunnel('cell-a', 'home', 'y'), lanes.enterTunnel('cell-a', 'guest', 'i')]).toEqual([
    true,
    false,
  ]);
});

test('tunnels leave a reserve for others, too', () => {
  const lanes = lanesOf(4, 16);
  lanes.enterTunnel('cell-a', 'home', 'bolt');
  const entered = Array.from({ length: 20 }, () => lanes.enterTunnel('cell-a', 'home', 'acme')).filter(
    Boolean,
  );
  expect(entered).toHaveLength(11);
  expect(lanes.enterTunnel('cell-a', 'home', 'bolt')).toBe(true);
});

test('requests without a tenant count as one tenant’s', () => {
  const lanes = lanesOf(16);
  lanes.enter('cell-a', 'home', 'acme');
  let entered = 0;
  while (lanes.enter('cell-a', 'home', null)) entered += 1;
  expect(entered).toBe(11);
});

test('cells share nothing', () => {
  const lanes = new Lanes();
  lanes.setFleet(cells(4, 4, ['cell-a', 'cell-b']));
  fill(lanes, 'home');
  expect(lanes.enter('cell-b', 'home', 'acme')).toBe(true);
});

test('whatever comes and goes, counts are exact and limits hold', () => {
  const steps = fc.array(fc.constantFrom('home', 'guest', 'tunnel', '-home', '-guest', '-tunnel'), {
    maxLength: 300,
  });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 5 }),
      steps,
      (size, routers, all) => {
        const lanes = lanesOf(size, size);
        lanes.setRouters(routers);
        const limit = Math.max(1, Math.floor(size / routers));
        const floor = Math.max(1, Math.floor(limit / 16));
        const counts = { home: 0, guest: 0, tunnel: 0 };
        for (const step of all) {
          const kind = step.replace('-', '') as keyof typeof counts;
          if (step === kind) {
            const entered =
              kind === 'tunnel'
                ? lanes.enterTunnel('cell-a', 'home', 'acme')
                : lanes.enter('cell-a', kind, 'acme');
            if (entered) counts[kind] += 1;
          } else if (counts[kind] > 0) {
            if (kind === 'tunnel') lanes.leaveTunnel('cell-a', 'home', 'acme');
            else lanes.leave('cell-a', kind, 'acme');
            counts[kind] -= 1;
          }
          const { home, guest, tunnel } = counts;
          expect(inside(lanes)).toMatchObject({ home, guest, tunnels: tunnel, limit });
          expect(home).toBeLessThanOrEqual(limit);
          expect(guest).toBeLessThanOrEqual(Math.max(floor, Math.floor(limit / 2)));
          expect(home + guest).toBeLessThanOrEqual(limit + floor);
          expect(tunnel).toBeLessThanOrEqual(limit);
        }
      },
    ),
  );
});

function pressed(lanes: Lanes, times: number): Lanes {
  for (let i = 0; i < times; i += 1) lanes.adjust('cell-a', true);
  return lanes;
}

test('a cell under pressure is sent less with each look, down to a sixteenth', () => {
  expect(fill(pressed(lanesOf(64), 1), 'home')).toBe(48);
  expect(fill(pressed(lanesOf(64), 2), 'home')).toBe(36);
  expect(fill(pressed(lanesOf(64), 100), 'home')).toBe(4);
});

test('the smallest cell under the greatest pressure still takes one', () => {
  expect(fill(pressed(lanesOf(1), 100), 'home')).toBe(1);
});

test('guests are shed first: under the first pressure they keep only their floor', () => {
  const lanes = pressed(lanesOf(64), 1);
  expect(fill(lanes, 'guest')).toBe(3);
  expect(fill(lanes, 'home')).toBe(45);
});

test('without pressure the lane grows back, and guests get their part again', () => {
  const lanes = pressed(lanesOf(64), 100);
  lanes.adjust('cell-a', false);
  expect(inside(lanes)).toMatchObject({ limit: 8 });
  for (let i = 0; i < 15; i += 1) lanes.adjust('cell-a', false);
  expect(inside(lanes)).toMatchObject({ limit: 64 });
  expect(fill(lanes, 'guest')).toBe(32);
});

test('a cell without pressure is left as it is', () => {
  const lanes = lanesOf(64);
  lanes.adjust('cell-a', false);
  expect(inside(lanes)).toMatchObject({ limit: 64 });
});

test('what is inside may stay when the lane shrinks', () => {
  const lanes = lanesOf(8);
  fill(lanes, 'home');
  pressed(lanes, 100);
  expect(inside(lanes)).toMatchObject({ home: 8, limit: 1 });
  expect(lanes.enter('cell-a', 'home', 'acme')).toBe(false);
});

test('pressure outlives a change of the fleet and of the count of routers', () => {
  const lanes = pressed(lanesOf(64), 1);
  lanes.setRouters(2);
  expect(inside(lanes)).toMatchObject({ limit: 24 });
});

test('a look at a cell that is not in the fleet changes nothing', () => {
  const lanes = lanesOf(4);
  lanes.adjust('cell-z', true);
  expect([...lanes.inside()]).toHaveLength(1);
});

test('requests inside are counted for both roles, tunnels apart', () => {
  const lanes = lanesOf(32);
  lanes.enter('cell-a', 'home', 'acme');
  lanes.enter('cell-a', 'guest', 'acme');
  lanes.enterTunnel('cell-a', 'home', 'acme');
  expect([lanes.insideOf('cell-a'), lanes.insideOf('cell-z')]).toEqual([2, 0]);
});
