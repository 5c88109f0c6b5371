// Who waits for room in a cell: tried once for all that left, and no more of them than there is room for.
import { expect, test } from 'vitest';
import { Crowds } from '../../../../router/forward/crowds.ts';
import type { Delivery } from '../../../../router/forward/delivery.ts';

const QUEUE = 'moving:cell-a';

/** `free`: places in the cell; `tried` counts who was asked to find one. */
function crowdOf(
  tenants: readonly string[],
  free: number,
  mayEnter: (tenant: string) => boolean = () => true,
) {
  const world = { free, tried: [] as string[], wakes: 0 };
  const waiting = tenants.map((tenant) => {
    const exchange = { kind: 'request' };
    return { tenant, home: 'cell-a', crowded: true, exchange } as unknown as Delivery;
  });
  const place = (delivery: Delivery): boolean => {
    world.tried.push(delivery.tenant);
    if (world.free === 0 || !mayEnter(delivery.tenant)) return false;
    world.free -= 1;
    delivery.crowded = false;
    return true;
  };
  const holds = {
    wake(queue: string, concerns: (delivery: Delivery) => boolean = () => true) {
      expect(queue).toBe(QUEUE);
      world.wakes += 1;
      for (const one of Array.from(waiting))
        if (concerns(one) && place(one)) waiting.splice(waiting.indexOf(one), 1);
    },
  };
  const crowds = new Crowds(holds, { hasRoom: () => world.free > 0 }, () => 'cell-b');
  crowds.waits('cell-b', QUEUE);
  return { crowds, world, waiting };
}

async function turnsOver(): Promise<void> {
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
}

test('all that leave in one turn are one look at the queue', async () => {
  const { crowds, world } = crowdOf(['acme', 'bolt', 'core'], 2);
  for (let i = 0; i < 5; i += 1) crowds.left('cell-b');
  await turnsOver();
  expect(world).toMatchObject({ wakes: 1, tried: ['acme', 'bolt'] });
  crowds.left('cell-b');
  await turnsOver();
  expect(world.wakes).toBe(2);
});

test('what leaves another cell is no look at it', async () => {
  const { crowds, world } = crowdOf(['acme'], 1);
  crowds.left('cell-c');
  await turnsOver();
  expect(world.wakes).toBe(0);
});

test('a tenant that has its share is tried once, and the others behind it are', async () => {
  const { crowds, world, waiting } = crowdOf(['noisy', 'noisy', 'noisy', 'calm'], 9, (one) => one === 'calm');
  crowds.left('cell-b');
  await turnsOver();
  expect(world.tried).toEqual(['noisy', 'calm']);
  expect(waiting).toHaveLength(3);
});

test('where nobody waits any more, nothing is looked at again', async () => {
  const { crowds, world } = crowdOf(['acme'], 3);
  for (let i = 0; i < 3; i += 1) {
    crowds.left('cell-b');
    await turnsOver();
  }
  expect(world).toMatchObject({ wakes: 2, tried: ['acme'] });
});
