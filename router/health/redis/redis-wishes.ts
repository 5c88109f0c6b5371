// What operators wish, through Redis: forced failovers and planned changes, each decided by a script of its own.
import type { z } from 'zod';
import { boundedWish } from '../verdicts/operate.ts';
import type { HealthRecord } from '../record.ts';
import { script, VERDICT_PARTS, type RedisCalls, type Script } from './redis-calls.ts';
import {
  StoreUnavailable,
  type Change,
  type ChangeRefusal,
  type FailOver,
  type FailOverRefusal,
} from '../store.ts';
import { changeAnswer, operateAnswer, readRecord } from './wire.ts';

const OPERATE = script(...VERDICT_PARTS, 'wish', 'operate');
const CHANGE = script(...VERDICT_PARTS, 'wish', 'change');

export type Setting = {
  keys: string[];
  /** Writes the first argument of a script. */
  ask: (question: Record<string, unknown>) => string;
  /** The state is at least as new as this. */
  hear: (revision: number) => void;
  /** A record that was answered is malformed. */
  onMalformed: () => void;
};

export type WishCaller = {
  failOver(wish: FailOver): Promise<{ record: HealthRecord } | FailOverRefusal>;
  change(change: Change): Promise<{ record: HealthRecord } | ChangeRefusal>;
};

/** Each rejects with `StoreUnavailable` where nothing may be decided either. */
export function wishCaller(calls: RedisCalls, { keys, ask, hear, onMalformed }: Setting): WishCaller {
  async function answerTo<T>(asked: Script, schema: z.ZodType<T>, question: object): Promise<T> {
    const parsed = schema.safeParse(await calls.run(asked, keys, [ask({ ...question })]));
    if (!parsed.success) throw new StoreUnavailable('Redis answered an operator with something else');
    return parsed.data;
  }

  function recordFrom(json: string, revision: number): HealthRecord {
    hear(revision);
    const record = readRecord(json);
    if (record !== null) return record;
    onMalformed();
    throw new StoreUnavailable('Redis holds a malformed record');
  }

  return {
    async failOver(wish) {
      const told = await answerTo(OPERATE, operateAnswer, withoutNulls(boundedWish(wish)));
      if (told[0] === 'done') return { record: recordFrom(told[2], told[3]) };
      const [answer, rule] = told;
      if (answer === 'behind' || answer === 'passive') throw undecided(answer);
      return { refused: answer, rule } as FailOverRefusal;
    },
    async change(change) {
      const { wish, ...bounded } = boundedWish(change);
      const question = { ...withoutNulls(bounded), wish: withoutNulls(wish) };
      const told = await answerTo(CHANGE, changeAnswer, question);
      if (told[0] === 'done') return { record: recordFrom(told[2], told[3]) };
      const [answer, rule] = told;
      if (answer === 'behind' || answer === 'passive') throw undecided(answer);
      return { refused: answer, rule } as ChangeRefusal;
    },
  };
}

/** Nothing may be decided for an operator now. */
export function undecided(answer: 'behind' | 'passive'): StoreUnavailable {
  return new StoreUnavailable(
    answer === 'behind'
      ? 'the store lost records and has not got them back yet'
      : 'the store is led by a newer release',
    answer,
  );
}

/** A null is something in Lua, what is absent nothing. */
function withoutNulls(fields: object): object {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
}
