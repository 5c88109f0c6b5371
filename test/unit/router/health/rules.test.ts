// The rules in force: what a cell may say of them, and what the store's own word adds to it.
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import type { HealthRecord } from '../../../../router/health/record.ts';
import { Rules } from '../../../../router/health/rules.ts';
import { Names } from '../../../../router/names.ts';
import { awayRecord } from '../../../support/machine.ts';
import { fleetFrom } from '../fleet/fleets.ts';

const HOMES = ['cell-a', 'cell-b', 'cell-c'];
const origins = HOMES.map((id, i) => [id, { origin: `http://127.0.0.1:${4101 + i}` }] as const);
const cells = Object.fromEntries(origins);
const { placement } = fleetFrom({
  cells: { ...cells, 'cell-a': { ...cells['cell-a'], neighbour: 'cell-b' } },
  generations: [{ add: HOMES }],
});
const NONE = (): boolean => false;
const AWAY = awayRecord('cell-a', 'cell-b', 5);

function rulesHere(): { rules: Rules; told: HealthRecord[] } {
  const log = pino({ level: 'silent' });
  const rules = new Rules({
    placement,
    cellToken: null,
    snapshotFile: null,
    handoverMs: 2_000,
    names: new Names(30_000),
    log,
  });
  const told: HealthRecord[] = [];
  rules.onChange((records) => told.push(...records));
  onTestFinished(async () => await rules.close());
  return { rules, told };
}

/** As it travels: without `since` and `cause`. */
function shown(record: HealthRecord): Record<string, unknown> {
  const { since: _, cause: __, ...rule } = record;
  return rule;
}

/** The record of cell-a after `cell` showed `rule`. */
function after(cell: string, rule: unknown): HealthRecord {
  const { rules } = rulesHere();
  rules.hear(cell, { 'cell-a': rule });
  rules.adoptShown(NONE);
  return rules.view.recordOf('cell-a');
}

test('home and neighbour are believed', () => {
  for (const cell of ['cell-a', 'cell-b']) {
    expect(after(cell, shown(AWAY))).toMatchObject({ target: 'cell-b', epoch: 5 });
  }
});

test('a third cell that calls itself the neighbour is not', () => {
  expect(after('cell-c', shown(awayRecord('cell-a', 'cell-c', 5)))).toMatchObject({
    target: 'cell-a',
    epoch: 1,
  });
});

test('a cell that stands in by the record in force is, whatever the fleet file says by now', () => {
  const { rules } = rulesHere();
  rules.hear('cell-a', { 'cell-a': shown(awayRecord('cell-a', 'cell-c', 5)) });
  rules.adoptShown(NONE);
  rules.hear('cell-c', { 'cell-a': shown(awayRecord('cell-a', 'cell-c', 7)) });
  rules.adoptShown(NONE);
  expect(rules.view.recordOf('cell-a')).toMatchObject({ target: 'cell-c', epoch: 7 });
});

test('an epoch that no number of changes can have reached is not followed: none could follow it', () => {
  for (const epoch of [2 ** 53 - 1, 2 ** 53 - 2, 2 ** 52]) {
    expect(after('cell-b', { ...shown(AWAY), epoch })).toMatchObject({ target: 'cell-a', epoch: 1 });
  }
});

test('since when and why is the store’s to say', () => {
  const rule = { ...shown(AWAY), since: 8_999_999_999_999_999, cause: 'unreachable' };
  expect(after('cell-b', rule)).toMatchObject({ epoch: 5, since: null, cause: null });
});

test('what the store says of the same epoch completes what a cell showed, and is told', () => {
  const { rules, told } = rulesHere();
  rules.hear('cell-b', { 'cell-a': shown(AWAY) });
  rules.adoptShown(NONE);
  rules.learn([AWAY], false);
  expect(told).toEqual([{ ...AWAY, since: null, cause: null }, AWAY]);
  expect(rules.view.recordOf('cell-a')).toEqual(AWAY);
  rules.learn([AWAY], false);
  expect(told).toHaveLength(2);
});

test('an older record of the store does not undo what a cell showed', () => {
  const { rules } = rulesHere();
  rules.hear('cell-b', { 'cell-a': shown(AWAY) });
  rules.adoptShown(NONE);
  rules.learn([awayRecord('cell-a', 'cell-b', 4)], false);
  expect(rules.view.recordOf('cell-a').epoch).toBe(5);
});
