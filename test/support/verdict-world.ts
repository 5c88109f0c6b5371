// A store with its machines and a clock, taken through a history and, where asked, held against the reference model.
import type { HealthRecord, HomeRule } from '../../router/health/record.ts';
import { machineName, type BeatReply, type Change, type Store } from '../../router/health/store.ts';
import { machineOf, type Machine, type MachineSetting } from './machine.ts';
import type { Beaten } from './verdict-beats.ts';
import type { Step } from './verdict-histories.ts';
import { VerdictModel } from './verdict-model.ts';
import type { Operated } from './verdict-operators.ts';

type WorldOptions = {
  /** The machines begin with the first. */
  fleets: HomeRule[][];
  setting: MachineSetting;
  /** A store; `now` is the world's clock. */
  open(now: () => number): Store;
  /** Empties the memory that stores share; in this process a new store is empty. */
  empty?: () => Promise<void>;
};

type Operating<K extends Operated['kind']> = Extract<Operated, { kind: K }>;

const ASKING = { actor: 'ada', reason: 'test', owner: 'core' };

class ReplyLost extends Error {}

/** The model follows only a store that tells of changes at once: the one in this process. */
export class World {
  readonly #options: WorldOptions;
  readonly #machines = new Map<string, Machine>();
  /** Router → its process before the one that is among the machines. */
  readonly #former = new Map<string, Machine>();
  #processes = 0;
  readonly #fleets = new Map<string, Machine['fleet']>();
  readonly model = new VerdictModel();
  store: Store;
  #now = 1_790_000_000_000;
  #changed: HealthRecord[] = [];
  #losing = false;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.store = this.#open();
  }

  /** What the step came to, comparable between stores; each store names its incarnations by itself. */
  async take(step: Step): Promise<unknown> {
    switch (step.kind) {
      case 'emptied':
        return await this.#empty();
      case 'adopted':
        return await this.#adopt(step);
      case 'leave':
        return await this.#leave(step.router);
      case 'load':
        return this.#load(step);
      case 'fail-over':
        return await this.#failOver(step);
      case 'change':
        return await this.#change(step);
      default:
        return await this.#beat(step);
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

  async #empty(): Promise<void> {
    this.model.emptied();
    await this.#options.empty?.();
    await this.store.close();
    this.store = this.#open();
  }

  async #leave(router: string): Promise<void> {
    const { process = '' } = this.#machines.get(router) ?? {};
    const name = machineName({ router, process: process ?? '' });
    this.model.left(name);
    await this.store.leave(name);
  }

  /** The cells keep the newest rules, without what is the store's own. */
  async #adopt({ router }: Operating<'adopted'>): Promise<void> {
    const newest = new Map<string, HealthRecord>();
    for (const { records } of this.#machines.values()) {
      for (const record of records.values()) {
        if (record.epoch > (newest.get(record.home)?.epoch ?? 0)) newest.set(record.home, record);
      }
    }
    this.#retire(router);
    const unknown = { since: null, cause: null, returned: null, relapses: 0, undone: 0, handover: null };
    const shown = [...newest.values()].map((record) => ({ ...record, ...unknown }));
    await this.#restore(shown, 0);
  }

  #load({ router, fleet, inForce }: Operating<'load'>): void {
    const active = this.#fleetOf(router);
    const homes = (inForce ? this.#options.fleets[fleet] : undefined) ?? active.homes;
    this.#fleets.set(router, { fleetDigest: `fleet ${fleet}`, homes, fleetInForce: inForce });
    const machine = this.#machines.get(router);
    if (machine !== undefined) machine.fleet = this.#fleetOf(router);
  }

  #fleetOf(router: string): Machine['fleet'] {
    const homes = this.#options.fleets[0] ?? [];
    return this.#fleets.get(router) ?? { fleetDigest: 'fleet 0', homes, fleetInForce: true };
  }

  async #failOver(step: Operating<'fail-over'>): Promise<unknown> {
    const wish = { ...step, ...this.#asking(step.home) };
    this.#changed = [];
    const answer = await this.store.failOver(wish);
    if (this.store.kind === 'in-process') this.model.forced(wish, this.#now, answer, this.#changed);
    return answer;
  }

  async #change(step: Operating<'change'>): Promise<unknown> {
    const change = { ...step, ...this.#asking(step.home) };
    this.#changed = [];
    const answer = await this.store.change(change);
    if (this.store.kind === 'in-process') this.model.changed(change, this.#now, answer, this.#changed);
    return answer;
  }

  /** What does not depend on the wish: who asks, and what the fleet file says. */
  #asking(home: string): typeof ASKING & Pick<Change, 'neighbour' | 'requiresStandby'> {
    const neighbour = this.#fleetOf('r1').homes.find((one) => one.home === home)?.neighbour ?? null;
    return { ...ASKING, neighbour, requiresStandby: this.#options.setting.requiresStandby };
  }

  async #beat(step: Beaten): Promise<unknown> {
    this.#now += step.afterMs;
    if (step.kind === 'restarted') this.#retire(step.router);
    this.#losing = step.kind === 'reply-lost';
    const former = step.kind === 'former' ? this.#former.get(step.router) : undefined;
    const machine = former ?? this.#machine(step.router);
    machine.confirming = step.confirming;
    try {
      return comparable(await machine.beat(step.votes, step.refused));
    } catch (error) {
      if (error instanceof ReplyLost) return null;
      throw error;
    }
  }

  #retire(router: string): void {
    const machine = this.#machines.get(router);
    if (machine !== undefined) this.#former.set(router, machine);
    this.#machines.delete(router);
  }

  #machine(id: string): Machine {
    const known = this.#machines.get(id);
    if (known !== undefined) return known;
    // The store of the moment: an emptied one in this process is another one.
    const store: Pick<Store, 'beat' | 'restore'> = {
      beat: async (one) => {
        this.#changed = [];
        const reply = await this.store.beat(one);
        if (this.store.kind === 'in-process') this.model.beaten(one, this.#now, this.#changed, reply);
        if (this.#losing) throw new ReplyLost();
        return reply;
      },
      restore: async (records, revision) => await this.#restore(records, revision),
    };
    const machine = machineOf(store, id, [], this.#options.setting);
    machine.fleet = this.#fleetOf(id);
    machine.process = `p${(this.#processes += 1)}`;
    this.#machines.set(id, machine);
    return machine;
  }

  async #restore(records: readonly HealthRecord[], revision: number): Promise<void> {
    this.#changed = [];
    await this.store.restore(records, revision);
    this.model.restored(this.#changed);
  }
}

function comparable(reply: BeatReply): object {
  const { incarnation: _, records, ...rest } = reply;
  return { ...rest, records: [...records].sort((a, b) => (a.home < b.home ? -1 : 1)) };
}
