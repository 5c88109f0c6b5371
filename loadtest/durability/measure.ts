// What is left when a scenario is over: both databases of each home against the ledger, and what clients saw against itself.
import { until } from '../rig/until.ts';
import { auditRows, differencesOf, uncoveredBy, unfinishedIn, type Lost, type Rows } from './audit.ts';
import type { Clients } from './clients.ts';
import { databasesOf, readRows } from './databases.ts';
import type { DurabilityFleet } from './fleet.ts';
import { checkHistory } from './history.ts';
import type { ShownLag } from './lag-watch.ts';
import { countAcknowledged, type Entry } from './ledger.ts';
import type { Scenario } from './scenarios.ts';
import type { Death, Scene, Window } from './scene.ts';

/** What was measured of one scenario. */
export type Played = {
  scenario: string;
  /** Acknowledged. */
  writes: number;
  lost: number;
  /** Acknowledged so shortly before the death of the disk that the lag shown did not cover them; 0 elsewhere. */
  mayBeLost: number;
  doubled: number;
  conflicts: number;
  stale: number;
  /** Rows that the home and its standby do not have in common in the end, and rows of a home elsewhere. */
  unequal: number;
  /** Outbox entries that were never carried out. */
  unfinished: number;
  /** The longest that a client had to try one write, seconds. */
  unavailableS: number;
  /** Of the first death; null: nobody died. */
  lag: ShownLag | null;
  /** The longest answer while tenants were handed over as planned, milliseconds; null: they were not. */
  holdMs: number | null;
  /** What is wrong, a line each. */
  faults: string[];
};

const SETTLE_LIMIT_MS = 60_000;
const MOST_FAULTS = 5;

/** Waits until both copies of each home are equal, or for a minute, and counts. */
export async function measure(
  scenario: Scenario,
  { fleet, clients, deaths, planned }: Scene,
): Promise<Played> {
  const found: Played = {
    scenario: scenario.name,
    writes: countAcknowledged(clients.entries),
    lost: 0,
    mayBeLost: 0,
    doubled: 0,
    conflicts: 0,
    unequal: 0,
    unfinished: 0,
    stale: 0,
    unavailableS: Math.max(0, ...clients.waits.map(({ ms }) => ms)) / 1_000,
    lag: deaths[0]?.lag ?? null,
    holdMs: longestIn(clients, planned),
    faults: [...clients.surprises].map(([what, times]) => `${what} (${times} times)`),
  };
  const violations = checkHistory(clients.operations);
  found.stale = violations.length;
  found.faults.push(...violations.slice(0, MOST_FAULTS).map((violation) => JSON.stringify(violation)));
  for (const { id } of fleet.cells) {
    const entries = clients.entries.filter(({ home }) => home === id);
    await auditHome(fleet, id, entries, found, scenario.mayLose === true ? deaths : []);
  }
  return found;
}

async function auditHome(
  fleet: DurabilityFleet,
  home: string,
  entries: readonly Entry[],
  found: Played,
  deaths: readonly Death[],
): Promise<void> {
  const { own, standby, differences } = await settledRows(fleet, home, [
    ...new Set(entries.map(({ tenant }) => tenant)),
  ]);
  const { lost, doubled, conflicts } = auditRows(entries, own);
  const unfinished = unfinishedIn(own);
  const death = deaths.find(({ cell }) => cell === home);
  const writes = entries.flatMap(({ acknowledged }) => acknowledged);
  const uncovered = death === undefined ? [] : uncoveredBy(death, writes);
  const beyond = lost.filter(({ write }) => !uncovered.includes(write));
  found.lost += lost.length;
  found.mayBeLost += uncovered.length;
  found.doubled += doubled.length;
  found.conflicts += conflicts;
  found.unequal += differences.length;
  found.unfinished += unfinished.length;
  found.faults.push(
    ...beyond.slice(0, MOST_FAULTS).map((one) => `lost: ${tell(one, own, standby)}`),
    ...doubled.slice(0, MOST_FAULTS),
    ...differences.slice(0, MOST_FAULTS),
    ...unfinished.slice(0, MOST_FAULTS).map((entry) => `never carried out: ${JSON.stringify(entry)}`),
  );
}

/** The rows of both copies once they are equal and all is carried out, or as they are when that takes too long. */
async function settledRows(
  fleet: DurabilityFleet,
  home: string,
  tenants: readonly string[],
): Promise<{ own: Rows; standby: Rows; differences: string[] }> {
  const urls = databasesOf(fleet, home);
  const read = async (): Promise<{ own: Rows; standby: Rows; differences: string[] }> => {
    const [own, standby] = await Promise.all([readRows(urls.own, tenants), readRows(urls.standby, tenants)]);
    return {
      own,
      standby,
      differences: [...differencesOf(own, standby), ...(await strays(fleet, home, tenants))],
    };
  };
  let last = await read();
  await until(
    'both copies are equal',
    async () => {
      last = await read();
      return last.differences.length === 0 && unfinishedIn(last.own).length === 0;
    },
    { limitMs: SETTLE_LIMIT_MS, everyMs: 200 },
  ).catch(() => undefined);
  return last;
}

/** Orders of these tenants in the own database of another cell: nobody but their home and its standby has any. */
async function strays(fleet: DurabilityFleet, home: string, tenants: readonly string[]): Promise<string[]> {
  const others = fleet.cells.filter(({ id }) => id !== home);
  const rows = await Promise.all(others.map(({ databaseUrl }) => readRows(databaseUrl, tenants)));
  return rows.flatMap(({ orders }, index) =>
    orders.map((row) => `orders: ${others[index]?.id} itself has ${JSON.stringify(row)}`),
  );
}

function longestIn({ answers }: Clients, planned: readonly Window[]): number | null {
  if (planned.length === 0) return null;
  const during = answers.filter(
    ({ status, startedMs, endedMs }) =>
      status >= 200 &&
      status < 300 &&
      planned.some(({ fromMs, untilMs }) => startedMs < untilMs && endedMs > fromMs),
  );
  return Math.max(0, ...during.map(({ startedMs, endedMs }) => endedMs - startedMs));
}

function tell({ entry, write }: Lost, own: Rows, standby: Rows): string {
  const [here, there] = [own, standby].map(({ orders }) => orders.find(({ id }) => id === entry.id));
  return JSON.stringify({
    tenant: entry.tenant,
    id: entry.id,
    write,
    own: here ?? null,
    standby: there ?? null,
  });
}
