// What a worker knows is what the monitor knows, in the same order, whenever the worker came.
import { expect, onTestFinished, test } from 'vitest';
import type { Fleet } from '../../../../router/fleet/fleet.ts';
import { steadyNow, steadyOriginMs } from '../../../../router/health/cells/cell-clock.ts';
import type { OpinionState } from '../../../../router/health/cells/opinion.ts';
import type { Monitor } from '../../../../router/health/monitor.ts';
import { QuarantineList } from '../../../../router/health/quarantine-list.ts';
import { initialRecord, type HealthRecord, type Held } from '../../../../router/health/record.ts';
import { Feed } from '../../../../router/workers/feed.ts';
import type { News } from '../../../../router/workers/messages.ts';
import { Mirror } from '../../../../router/workers/mirror.ts';
import { Sightings } from '../../../../router/workers/sightings.ts';
import { Told } from '../../../../router/workers/told.ts';
import { awayRecord } from '../../../support/machine.ts';
import { until } from '../../../support/wait.ts';
import { fleetFrom, PAIR } from '../fleet/fleets.ts';

type Cell = { opinion: OpinionState; unreachable: boolean; pressed: boolean; offsetMs: number };
type Listener<A extends unknown[]> = (...args: A) => void;

const WELL: Cell = { opinion: 'up', unreachable: false, pressed: false, offsetMs: 0 };
const ENTRY = { since: 0, home: 'cell-a', actor: 'anna', owner: 'anna', reason: 'test' };

/** A monitor that knows what a test says, as far as the feed asks it. */
class Known {
  active = fleetFrom({ ...PAIR, pins: { acme: 'cell-a' } });
  readonly quarantine = new QuarantineList();
  readonly cells = new Map<string, Cell>([
    ['cell-a', WELL],
    ['cell-b', WELL],
  ]);
  records: HealthRecord[] = [];
  ready = true;
  whole = true;
  storeAnswers = true;
  liveRouters = 1;
  held: Held[] = [];
  readonly #activated: Listener<[Fleet]>[] = [];
  readonly #recorded: Listener<[readonly HealthRecord[]]>[] = [];
  readonly #probed: Listener<[string, boolean]>[] = [];
  readonly #lost: Listener<[string]>[] = [];
  readonly #news: Listener<[string | null]>[] = [];
  onActivate = (listener: Listener<[Fleet]>) => void this.#activated.push(listener);
  onRecords = (listener: Listener<[readonly HealthRecord[]]>) => void this.#recorded.push(listener);
  onProbe = (listener: Listener<[string, boolean]>) => void this.#probed.push(listener);
  onLost = (listener: Listener<[string]>) => void this.#lost.push(listener);
  onNews = (listener: Listener<[string | null]>) => void this.#news.push(listener);
  hasCell = (cell: string): boolean => this.cells.has(cell);
  opinionOf = (cell: string): OpinionState => this.#of(cell).opinion;
  isUnreachable = (cell: string): boolean => this.#of(cell).unreachable;
  isPressed = (cell: string): boolean => this.#of(cell).pressed;
  clockOffsetOf = (cell: string): number => this.#of(cell).offsetMs;
  ownStandIn = (home: string): string | null => (home === 'cell-a' ? 'cell-b' : null);

