// Every metric of the cell, defined once. Labels are homes, kinds, states and classes: bounded, never a tenant.
import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import { countConflicts } from './conflicts.ts';
import type { Contract } from './contract/contract.ts';
import type { HomeStore, Homes } from './homes.ts';
import { depthOf, type Depth } from './queue/depth.ts';
import type { Stack } from './stack.ts';
import type { Standing } from './standby/standings.ts';
import type { Pair } from './standby/pair.ts';
import type { Retention } from './standby/retention.ts';

const STATES: readonly Standing['state'][] = ['synced', 'copying', 'broken'];

/** Sets the gauge's values of now; may ask a database. */
type Read<L extends string> = (gauge: Gauge<L>) => void | Promise<void>;

/** What changed an order. */
export type WriteKind = 'create' | 'update' | 'cancel' | 'settle';

/** A scrape does not wait longer for a database: what it did not say is left out. */
const READ_LIMIT_MS = 1_000;

export class CellMetrics {
  readonly registry = new Registry();
  readonly #requests = new Counter({
    name: 'cell_requests_total',
    help: 'Requests that the cell answered, by the class of the status.',
    labelNames: ['status_class'] as const,
    registers: [this.registry],
  });
  readonly #writes = new Counter({
    name: 'cell_orders_written_total',
    help: "Writes of tenants' orders that were committed, by kind.",
    labelNames: ['home', 'kind'] as const,
    registers: [this.registry],
  });
  readonly #jobs = new Counter({
    name: 'cell_jobs_done_total',
    help: 'Outbox entries that this cell carried out, by kind.',
    labelNames: ['kind'] as const,
    registers: [this.registry],
  });

  constructor() {
    collectDefaultMetrics({ register: this.registry });
  }

  countAnswer(status: number): void {
    this.#requests.inc({ status_class: `${Math.floor(status / 100)}xx` });
  }

  countWrite(home: string, kind: WriteKind): void {
    this.#writes.inc({ home, kind });
  }

  countJob(kind: string): void {
    this.#jobs.inc({ kind });
  }

  /** A gauge that is read at each scrape. A `read` that fails or takes more than 1 s leaves it without values. */
  addGauge<L extends string>(
    definition: { name: string; help: string; labelNames: readonly L[] },
    read: Read<L>,
  ): void {
    const gauge: Gauge<L> = new Gauge({
      ...definition,
      labelNames: [...definition.labelNames],
      registers: [this.registry],
      collect: async () => {
        gauge.reset();
        await soon(read(gauge)).catch(() => gauge.reset());
      },
    });
  }

  /** The gauges of the cell's databases, of what they hold, and of what is shipped between them and the pair's. */
  observe({ homes, pair, retention }: Stack, contract: Contract): void {
    this.#observeStandbys(pair, retention);
    const isOwn = (home: string, tenant: string): boolean => contract.isOwn(home, tenant);
    const depths = (read: (store: HomeStore, depth: Depth) => void): Promise<void> =>
      each(homes, async (store) => read(store, await depthOf(store, isOwn)));
    this.addGauge(
      {
        name: 'cell_queue_depth',
        help: "Later work that is to be done: entries of the outbox that wait for the relay (of tenants that are this cell's), jobs of the queue, dead letters.",
        labelNames: ['home', 'state'],
      },
      (gauge) =>
        depths(({ home }, { pending, jobs, dead }) => {
          for (const [state, count] of Object.entries({ pending, jobs, dead }))
            gauge.set({ home, state }, count);
        }),
    );
    this.addGauge(
      {
        name: 'cell_relay_lag_seconds',
        help: 'How long the oldest entry that waits for the relay has waited; 0 without any.',
        labelNames: ['home'],
      },
      (gauge) => depths(({ home }, { lagSeconds }) => gauge.set({ home }, lagSeconds)),
    );
    this.addGauge(
      {
        name: 'cell_conflicts_open',
        help: 'Conflicting writes that nobody has settled: more than 0 is to be looked at.',
        labelNames: ['home'],
      },
      (gauge) => each(homes, async (store) => gauge.set({ home: store.home }, await countConflicts(store))),
    );
    this.addGauge(
      {
        name: 'cell_database_connections',
        help: 'Connections to a database in use, and callers that wait for one.',
        labelNames: ['home', 'state'],
      },
      (gauge) => {
        for (const { home, database } of homes.all()) {
          const { inUse, waiting } = database.load();
          gauge.set({ home, state: 'in_use' }, inUse);
          gauge.set({ home, state: 'waiting' }, waiting);
        }
      },
    );
  }

  #observeStandbys(pair: Pair, retention: Retention): void {
    const standings = (): [string, Standing][] => Object.entries(pair.standings());
    this.addGauge(
      {
        name: 'cell_standby_state',
        help: 'Of each home whose standby this cell holds: 1 at the state that it has (synced, copying, broken).',
        labelNames: ['home', 'state'],
      },
      (gauge) => {
        for (const [home, { state }] of standings())
          for (const one of STATES) gauge.set({ home, state: one }, one === state ? 1 : 0);
      },
    );
    for (const unit of ['bytes', 'seconds'] as const)
      this.addGauge(
        {
          name: `cell_standby_lag_${unit}`,
          help: `How far the standby of a home was behind it at the last contact, in ${unit}.`,
          labelNames: ['home'],
        },
        (gauge) => {
          for (const [home, { lagBytes, lagSeconds }] of standings()) {
            const lag = unit === 'bytes' ? lagBytes : lagSeconds;
            if (lag !== null) gauge.set({ home }, lag);
          }
        },
      );
    this.addGauge(
      {
        name: 'cell_slot_retained_bytes',
        help: 'WAL that is kept here for the other side of a pair; status unreserved or lost: it is given up, and the copy made anew.',
        labelNames: ['slot', 'status'],
      },
      (gauge) => {
        for (const { slot, status, bytes } of retention.slots) gauge.set({ slot, status }, bytes);
      },
    );
  }
}

/** One database that does not answer hides nothing of the others. */
async function each(homes: Homes, read: (store: HomeStore) => Promise<void>): Promise<void> {
  await Promise.all(homes.all().map((store) => soon(read(store)).catch(() => undefined)));
}

async function soon(work: void | Promise<void>): Promise<void> {
  const { promise: tooLate, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error('too late for this scrape')), READ_LIMIT_MS);
  try {
    await Promise.race([work, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}
