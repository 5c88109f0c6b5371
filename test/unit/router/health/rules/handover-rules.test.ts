// Closing rules on their way: the losing cell first, its position to the gaining one, and again until both have it.
import { expect, onTestFinished, test } from 'vitest';
import { closing, opened } from '../../../../../router/health/verdicts/handover.ts';
import { HandoverRules } from '../../../../../router/health/rules/handover-rules.ts';
import type { Ack } from '../../../../../router/health/rules/fence.ts';
import { initialRecord, type HealthRecord } from '../../../../../router/health/record.ts';
import { awayRecord } from '../../../../support/machine.ts';
import { until } from '../../../../support/wait.ts';

const TERMS = { until: 2_000, actor: 'anna', reason: 'test', to: null };
const HOME = initialRecord('cell-a', 'cell-b');
const DRAINING = closing(HOME, { share: 30 }, null, TERMS, 0);

type Answer = (record: HealthRecord) => Ack | null | Promise<Ack | null>;
type Setting = { rules: HandoverRules; asked: string[]; ready: string[] };

/** Cells by what they answer; one that is not there is of contract level 0. */
function bringing(cells: Record<string, Answer>): Setting {
  const asked: string[] = [];
  const ready: string[] = [];
  const rules = new HandoverRules({
    fence: {
      isUnfenced: (cell) => !Object.hasOwn(cells, cell),
      deliver: async (record, cell, terms) => {
        asked.push(`${cell} ${record.epoch} ${terms?.position} ${terms?.timeoutMs}`);
        return (await cells[cell]?.(record)) ?? null;
      },
    },
    handoverMs: 1_234,
    ready: (home, epoch) => ready.push(`${home} ${epoch}`),
  });
  onTestFinished(() => rules.close());
  return { rules, asked, ready };
}

const takes =
  (position: string | null = null): Answer =>
  ({ epoch }) => ({ epoch, position });

async function untilReady({ ready }: Setting, what: string): Promise<void> {
  await until('the cells have it', () => ready.includes(what));
}

test('the losing cell is asked first, and its position is brought to the gaining one', async () => {
  const setting = bringing({ 'cell-a': takes('0/17'), 'cell-b': takes() });
  setting.rules.follow(DRAINING);
  await untilReady(setting, 'cell-a 2');
  expect(setting.asked).toEqual(['cell-a 2 null 1234', 'cell-b 2 0/17 1234']);
  expect(setting.ready).toEqual(['cell-a 2']);
});

test('on the way home the neighbour is the losing one', async () => {
  const setting = bringing({ 'cell-a': takes('of a'), 'cell-b': takes('of b') });
  setting.rules.follow(closing(awayRecord('cell-a', 'cell-b', 4), { share: 90 }, null, TERMS, 0));
  await untilReady(setting, 'cell-a 5');
  expect(setting.asked).toEqual(['cell-b 5 null 1234', 'cell-a 5 of b 1234']);
});

test('while the losing cell has not taken it the gaining one is not asked, and the losing one again', async () => {
  let answers: Answer = () => null;
  const setting = bringing({ 'cell-a': (record) => answers(record), 'cell-b': takes() });
  setting.rules.follow(DRAINING);
  await until('it was asked again', () => setting.asked.length >= 2);
  expect([setting.asked.some((one) => one.startsWith('cell-b')), setting.ready]).toEqual([false, []]);
  answers = takes();
  await untilReady(setting, 'cell-a 2');
});

test('it is not ready before the gaining cell has all up to the position', async () => {
  let applied: (ack: Ack) => void = () => undefined;
  const setting = bringing({
    'cell-a': takes('9'),
    'cell-b': async () => await new Promise<Ack>((resolve) => (applied = resolve)),
  });
  setting.rules.follow(DRAINING);
  await until('it is asked', () => setting.asked.length === 2);
  expect(setting.ready).toEqual([]);
  applied({ epoch: 2, position: null });
  await untilReady(setting, 'cell-a 2');
});

test.each(['cell-a', 'cell-b'])('%s, which knows a newer rule, has not taken this one', async (cell) => {
  const newer: Answer = ({ epoch }) => ({ epoch: epoch + 1, position: null });
  const setting = bringing({ 'cell-a': takes(), 'cell-b': takes(), [cell]: newer });
  setting.rules.follow(DRAINING);
  await until('it was asked again', () => setting.asked.filter((one) => one.startsWith(cell)).length >= 2);
  expect(setting.ready).toEqual([]);
});

test.each<[string, Record<string, Answer>, string[]]>([
  ['the losing cell', { 'cell-b': takes() }, ['cell-b 2 null 1234']],
  ['the gaining cell', { 'cell-a': takes('9') }, ['cell-a 2 null 1234']],
  ['each', {}, []],
])('where %s is of contract level 0 it is not waited for', async (_, cells, asked) => {
  const setting = bringing(cells);
  setting.rules.follow(DRAINING);
  await untilReady(setting, 'cell-a 2');
  expect(setting.asked).toEqual(asked);
});

test('of a cut-over the old home alone is asked', async () => {
  const setting = bringing({ 'cell-a': takes('9'), 'cell-b': takes(), 'cell-c': takes() });
  const changing = { tenants: [], buckets: [[1, 2] as [number, number]] };
  setting.rules.follow(closing(HOME, {}, changing, { ...TERMS, to: 'cell-c' }, 0));
  await untilReady(setting, 'cell-a 2');
  expect(setting.asked).toEqual(['cell-a 2 null 1234']);
});

test('an open rule ends it, and so does the next closing one: of an old one nothing is said any more', async () => {
  const waiting: ((ack: Ack) => void)[] = [];
  const setting = bringing({
    'cell-a': async () => await new Promise<Ack>((resolve) => waiting.push(resolve)),
  });
  setting.rules.follow(DRAINING);
  setting.rules.follow(opened(DRAINING, 0));
  setting.rules.follow({ ...DRAINING, epoch: 4 });
  await until('both are asked', () => waiting.length === 2);
  waiting[0]?.({ epoch: 2, position: null });
  waiting[1]?.({ epoch: 4, position: null });
  await untilReady(setting, 'cell-a 4');
  expect(setting.ready).toEqual(['cell-a 4']);
});
