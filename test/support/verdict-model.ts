// What a verdict may and must be, written down a second time and as naively as can be: tests hold the stores against it.
import { expect } from 'vitest';
import { initialRecord, type HealthRecord, type HomeRule, type Vote } from '../../router/health/record.ts';
import type { BeatReply } from '../../router/health/store.ts';
import type { MachineSetting } from './machine.ts';

type Down = Extract<Vote, { opinion: 'down' }>;

/** Follows a store step by step. Times are milliseconds of the store's clock. */
export class VerdictModel {
  readonly #homes: readonly HomeRule[];
  readonly #setting: MachineSetting;
  readonly #beats = new Map<string, { at: number; votes: Record<string, Vote> }>();
  readonly #lost = new Map<string, number>();
  records = new Map<string, HealthRecord>();
  #since: number | null = null;

  constructor(homes: readonly HomeRule[], setting: MachineSetting) {
    this.#homes = homes;
    this.#setting = setting;
  }

  emptied(): void {
    this.#beats.clear();
    this.#lost.clear();
    this.records.clear();
    this.#since = null;
  }

  left(router: string): void {
    this.#beats.delete(router);
  }

  /** Records came back: nothing that a majority must have wanted, but never an older one for a newer one. */
  restored(changed: readonly HealthRecord[]): void {
    for (const record of changed) {
      expect(record.epoch).toBeGreaterThan(this.records.get(record.home)?.epoch ?? 0);
      this.records.set(record.home, record);
    }
  }

  /** A beat that the store took. `changed`: the records it changed on it, in their order. */
  beaten(
    router: string,
    votes: Record<string, Vote>,
    now: number,
    changed: HealthRecord[],
    reply: BeatReply,
  ): void {
    const recent = [...this.#beats.values()].some(({ at }) => Math.abs(now - at) < 1_450);
    if (!recent || this.#since === null) this.#since = now;
    this.#beats.set(router, { at: now, votes });
    for (const [id, { at }] of this.#beats) if (Math.abs(now - at) >= 2_900) this.#beats.delete(id);
    expect(reply.routers.map(({ id }) => id)).toEqual([...this.#beats.keys()].sort());
    if (reply.behind) {
      expect(changed).toEqual([]);
      return;
    }
    const warm = Math.abs(now - this.#since) >= 2_900;
    if (!warm) expect(changed).toEqual([]);
    if (warm) this.#countLosses(now);
    for (const record of changed) this.#judge(record, now);
    for (const rule of this.#homes) this.#owesNothing(rule, now, warm, reply);
  }

  /** A forced failover that the store granted. */
  forced(record: HealthRecord, now: number, deadline: number): void {
    const before = this.#recordOf(record.home);
    expect(before.state).toBe('serving');
    expect(record).toMatchObject({
      state: 'failed-over',
      cause: 'operator',
      epoch: before.epoch + 1,
      deadline,
    });
    expect(record).toMatchObject({ share: 100, since: now, target: record.neighbour });
    this.#accept(record);
  }

  #accept(record: HealthRecord): void {
    const rule = this.#homes.find(({ home }) => home === record.home);
    expect([record.home, rule?.neighbour]).toContain(record.target);
    if (record.target !== record.home) {
      expect(this.#recordOf(record.target).target).not.toBe(record.home);
    } else this.#lost.delete(record.home);
    this.records.set(record.home, record);
  }

  #judge(record: HealthRecord, now: number): void {
    const before = this.#recordOf(record.home);
    expect(record.epoch).toBe(before.epoch + 1);
    expect(record.since).toBe(now);
    if (record.state === 'failed-over') {
      const rule = this.#homes.find(({ home }) => home === record.home);
      expect(rule === undefined ? 'unknown' : this.#obstacle(rule)).toBe(null);
    } else {
      expect(record.state).toBe('serving');
      expect(record.cause).toBe(this.#returns(before, now));
    }
    this.#accept(record);
  }

  /** After a decision nothing is left that should have been decided, and what is held back is told. */
  #owesNothing(rule: HomeRule, now: number, warm: boolean, reply: BeatReply): void {
    const record = this.#recordOf(rule.home);
    const why = reply.held.find(({ home }) => home === rule.home)?.why ?? null;
    if (record.state === 'serving' && this.#is('down', rule.home)) {
      expect(why).toBe(warm ? this.#obstacle(rule) : 'warming-up');
      expect(why).not.toBe(null);
    } else expect(why).toBe(null);
    if (record.state === 'failed-over' && warm) expect(this.#returns(record, now)).toBe(null);
  }

  /** What keeps a home that is at home from going to its neighbour now. */
  #obstacle({ home, neighbour, buckets, zone }: HomeRule): string | null {
    if (this.#recordOf(home).state !== 'serving' || !this.#is('down', home)) return 'not wanted';
    const calls = this.#votesOn(home).filter((vote): vote is Down => vote?.opinion === 'down');
    const counting = calls.filter((vote) => !(vote.evidence === 'failing' && vote.suspect === 'release'));
    if (counting.length * 2 <= this.#beats.size) return 'suspect-release';
    if (neighbour === null || neighbour === home || !this.#is('up', neighbour)) return 'no-target';
    const standIn = this.#recordOf(neighbour);
    if (standIn.state === 'drained' || standIn.target === home) return 'no-target';
    const away = this.#homes.filter((one) => {
      const record = this.#recordOf(one.home);
      return (
        record.state === 'failed-over' && record.cause !== 'operator' && !this.#is('down', record.target)
      );
    });
    if (away.length === 0) return null;
    const zones = new Set(this.#homes.map((one) => one.zone).filter((one) => one !== null));
    if (zone !== null && zones.size > 1 && away.every((one) => one.zone === zone)) return null;
    const sum = away.reduce((all, one) => all + one.buckets, buckets);
    const total = this.#homes.reduce((all, one) => all + one.buckets, 0);
    return sum <= this.#setting.maxFailedOver * total ? null : 'budget';
  }

  /** The cause for which a home that is away returns now; null: it stays. */
  #returns(record: HealthRecord, now: number): string | null {
    const { home, target, since, deadline } = record;
    if (!this.#is('up', home)) return null;
    const ups = this.#votesOn(home).filter((vote) => vote?.opinion === 'up');
    const caughtUp = ups.filter((vote) => vote.caughtUp !== false).length * 2 > ups.length;
    if (this.#is('down', target)) {
      const waited = now - (this.#lost.get(home) ?? now) >= this.#setting.neighbourLostMs;
      return caughtUp || waited ? 'neighbour-lost' : null;
    }
    if (!caughtUp) return null;
    if (record.cause === 'operator') return now >= (deadline ?? 0) ? 'expired' : null;
    return since === null || Math.abs(now - since) >= this.#setting.minDwellMs ? 'recovered' : null;
  }

  #countLosses(now: number): void {
    for (const { home } of this.#homes) {
      const { state, target } = this.#recordOf(home);
      const known = this.#lost.get(home);
      if (state !== 'failed-over' || this.#is('up', target)) this.#lost.delete(home);
      else if (known === undefined ? this.#is('down', target) : known > now) this.#lost.set(home, now);
    }
  }

  #votesOn(cell: string): (Vote | undefined)[] {
    return [...this.#beats.values()].map(({ votes }) => votes[cell]);
  }

  #is(opinion: 'up' | 'down', cell: string): boolean {
    return this.#votesOn(cell).filter((vote) => vote?.opinion === opinion).length * 2 > this.#beats.size;
  }

  #recordOf(home: string): HealthRecord {
    return this.records.get(home) ?? initialRecord(home, null);
  }
}
