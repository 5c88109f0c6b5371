// One router as its store sees it: it beats, remembers what it was told, and brings it back when the store forgot.
import { initialRecord, type HealthRecord, type HomeRule, type Vote } from '../../router/health/record.ts';
import type { QuarantineEntry } from '../../router/health/quarantine.ts';
import type { Beat, BeatReply, Store } from '../../router/health/store.ts';

export const UP = { opinion: 'up' } satisfies Vote;
export const DOWN = { opinion: 'down', evidence: 'unreachable', reason: 'connection refused' } satisfies Vote;
export const SELF_DECLARED = {
  opinion: 'down',
  evidence: 'self-declared',
  reason: 'says it is down',
} satisfies Vote;

/** Equal cells without zones. Each one's neighbour is the next one, the last one's the first. */
export function homesOf(...cells: string[]): HomeRule[] {
  return cells.map((home, i) => {
    return { home, neighbour: cells[(i + 1) % cells.length] ?? null, buckets: 100, zone: null };
  });
}

/** A record of `home` away at `neighbour`, as a failover leaves it. */
export function awayRecord(home: string, neighbour: string, epoch: number): HealthRecord {
  return {
    ...initialRecord(home, neighbour),
    state: 'failed-over',
    target: neighbour,
    epoch,
    share: 100,
    since: 1_000,
    cause: 'unreachable',
  };
}

export type MachineSetting = Pick<Beat, 'minDwellMs' | 'neighbourLostMs' | 'maxFailedOver'>;

export type Machine = {
  id: string;
  records: Map<string, HealthRecord>;
  /** The tenants that it knows to be refused, as last told. */
  quarantine: readonly QuarantineEntry[];
  /** Told with the next beats. */
  accusations?: Beat['accusations'];
  /** One beat, and no more: the reply shows whether the store is behind. */
  beatOnce(votes: Record<string, Vote>, refused?: Beat['refused']): Promise<BeatReply>;
  /** Beats; brings its records back to a store that is behind, and beats again. */
  beat(votes: Record<string, Vote>, refused?: Beat['refused']): Promise<BeatReply>;
  state(home: string): string;
};

export function machineOf(
  store: Pick<Store, 'beat' | 'restore'>,
  id: string,
  homes: readonly HomeRule[],
  setting: Partial<MachineSetting> = {},
): Machine {
  let known: { revision: number; incarnation: string | null } = { revision: 0, incarnation: null };
  const records = new Map<string, HealthRecord>();
  const machine: Machine = {
    id,
    records,
    quarantine: [],
    async beatOnce(votes, refused = []) {
      const reply = await store.beat({
        router: id,
        fleetDigest: 'digest',
        votes,
        homes,
        minDwellMs: 0,
        neighbourLostMs: 30_000,
        maxFailedOver: 0.34,
        handoverMs: 2_000,
        fleetInForce: true,
        confirmations: {},
        refused,
        ...(machine.accusations === undefined ? {} : { accusations: machine.accusations }),
        ...setting,
        knownRevision: known.revision,
        knownIncarnation: known.incarnation,
      });
      for (const record of reply.records) {
        if (record.epoch > (records.get(record.home)?.epoch ?? 0)) records.set(record.home, record);
      }
      if (reply.behind) await store.restore([...records.values()], known.revision, machine.quarantine);
      else machine.quarantine = reply.quarantine ?? machine.quarantine;
      known = reply;
      return reply;
    },
    async beat(votes, refused) {
      const reply = await machine.beatOnce(votes, refused);
      return reply.behind ? await machine.beatOnce(votes, refused) : reply;
    },
    state: (home) => records.get(home)?.state ?? 'serving',
  };
  return machine;
}