  activate(fleet: Fleet): void {
    this.active = fleet;
    for (const listener of this.#activated) listener(fleet);
  }

  record(record: HealthRecord): void {
    this.records = [...this.records.filter(({ home }) => home !== record.home), record];
    for (const listener of this.#recorded) listener([record]);
  }

  probe(cell: string, state: Partial<Cell>): void {
    this.cells.set(cell, { ...this.#of(cell), ...state });
    for (const listener of this.#probed) listener(cell, state.opinion !== 'down');
    for (const listener of this.#news) listener(cell);
  }

  lose(cell: string): void {
    this.cells.set(cell, { ...WELL, opinion: 'down', unreachable: true });
    for (const listener of this.#lost) listener(cell);
    for (const listener of this.#news) listener(cell);
  }

  #of(cell: string): Cell {
    return this.cells.get(cell) ?? WELL;
  }
}

type Scene = { known: Known; feed: Feed; come: () => { told: Told; mirror: Mirror }; messages: News[][] };

/** Workers that come get copies, as over their channel. */
function scene(): Scene {
  const known = new Known();
  const workers: Told[] = [];
  const messages: News[][] = [];
  const monitor = known as unknown as Monitor;
  const feed = new Feed({ fleets: known, monitor }, (news) => {
    messages.push([...news]);
    for (const worker of workers) worker.take(structuredClone(news));
  });
  onTestFinished(() => feed.close());
  const come = () => {
    const told = new Told(structuredClone(feed.whole()), steadyOriginMs());
    workers.push(told);
    const up = {
      sightings: new Sightings(() => undefined),
      deliverRule: async () => {},
      confirmHeld: () => {},
    };
    return { told, mirror: new Mirror(told, up) };
  };
  return { known, feed, come, messages };
}

/** All that requests are decided by. */
function answersOf({ told, mirror }: { told: Told; mirror: Mirror }): unknown {
  const cells = ['cell-a', 'cell-b', 'cell-c'];
  return {
    digest: told.active.digest,
    acme: told.active.placement.locate('acme').home,
    cells: cells.map((cell) => [
      mirror.hasCell(cell),
      mirror.opinionOf(cell),
      mirror.isUnreachable(cell),
      mirror.isPressed(cell),
      mirror.ownStandIn(cell),
      mirror.recordOf(cell),
      mirror.heldBack(cell),
    ]),
    homes: ['acme', 'bolt'].map((tenant) => mirror.homeOf(tenant)),
    state: [mirror.ready, mirror.storeAnswers, mirror.liveRouters, mirror.knows('cell-a')],
    refused: mirror.quarantine.entries,
  };
}

test('a worker that came first and one that came last know the same', async () => {
  const { known, feed, come } = scene();
  const early = come();
  known.quarantine.learn('acme', { ...ENTRY, tenant: 'acme', until: steadyNow() + 60_000 });
  known.quarantine.learn('bolt', { ...ENTRY, tenant: 'bolt', until: steadyNow() + 60_000 });
  known.quarantine.learn('bolt', null);
  known.lose('cell-a');
  known.record(awayRecord('cell-a', 'cell-b', 4));
  known.held = [{ home: 'cell-b', why: 'budget' }];
  known.liveRouters = 3;
  known.probe('cell-b', { pressed: false, offsetMs: 5_000 });
  feed.flush();
  const late = come();
  expect(answersOf(early)).toEqual(answersOf(late));
  expect(late.mirror.recordOf('cell-a')).toEqual(awayRecord('cell-a', 'cell-b', 4));
  expect([late.mirror.isUnreachable('cell-a'), late.mirror.ownStandIn('cell-a')]).toEqual([true, 'cell-b']);
  expect([late.mirror.heldBack('cell-b'), late.mirror.liveRouters]).toEqual(['budget', 3]);
  expect(late.mirror.quarantine.refusedForS('acme')).toBeGreaterThan(50);
  expect(late.mirror.quarantine.refusedForS('bolt')).toBe(0);
});

test('by a new file a new cell is there before any request may go to it', () => {
  const { known, feed, come } = scene();
  const { told, mirror } = come();
  const seen: unknown[] = [];
  told.onActivate(({ cells }) => seen.push([...cells.keys()].map((cell) => mirror.hasCell(cell))));
  const cells = { ...PAIR.cells, 'cell-c': { origin: 'http://127.0.0.1:4103' } };
  known.cells.set('cell-c', { ...WELL, opinion: 'unknown' });
  known.activate(
    fleetFrom({ cells, generations: [...PAIR.generations, { add: ['cell-c'], settled: true }] }),
  );
  feed.flush();
  expect(seen).toEqual([[true, true, true]]);
  expect(told.active.placement.cells).toContain('cell-c');
  expect(told.active.placement.locate('echo')).toEqual(known.active.placement.locate('echo'));
});

test('a cell that was lost is unreachable when its connections are given up, and so it is when its verdict comes', () => {
  const { known, feed, come } = scene();
  const { told, mirror } = come();
  const seen: string[] = [];
  told.onLost((cell) => seen.push(`lost ${cell}`));
  told.onRecords(([record]) => seen.push(`${record?.state} ${mirror.isUnreachable('cell-a')}`));
  known.lose('cell-a');
  known.record(awayRecord('cell-a', 'cell-b', 2));
  feed.flush();
  expect(seen).toEqual(['lost cell-a', 'failed-over true']);
});

test('of two records of one epoch the one stands that the primary told last', () => {
  const { known, feed, come } = scene();
  const { mirror } = come();
  known.record(awayRecord('cell-a', 'cell-b', 2));
  known.record({ ...awayRecord('cell-a', 'cell-b', 2), cause: 'operator' });
  feed.flush();
  expect(mirror.recordOf('cell-a').cause).toBe('operator');
});

test('what has not changed is told to nobody', async () => {
  const { known, feed, come, messages } = scene();
  come();
  feed.flush();
  const before = messages.length;
  known.probe('cell-a', {});
  known.probe('cell-a', {});
  await until('the probes are told', () => messages.length > before);
  const news = messages.slice(before).flat();
  expect(news.map(({ kind }) => kind)).toEqual(['probed', 'probed']);
});

test('what changes with time alone is told without being asked for', async () => {
  const { known, come } = scene();
  const { mirror } = come();
  known.storeAnswers = false;
  await until('it is known', () => !mirror.storeAnswers);
});

test('the time at a cell is that of the cell’s clock', () => {
  const { known, feed, come } = scene();
  const { mirror } = come();
  known.probe('cell-b', { offsetMs: 3_600_000 });
  feed.flush();
  const behindMs = mirror.timeAt('cell-b') - steadyNow();
  expect(Math.abs(behindMs - 3_600_000)).toBeLessThan(1_000);
  expect(mirror.recordOf('cell-b')).toEqual(initialRecord('cell-b', 'cell-a'));
});
