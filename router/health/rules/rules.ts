// The rules in force at this router: where they come from, and whom they are told, in which order.
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Network } from '../../origin-pool.ts';
import type { Placement } from '../../placement/placement.ts';
import { Fence, type KnownEpochs } from './fence.ts';
import { HandoverRules } from './handover-rules.ts';
import type { HealthRecord } from '../record.ts';
import { ShownRules } from './shown-rules.ts';
import { Snapshot } from '../snapshot.ts';
import { HealthView } from '../view.ts';

/** How long a cell that gains tenants is given to take the rule before they are sent there. */
const GAINERS_FIRST_MS = 200;

export type RulesOptions = {
  placement: Placement;
  /** `CELL_TOKEN` and `SNAPSHOT_FILE`, or null. */
  cellToken: string | null;
  snapshotFile: string | null;
  /** `HANDOVER_MS`. */
  handoverMs: number;
  network: Network;
  log: Logger;
};

export class Rules {
  readonly view: HealthView;
  readonly #fence: Fence;
  readonly #handovers: HandoverRules;
  readonly #snapshot: Snapshot | null;
  readonly #log: Logger;
  #all = false;
  readonly #listeners: ((records: readonly HealthRecord[]) => void)[] = [];
  readonly #readyListeners: ((home: string, epoch: number) => void)[] = [];
  /**
   * Homes whose record is the best that was found without the store: a newer one found the same way replaces it, and so
   * does the store's own of the same epoch, which says since when and why.
   */
  readonly #provisional = new Set<string>();
  readonly #shown: ShownRules;

  /** Starts with what an earlier router on this machine knew last. */
  constructor({ placement, cellToken, snapshotFile, handoverMs, network, log }: RulesOptions) {
    this.#log = log;
    this.view = new HealthView(placement);
    this.#fence = new Fence(cellToken, network, log);
    this.#shown = new ShownRules(this.view);
    this.#handovers = new HandoverRules({
      fence: this.#fence,
      handoverMs,
      ready: (home, epoch) => {
        for (const listener of this.#readyListeners) listener(home, epoch);
      },
    });
    this.#snapshot = snapshotFile === null ? null : new Snapshot(snapshotFile, log);
    const kept = this.#snapshot?.read() ?? { records: [], whole: false };
    for (const record of this.view.apply(kept.records)) {
      this.#provisional.add(record.home);
      this.#handovers.follow(record);
    }
    if (kept.whole) this.view.becomeWhole();
  }

  /** Called with the records that changed, once this router goes by them; at once with those that it starts with. */
  onChange(listener: (records: readonly HealthRecord[]) => void): void {
    this.#listeners.push(listener);
    const { records } = this.view;
    if (records.length > 0) listener(records);
  }

  /** Called when the cells have taken the closing rule of this epoch, as far as they take any. */
  onReady(listener: (home: string, epoch: number) => void): void {
    this.#readyListeners.push(listener);
  }

  /**
   * Takes over records, `gainersFirst`: a fenced cell that gains tenants by one hears of it before they are sent there,
   * so that it does not refuse them; but nobody waits long for one that does not listen. By a closing one nobody gains
   * any yet: it stands at once.
   */
  learn(records: readonly HealthRecord[], gainersFirst: boolean): void {
    const atOnce: HealthRecord[] = [];
    for (const record of records) {
      const told = gainersFirst && this.view.isNewer(record) ? this.#gainersThatLack(record) : [];
      if (told.length > 0) void this.#learnAfter(record, told);
      else atOnce.push(record);
    }
    this.#takeOver(atOnce);
  }

  /** The store has told all that it knows, be it nothing: a router that starts without it later shall know as much. */
  toldAll(): void {
    if (this.#all) return;
    this.#all = true;
    this.view.becomeWhole();
    this.#snapshot?.write(this.view.records);
  }

  /** A cell showed the rules it knows. */
  hear(cell: string, rules: Readonly<Record<string, unknown>>): void {
    this.#shown.hear(cell, rules);
  }

  /**
   * Of a home that the store never told of, the newest rule that a cell of its pair shows is the best knowledge there
   * is: after a cold start without a store, or with one that was emptied, or set back, while no router ran. Of others see
   * `ShownRules`. To be called once both cells of each pair were heard: what is adopted is acted on at once. Answers
   * whether something was learnt by it.
   */
  adoptShown(isUnreachable: (cell: string) => boolean): boolean {
    const adopted = this.#shown.news(this.#provisional, isUnreachable);
    if (adopted.length === 0) return false;
    this.learn(adopted, false);
    for (const { home } of adopted) this.#provisional.add(home);
    return true;
  }

  /**
   * A cell told which epochs it has rules of: it is brought those that it lacks, and newer ones of homes that it does not
   * stand in for any more. It was told to once, and would serve their tenants to whoever still sends them.
   */
  reconcile(cell: string, origin: string, epochs: KnownEpochs): void {
    this.#fence.learn(cell, origin, epochs);
    const former = Object.keys(epochs ?? {}).filter((home) => this.view.knows(home));
    const records = [...this.view.rulesFor(cell), ...former.map((home) => this.view.recordOf(home))];
    // Nearly always the same ones: it has rules of its own pair.
    this.#fence.bringTo(cell, new Set(records));
  }

  /** Whether the cell takes rules (contract level 1 and above). */
  isFenced(cell: string): boolean {
    return this.#fence.isFenced(cell);
  }

  /** Brings the rule in force for `home` to `cell`; resolves when the cell has it, or could not be told. */
  async deliver(home: string, cell: string): Promise<void> {
    await this.#fence.deliver(this.view.recordOf(home), cell);
  }

  async close(): Promise<void> {
    this.#handovers.close();
    await Promise.all([this.#fence.close(), this.#snapshot?.settled()]);
  }

  #gainersThatLack(record: HealthRecord): string[] {
    if (record.phase === 'closing') return [];
    return gainersOf(record).filter((cell) => this.#fence.lacks(cell, record));
  }

  async #learnAfter(record: HealthRecord, gainers: readonly string[]): Promise<void> {
    const told = Promise.all(gainers.map((cell) => this.#fence.deliver(record, cell)));
    await Promise.race([told, pause(GAINERS_FIRST_MS, undefined, { ref: false })]);
    this.#takeOver([record]);
  }

  #takeOver(records: readonly HealthRecord[]): void {
    const newer = this.view.apply(records, this.#provisional);
    // The store has told of these, if nobody else did: `adoptShown` enters what it found anew.
    for (const { home, epoch } of records) {
      if (epoch >= this.view.recordOf(home).epoch) this.#provisional.delete(home);
    }
    if (newer.length === 0) return;
    for (const record of newer) {
      const { home, state, phase, target, epoch, share, cause } = record;
      // One of the first epoch is no verdict: nothing ever happened to its home.
      if (epoch > 1) this.#log.warn({ home, state, phase, target, epoch, share, cause }, 'verdict');
      this.#handovers.follow(record);
    }
    this.#fence.bring(newer);
    this.#snapshot?.write(this.view.records);
    for (const listener of this.#listeners) listener(newer);
  }
}

/** The cells that serve more tenants by this record than by the one before; a pin does not say which of the two. */
function gainersOf({ home, neighbour, share, shareBefore }: HealthRecord): string[] {
  const away = neighbour ?? home;
  if (share === shareBefore) return [...new Set([home, away])];
  return [share > shareBefore ? away : home];
}
