// All that the primary has told this worker, put together again: fleet, records, cells, the store's word, the quarantine.
import type { Fleet } from '../fleet/fleet.ts';
import type { ActiveFleet } from '../fleet/holder.ts';
import { steadyNow, steadyOriginMs } from '../health/cells/cell-clock.ts';
import { QuarantineList } from '../health/quarantine-list.ts';
import type { HealthRecord } from '../health/record.ts';
import { HealthView } from '../health/view.ts';
import { fleetOf } from './fleet-bytes.ts';
import type { CellState, News, Status } from './messages.ts';

const NOTHING_KNOWN: Status = {
  ready: false,
  whole: false,
  storeAnswers: false,
  liveRouters: 1,
  held: [],
  storeAheadMs: 0,
};

export class Told implements ActiveFleet {
  readonly quarantine = new QuarantineList();
  readonly view: HealthView;
  /** Those that are watched. */
  readonly cells = new Map<string, CellState>();
  /** Those that had more than they could carry, at their last probe. */
  readonly pressed = new Set<string>();
  readonly #primaryAheadMs: number;
  readonly #fleetListeners: ((fleet: Fleet) => void)[] = [];
  readonly #recordListeners: ((records: readonly HealthRecord[]) => void)[] = [];
  readonly #probeListeners: ((cell: string, well: boolean) => void)[] = [];
  readonly #lostListeners: ((cell: string) => void)[] = [];
  #fleet: Fleet;
  #status = NOTHING_KNOWN;

  /** `news`: all that is known, the fleet first. `originMs`: of the primary's steady clock (`steadyOriginMs`). */
  constructor([first, ...rest]: readonly News[], originMs: number) {
    if (first?.kind !== 'fleet') throw new TypeError('the fleet comes first');
    this.#primaryAheadMs = originMs - steadyOriginMs();
    this.#fleet = fleetOf(first.fleet);
    this.view = new HealthView(this.#fleet.placement);
    this.take(rest);
  }

  /** The primary told what has changed. */
  take(news: readonly News[]): void {
    for (const one of news) this.#take(one);
  }

  get active(): Fleet {
    return this.#fleet;
  }

  get status(): Status {
    return this.#status;
  }

  /** Now, by the primary's steady clock. */
  get primaryNow(): number {
    return steadyNow() + this.#primaryAheadMs;
  }

  onActivate(listener: (fleet: Fleet) => void): void {
    this.#fleetListeners.push(listener);
  }

  onRecords(listener: (records: readonly HealthRecord[]) => void): void {
    this.#recordListeners.push(listener);
    const { records } = this.view;
    if (records.length > 0) listener(records);
  }

  onProbe(listener: (cell: string, well: boolean) => void): void {
    this.#probeListeners.push(listener);
  }

  onLost(listener: (cell: string) => void): void {
    this.#lostListeners.push(listener);
  }

  #take(news: News): void {
    if (news.kind === 'fleet') this.#activate(fleetOf(news.fleet));
    else if (news.kind === 'records') this.#learn(news.records);
    else if (news.kind === 'status') this.#heard(news.status);
    else if (news.kind === 'lost') for (const listener of this.#lostListeners) listener(news.cell);
    else if (news.kind === 'probed') this.#probed(news);
    else if (news.kind === 'quarantine') this.quarantine.learn(news.change.tenant, news.change.entry);
    else if (news.state !== null) this.cells.set(news.cell, news.state);
    else this.cells.delete(news.cell);
  }

  #activate(fleet: Fleet): void {
    this.#fleet = fleet;
    this.view.setPlacement(fleet.placement);
    for (const listener of this.#fleetListeners) listener(fleet);
  }

  /** The primary has settled which of two records of one epoch stands: whatever it tells does. */
  #learn(records: readonly HealthRecord[]): void {
    const taken = this.view.apply(records, new Set(records.map(({ home }) => home)));
    if (taken.length > 0) for (const listener of this.#recordListeners) listener(taken);
  }

  #heard(status: Status): void {
    this.#status = status;
    const storeMs = this.primaryNow + status.storeAheadMs;
    this.quarantine.told({ storeMs, revision: 0, incarnation: '', quarantine: null });
  }

  #probed({ cell, well, pressed }: Extract<News, { kind: 'probed' }>): void {
    if (pressed) this.pressed.add(cell);
    else this.pressed.delete(cell);
    for (const listener of this.#probeListeners) listener(cell, well);
  }
}
