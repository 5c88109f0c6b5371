// Who is singled out by the deaths of cells, and who must not be.
import { describe, expect, test } from 'vitest';
import type { Vote } from '../../../../../router/health/record.ts';
import {
  boundedAccusations,
  judge,
  type Accusations,
  type Death,
  type InFlight,
  type Sight,
  type Suspects,
} from '../../../../../router/health/verdicts/suspects.ts';
import { DOWN, UP } from '../../../../support/machine.ts';
import { everyone, liveOf, NOW } from '../../../../support/verdict.ts';

const WELL = { 'cell-a': UP, 'cell-b': UP };
const A_DEAD = { 'cell-a': DOWN, 'cell-b': UP };
const B_DEAD = { 'cell-a': UP, 'cell-b': DOWN };
const ILL = { opinion: 'down', evidence: 'failing', reason: 'gateway errors' } satisfies Vote;
const MINUTE_MS = 60_000;

/** `acme` was in flight; `acme!`: with a request that was in another cell before, as that one died. */
function inFlight(...tenants: string[]): InFlight[] {
  return tenants.map((text) => {
    return { home: 'cell-a', tenant: text.replace('!', ''), again: text.endsWith('!') };
  });
}

function died(cell: string, ...tenants: string[]): Death {
  return { cell, many: false, tenants: inFlight(...tenants) };
}

/** The store as it goes from beat to beat. */
class Beating {
  #suspects: Suspects = { dying: new Map(), suspicions: new Map() };
  now = NOW;

