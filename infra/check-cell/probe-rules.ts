// The rules that a cell is tried with: of a home that is its neighbour's, or its own.
import type { Rule } from '../../router/health/record.ts';
import { PINS_MOST } from '../../router/health/verdicts/change.ts';
import { MOVES_MOST } from '../../router/health/verdicts/moved.ts';
import { servedBy } from '../../router/health/verdicts/served-by.ts';

/** A cell that is in no fleet: the other one of the pair. */
export const PROBE_HOME = 'check-cell';
/** Beyond 32 bits: the seed of the slots are its lower ones. */
const OPERATION = 2 ** 32 + 77;
/** A pin of a test ends when it is taken out. */
const FOR_EVER = 9_000_000_000_000;
const TENANT_BYTES = 128;

/** Enough that a wrong reckoning gives one of them the wrong cell. */
export const TENANTS = [
  'ümläut',
  '日本語',
  'a b/c%20',
  ...Array.from({ length: 13 }, (_, i) => `check-cell-${i}`),
];
export const PINNED_HERE = 'check-cell-pinned-here';
export const PINNED_AWAY = 'check-cell-pinned-away';

export class ProbeRules {
  readonly home: string;
  readonly #cell: string;
  readonly #neighbour: string;

  /** `cell`: the one under test. `home`: whose tenants the rules are about, be it its own. */
  constructor(cell: string, home: string) {
    this.#cell = cell;
    this.home = home;
    this.#neighbour = home === cell ? PROBE_HOME : cell;
  }

  /** The rule by which so many percent of the tenants are at the cell; `before`, in closing: before the change. */
  giving(percent: number, epoch: number, given: Partial<Rule> & { before?: number } = {}): Rule {
    const { before = percent, ...fields } = given;
    const [share, shareBefore] = [this.#shareOf(percent), this.#shareOf(before)];
    const partly = [share, shareBefore].some((one) => one > 0 && one < 100);
    return {
      home: this.home,
      neighbour: this.#neighbour,
      state: share === 0 ? 'serving' : 'returning',
      phase: 'open',
      target: share === 0 ? this.home : this.#neighbour,
      epoch,
      share,
      shareBefore,
      operation: partly ? OPERATION : null,
      position: null,
      deadline: null,
      pins: {},
      moved: [],
      changing: null,
      ...fields,
    };
  }

  /** One tenant is pinned to the cell, and another one to the other of the pair. */
  pins(): Rule['pins'] {
    const other = this.home === this.#cell ? this.#neighbour : this.home;
    return {
      [PINNED_HERE]: { cell: this.#cell, until: FOR_EVER },
      [PINNED_AWAY]: { cell: other, until: FOR_EVER },
    };
  }

  /** As large as a rule can be: so many pins and moves there are at most. All tenants are at the cell. */
  full(epoch: number): Rule {
    const long = (kind: string, i: number): string => `${kind}-${i}-`.padEnd(TENANT_BYTES, 'x');
    const to = PROBE_HOME.padEnd(63, 'x');
    return this.giving(100, epoch, {
      pins: Object.fromEntries(
        Array.from({ length: PINS_MOST }, (_, i) => [long('pin', i), { cell: this.#cell, until: FOR_EVER }]),
      ),
      moved: [
        ...Array.from({ length: MOVES_MOST.ranges }, (_, i): Rule['moved'][number] => {
          return { buckets: [60_000, 60_000 + i], to, generation: 1 };
        }),
        ...Array.from({ length: MOVES_MOST.tenants }, (_, i) => ({ tenant: long('moved', i), to })),
      ],
    });
  }

  /** Whether the cell is to serve the tenant by this rule. */
  isOwn(rule: Rule, tenant: string): boolean {
    return servedBy(rule, tenant) === this.#cell;
  }

  #shareOf(percent: number): number {
    return this.home === this.#cell ? 100 - percent : percent;
  }
}
