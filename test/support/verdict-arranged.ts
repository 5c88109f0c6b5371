// Wishes that random ones hardly ever come to: each is one part of what leads to something rare.
import { constantFrom, oneof, record, type Arbitrary } from 'fast-check';
import type { Wish } from '../../router/health/store.ts';
import { ROUTERS } from './verdict-beats.ts';
import { cutOver, home, pin, wished, type Operated } from './verdict-operators.ts';

/** The first cell gets its tenants back, whatever speaks against it. */
export const firstHome: Operated = {
  kind: 'change',
  home: 'cell-a',
  wish: { kind: 'share', percent: 0 },
  cause: 'operator',
  expiresInMs: 0,
  handoverMs: 2_000,
  override: ['target-up', 'caught-up'],
};

/** Two tenants of one home go to its neighbour, for about as long. */
export const twoPins: Arbitrary<[Operated, Operated]> = record({
  home,
  tenants: constantFrom(['t1', 't2'], ['t2', 't1']),
  expiresInMs: constantFrom(1_500, 1_500, 3_000),
  like: wished,
}).map(({ home, tenants: [one = '', other = ''], expiresInMs, like }) => {
  const pinned = (tenant: string): Operated => {
    const wish: Wish = { kind: 'pin', tenant, cell: 'neighbour' };
    return { ...like, home, wish, expiresInMs, handoverMs: 4_000 };
  };
  return [pinned(one), pinned(other)];
});

/** What a cell that alone knows of it does not tell the whole of. */
export const pinnedOrCutOver: Arbitrary<Operated> = record({ like: wished, wish: oneof(pin, cutOver) }).map(
  ({ like, wish }) => ({ ...like, wish, handoverMs: 4_000 }),
);

/** All machines bring another file in force. */
export const anotherFile: Operated[] = ROUTERS.map((router) => {
  return { kind: 'load', router, fleet: 1, inForce: true };
});

/** The second cell's tenants are away when all machines bring another file in force. */
export const awayThenNewFile: Operated[] = [
  {
    kind: 'fail-over',
    home: 'cell-b',
    expiresInMs: 2_000,
    override: ['target-up', 'target-not-drained', 'standby-synced'],
  },
  ...anotherFile,
];