  beat(
    votes: Record<string, Vote>[],
    told: Partial<Accusations> = {},
    more: Partial<Sight> = {},
  ): { tenant: string; saw: unknown }[] {
    const accusations = { deaths: [], failing: [], ...told };
    const sight = { now: this.now, live: liveOf(votes), warmingUp: false, accusations, ...more };
    const { culprits, ...suspects } = judge(this.#suspects, sight);
    this.#suspects = suspects;
    return culprits.map(({ tenant, saw }) => ({ tenant, saw }));
  }

  /** A cell dies before all eyes, and is back a moment later. Answers whom that gave away. */
  death(cell: string, ...tenants: string[]): string[] {
    const votes = everyone(cell === 'cell-a' ? A_DEAD : B_DEAD);
    const culprits = this.beat(votes, { deaths: [died(cell, ...tenants)] });
    this.now += 1_000;
    this.beat(everyone(WELL));
    this.now += 1_000;
    return culprits.map(({ tenant }) => tenant);
  }
}

const BOTH_DEATHS = { died: ['cell-a', 'cell-b'] };

describe('one who was in flight at both deaths of its pair', () => {
  test('is a culprit by the same request, in whichever order the two died', () => {
    for (const [first, second] of [
      ['cell-a', 'cell-b'],
      ['cell-b', 'cell-a'],
    ] as const) {
      const store = new Beating();
      expect(store.death(first, 'acme')).toEqual([]);
      expect(store.death(second, 'acme!')).toEqual(['acme']);
    }
  });

  test('is none by two requests, which may have been there by chance, but by three', () => {
    const store = new Beating();
    expect(store.death('cell-a', 'acme')).toEqual([]);
    expect(store.death('cell-b', 'acme')).toEqual([]);
    expect(store.death('cell-a', 'acme')).toEqual(['acme']);
  });

  test('is named with both cells', () => {
    const store = new Beating();
    store.death('cell-a', 'acme');
    expect(store.beat(everyone(B_DEAD), { deaths: [died('cell-b', 'acme!')] })).toEqual([
      { tenant: 'acme', saw: BOTH_DEATHS },
    ]);
  });

  test('is told from those that were in flight at one of them alone', () => {
    const store = new Beating();
    store.death('cell-a', 'acme', 'bolt', 'core');
    store.death('cell-b', 'dust', 'acme');
    expect(store.death('cell-a', 'acme', 'bolt')).toEqual(['acme']);
  });

  test('is none when its own cell died each time, however alone', () => {
    const store = new Beating();
    for (let i = 0; i < 3; i += 1) expect(store.death('cell-a', 'acme')).toEqual([]);
    expect(store.death('cell-a', 'acme!')).toEqual([]);
  });

  test('is none when the deaths were ten minutes apart', () => {
    const store = new Beating();
    store.death('cell-a', 'acme');
    store.now += 10 * MINUTE_MS;
    expect(store.death('cell-b', 'acme!')).toEqual([]);
    expect(store.death('cell-a', 'acme!')).toEqual(['acme']);
  });

  test('is none by a death that was too old once, though the clock was set back since', () => {
    const store = new Beating();
    store.death('cell-a', 'acme');
    store.now += 5 * MINUTE_MS;
    store.death('cell-b', 'acme');
    store.now += 5 * MINUTE_MS;
    store.beat(everyone(WELL));
    store.now -= MINUTE_MS;
    expect(store.death('cell-a', 'acme')).toEqual([]);
  });

  test('begins anew once it was found', () => {
    const store = new Beating();
    store.death('cell-a', 'acme');
    expect(store.death('cell-b', 'acme!')).toEqual(['acme']);
    expect(store.death('cell-b', 'acme!')).toEqual([]);
    expect(store.death('cell-a', 'acme!')).toEqual(['acme']);
  });

  test('is told by home: the tenants of the other cell are a matter of their own', () => {
    const store = new Beating();
    const ofB = { home: 'cell-b', tenant: 'bolt', again: false };
    store.death('cell-a', 'acme');
    const deaths = [{ cell: 'cell-b', many: false, tenants: [...inFlight('acme!'), ofB] }];
    expect(store.beat(everyone(B_DEAD), { deaths })).toEqual([{ tenant: 'acme', saw: BOTH_DEATHS }]);
  });
});

describe('of several who were in flight at both', () => {
  test('nobody is a culprit', () => {
    const store = new Beating();
    store.death('cell-a', 'acme', 'bolt');
    expect(store.death('cell-b', 'acme', 'bolt')).toEqual([]);
  });

  test('the one is whose very same request was in both, twice: once may be chance', () => {
    const store = new Beating();
    store.death('cell-a', 'acme', 'bolt');
    expect(store.death('cell-b', 'bolt', 'acme!')).toEqual([]);
    expect(store.death('cell-a', 'bolt!', 'acme')).toEqual([]);
    expect(store.death('cell-b', 'bolt', 'acme!')).toEqual(['acme']);
  });

  test('nobody is when the same requests of two were, each time', () => {
    const store = new Beating();
    store.death('cell-a', 'acme', 'bolt');
    for (const cell of ['cell-b', 'cell-a', 'cell-b'])
      expect(store.death(cell, 'bolt!', 'acme!')).toEqual([]);
  });

  test('one who was not there before is not, though its request was in some other cell', () => {
    const store = new Beating();
    store.death('cell-a', 'acme', 'bolt');
    expect(store.death('cell-b', 'acme', 'bolt', 'core!')).toEqual([]);
  });

  test('those remain who are there at the next death of either cell, until one is left', () => {
    const store = new Beating();
    store.death('cell-a', 'acme', 'bolt', 'core');
    expect(store.death('cell-b', 'acme', 'bolt', 'core')).toEqual([]);
    expect(store.death('cell-a', 'acme', 'bolt', 'dust')).toEqual([]);
    expect(store.death('cell-b', 'dust', 'acme')).toEqual(['acme']);
  });

  test('a death at which none of them was is of another cause, and the first of its own', () => {
    const store = new Beating();
    store.death('cell-a', 'acme', 'bolt');
    expect(store.death('cell-b', 'dust')).toEqual([]);
    expect(store.death('cell-a', 'dust!')).toEqual(['dust']);
  });

  test('a death at which nobody at all was in flight says nothing of them', () => {
    const store = new Beating();
    store.death('cell-a', 'acme');
    expect(store.death('cell-b')).toEqual([]);
    expect(store.death('cell-b', 'acme!')).toEqual(['acme']);
  });

  test('nor does one at which too many were', () => {
    const store = new Beating();
    store.death('cell-a', 'acme');
    store.beat(everyone(B_DEAD), { deaths: [{ cell: 'cell-b', many: true, tenants: [] }] });
    store.beat(everyone(WELL));
    expect(store.death('cell-b', 'acme!')).toEqual(['acme']);
  });
});

describe('a death', () => {
  test('is judged once all machines found the cell unreachable: each has a say in who was in flight', () => {
    const store = new Beating();
    store.death('cell-a', 'acme', 'bolt');
    const two = [B_DEAD, B_DEAD, WELL];
    expect(store.beat(two, { deaths: [died('cell-b', 'acme!')] })).toEqual([]);
    expect(store.beat(everyone(B_DEAD), { deaths: [died('cell-b', 'bolt!')] })).toEqual([]);
    store.beat(everyone(WELL));
    expect(store.death('cell-b', 'acme!')).toEqual(['acme']);
  });

  test('is judged after a second at the latest, by a majority', () => {
    const store = new Beating();
    store.death('cell-a', 'acme');
    const two = [B_DEAD, B_DEAD, WELL];
    store.beat(two, { deaths: [died('cell-b', 'acme!')] });
    store.now += 999;
    expect(store.beat(two)).toEqual([]);
    store.now += 1;
    expect(store.beat(two)).toHaveLength(1);
  });

  test('is not told in full by a machine that finds the cell ill and no more', () => {
    const store = new Beating();
    store.death('cell-a', 'acme');
    const one = [B_DEAD, B_DEAD, { ...WELL, 'cell-b': ILL }];
    expect(store.beat(one, { deaths: [died('cell-b', 'acme!')] })).toEqual([]);
  });

  test('is none that no majority sees', () => {
    const store = new Beating();
    store.death('cell-a', 'acme');
    const alone = [B_DEAD, WELL, WELL];
    store.beat(alone, { deaths: [died('cell-b', 'acme!')] });
    for (let i = 0; i < 6; i += 1) {
      store.now += 1_000;
      expect(store.beat(alone)).toEqual([]);
    }
    expect(store.beat(everyone(B_DEAD))).toEqual([]);
  });

  test('is one, however often it is told of, until the majority finds the cell there again', () => {
    const store = new Beating();
    store.death('cell-a', 'acme', 'bolt');
    store.beat(everyone(B_DEAD), { deaths: [died('cell-b', 'acme!', 'bolt!')] });
    expect(store.beat(everyone(B_DEAD), { deaths: [died('cell-b', 'acme!')] })).toEqual([]);
    store.beat(everyone(WELL));
    expect(store.beat(everyone(B_DEAD), { deaths: [died('cell-b', 'acme!')] })).toHaveLength(1);
  });

  test('is judged by nobody while the machines are not all heard yet', () => {
    const store = new Beating();
    store.death('cell-a', 'acme');
    const told = { deaths: [died('cell-b', 'acme!')] };
    expect(store.beat(everyone(B_DEAD), told, { warmingUp: true })).toEqual([]);
    expect(store.beat(everyone(B_DEAD))).toHaveLength(1);
  });
});

describe('one that fails alone', () => {
  const failing = [{ cell: 'cell-a', home: 'cell-a', tenant: 'acme' }];

  test('is a culprit while the majority finds its cell up', () => {
    expect(new Beating().beat(everyone(WELL), { failing })).toEqual([
      { tenant: 'acme', saw: { failing: 'cell-a' } },
    ]);
  });

  test('is none where the cell is down, or nobody knows', () => {
    expect(new Beating().beat(everyone(A_DEAD), { failing })).toEqual([]);
    expect(new Beating().beat(everyone({}), { failing })).toEqual([]);
  });
});

describe('what a machine may tell', () => {
  test('is bounded: of a death with too many tenants only that', () => {
    const tenants = inFlight(...Array.from({ length: 201 }, (_, i) => `t${i}`));
    const deaths = [
      { cell: 'cell-a', many: false, tenants },
      { cell: 'cell-b', many: false, tenants: tenants.slice(1) },
    ];
    const [of201, of200] = boundedAccusations({ deaths, failing: [] }).deaths;
    expect(of201).toEqual({ cell: 'cell-a', many: true, tenants: [] });
    expect(of200?.tenants).toHaveLength(200);
  });

  test('names tenants and nothing else', () => {
    const failing = ['acme', 'a b', '', 'x'.repeat(129)].map((tenant) => ({
      cell: 'cell-a',
      home: 'cell-a',
      tenant,
    }));
    const deaths = [died('cell-a', 'acme', 'a b', 'bolt')];
    const bounded = boundedAccusations({ deaths, failing });
    expect(bounded.failing.map(({ tenant }) => tenant)).toEqual(['acme']);
    expect(bounded.deaths[0]?.tenants.map(({ tenant }) => tenant)).toEqual(['acme', 'bolt']);
  });
});
