// Two real cells: `cell-a`, and `cell-b`, which holds its standby. Rules are brought by the test, as a router would.
import { standbyDatabase, withDatabase } from '../../cell-template/standby/names.ts';
import { afterAll, beforeAll } from 'vitest';
import { databaseUrlOf, pairEnv } from '../../infra/local/pairs.ts';
import type { Rule } from '../../router/health/record.ts';
import { bringRule, startCell, temporaryDataDir, type RunningCell } from './cell.ts';
import { ask } from './cell-database.ts';
import { ruleOf } from './rules.ts';
import { until } from './wait.ts';

export const HOME = 'cell-a';
export const NEIGHBOUR = 'cell-b';

type Health = {
  status: string;
  epochs: Record<string, number>;
  standbys: Record<string, { state: string; lagBytes: number | null; lagSeconds: number | null }>;
  caughtUp?: boolean;
};

export type CellPair = {
  home: RunningCell;
  neighbour: RunningCell;
  /** The PostgreSQL of each, and the standby's database. */
  homeUrl: string;
  neighbourUrl: string;
  standbyUrl: string;
  /** Starts a cell that was killed or stopped once more, on the data it has. */
  restart(which: 'home' | 'neighbour'): Promise<void>;
  stop(): Promise<void>;
};

/** `through`: how each reaches the other's PostgreSQL, where that is not straight. */
async function startCellPair({
  env = {},
  through = (url) => url,
}: { env?: Record<string, string>; through?: (url: string) => string } = {}): Promise<CellPair> {
  const dataDirs = { home: await temporaryDataDir(), neighbour: await temporaryDataDir() };
  const urls = {
    home: await databaseUrlOf(dataDirs.home),
    neighbour: await databaseUrlOf(dataDirs.neighbour),
  };
  const start = (which: 'home' | 'neighbour'): Promise<RunningCell> =>
    which === 'home'
      ? startCell({
          id: HOME,
          dataDir: dataDirs.home,
          env: { ...env, NEIGHBOUR_DATABASE_URL: through(urls.neighbour) },
          rule: null,
        })
      : startCell({
          id: NEIGHBOUR,
          dataDir: dataDirs.neighbour,
          env: { ...env, STANDBY_OF: `${HOME}=${through(urls.home)}` },
        });
  const [home, neighbour] = await Promise.all([start('home'), start('neighbour')]);
  const pair: CellPair = {
    home,
    neighbour,
    homeUrl: urls.home,
    neighbourUrl: urls.neighbour,
    standbyUrl: withDatabase(urls.neighbour, standbyDatabase(HOME)),
    async restart(which) {
      pair[which] = await start(which);
    },
    async stop() {
      await Promise.all([pair.home.stop(), pair.neighbour.stop()]);
    },
  };
  return pair;
}

/** A pair for all tests of a file, synced, and under the first rule of its home. */
export function sharedCellPair(env: Record<string, string> = {}): { now: CellPair } {
  let pair: CellPair | undefined;
  beforeAll(async () => {
    pair = await startCellPair({ env });
    await untilSynced(pair);
    await bringToBoth(pair, ruleOfHome());
  });
  afterAll(async () => {
    await pair?.stop();
  });
  return {
    get now() {
      if (pair === undefined) throw new Error('the cells have not started');
      return pair;
    },
  };
}

/**
 * Cells whose neighbours are those given; each holds the standby of the others that name it. Answers them by name, and how
 * to start one once more that was killed or stopped.
 */
export async function startCellRing(
  neighbours: ReadonlyMap<string, string>,
): Promise<{ cells: Map<string, RunningCell>; restart: (id: string) => Promise<RunningCell> }> {
  const dataDirs = new Map<string, string>();
  const urls = new Map<string, string>();
  for (const id of neighbours.keys()) {
    const dataDir = await temporaryDataDir();
    dataDirs.set(id, dataDir);
    urls.set(id, await databaseUrlOf(dataDir));
  }
  const cells = new Map<string, RunningCell>();
  const start = async (id: string, port?: number): Promise<RunningCell> => {
    const dataDir = dataDirs.get(id);
    if (dataDir === undefined) throw new Error(`${id} is none of these cells`);
    const env = pairEnv(id, neighbours, urls);
    const cell = await startCell({ id, dataDir, env, rule: null, ...(port === undefined ? {} : { port }) });
    cells.set(id, cell);
    return cell;
  };
  await Promise.all([...neighbours.keys()].map((id) => start(id)));
  return { cells, restart: (id) => start(id, cells.get(id)?.port) };
}

/** The rule of `cell-a`, with `cell-b` as its neighbour. */
export function ruleOfHome(given: Partial<Rule> = {}): Rule {
  return ruleOf(HOME, { neighbour: NEIGHBOUR, ...given });
}

/** By which all tenants of `cell-a` are at `cell-b`. */
export function awayRule(epoch: number, given: Partial<Rule> = {}): Rule {
  return ruleOfHome({
    epoch,
    state: 'failed-over',
    target: NEIGHBOUR,
    share: 100,
    shareBefore: 0,
    ...given,
  });
}

export async function bringToBoth(pair: CellPair, rule: Rule): Promise<void> {
  await Promise.all([bringRule(pair.home.url, rule), bringRule(pair.neighbour.url, rule)]);
}

export async function healthOf({ url }: RunningCell): Promise<Health> {
  return (await (await fetch(`${url}/health`)).json()) as Health;
}

/** Both directions have copied all there is. */
export async function untilSynced(pair: CellPair): Promise<void> {
  await until('both directions are synced', async () => {
    const [home, neighbour] = await Promise.all([healthOf(pair.home), healthOf(pair.neighbour)]);
    return neighbour.standbys[HOME]?.state === 'synced' && home.caughtUp === true;
  });
}

export type Sent = { status: number; headers: Headers; body: Record<string, unknown> };

/** A request of a tenant of `cell-a`, as a router sends it to `cell`. */
export async function send(
  cell: RunningCell,
  method: string,
  path: string,
  {
    body,
    tenant = 'acme',
    headers = {},
  }: { body?: object; tenant?: string; headers?: Record<string, string> } = {},
): Promise<Sent> {
  const answer = await fetch(cell.url + path, {
    method,
    headers: {
      'x-tenant-id': tenant,
      'x-cell-home': HOME,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  return {
    status: answer.status,
    headers: answer.headers,
    body: (text === '' ? {} : JSON.parse(text)) as Sent['body'],
  };
}

/** The rows that a statement finds, once they are as wanted. */
export async function untilRows(
  url: string,
  sql: string,
  wanted: (rows: Record<string, unknown>[]) => boolean,
): Promise<void> {
  await until(sql, async () => wanted(await ask(url, sql)));
}
