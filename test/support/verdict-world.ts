// A store with its machines and a clock, taken through a history and, where asked, held against the reference model.
import type { HealthRecord, HomeRule } from '../../router/health/record.ts';
import type { BeatReply, Store } from '../../router/health/store.ts';
import { machineOf, type Machine, type MachineSetting } from './machine.ts';
import { VerdictModel } from './verdict-model.ts';
import type { Step } from './verdict-histories.ts';

type WorldOptions = {
  homes: HomeRule[];
  setting: MachineSetting;
  /** A store; `now` is the world's clock. */
  open(now: () => number): Store;
  /** Empties the memory that stores share; in this process a new store is empty. */
  empty?: () => Promise<void>;
};

class ReplyLost extends Error {}

/** The model follows only a store that tells of changes at once: the one in this process. */
export class World {
  readonly #options: WorldOptions;
  readonly #machines = new Map<string, Machine>();
  readonly model: VerdictModel;
  store: Store;
  #now = 1_790_000_000_000;
  #changed: HealthRecord[] = [];
  #losing = false;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.model = new VerdictModel(options.homes, options.setting);
    this.store = this.#open();
  }

  /** What the step came to, comparable between stores; each store names its incarnations by itself. */
  async take(step: Step): Promise<unknown> {
    if (step.kind === 'emptied') return await this.#empty();
    if (step.kind === 'leave') {
      this.model.left(step.router);
      await this.store.leave(step.router);
      return null;
    }
    if (step.kind === 'fail-over') return await this.#failOver(step);
    this.#now += step.afterMs;
    if (step.kind === 'restarted') this.#machines.delete(step.router);
    this.#losing = step.kind === 'reply-lost';
    try {
      return comparable(await this.#machine(step.router).beat(step.votes, step.refused));
    } catch (error) {
      if (error instanceof ReplyLost) return null;
      throw error;
    }
  }

  #open(): Store {
    const store = this.#options.open(() => this.#now);
    if (store.kind === 'in-process') {
      store.subscribe(
        (records) => this.#changed.push(...records),
        () => {},
      );
    }
    return store;
  }

  async #empty(): Promise<null> {
    this.model.emptied();
    await this.#options.empty?.();
    await this.store.close();
    this.store = this.#open();
    return null;
  }

  async #failOver({ home, expiresInMs, override }: Extract<Step, { kind: 'fail-over' }>): Promise<unknown> {
    const neighbour = this.#options.homes.find((one) => one.home === home)?.neighbour ?? null;
    const wish = { home, neighbour, actor: 'ada', reason: 'test', owner: 'core', expiresInMs, override };
    this.#changed = [];
    const outcome = await this.store.failOver(wish);
    for (const record of this.#changed) this.model.forced(record, this.#now, this.#now + expiresInMs);
    return outcome;
  }

  #machine(id: string): Machine {
    const { homes, setting } = this.#options;
    // The store of the moment: an emptied one in this process is another one.
    const store: Pick<Store, 'beat' | 'restore'> = {
      beat: async (one) => {
        this.#changed = [];
        const reply = await this.store.beat(one);
        if (this.store.kind === 'in-process') {
          this.model.beaten(one.router, one.votes, this.#now, this.#changed, reply);
        }
        if (this.#losing) throw new ReplyLost();
        return reply;
      },
      restore: async (records, revision) => {
        this.#changed = [];
        await this.store.restore(records, revision);
        this.model.restored(this.#changed);
      },
    };
    const machine = this.#machines.get(id) ?? machineOf(store, id, homes, setting);
    this.#machines.set(id, machine);
    return machine;
  }
}

function comparable(reply: BeatReply): object {
  const { incarnation: _, records, ...rest } = reply;
  return { ...rest, records: [...records].sort((a, b) => (a.home < b.home ? -1 : 1)) };
}
