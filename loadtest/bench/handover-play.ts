// One play: a change of who serves whom under load, from its beginning to its end, and what clients saw of it.
import { until } from '../rig/until.ts';
import {
  countEnds,
  countFailed,
  type Circumstances,
  type EndCount,
  type FailedCount,
} from './handover-counts.ts';
import type { Kind } from './handover-kinds.ts';
import { epochMs, eventsSince, firstRouter, runningRouters, type HandoverRig } from './handover-rig.ts';
import { difference, histogramIn, sumOf, type Histogram } from './histogram.ts';
import type { Sent } from './open-load.ts';
import { worst } from './statistics.ts';
import { turnsOf, type Turn } from './turns.ts';

/** What a play has at hand, and what it has to say of itself. */
export type Scene = HandoverRig & {
  home: string;
  neighbour: string;
  /** How often this kind was played before. */
  turn: number;
  /** Milliseconds that each call of an operator took. */
  callMs: number[];
  /** Requests beside the load. */
  extra: Sent[];
  killed: { router: number; atMs: number }[];
  mayRefuseMoving: boolean;
};

export type Play = FailedCount & {
  kind: Kind;
  home: string;
  /** Epoch milliseconds. */
  fromMs: number;
  untilMs: number;
  /** How long requests were held for a handover, as the routers counted it. */
  holds: Histogram;
  /** The longest that any request of the load took. */
  longestMs: number;
  turns: Turn[];
  callMs: number[];
  /** `left`: still open in a cell that serves their tenant no more. */
  streams: EndCount & { left: number };
};

const LIMIT_MS = 30_000;
const HOLDS = 'cellgate_hold_seconds';

/** Plays it, waits until all that was sent meanwhile is answered, and counts. */
export async function playOne(
  rig: HandoverRig,
  { kind, home, turn }: Pick<Scene, 'home' | 'turn'> & { kind: Kind },
  act: (scene: Scene) => Promise<void>,
): Promise<Play> {
  const { fleet, load, streams } = rig;
  const known = { callMs: [], extra: [], killed: [], mayRefuseMoving: false };
  const scene: Scene = { ...rig, home, neighbour: fleet.neighbourOf(home), turn, ...known };
  const neighbours = new Map(fleet.written().placement.cells.map((cell) => [cell, fleet.neighbourOf(cell)]));
  const before = await holdsOf(rig);
  const fromMs = epochMs();
  const beganMs = performance.now();
  await act(scene);
  const doneMs = performance.now();
  await until('all that was sent is answered', () => !load.openBefore(doneMs), { limitMs: LIMIT_MS });
  const left = await streamsLeft(rig);
  const untilMs = epochMs();
  const during = ({ endedAtMs }: Sent): boolean => endedAtMs >= beganMs;
  const ofLoad = load.sent.filter(during);
  const turns = turnsOf(await eventsSince(rig, fromMs), (cell) => neighbours.get(cell) ?? '');
  return {
    kind,
    home,
    fromMs,
    untilMs,
    ...countFailed(
      [...ofLoad, ...scene.extra, ...streams.refusals.filter(during)],
      scene satisfies Circumstances,
    ),
    holds: await holdsSince(rig, before),
    longestMs: worst(ofLoad.map(({ startedAtMs, endedAtMs }) => endedAtMs - startedAtMs)),
    turns: turns.map((one) => ({ ...one, untilMs: Math.min(one.untilMs, untilMs) })),
    callMs: scene.callMs,
    streams: {
      ...countEnds(
        streams.ends.filter(({ atMs }) => atMs >= beganMs),
        scene.killed,
      ),
      left,
    },
  };
}

/** By process: a router that was killed takes what it counted along. */
async function holdsOf({ fleet }: HandoverRig): Promise<Map<number, Histogram>> {
  const all = runningRouters(fleet).map(async (router) => {
    const text = await router.metrics();
    return [router.child.pid, histogramIn(text, HOLDS, 'kind', 'handover')] as const;
  });
  return new Map(await Promise.all(all));
}

async function holdsSince(rig: HandoverRig, before: ReadonlyMap<number, Histogram>): Promise<Histogram> {
  const after = await holdsOf(rig);
  return sumOf([...after].map(([pid, histogram]) => difference(histogram, before.get(pid))));
}

async function streamsLeft({ fleet, streams }: HandoverRig): Promise<number> {
  const router = firstRouter(fleet);
  const open = [...streams.open.values()];
  const servedBy = new Map<string, unknown>();
  for (const tenant of new Set(open.map((one) => one.tenant))) {
    const { cell } = (await router.admin(`/v1/tenants/${tenant}`)) as { cell: unknown };
    servedBy.set(tenant, cell);
  }
  return open.filter(({ tenant, cell }) => servedBy.get(tenant) !== cell).length;
}
