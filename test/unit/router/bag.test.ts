// A bag of what is under way: what is in it, whatever comes and goes, also while it is looked through.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { Bag, type InBag } from '../../../router/bag.ts';

type Item = InBag & { name: number };

function item(name: number): Item {
  return { name, inBagAt: -1 };
}

test('it holds what a Set would, whatever is added and deleted in whatever order', () => {
  const steps = fc.array(fc.tuple(fc.boolean(), fc.nat(9)), { maxLength: 60 });
  fc.assert(
    fc.property(steps, (done) => {
      const items = Array.from({ length: 10 }, (_, name) => item(name));
      const [bag, set] = [new Bag<Item>(), new Set<Item>()];
      for (const [adds, name] of done) {
        const one = items[name];
        if (one === undefined) continue;
        for (const held of [bag, set]) {
          if (adds) held.add(one);
          else held.delete(one);
        }
      }
      expect(new Set(bag)).toEqual(set);
      expect([bag.size, items.map((one) => bag.has(one))]).toEqual([
        set.size,
        items.map((one) => set.has(one)),
      ]);
    }),
  );
});

test('what is deleted while it is looked through does not come any more, and all others come once', () => {
  const items = Array.from({ length: 6 }, (_, name) => item(name));
  const bag = new Bag<Item>();
  for (const one of items) bag.add(one);
  const seen: number[] = [];
  for (const one of bag) {
    seen.push(one.name);
    bag.delete(one);
    if (one.name === 1) for (const gone of items.slice(3, 5)) bag.delete(gone);
  }
  expect([seen, bag.size]).toEqual([[0, 1, 2, 5], 0]);
});

test('what is in no bag is not in this one, nor taken out of it', () => {
  const bag = new Bag<Item>();
  bag.add(item(1));
  const other = item(2);
  bag.delete(other);
  expect([bag.has(other), bag.size]).toEqual([false, 1]);
});
