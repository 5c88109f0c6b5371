// A client's write, tried until it is clear what became of it, and noted in the ledger.
import { setTimeout as pause } from 'node:timers/promises';
import type { Random } from '../bench/wire-random.ts';
import type { Answer, Call } from './calls.ts';
import type { Entry, State, Version } from './ledger.ts';

/** What a writer works with. `ask` sends to one router after the other, and notes what was seen. */
export type Desk = {
  random: Random;
  ask: (call: Call, kind: 'read' | 'write', entry: Entry) => Promise<Answer>;
  /** Whether it is time to give up: the run is over, and its limit too. */
  isOver: () => boolean;
  /** Told how long a write took until it was clear, milliseconds. */
  waited: (home: string, ms: number) => void;
};

/** `gone`: an answer said that nothing was done, and nothing can be. `given up`: it may have been done. */
type Outcome = 'acknowledged' | 'gone' | 'given up';

const RETRY_MS = { least: 40, spread: 80 };
/** A guest may not have been shipped yet: then it is not there until its home is back. */
const ABSENT_TRIES = 5;

/** Sends the creation, with the same key, until it is acknowledged. */
export async function create(desk: Desk, entry: Entry, quantity: number): Promise<Outcome> {
  const { tenant, key, item } = entry;
  const call: Call = { method: 'POST', tenant, path: '/orders', key, body: { item, quantity } };
  return untilClear(desk, entry, { quantity, cancelled: false }, async () => {
    const answer = await desk.ask(call, 'write', entry);
    if (answer.order === null) return answer;
    entry.id = answer.order.id;
    acknowledge(entry, answer.order, null, answer.endedMs);
    return 'acknowledged';
  });
}

/** Writes another quantity over the version that the client saw last; looks again where that is not the newest. */
export async function update(desk: Desk, entry: Entry, quantity: number): Promise<Outcome> {
  let base: Version | null = entry.acknowledged.at(-1) ?? null;
  let absent = 0;
  return untilClear(desk, entry, { quantity, cancelled: false }, async () => {
    if (base === null) return 'gone';
    const call: Call = { method: 'PATCH', ...orderOf(entry), base, body: { quantity } };
    const answer = await desk.ask(call, 'write', entry);
    if (answer.order !== null) {
      acknowledge(entry, answer.order, base, answer.endedMs);
      return 'acknowledged';
    }
    if (answer.status === 404 && ++absent >= ABSENT_TRIES) return 'gone';
    if (answer.status === 409) return 'gone';
    if (answer.status !== 412) return answer;
    const { order: seen } = await desk.ask({ method: 'GET', ...orderOf(entry) }, 'read', entry);
    if (seen === null) return answer;
    // An earlier try of this write was carried out, though nobody said so.
    if (seen.quantity === quantity) {
      acknowledge(entry, seen, base, performance.now());
      return 'acknowledged';
    }
    base = seen;
    return seen.cancelled ? 'gone' : answer;
  });
}

/** Cancels it, whatever version it has. */
export async function cancel(desk: Desk, entry: Entry): Promise<Outcome> {
  const quantity = entry.acknowledged.at(-1)?.quantity ?? 0;
  let absent = 0;
  return untilClear(desk, entry, { quantity, cancelled: true }, async () => {
    const { tenant, path } = orderOf(entry);
    const answer = await desk.ask({ method: 'POST', tenant, path: `${path}/cancel` }, 'write', entry);
    if (answer.order !== null) {
      acknowledge(entry, answer.order, null, answer.endedMs);
      return 'acknowledged';
    }
    return answer.status === 404 && ++absent >= ABSENT_TRIES ? 'gone' : answer;
  });
}

export function orderOf({ tenant, id }: Entry): { tenant: string; path: string } {
  return { tenant, path: `/orders/${id}` };
}

function acknowledge(
  entry: Entry,
  { epoch, version, quantity, cancelled }: Version & State,
  base: Version | null,
  atMs: number,
): void {
  const over = base === null ? null : { epoch: base.epoch, version: base.version };
  entry.acknowledged.push({ epoch, version, quantity, cancelled, base: over, atMs });
}

async function untilClear(
  desk: Desk,
  entry: Entry,
  wanted: State,
  attempt: () => Promise<Answer | 'acknowledged' | 'gone'>,
): Promise<Outcome> {
  const beganMs = performance.now();
  let mayHaveHappened = false;
  for (;;) {
    const answer = await attempt();
    if (answer === 'acknowledged') {
      desk.waited(entry.home, performance.now() - beganMs);
      return answer;
    }
    if (answer === 'gone' || desk.isOver()) {
      if (mayHaveHappened || answer !== 'gone') entry.unclear.push(wanted);
      return answer === 'gone' ? answer : 'given up';
    }
    if (!wasNotDone(answer)) mayHaveHappened = true;
    await pause(RETRY_MS.least + desk.random.below(RETRY_MS.spread));
  }
}

/** A refusal of the cell says that nothing was done. A 503 may be that of a database that was lost in the commit. */
function wasNotDone({ status }: Answer): boolean {
  return status >= 400 && status < 500;
}
