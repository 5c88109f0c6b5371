// What a store knows when it decides, kept a second time: the beats that count, the records, and since when a neighbour is lost.
import { initialRecord, type HealthRecord, type HomeRule, type Vote } from '../../router/health/record.ts';
import { machineName, type Beat, type Confirmation } from '../../router/health/store.ts';
import { anyAway } from './verdict-records.ts';

type Beating = { at: number; beat: Beat };

/** Times are milliseconds of the store's clock. */
export class Situation {
  /** By the names of the processes. */
  readonly beats = new Map<string, Beating>();
  readonly lost = new Map<string, number>();
  readonly records = new Map<string, HealthRecord>();
  now = 0;
  #heardSince: number | null = null;
  #asking: Beat | null = null;
  #voters: Beat[] | null = null;

  clear(): void {
    for (const map of [this.beats, this.lost, this.records]) map.clear();
    this.#heardSince = null;
    this.#voters = null;
  }

  leave(machine: string): void {
    this.beats.delete(machine);
    this.#voters = null;
  }

  /** The machines were heard for long enough to be taken for all. */
  get warm(): boolean {
    return this.#heardSince !== null && Math.abs(this.now - this.#heardSince) >= 2_900;
  }

  /** The beat that is decided on. */
  get asking(): Beat {
    if (this.#asking === null) throw new Error('nobody has beaten yet');
    return this.#asking;
  }

  hear(beat: Beat, now: number): void {
    this.now = now;
    this.#asking = beat;
    const recent = [...this.beats.values()].some(({ at }) => Math.abs(now - at) < 1_450);
    if (!recent || this.#heardSince === null) this.#heardSince = now;
    this.beats.set(machineName(beat), { at: now, beat });
    this.forgetTheSilent(now);
  }

  forgetTheSilent(now: number): void {
    this.now = now;
    this.#voters = null;
    for (const [id, { at }] of this.beats) if (Math.abs(now - at) >= 2_900) this.beats.delete(id);
  }

  countLosses(): void {
    for (const { home } of this.asking.homes) {
      const record = this.recordOf(home);
      const { neighbour } = record;
      const known = this.lost.get(home);
      if (neighbour === null || !anyAway(record) || this.is('up', neighbour)) this.lost.delete(home);
      else if (known === undefined ? this.is('down', neighbour) : known > this.now) {
        this.lost.set(home, this.now);
      }
    }
  }

  /** Of the processes of one router the one that beat last votes; of equals the last by name. */
  get voters(): Beat[] {
    this.#voters ??= this.#findVoters();
    return this.#voters;
  }

  #findVoters(): Beat[] {
    const age = ({ at }: Beating): number => Math.abs(this.now - at);
    const all = [...this.beats].sort(([a, one], [b, other]) => age(one) - age(other) || (a > b ? -1 : 1));
    const voters = new Map<string, Beat>();
    for (const [, { beat }] of all) if (!voters.has(beat.router)) voters.set(beat.router, beat);
    return [...voters.values()];
  }

  votesOn(cell: string): (Vote | undefined)[] {
    return this.voters.map(({ votes }) => votes[cell]);
  }

  is(opinion: 'up' | 'down', cell: string | null): boolean {
    if (cell === null) return false;
    const votes = this.votesOn(cell);
    return votes.filter((vote) => vote?.opinion === opinion).length * 2 > votes.length;
  }

  hasCaughtUp(cell: string): boolean {
    const ups = this.votesOn(cell).filter((vote) => vote?.opinion === 'up');
    return ups.filter((vote) => vote.caughtUp !== false).length * 2 > ups.length;
  }

  /** Whether most of those that have an opinion of the cell say that its standby of the home is synced. */
  hasStandby(cell: string, home: string): boolean {
    const votes = this.votesOn(cell).filter((vote) => vote !== undefined);
    const synced = votes.filter((vote) => vote.opinion === 'up' && (vote.standbys ?? []).includes(home));
    return synced.length > votes.length / 2;
  }

  /** What the live machines say of this very handover; undefined: nothing. */
  confirmationsOf({ home, epoch }: HealthRecord): (Confirmation | undefined)[] {
    return [...this.beats.values()].map(({ beat }) => {
      const told = beat.confirmations[home];
      return told?.epoch === epoch ? told : undefined;
    });
  }

  /** All hold its requests, and the cells took the rule. */
  isConfirmed(record: HealthRecord): boolean {
    const told = this.confirmationsOf(record);
    return told.every((one) => one?.held === true) && told.some((one) => one?.ready === true);
  }

  /** All live machines have the file that is in force at the one that asks. */
  get oneFleet(): boolean {
    const { fleetDigest, fleetInForce } = this.asking;
    return fleetInForce && [...this.beats.values()].every(({ beat }) => beat.fleetDigest === fleetDigest);
  }

  ruleOf(home: string): HomeRule | undefined {
    return this.#asking?.homes.find((one) => one.home === home);
  }

  recordOf(home: string): HealthRecord {
    return this.records.get(home) ?? initialRecord(home, this.ruleOf(home)?.neighbour ?? null);
  }

  /** Whether a cut-over to this home is under way. */
  isGaining(home: string): boolean {
    return [...this.records.values()].some(({ handover }) => handover?.to === home);
  }
}
