// What requests are counted by: plain numbers, which the registry reads when it is asked.
import type { Registry } from 'prom-client';
import type { Role } from '../choose-cell.ts';
import type { RefusalCode } from '../errors.ts';

/** Upper ends of the classes of the seconds until the head of an answer. */
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Answers of one cell in one role. */
type Answers = {
  cell: string;
  role: Role;
  /** By the first digit of the status. */
  byClass: number[];
  /** By the class of the seconds; those beyond the last one at the end. */
  bySeconds: number[];
  seconds: number;
};

type Sample = { labels: Record<string, string | number>; value: number; metricName?: string };

/**
 * Measured, the registry's own counters made a twentieth of what a request allocates: the label objects that they are
 * asked by.
 */
export class RequestCounts {
  readonly #answers = new Map<string, { home: Answers; guest: Answers }>();
  readonly #refusals = new Map<RefusalCode, number>();
  #clientsGone = 0;

  constructor(registry: Registry) {
    register(registry, {
      name: 'cellgate_requests_total',
      help: 'Requests answered by a cell, by the serving cell, its role and the class of the status.',
      type: 'counter',
      read: () => this.#readAnswers(),
    });
    register(registry, {
      name: 'cellgate_response_head_seconds',
      help: 'Seconds from the head of a request to the head of its answer, by the serving cell and its role.',
      type: 'histogram',
      read: () => this.#readSeconds(),
    });
    register(registry, {
      name: 'cellgate_refusals_total',
      help: 'Requests that the router refused by itself, by code.',
      type: 'counter',
      read: () => Array.from(this.#refusals, ([code, value]) => ({ labels: { code }, value })),
    });
    register(registry, {
      name: 'cellgate_clients_gone_total',
      help: 'Requests whose client left before the head of an answer.',
      type: 'counter',
      read: () => [{ labels: {}, value: this.#clientsGone }],
    });
  }

  /** `headMs`: from the head of the request to the head of its answer. */
  countAnswer(cell: string, role: Role, status: number, headMs: number): void {
    const answers = (this.#answers.get(cell) ?? this.#begin(cell))[role];
    const statusClass = Math.floor(status / 100);
    answers.byClass[statusClass] = (answers.byClass[statusClass] ?? 0) + 1;
    const seconds = headMs / 1_000;
    let at = 0;
    while (at < SECONDS.length && seconds > (SECONDS[at] ?? 0)) at += 1;
    answers.bySeconds[at] = (answers.bySeconds[at] ?? 0) + 1;
    answers.seconds += seconds;
  }

  countRefusal(code: RefusalCode): void {
    this.#refusals.set(code, (this.#refusals.get(code) ?? 0) + 1);
  }

  countClientGone(): void {
    this.#clientsGone += 1;
  }

  #begin(cell: string): { home: Answers; guest: Answers } {
    const answers = (role: Role): Answers => ({
      cell,
      role,
      byClass: [0, 0, 0, 0, 0, 0],
      bySeconds: Array.from({ length: SECONDS.length + 1 }, () => 0),
      seconds: 0,
    });
    const both = { home: answers('home'), guest: answers('guest') };
    this.#answers.set(cell, both);
    return both;
  }

  *#all(): Generator<Answers> {
    for (const { home, guest } of this.#answers.values()) yield* [home, guest];
  }

  #readAnswers(): Sample[] {
    return Array.from(this.#all()).flatMap(({ cell, role, byClass }) =>
      byClass.flatMap((value, i) =>
        value === 0 ? [] : [{ labels: { cell, role, status_class: `${i}xx` }, value }],
      ),
    );
  }

  #readSeconds(): Sample[] {
    return Array.from(this.#all()).flatMap(({ cell, role, bySeconds, seconds }) => {
      const total = bySeconds.reduce((sum, count) => sum + count, 0);
      if (total === 0) return [];
      const sample = (suffix: string, value: number, le: Record<string, string | number> = {}): Sample => ({
        labels: { ...le, cell, role },
        value,
        metricName: `cellgate_response_head_seconds_${suffix}`,
      });
      let below = 0;
      const buckets = SECONDS.map((le, i) => sample('bucket', (below += bySeconds[i] ?? 0), { le }));
      return [
        ...buckets,
        sample('bucket', total, { le: '+Inf' }),
        sample('sum', seconds),
        sample('count', total),
      ];
    });
  }
}

type Described = { name: string; help: string; type: 'counter' | 'histogram'; read: () => Sample[] };

/** The registry asks a metric for its samples by `get`, whatever keeps them. */
function register(registry: Registry, { name, help, type, read }: Described): void {
  const metric = { name, help, type, get: () => ({ name, help, type, values: read(), aggregator: 'sum' }) };
  registry.registerMetric(metric as unknown as Parameters<Registry['registerMetric']>[0]);
}
