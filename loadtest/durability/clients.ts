// The clients of one scenario: each tenant has one who writes and one who reads, and everything they saw is kept.
import { setTimeout as pause } from 'node:timers/promises';
import type { Agent } from 'undici';
import { Random } from '../bench/wire-random.ts';
import { openAgent, send, type Answer, type Call } from './calls.ts';
import type { Operation } from './history.ts';
import type { Entry } from './ledger.ts';
import { cancel, create, orderOf, update, type Desk } from './writes.ts';

export type Tenant = { tenant: string; home: string };

export type ClientsPlan = {
  /** The URLs of the routers; asked for at each request, because routers come and go. */
  routers: () => readonly string[];
  tenants: readonly Tenant[];
  seed: number;
  /** A name for what answered, see `Operation`. */
  spanOf: (cell: string) => string;
};

/** A wait until a write was clear, milliseconds. */
export type Wait = { home: string; ms: number };

const THINK_MS = 25;
/** What becomes of a write once the scenario is over: longer than a router holds it, and than a cell takes to start. */
const CLEAR_LIMIT_MS = 20_000;
/** Of a client's orders the newest ones are written to again. */
const REMEMBERED = 12;

export class Clients {
  readonly entries: Entry[] = [];
  readonly operations: Operation[] = [];
  readonly answers: Answer[] = [];
  readonly waits: Wait[] = [];
  /** Answers that no client of this API should get, and how often. */
  readonly surprises = new Map<string, number>();
  readonly #plan: ClientsPlan;
  readonly #agent: Agent = openAgent();
  readonly #running: Promise<void>[] = [];
  #stopping = false;
  #limitMs = Number.POSITIVE_INFINITY;
  #sent = 0;

  constructor(plan: ClientsPlan) {
    this.#plan = plan;
    for (const [index, tenant] of plan.tenants.entries()) {
      const random = new Random(plan.seed * 1_009 + index);
      const own: Entry[] = [];
      this.#running.push(
        this.#write(tenant, own, random),
        this.#read(own, new Random(plan.seed * 2_003 + index)),
      );
    }
  }

  /** Begins nothing new, and resolves once it is clear what became of all that was begun. */
  async stop(): Promise<void> {
    this.#limitMs = performance.now() + CLEAR_LIMIT_MS;
    this.#stopping = true;
    await Promise.all(this.#running);
    await this.#agent.close();
  }

  /** What a writer works with, for a write beside those of the clients. */
  desk(random: Random): Desk {
    return {
      random,
      ask: (call, kind, entry) => this.#ask(call, kind, entry),
      isOver: () => performance.now() > this.#limitMs,
      waited: (home, ms) => this.waits.push({ home, ms }),
    };
  }

  /** A new order in the ledger, not yet created. */
  newEntry({ tenant, home }: Tenant, name: string): Entry {
    const entry = {
      tenant,
      home,
      key: `${tenant}-${name}`,
      item: `${tenant}-${name}`,
      id: null,
      acknowledged: [],
      unclear: [],
    };
    this.entries.push(entry);
    return entry;
  }

  async #write(tenant: Tenant, own: Entry[], random: Random): Promise<void> {
    const desk = this.desk(random);
    for (let count = 1; !this.#stopping; count += 1) {
      // Each quantity once: it names the write.
      await this.#writeOne(desk, tenant, own, count);
      await pause(random.below(2 * THINK_MS));
    }
  }

  async #writeOne(desk: Desk, tenant: Tenant, own: Entry[], count: number): Promise<void> {
    const { random } = desk;
    const dice = random.next();
    const chosen = own[random.below(own.length)];
    if (dice < 0.45 || chosen === undefined) {
      const entry = this.newEntry(tenant, String(count));
      if ((await create(desk, entry, count)) === 'acknowledged') own.push(entry);
      if (own.length > REMEMBERED) own.shift();
      return;
    }
    const outcome = dice < 0.9 ? await update(desk, chosen, count) : await cancel(desk, chosen);
    // Of one whose state is not clear, and of a cancelled one, nothing more is wanted.
    if (dice >= 0.9 || outcome === 'given up') own.splice(own.indexOf(chosen), 1);
  }

  async #read(own: readonly Entry[], random: Random): Promise<void> {
    while (!this.#stopping) {
      const entry = own[random.below(own.length)];
      if (entry !== undefined) await this.#ask({ method: 'GET', ...orderOf(entry) }, 'read', entry);
      await pause(random.below(2 * THINK_MS));
    }
  }

  async #ask(call: Call, kind: 'read' | 'write', entry: Entry): Promise<Answer> {
    const routers = this.#plan.routers();
    const router = routers[(this.#sent += 1) % routers.length] ?? '';
    const answer = await send(this.#agent, router, call);
    this.answers.push(answer);
    this.#note(answer, kind, entry);
    return answer;
  }

  #note(answer: Answer, kind: 'read' | 'write', entry: Entry): void {
    const { status, order, cell, error, startedMs, endedMs } = answer;
    const absent = status === 404 && kind === 'read' && error !== null;
    if (cell !== null && (order !== null || absent)) {
      const id = order?.id ?? entry.id ?? '';
      this.operations.push({
        order: id,
        kind,
        startedMs,
        endedMs,
        span: this.#plan.spanOf(cell),
        seen: order,
      });
    }
    if (order === null && ![0, 404, 412, 502, 503, 504].includes(status)) {
      const what = `${call(kind)} ${status} ${String(error)}`;
      this.surprises.set(what, (this.surprises.get(what) ?? 0) + 1);
    }
  }
}

function call(kind: 'read' | 'write'): string {
  return kind === 'read' ? 'a read was answered' : 'a write was answered';
}
