// What a verdict may and must be, written down a second time and as naively as can be: tests hold the stores against it.
import { expect } from 'vitest';
import { initialRecord, type HealthRecord } from '../../router/health/record.ts';
import type { Beat, BeatReply, Change, FailOver } from '../../router/health/store.ts';
import { expectSame } from './same.ts';
import { beginningDue, isKeepingDue, isNeighbourDue } from './verdict-begins.ts';
import { endDue, isFailoverWanted, isNeighbourLost, namesOfHeld, obstacle } from './verdict-due.ts';
import { expectNoPact, Journeys, type Opening } from './verdict-invariants.ts';
import { expectTransition, kindOf, nameOf, type Kind } from './verdict-transitions.ts';
import { Situation } from './verdict-situation.ts';
import { changeRefusal, expectGranted, expectForced, failOverRefusal } from './verdict-wishes.ts';

/** All ends of handovers come before any failover, and those before what begins. */
const STAGES: Kind[][] = [
  ['opened', 'undone', 'lost', 'gained'],
  ['failover'],
  ['begun', 'unpinned', 'neighbour', 'kept'],
];
const HOW: Partial<Record<Kind, Opening>> = {
  opened: 'confirmed',
  undone: 'undone',
  lost: 'at-once',
  failover: 'at-once',
};

/** What a store answered an operator. */
type Answer = { record: HealthRecord } | { refused: string };

/** Follows a store step by step. Times are milliseconds of the store's clock. */
export class VerdictModel {
  readonly #situation = new Situation();
  readonly #journeys = new Journeys();
  /** How often each thing happened. */
  readonly seen = new Map<string, number>();

  emptied(): void {
    this.#situation.clear();
    this.#journeys.clear();
  }

  left(machine: string): void {
    this.#situation.leave(machine);
  }

  /** Records came back: nothing that a majority must have wanted, but never an older one for a newer one. */
  restored(changed: readonly HealthRecord[]): void {
    for (const record of changed) {
      const { records } = this.#situation;
      expect(record.epoch).toBeGreaterThan(records.get(record.home)?.epoch ?? 0);
      records.set(record.home, record);
      this.#journeys.begin(record);
    }
  }

  /** A beat that the store took. `changed`: the records it changed on it, in their order. */
  beaten(beat: Beat, now: number, changed: readonly HealthRecord[], reply: BeatReply): void {
    const situation = this.#situation;
    situation.hear(beat, now);
    if (situation.beats.size > situation.voters.length) this.#count(['two of one router']);
    expectSame(
      reply.routers.map(({ name }) => name),
      [...situation.beats.keys()].sort(),
    );
    if (reply.behind || !situation.warm) expectSame(changed.length, 0);
    if (reply.behind) return;
    if (situation.warm) situation.countLosses();
    this.#decided(changed, reply);
  }

  #decided(changed: readonly HealthRecord[], reply: BeatReply): void {
    const situation = this.#situation;
    let stage = 0;
    const begun = new Set<string>();
    let cutOver: HealthRecord | null = null;
    for (const after of changed) {
      const before = situation.recordOf(after.home);
      const change = { before, after, cutOver };
      const kind = kindOf(change);
      const its = STAGES.findIndex((kinds) => kinds.includes(kind));
      expect(its).toBeGreaterThanOrEqual(stage);
      for (; stage < its; stage += 1) this.#owesNothing(stage, reply, begun);
      expectTransition(kind, change, situation);
      this.#count(nameOf(kind, change));
      if (kind === 'kept') situation.records.set(after.home, after);
      else this.#accept(after, HOW[kind] ?? 'unmoved', cutOver);
      if (stage === 2) begun.add(after.home);
      cutOver = kind === 'opened' && before.handover?.to != null ? before : null;
    }
    expectSame(cutOver, null);
    for (; stage < STAGES.length; stage += 1) this.#owesNothing(stage, reply, begun);
  }

  /** After each stage nothing is left that should have been decided in it, and what is held back is told. */
  #owesNothing(stage: number, reply: BeatReply, begun: ReadonlySet<string>): void {
    const situation = this.#situation;
    for (const rule of situation.asking.homes) {
      const record = situation.recordOf(rule.home);
      if (stage === 1) {
        const why = isFailoverWanted(record, situation) ? obstacle(record, rule, situation) : null;
        expectSame(reply.held.find(({ home }) => home === rule.home)?.why ?? null, why);
        if (why === null) expectSame(isFailoverWanted(record, situation), false);
        else this.#count(namesOfHeld(why, record, situation));
      } else if (!situation.warm) continue;
      else if (stage === 0) {
        expectSame(isNeighbourLost(record, situation), false);
        expectSame(endDue(record, situation), null);
      } else if (!begun.has(rule.home)) {
        expectSame(beginningDue(record, situation), null);
        expectSame(isKeepingDue(rule, situation), false);
        const neighbourDue = record.phase === 'open' && isNeighbourDue(record, rule, situation);
        if (typeof neighbourDue === 'string') this.#count([`neighbour, ${neighbourDue}`]);
        else expectSame(neighbourDue, false);
      }
    }
  }

  /** An operator asked for a failover at once. */
  forced(wish: FailOver, now: number, answer: Answer, changed: readonly HealthRecord[]): void {
    const before = this.#asked(wish, now);
    const refused = 'refused' in answer ? answer.refused : null;
    expect(refused).toBe(failOverRefusal(wish, before, this.#situation));
    expect(changed).toHaveLength(refused === null ? 1 : 0);
    if (refused !== null) this.#count([`refused: ${refused}`]);
    for (const record of changed) {
      this.#count(expectForced(wish, before, record, now));
      this.#accept(record, 'at-once', null);
    }
  }

  /** An operator asked for a handover. */
  changed(wish: Change, now: number, answer: Answer, changed: readonly HealthRecord[]): void {
    const before = this.#asked(wish, now);
    const refused = 'refused' in answer ? answer.refused : null;
    expect(refused).toBe(changeRefusal(wish, before, this.#situation));
    if (refused !== null) this.#count([`refused: ${refused}`]);
    if ('refused' in answer) {
      expect(changed).toEqual([]);
      return;
    }
    expect(changed).toEqual(answer.record.epoch === before.epoch ? [] : [answer.record]);
    this.#count(expectGranted(wish, before, answer.record, now));
    for (const record of changed) this.#accept(record, 'unmoved', null);
  }

  #asked({ home, neighbour }: Pick<Change, 'home' | 'neighbour'>, now: number): HealthRecord {
    this.#situation.forgetTheSilent(now);
    return this.#situation.records.get(home) ?? initialRecord(home, neighbour);
  }

  #accept(record: HealthRecord, how: Opening, gained: HealthRecord | null): void {
    const situation = this.#situation;
    const before = situation.records.get(record.home) ?? initialRecord(record.home, record.neighbour);
    this.#journeys.follow(record, before, how, gained);
    if (record.neighbour !== null) expectNoPact(before, record, situation.recordOf(record.neighbour));
    situation.records.set(record.home, record);
  }

  #count(names: readonly string[]): void {
    for (const name of names) this.seen.set(name, (this.seen.get(name) ?? 0) + 1);
  }
}
