// The quarantine in a router's memory: whose word counts, and for how long somebody is refused.
import { expect, test } from 'vitest';
import { steadyNow } from '../../../../router/health/cells/cell-clock.ts';
import type { QuarantineChange, QuarantineEntry } from '../../../../router/health/verdicts/quarantine.ts';
import { QuarantineList } from '../../../../router/health/quarantine-list.ts';

/** The store's clock is an hour ahead of this process' own. */
const AHEAD_MS = 3_600_000;
const storeNow = (): number => Math.round(steadyNow() + AHEAD_MS);

function entry(tenant: string, lastsMs = 600_000): QuarantineEntry {
  const since = storeNow();
  const said = { home: 'cell-a', actor: 'ada', owner: 'core', reason: 'why' };
  return { tenant, since, until: since + lastsMs, ...said };
}

function told(revision: number, quarantine: QuarantineEntry[] | null, incarnation = 'one') {
  return { storeMs: storeNow(), revision, incarnation, quarantine };
}

function tenantsOf(list: QuarantineList): string[] {
  return list.entries.map(({ tenant }) => tenant);
}

test('nobody is refused at first', () => {
  const list = new QuarantineList();
  expect([list.refusedForS('acme'), list.of('acme'), list.entries]).toEqual([0, null, []]);
});

test('a tenant is refused for as long as it has left by the store’s clock, in whole seconds', () => {
  const list = new QuarantineList();
  list.told(told(1, [entry('acme', 599_500), entry('bolt', 0)]));
  expect(list.refusedForS('acme')).toBe(600);
  expect(list.refusedForS('bolt')).toBe(0);
  expect(list.refusedForS('core')).toBe(0);
  expect(tenantsOf(list)).toEqual(['acme']);
});

test('a tenant that the store let in meanwhile, or never let out, is as the store’s whole list says', () => {
  const list = new QuarantineList();
  list.told(told(1, [entry('acme'), entry('bolt')]));
  list.told(told(1, null));
  expect(tenantsOf(list)).toEqual(['acme', 'bolt']);
  list.told(told(2, [entry('bolt'), entry('core')]));
  expect(tenantsOf(list)).toEqual(['bolt', 'core']);
});

test('a list from before a change that is known is old news', () => {
  const list = new QuarantineList();
  list.told(told(3, []));
  list.apply([{ tenant: 'acme', entry: entry('acme') }], 5);
  list.told(told(4, []));
  expect(tenantsOf(list)).toEqual(['acme']);
  list.told(told(5, []));
  expect(tenantsOf(list)).toEqual([]);
});

test('the list of a store with another name counts, whatever its revision', () => {
  const list = new QuarantineList();
  list.told(told(7, [entry('acme')]));
  list.told(told(2, [entry('bolt')], 'another'));
  expect(tenantsOf(list)).toEqual(['bolt']);
});

test('what a store knows that lost something is added to what is known', () => {
  const list = new QuarantineList();
  list.told(told(1, [entry('acme')]));
  list.merge([entry('bolt')]);
  expect(tenantsOf(list)).toEqual(['acme', 'bolt']);
});

test('each tenant that is refused, and each that is no more, is told once', () => {
  const list = new QuarantineList();
  const heard: string[] = [];
  list.onChange(({ tenant, entry: refused }: QuarantineChange) => {
    heard.push(`${tenant} ${refused === null ? 'in' : 'out'}`);
  });
  list.learn('acme', entry('acme'));
  list.apply([{ tenant: 'acme', entry: entry('acme') }], 1);
  list.told(told(1, [entry('acme')]));
  list.apply([{ tenant: 'acme', entry: null }], 2);
  list.learn('acme', null);
  expect(heard).toEqual(['acme out', 'acme in']);
});
