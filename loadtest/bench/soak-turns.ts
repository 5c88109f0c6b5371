// What happens to the fleet meanwhile, over and over: a cell dies and comes back, and an operator sends tenants away and back.
import { setTimeout as pause } from 'node:timers/promises';
import { until } from '../rig/until.ts';
import type { SoakFleet } from './soak-fleet.ts';
import type { Weather } from './soak-weather.ts';

/**
 * Cells that die, and cells that are drained. No two that die are one another's neighbour: whoever was in flight at both
 * deaths would be taken for their cause.
 */
const MORTAL = ['cell-a', 'cell-c'] as const;
const DRAINED = ['cell-b', 'cell-d'] as const;

/** How long tenants stay away. */
const AWAY_MS = 2_000;
const LIMIT_MS = 60_000;
const TRIES = 3;
const SAID = { reason: 'bench:soak', owner: 'bench' };

type CellRow = { id: string; state: string; target: string; share: number };

export type Turns = {
  /** How many of each have been played to their end. */
  readonly played: { failovers: number; drains: number };
  /** Rejects when a turn does not come to its end; never resolves before `stop`. */
  readonly ended: Promise<void>;
  /** Resolves when the turn that is being played has ended. */
  stop(): Promise<void>;
};

/** Plays them in turns, one beginning every `everyMs` or when the one before has ended. */
export function startTurns(
  fleet: SoakFleet,
  weather: Weather,
  everyMs: number,
  say: (line: string) => void,
): Turns {
  const played = { failovers: 0, drains: 0 };
  const ended = new AbortController();
  const play = async (): Promise<void> => {
    for (let turn = 0; !ended.signal.aborted; turn += 1) {
      const began = performance.now();
      await loseCell(fleet, weather, MORTAL[turn % MORTAL.length] ?? '');
      played.failovers += 1;
      await drain(fleet, weather, DRAINED[turn % DRAINED.length] ?? '');
      played.drains += 1;
      say(
        `turn ${turn + 1}: a cell was lost and another one drained, ${Math.round(performance.now() - began)} ms`,
      );
      const leftMs = Math.max(0, began + everyMs - performance.now());
      await pause(leftMs, undefined, { signal: ended.signal }).catch(() => undefined);
    }
  };
  const playing = play();
  // Whoever waits for the end is told; whoever does not must not fall over it.
  playing.catch(() => undefined);
  return {
    played,
    ended: playing,
    async stop() {
      ended.abort();
      await playing;
    },
  };
}

/** kill -9; its tenants go to the neighbour and, once it is back, home. Those that it stands in for are at home. */
async function loseCell({ cells, router }: SoakFleet, weather: Weather, id: string): Promise<void> {
  const over = weather.begin(id, 'fault');
  await cells.get(id)?.kill('SIGKILL');
  await untilRow(router, id, 'away', ({ state }) => state === 'failed-over');
  await pause(AWAY_MS);
  await cells.get(id)?.restart();
  await untilRow(router, id, 'home', ({ state, target }) => state === 'serving' && target === id);
  over();
}

/** Half of a cell's tenants go to its neighbour, and home again. */
async function drain({ router }: SoakFleet, weather: Weather, id: string): Promise<void> {
  const over = weather.begin(id, 'move');
  await operate(router, `/v1/cells/${id}/drain`, { percent: 50, expiresIn: 600, ...SAID });
  await pause(AWAY_MS);
  await operate(router, `/v1/cells/${id}/restore`, SAID);
  await untilRow(router, id, 'home', ({ state, share }) => state === 'serving' && share === 0);
  over();
}

/** A handover that was undone is asked for again: it waits for whatever takes long inside a cell. */
async function operate(router: SoakFleet['router'], path: string, body: unknown): Promise<void> {
  for (let left = TRIES; ; left -= 1) {
    const { status, body: told } = await router.operate('POST', path, body);
    if (status === 200) return;
    if (left === 1) throw new Error(`${path} was answered with ${status}: ${JSON.stringify(told)}`);
  }
}

async function untilRow(
  router: SoakFleet['router'],
  id: string,
  what: string,
  is: (row: CellRow) => boolean,
): Promise<void> {
  await until(
    `the tenants of ${id} are ${what}`,
    async () => {
      const { cells } = (await router.admin('/v1/cells')) as { cells: CellRow[] };
      return cells.some((row) => row.id === id && is(row));
    },
    { limitMs: LIMIT_MS, everyMs: 100 },
  );
}
