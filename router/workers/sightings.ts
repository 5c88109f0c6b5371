// What a worker's requests meet, told to the primary together: what is urgent once this turn is over, the rest soon after.
import type { AnswerOutcome } from '../health/cells/watched-cell.ts';
import type { InFlight } from '../health/verdicts/suspects.ts';
import type { Seen } from './messages.ts';

/** Answers are counted up for so long: no message for each request. */
export const TOGETHER_MS = 20;

type Answers = { cell: string; tenant: string; good: number; overloaded: number; bad: number };

export class Sightings {
  readonly #tell: (seen: Seen) => void;
  readonly #broken = new Map<string, { cell: string; one: InFlight }>();
  readonly #noConnections = new Map<string, { cell: string; reason: string; count: number }>();
  readonly #answers = new Map<string, Map<string, Answers>>();
  readonly #refused = new Map<string, { home: string; tenant: string }>();
  #askStore = false;
  #soon: NodeJS.Timeout | null = null;
  #now: NodeJS.Immediate | null = null;

  constructor(tell: (seen: Seen) => void) {
    this.#tell = tell;
  }

  /** Of one tenant that has several requests in a cell it is told whether any was in another cell before. */
  broke(cell: string, one: InFlight): void {
    const key = `${cell} ${one.home} ${one.tenant}`;
    const again = one.again || this.#broken.get(key)?.one.again === true;
    this.#broken.set(key, { cell, one: { ...one, again } });
    this.#urgent();
  }

  noConnection(cell: string, reason: string): void {
    const key = `${cell} ${reason}`;
    const known = this.#noConnections.get(key);
    if (known === undefined) this.#noConnections.set(key, { cell, reason, count: 1 });
    else known.count += 1;
    this.#urgent();
  }

  answered(cell: string, outcome: AnswerOutcome, tenant: string | null): void {
    const own = answersOf(this.#answers, cell, tenant ?? '');
    own[outcome] += 1;
    this.#soon ??= setTimeout(() => this.flush(), TOGETHER_MS);
  }

  /** Told once a time: who is counted twice within a second counts once. */
  refused(home: string, tenant: string): void {
    this.#refused.set(`${home} ${tenant}`, { home, tenant });
    this.#soon ??= setTimeout(() => this.flush(), TOGETHER_MS);
  }

  askStore(): void {
    this.#askStore = true;
    this.#urgent();
  }

  /** Tells all that was seen, if anything was. */
  flush(): void {
    if (this.#soon !== null) clearTimeout(this.#soon);
    if (this.#now !== null) clearImmediate(this.#now);
    [this.#soon, this.#now] = [null, null];
    const seen = {
      broken: [...this.#broken.values()],
      noConnections: [...this.#noConnections.values()],
      answers: [...this.#answers.values()].flatMap((ofCell) => [...ofCell.values()]),
      refused: [...this.#refused.values()],
      askStore: this.#askStore,
    };
    for (const kept of [this.#broken, this.#noConnections, this.#answers, this.#refused]) kept.clear();
    this.#askStore = false;
    const { broken, noConnections, answers, refused, askStore } = seen;
    if (broken.length + noConnections.length + answers.length + refused.length > 0 || askStore)
      this.#tell(seen);
  }

  #urgent(): void {
    this.#now ??= setImmediate(() => this.flush());
  }
}

/** The counts of one tenant's answers by one cell, begun where there are none. */
export function answersOf(all: Map<string, Map<string, Answers>>, cell: string, tenant: string): Answers {
  const ofCell = all.get(cell) ?? new Map<string, Answers>();
  all.set(cell, ofCell);
  const own = ofCell.get(tenant) ?? { cell, tenant, good: 0, overloaded: 0, bad: 0 };
  ofCell.set(tenant, own);
  return own;
}
