// The rules of handovers on their way to their cells: first to those that lose tenants, then to those that gain them.
import { setTimeout as pause } from 'node:timers/promises';
import type { Fence } from './fence.ts';
import type { HealthRecord } from '../record.ts';
import { losersAndGainers } from '../verdicts/served-by.ts';

/** A cell that did not take its rule is asked again after this. */
const AGAIN_MS = 100;

export type HandoverRulesOptions = {
  fence: Pick<Fence, 'deliver' | 'isUnfenced'>;
  /** `HANDOVER_MS`: how long a cell may take until it has applied the other's position. */
  handoverMs: number;
  /** All cells have taken the rule of this epoch, as far as they take any. */
  ready(home: string, epoch: number): void;
};

export class HandoverRules {
  readonly #options: HandoverRulesOptions;
  /** Home → what is being brought to its cells, and what ends that. */
  readonly #underWay = new Map<string, AbortController>();

  constructor(options: HandoverRulesOptions) {
    this.#options = options;
  }

  /** A home's record has changed: brings a closing one to its cells until they have it, or until the next one comes. */
  follow(record: HealthRecord): void {
    this.#underWay.get(record.home)?.abort();
    this.#underWay.delete(record.home);
    if (record.phase === 'open') return;
    const superseded = new AbortController();
    this.#underWay.set(record.home, superseded);
    void this.#bringUntilTaken(record, superseded.signal);
  }

  close(): void {
    for (const superseded of this.#underWay.values()) superseded.abort();
    this.#underWay.clear();
  }

  async #bringUntilTaken(record: HealthRecord, superseded: AbortSignal): Promise<void> {
    while (!superseded.aborted) {
      const taken = await this.#bring(record);
      if (superseded.aborted) return;
      if (taken) {
        this.#options.ready(record.home, record.epoch);
        return;
      }
      await pause(AGAIN_MS, undefined, { ref: false, signal: superseded }).catch(() => undefined);
    }
  }

  /** Once to each. What loses tenants says how far it had written; what gains them answers when it has that, too. */
  async #bring(record: HealthRecord): Promise<boolean> {
    const { losers, gainers } = losersAndGainers(record);
    const lost = await Promise.all(losers.map((cell) => this.#tell(record, cell, null)));
    if (!lost.every(({ taken }) => taken)) return false;
    const position = lost.find((one) => one.position !== null)?.position ?? null;
    const gained = await Promise.all(gainers.map((cell) => this.#tell(record, cell, position)));
    return gained.every(({ taken }) => taken);
  }

  /** A cell of contract level 0 takes no rules, and none is waited for; one that was never heard may be of another. */
  async #tell(
    record: HealthRecord,
    cell: string,
    position: string | null,
  ): Promise<{ taken: boolean; position: string | null }> {
    const { fence, handoverMs } = this.#options;
    if (fence.isUnfenced(cell)) return { taken: true, position: null };
    const ack = await fence.deliver(record, cell, { position, timeoutMs: handoverMs });
    // A newer rule than this one is another rule: by that one these tenants may be its own again.
    return { taken: ack?.epoch === record.epoch, position: ack?.position ?? null };
  }
}
