// One router as its store sees it: it beats, remembers what it was told, and brings it back when the store forgot.
import { initialRecord, type HealthRecord, type HomeRule, type Vote } from '../../router/health/record.ts';
import type { Beat, BeatReply, Confirmation, Store } from '../../router/health/store.ts';
import type { QuarantineEntry } from '../../router/health/verdicts/quarantine.ts';

export const UP = { opinion: 'up' } satisfies Vote;
/** Up, with a synced standby of each of these homes. */
export const syncedOf = (...homes: string[]): Vote => ({ ...UP, standbys: homes });
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

export type MachineSetting = Pick<
  Beat,
  'minDwellMs' | 'neighbourLostMs' | 'maxFailedOver' | 'handoverMs' | 'requiresStandby'
>;

/**
 * What a machine says of the handovers that it has heard of. `ready`: it holds the requests, and the cells took the rule ·
 * `ready-alone`: the cells did, but a request is still inside · `stale`: what it would say of the record before.
 */
export type Confirming = 'ready' | 'held' | 'ready-alone' | 'nothing' | 'stale';

export type Machine = {
  id: string;
  /** A name of its own among those of its ID; null: it tells none. */
  process: string | null;
  records: Map<string, HealthRecord>;
  /** As its fleet file says, and whether that is in force. */
  fleet: Pick<Beat, 'fleetDigest' | 'homes' | 'fleetInForce'>;
  /** Nothing, unless a test says otherwise. */
  confirming: Confirming;
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
    process: null,
    records,
    fleet: { fleetDigest: 'digest', homes, fleetInForce: true },
    confirming: 'nothing',
    quarantine: [],
    async beatOnce(votes, refused = []) {
      const reply = await store.beat({
        router: id,
        ...(machine.process === null ? {} : { process: machine.process }),
        votes,
        minDwellMs: 0,
        neighbourLostMs: 30_000,
        maxFailedOver: 0.34,
        handoverMs: 2_000,
        requiresStandby: false,
        confirmations: confirmationsOf(records.values(), machine.confirming),
        refused,
        ...(machine.accusations === undefined ? {} : { accusations: machine.accusations }),
        ...setting,
        ...machine.fleet,
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

function confirmationsOf(
  records: Iterable<HealthRecord>,
  confirming: Confirming,
): Record<string, Confirmation> {
  if (confirming === 'nothing') return {};
  const [held, ready] = [confirming !== 'ready-alone', confirming !== 'held'];
  const closing = [...records].filter(({ phase }) => phase === 'closing');
  return Object.fromEntries(
    closing.map(({ home, epoch }) => [
      home,
      { epoch: confirming === 'stale' ? epoch - 1 : epoch, held, ready },
    ]),
  );
}
