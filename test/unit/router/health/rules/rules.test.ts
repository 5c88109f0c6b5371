// The rules in force: what a cell may say of them, and what the store's own word adds to it.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { closing, opened, undone } from '../../../../../router/health/verdicts/handover.ts';
import { initialRecord, type HealthRecord } from '../../../../../router/health/record.ts';
import { Rules } from '../../../../../router/health/rules/rules.ts';
import { startFencedCell, type FencedCell } from '../../../../support/fenced-cell.ts';
import { awayRecord } from '../../../../support/machine.ts';
import { until } from '../../../../support/wait.ts';
import { fleetFrom } from '../../fleet/fleets.ts';
import { plainNetwork } from '../../../../support/network.ts';

const HOMES = ['cell-a', 'cell-b', 'cell-c'];
const origins = HOMES.map((id, i) => [id, { origin: `http://127.0.0.1:${4101 + i}` }] as const);
const cells = Object.fromEntries(origins);
const { placement } = fleetFrom({
  cells: { ...cells, 'cell-a': { ...cells['cell-a'], neighbour: 'cell-b' } },
  generations: [{ add: HOMES }],
});
const NONE = (): boolean => false;
const AWAY = awayRecord('cell-a', 'cell-b', 5);

function rulesHere(snapshotFile: string | null = null): { rules: Rules; told: HealthRecord[] } {
  const log = pino({ level: 'silent' });
  const rules = new Rules({
    placement,
    cellToken: null,
    snapshotFile,
    handoverMs: 2_000,
    network: plainNetwork(),
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

test('once the store has told of a home, no cell alone is believed of it any more, whatever was known before', () => {
  const { rules } = rulesHere();
  rules.hear('cell-b', { 'cell-a': shown(AWAY) });
  rules.adoptShown(NONE);
  rules.learn([{ ...HOME, epoch: 8 }], false);
  rules.hear('cell-b', { 'cell-a': shown(awayRecord('cell-a', 'cell-b', 9)) });
  rules.adoptShown((cell) => cell === 'cell-a');
  expect(rules.view.recordOf('cell-a').epoch).toBe(8);
});

test('an older record of the store does not undo what a cell showed', () => {
  const { rules } = rulesHere();
  rules.hear('cell-b', { 'cell-a': shown(AWAY) });
  rules.adoptShown(NONE);
  rules.learn([awayRecord('cell-a', 'cell-b', 4)], false);
  expect(rules.view.recordOf('cell-a').epoch).toBe(5);
});

const TERMS = { until: 2_000, actor: 'anna', reason: 'test', to: null };
const HOME = initialRecord('cell-a', 'cell-b');
const DRAINING = closing(HOME, { share: 30 }, null, TERMS, 0);
const DRAINED = opened(DRAINING, 0);
const ALL = ['cell-a', 'cell-b'];

/** The epoch that is followed once the store has told `known`, and after that each of these cells shows its rule. */
function believed(
  known: HealthRecord,
  showing: Record<string, HealthRecord>,
  unreachable: string[] = [],
): number {
  const { rules } = rulesHere();
  rules.learn([known], false);
  for (const [cell, rule] of Object.entries(showing)) {
    rules.hear(cell, { 'cell-a': shown(rule) });
    rules.adoptShown((one) => unreachable.includes(one));
  }
  return rules.view.recordOf('cell-a').epoch;
}

function byEach(rule: HealthRecord, cells = ALL): Record<string, HealthRecord> {
  return Object.fromEntries(cells.map((cell) => [cell, rule]));
}

test.each<[string, HealthRecord]>([
  ['the end of it', DRAINED],
  ['its undoing', undone(DRAINING, 0)],
])('amid a handover of the store’s, %s is believed once both cells of the pair show it', (_, end) => {
  expect(believed(DRAINING, byEach(end))).toBe(3);
  for (const cell of ALL) expect(believed(DRAINING, byEach(end, [cell]))).toBe(2);
});

test('one of them alone is believed where the other can not be reached', () => {
  expect(believed(DRAINING, byEach(DRAINED, ['cell-b']), ['cell-a'])).toBe(3);
  expect(believed(DRAINING, byEach(DRAINED, ['cell-a']), ['cell-b'])).toBe(3);
  expect(believed(DRAINING, {}, ALL)).toBe(2);
});

test('two rules of one epoch that are not the same one are no rule that both show', () => {
  const greedy = { ...awayRecord('cell-a', 'cell-b', 3), shareBefore: 30 };
  expect(believed(DRAINING, { 'cell-b': greedy, 'cell-a': DRAINED })).toBe(2);
});

test('with a part of the tenants away neither cell alone can take those of the other', () => {
  const greedy = awayRecord('cell-a', 'cell-b', 9);
  expect(believed(DRAINED, byEach(greedy, ['cell-b']))).toBe(3);
  expect(believed(DRAINED, byEach({ ...HOME, epoch: 9 }, ['cell-a']))).toBe(3);
  expect(believed(DRAINED, byEach(greedy))).toBe(9);
});

test('with a tenant pinned to the neighbour both must show it, too', () => {
  const pinned = { ...HOME, epoch: 3, pins: { acme: { cell: 'cell-b', until: 9 } } };
  expect(believed(pinned, byEach({ ...HOME, epoch: 9 }, ['cell-a']))).toBe(3);
  expect(believed(pinned, byEach({ ...HOME, epoch: 9 }))).toBe(9);
});

test('where all tenants are in one cell that one’s word is enough, and the other’s is none', () => {
  const newer = awayRecord('cell-a', 'cell-b', 9);
  expect(believed({ ...HOME, epoch: 3 }, byEach(newer, ['cell-a']))).toBe(9);
  expect(believed({ ...HOME, epoch: 3 }, byEach(newer, ['cell-b']), ['cell-a'])).toBe(3);
  expect(believed(AWAY, byEach(newer, ['cell-b']))).toBe(9);
  expect(believed(AWAY, byEach(newer, ['cell-a']), ['cell-b'])).toBe(5);
});

test('what a cell showed counts until its next health answer shows something else', () => {
  const { rules } = rulesHere();
  rules.learn([DRAINING], false);
  rules.hear('cell-a', { 'cell-a': shown(DRAINED) });
  rules.hear('cell-a', {});
  rules.hear('cell-b', { 'cell-a': shown(DRAINED) });
  expect(rules.adoptShown(NONE)).toBe(false);
  rules.hear('cell-a', { 'cell-a': shown(DRAINED) });
  expect(rules.adoptShown(NONE)).toBe(true);
  expect(rules.adoptShown(NONE)).toBe(false);
});

test('who asks what changes is told at once what there is already', () => {
  const { rules } = rulesHere();
  rules.learn([AWAY], false);
  const told: HealthRecord[] = [];
  rules.onChange((records) => told.push(...records));
  expect(told).toEqual([AWAY]);
});

/** Rules of a router that knows these cells: they are fenced, and have no rules yet. */
async function rulesOf(
  ...ids: string[]
): Promise<{ rules: Rules; told: HealthRecord[]; fenced: FencedCell[] }> {
  const fenced = await Promise.all(ids.map(async (id) => await startFencedCell(id)));
  const { rules, told } = rulesHere();
  onTestFinished(async () => void (await Promise.all(fenced.map((cell) => cell.close()))));
  for (const { id, origin } of fenced) rules.reconcile(id, origin, {});
  await until('the first rules are there', () => fenced.every((cell) => cell.rules.has('cell-a')));
  return { rules, told, fenced };
}

test.each<[string, HealthRecord, HealthRecord, string]>([
  ['the neighbour', DRAINING, DRAINED, 'cell-b'],
  ['the home, which takes them back,', DRAINING, undone(DRAINING, 0), 'cell-a'],
  [
    'the home on its way',
    closing(AWAY, { share: 90 }, null, TERMS, 0),
    opened(closing(AWAY, { share: 90 }, null, TERMS, 0), 0),
    'cell-a',
  ],
])('%s has the open rule before anybody is sent there by it', async (_, before, after, gaining) => {
  const { rules, told, fenced } = await rulesOf('cell-a', 'cell-b');
  rules.learn([before], true);
  expect(told).toEqual([before]);
  const cell = fenced.find(({ id }) => id === gaining);
  rules.learn([after], true);
  expect(told).toEqual([before]);
  await until('it is followed', () => told.length === 2);
  expect(cell?.rules.get('cell-a')?.epoch).toBe(after.epoch);
});

test('a former neighbour is brought newer rules of the home that it stood in for, and of no other', async () => {
  const former = await startFencedCell('cell-c');
  onTestFinished(async () => await former.close());
  const { rules } = rulesHere();
  rules.learn([{ ...HOME, epoch: 8 }], false);
  rules.reconcile('cell-c', former.origin, { 'cell-a': 5, 'cell-x': 1 });
  await until('it has the rule', () => former.rules.get('cell-a')?.epoch === 8);
  expect(former.rules.has('cell-x')).toBe(false);
});

test('it is told once the cells have taken a closing rule, each in its turn', async () => {
  const { rules, fenced } = await rulesOf('cell-a', 'cell-b');
  const ready: string[] = [];
  rules.onReady((home, epoch) => ready.push(`${home} ${epoch}`));
  const [a, b] = fenced;
  if (a !== undefined) a.position = '0/17';
  rules.learn([DRAINING], true);
  await until('they have it', () => ready.length === 1);
  expect(ready).toEqual(['cell-a 2']);
  const toB = b?.brought.filter(({ rule }) => rule.epoch === 2).map(({ rule }) => rule.position);
  expect(toB).toContain('0/17');
});

test('a router that starts later knows, too, that the store had nothing to tell', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cellgate-rules-'));
  onTestFinished(async () => await rm(folder, { recursive: true, force: true }));
  const path = join(folder, 'records.json');
  const first = rulesHere(path).rules;
  expect(first.view.whole).toBe(false);
  first.toldAll();
  expect(first.view.whole).toBe(true);
  await first.close();
  expect(rulesHere(path).rules.view.whole).toBe(true);
  await writeFile(path, '{"records":[{}]}');
  expect(rulesHere(path).rules.view.whole).toBe(false);
});
