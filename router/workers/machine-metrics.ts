// The metrics of the machine: the primary's own and its workers', summed, each of them once.
import { AggregatorRegistry, type Registry } from 'prom-client';
import type { MetricData } from './messages.ts';

/** What prom-client tells and takes. */
type Told = readonly MetricData[];

export class MachineMetrics {
  readonly #own: Registry;
  /** What each worker last answered. */
  readonly #last = new Map<number, Told>();
  /** The counters of workers that have ended: a machine's count never falls. */
  #departed: Told[] = [];
  #silent = 0;

  /** `own`: the primary's. */
  constructor(own: Registry) {
    this.#own = own;
  }

  /** How often a worker did not answer in time. */
  get silent(): number {
    return this.#silent;
  }

  /** It answers no more; what it last counted stays counted. */
  left(worker: number): void {
    const last = this.#last.get(worker);
    if (last !== undefined) this.#departed.push(countersOf(last));
    this.#last.delete(worker);
  }

  /** `asked`: by worker, what it answers; null: nothing in time. Of such a one the counters stand as last told. */
  async gather(asked: ReadonlyMap<number, Promise<Told | null>>): Promise<Registry> {
    const answers = await Promise.all(
      [...asked].map(async ([worker, answer]) => [worker, await answer] as const),
    );
    const told: Told[] = [];
    for (const [worker, answer] of answers) {
      if (answer === null) {
        this.#silent += 1;
        told.push(countersOf(this.#last.get(worker) ?? []));
      } else {
        this.#last.set(worker, answer);
        told.push(answer);
      }
    }
    await this.#joinDeparted();
    return sumOf([await this.#own.getMetricsAsJSON(), ...told, ...this.#departed]);
  }

  /** Many restarts leave one sum behind. */
  async #joinDeparted(): Promise<void> {
    if (this.#departed.length < 2) return;
    const all = this.#departed.splice(0);
    this.#departed.push(await sumOf(all).getMetricsAsJSON());
  }
}

function countersOf(metrics: Told): Told {
  return metrics.filter(({ type }) => type === 'counter' || type === 'histogram');
}

function sumOf(all: readonly Told[]): Registry {
  return AggregatorRegistry.aggregate([...all]);
}
