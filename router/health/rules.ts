// The rules in force at this router: where they come from, and whom they are told, in which order.
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Names } from '../names.ts';
import type { Placement } from '../placement/placement.ts';
import { Fence, type KnownEpochs } from './fence.ts';
import type { HealthRecord } from './record.ts';
import { Snapshot } from './snapshot.ts';
import { HealthView } from './view.ts';
import { readRule } from './wire.ts';

/** How long a cell that gains tenants is given to take the rule before they are sent there. */
const TARGET_FIRST_MS = 200;

export type RulesOptions = {
  placement: Placement;
  /** `CELL_TOKEN` and `SNAPSHOT_FILE`, or null. */
  cellToken: string | null;
  snapshotFile: string | null;
  names: Names;
  log: Logger;
};

/** A rule, and the cells that showed it. */
type Shown = { rule: HealthRecord; by: string[] };

export class Rules {
  readonly view: HealthView;
  readonly #fence: Fence;
  readonly #snapshot: Snapshot | null;
  readonly #log: Logger;
  #all = false;
  readonly #listeners: ((records: readonly HealthRecord[]) => void)[] = [];
  /**
   * Homes whose record is the best that was found without the store: a newer one found the same way replaces it, and so
   * does the store's own of the same epoch, which says since when and why.
   */
  readonly #provisional = new Set<string>();
  /** The newest rule of each home that cells have shown since it was last looked at. */
  readonly #shown = new Map<string, Shown>();

  /** Starts with what an earlier router on this machine knew last. */
  constructor({ placement, cellToken, snapshotFile, names, log }: RulesOptions) {
    this.#log = log;
    this.view = new HealthView(placement);
    this.#fence = new Fence(cellToken, names, log);
    this.#snapshot = snapshotFile === null ? null : new Snapshot(snapshotFile, log);
    const kept = this.#snapshot?.read() ?? { records: [], whole: false };
    for (const { home } of this.view.apply(kept.records)) this.#provisional.add(home);
    if (kept.whole) this.view.becomeWhole();
  }

  /** Called with the records that changed, once this router goes by them. */
  onChange(listener: (records: readonly HealthRecord[]) => void): void {
    this.#listeners.push(listener);
  }

  /**
   * Takes over records, `targetFirst`: a fenced cell that gains tenants by one hears of it before they are sent there,
   * so that it does not refuse them; but nobody waits long for one that does not listen.
   */
  learn(records: readonly HealthRecord[], targetFirst: boolean): void {
    const atOnce: HealthRecord[] = [];
    for (const record of records) {
      const waits = targetFirst && this.view.isNewer(record) && this.#fence.lacks(record.target, record);
      if (waits) void this.#learnAfterTarget(record);
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

  /** A cell showed the rules it knows: of each home of its pair the newest one is kept until `adoptShown`. */
  hear(cell: string, rules: Readonly<Record<string, unknown>>): void {
    for (const shown of Object.values(rules)) {
      const rule = readRule(shown);
      if (rule === null || !this.#isOfPair(cell, rule)) continue;
      const known = this.#shown.get(rule.home);
      if (rule.epoch > (known?.rule.epoch ?? 0)) this.#shown.set(rule.home, { rule, by: [cell] });
      else if (rule.epoch === known?.rule.epoch) known.by.push(cell);
    }
  }

  /**
   * Of a home that the store never told of, the newest rule that a cell of its pair shows is the best knowledge there
   * is: after a cold start without a store, or with one that was emptied, or set back, while no router ran. To be called once both
   * cells of each pair were heard: what is adopted is acted on at once. Answers whether something was learnt by it.
   */
  adoptShown(): boolean {
    if (this.#shown.size === 0) return false;
    const news = [...this.#shown.values()].filter((shown) => this.#isNews(shown));
    const adopted = news.map(({ rule }) => rule);
    this.#shown.clear();
    if (adopted.length === 0) return false;
    this.learn(adopted, false);
    for (const { home } of adopted) this.#provisional.add(home);
    return true;
  }

  /** A cell told which epochs it has rules of: it is brought those that it lacks. */
  reconcile(cell: string, origin: string, epochs: KnownEpochs): void {
    this.#fence.learn(cell, origin, epochs);
    this.#fence.bring(this.view.rulesFor(cell));
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
    await Promise.all([this.#fence.close(), this.#snapshot?.settled()]);
  }

  /** The pair is the one that this router knows: a rule may call whoever shows it the neighbour. */
  #isOfPair(cell: string, { home, neighbour }: HealthRecord): boolean {
    if (cell === home) return true;
    return cell === neighbour && cell === this.view.recordOf(home).neighbour;
  }

  /**
   * Where the store has told of the home (an old copy of it may have come back, and the routers with it) a newer rule
   * is believed of the cell alone that serves by the store's record: it refuses these tenants until that is followed.
   */
  #isNews({ rule: { home, epoch }, by }: Shown): boolean {
    const known = this.view.recordOf(home);
    if (!this.view.has(home) || epoch <= known.epoch) return false;
    return this.#provisional.has(home) || !this.view.knows(home) || by.includes(known.target);
  }

  async #learnAfterTarget(record: HealthRecord): Promise<void> {
    const told = this.#fence.deliver(record, record.target);
    await Promise.race([told, pause(TARGET_FIRST_MS, undefined, { ref: false })]);
    this.#takeOver([record]);
  }

  #takeOver(records: readonly HealthRecord[]): void {
    const newer = this.view.apply(records, this.#provisional);
    if (newer.length === 0) return;
    for (const { home, state, target, epoch, cause } of newer) {
      this.#log.warn({ home, state, target, epoch, cause }, 'verdict');
    }
    this.#fence.bring(newer);
    this.#snapshot?.write(this.view.records);
    for (const listener of this.#listeners) listener(newer);
  }
}
