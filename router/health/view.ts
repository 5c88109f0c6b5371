// What this router knows, in memory: the request path reads it, and nothing on the request path waits for more.
import { isDeepStrictEqual } from 'node:util';
import type { Placement } from '../placement/placement.ts';
import { isWithin, rangesBeyond, tenantHomes, type Range } from './verdicts/moved.ts';
import { initialRecord, type HealthRecord } from './record.ts';

export class HealthView {
  #records = new Map<string, HealthRecord>();
  /** Per cell of the fleet the record to act on: the stored one, or the initial one where nothing ever happened. */
  #inForce = new Map<string, HealthRecord>();
  #rules = new Map<string, HealthRecord[]>();
  #tenantHomes: ReadonlyMap<string, string> = new Map();
  /** Home → the ranges that were cut over from it by generations which the placement does not have; mostly none. */
  #overtaken: ReadonlyMap<string, readonly Range[]> = new Map();
  #whole = false;
  #moves = 0;
  #placement: Placement;

  constructor(placement: Placement) {
    this.#placement = placement;
    this.#rebuild();
  }

  setPlacement(placement: Placement): void {
    this.#placement = placement;
    this.#rebuild();
  }

  /**
   * Takes over records, whatever way and order they came: for each home the higher epoch stands. The record of a
   * `provisional` home gives way to another one of its own epoch, too. Answers those that were taken over.
   */
  apply(records: readonly HealthRecord[], provisional: ReadonlySet<string> = new Set()): HealthRecord[] {
    const newer = new Map<string, HealthRecord>();
    for (const record of records) {
      if (!this.isNewer(record) && !(provisional.has(record.home) && this.#isAnother(record))) continue;
      const before = this.#records.get(record.home)?.moved.length ?? 0;
      if (before + record.moved.length > 0) this.#moves += 1;
      this.#records.set(record.home, record);
      newer.set(record.home, record);
    }
    if (newer.size > 0) this.#rebuild();
    return [...newer.values()];
  }

  /** Whether the home is in this router's fleet. */
  has(home: string): boolean {
    return this.#inForce.has(home);
  }

  isNewer({ home, epoch }: HealthRecord): boolean {
    return epoch > (this.#records.get(home)?.epoch ?? 0);
  }

  /**
   * Whether anything was ever told of this home; if not, it has only ever served itself as far as is known. A record of the
   * first epoch says no more than that, and who its neighbour is.
   */
  knows(home: string): boolean {
    return (this.#records.get(home)?.epoch ?? 1) > 1;
  }

  /** From now on a home without a record is one to which nothing ever happened: all records were told. */
  becomeWhole(): void {
    this.#whole = true;
  }

  /** Whether all records were told at least once, by the store or by what an earlier router kept. */
  get whole(): boolean {
    return this.#whole;
  }

  /** The home that its own cut-overs took a tenant to; null: it had none, or to a cell that is not in the fleet any more. */
  movedTenant(tenant: string): string | null {
    const home = this.#tenantHomes.get(tenant);
    return home !== undefined && this.has(home) ? home : null;
  }

  /** Whether a generation that the placement does not have may have taken the bucket from this home. */
  isOvertaken(home: string, bucket: number): boolean {
    if (this.#overtaken.size === 0) return false;
    return this.#overtaken.get(home)?.some((range) => isWithin(bucket, range)) ?? false;
  }

  /** Grows whenever what was cut over may have changed. */
  get moves(): number {
    return this.#moves;
  }

  /** The records to act on that concern a cell: its own, and those of the homes it stands in for. */
  rulesFor(cell: string): readonly HealthRecord[] {
    return this.#rules.get(cell) ?? [];
  }

  /** Every record this router holds, to bring back to a store that lost them. */
  get records(): HealthRecord[] {
    return [...this.#records.values()];
  }

  /** The record to act on for a home; one that is not in the fleet has only ever served itself. */
  recordOf(home: string): HealthRecord {
    return this.#inForce.get(home) ?? initialRecord(home, null);
  }

  #isAnother(record: HealthRecord): boolean {
    const known = this.#records.get(record.home);
    return known?.epoch === record.epoch && !isDeepStrictEqual(known, record);
  }

  #rebuild(): void {
    // Of all homes, also of those that have left the fleet.
    this.#tenantHomes = tenantHomes(this.#records.values());
    this.#overtaken = rangesBeyond(this.#records.values(), this.#placement.generations);
    this.#inForce = new Map(
      this.#placement.cells.map((home) => {
        // A record's own neighbour is in force: what the file says becomes the record's when the store changes it.
        const record = this.#records.get(home) ?? initialRecord(home, this.#placement.neighbourOf(home));
        return [home, record];
      }),
    );
    this.#rules = new Map();
    for (const record of this.#inForce.values()) {
      for (const cell of new Set([record.home, record.neighbour])) {
        if (cell === null) continue;
        const rules = this.#rules.get(cell);
        if (rules === undefined) this.#rules.set(cell, [record]);
        else rules.push(record);
      }
    }
  }
}
