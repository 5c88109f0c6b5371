// The store's contract, the same for both: Redis and the one in this process.
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { initialRecord, type HealthRecord } from '../../router/health/record.ts';
import { BEAT_TTL_MS, type Store } from '../../router/health/store.ts';
import {
  awayRecord,
  DOWN,
  homesOf,
  machineOf,
  UP,
  type Machine,
  type MachineSetting,
} from '../support/machine.ts';
import { bothStores } from '../support/both-stores.ts';
import { until } from '../support/wait.ts';

const A_DOWN = { 'cell-a': DOWN, 'cell-b': UP };
const A_UP = { 'cell-a': UP, 'cell-b': UP };

const { stores } = bothStores();

describe.each(stores)('the %s store', (kind, make) => {
  let now = 0;
  let store: Store;
  let machine: (id: string, setting?: Partial<MachineSetting>) => Machine;

  beforeEach(() => {
    now = 1_790_000_000_000;
    store = make(() => now);
    machine = (id, setting) => machineOf(store, id, homesOf('cell-a', 'cell-b'), setting);
    onTestFinished(async () => await store.close());
  });

  test('says what it is', () => {
    expect(store.kind).toBe(kind);
  });

  test('knows no record at first, and the machine that asked', async () => {
    const reply = await machine('r1').beatOnce(A_UP);
    expect(reply).toMatchObject({ revision: 0, records: [], behind: false });
    expect(reply.routers).toEqual([{ id: 'r1', name: 'r1', fleetDigest: 'digest', ageMs: 0, current: true }]);
    expect(reply.incarnation).not.toBe('');
  });

  test('fails a cell over on a majority of down votes, and answers with the record', async () => {
    const [r1, r2, r3] = [machine('r1'), machine('r2'), machine('r3')];
    await r1.beat(A_UP);
    await r2.beat(A_UP);
    await r3.beat(A_UP);
    expect((await r1.beat(A_DOWN)).records).toEqual([]);
    expect((await r2.beat(A_DOWN)).records).toEqual([
      {
        ...initialRecord('cell-a', 'cell-b'),
        state: 'failed-over',
        target: 'cell-b',
        epoch: 2,
        share: 100,
        since: now,
        cause: 'unreachable',
      },
    ]);
  });

  test('answers all records to a machine that missed a change, and none to one that missed nothing', async () => {
    const [r1, r2] = [machine('r1'), machine('r2')];
    await r2.beat({});
    await store.leave('r2');
    await r1.beat(A_DOWN);
    expect((await r1.beat(A_DOWN)).records).toEqual([]);
    expect((await r2.beat(A_DOWN)).records).toMatchObject([{ home: 'cell-a', epoch: 2 }]);
    expect((await r2.beat(A_DOWN)).records).toEqual([]);
  });

  test('begins the way home after the dwell, by a first share of the tenants', async () => {
    const r1 = machine('r1', { minDwellMs: 2_000 });
    await r1.beat(A_DOWN);
    const from = r1.records.get('cell-a');
    now += 1_999;
    expect((await r1.beat(A_UP)).records).toEqual([]);
    now += 1;
    const { state, target, operation, deadline, cause, pins, moved } = from ?? initialRecord('cell-a', null);
    expect((await r1.beat(A_UP)).records).toEqual([
      {
        ...from,
        state: 'returning',
        phase: 'closing',
        epoch: 3,
        share: 90,
        shareBefore: 100,
        operation: 3,
        since: now,
        cause: 'recovered',
        handover: {
          until: now + 2_000,
          actor: 'quorum',
          reason: '1 of 1 routers: answers again (10 % home)',
          to: null,
          from: { state, target, operation, deadline, cause, pins, moved },
        },
      },
    ]);
  });

  test('drops a machine that stopped beating, its vote with it', async () => {
    const [r1, r2] = [machine('r1'), machine('r2')];
    await r2.beat(A_UP);
    now += BEAT_TTL_MS - 1;
    expect((await r1.beat(A_DOWN)).records).toEqual([]);
    now += 1;
    const reply = await r1.beat(A_DOWN);
    expect(reply.routers.map(({ id }) => id)).toEqual(['r1']);
    expect(reply.records).toMatchObject([{ home: 'cell-a', state: 'failed-over' }]);
  });

  test('does not count beats of the future after its clock was set back', async () => {
    await machine('r2').beat(A_UP);
    now -= 3_600_000;
    expect((await machine('r1').beat(A_UP)).routers.map(({ id }) => id)).toEqual(['r1']);
  });

  test('takes the beat of a machine that leaves away at once', async () => {
    const [r1, r2] = [machine('r1'), machine('r2')];
    await r2.beat(A_UP);
    await r1.beat(A_DOWN);
    await store.leave('r2');
    expect((await r1.beat(A_DOWN)).records).toMatchObject([{ home: 'cell-a', state: 'failed-over' }]);
  });

  test('lists the machines that beat, in the order of their names, with the fleet they loaded', async () => {
    await machine('r2').beat({});
    await machine('r10').beat({});
    expect((await machine('R3').beat({})).routers).toMatchObject([
      { id: 'R3', fleetDigest: 'digest' },
      { id: 'r10', fleetDigest: 'digest' },
      { id: 'r2', fleetDigest: 'digest' },
    ]);
  });

  test('is behind a machine that knows another incarnation, and decides nothing for it', async () => {
    await machine('r1').beat(A_UP);
    const reply = await store.beat({
      router: 'r1',
      fleetDigest: 'digest',
      votes: A_DOWN,
      homes: homesOf('cell-a', 'cell-b'),
      minDwellMs: 0,
      neighbourLostMs: 30_000,
      maxFailedOver: 0.34,
      handoverMs: 2_000,
      requiresStandby: false,
      fleetInForce: true,
      confirmations: {},
      refused: [],
      knownRevision: 0,
      knownIncarnation: 'another',
    });
    expect(reply).toMatchObject({ behind: true, revision: 0, records: [] });
  });

  test('is behind a machine that knows a later revision, and decides nothing for it', async () => {
    const { incarnation } = await machine('r1').beat(A_UP);
    const reply = await store.beat({
      router: 'r1',
      fleetDigest: 'digest',
      votes: A_DOWN,
      homes: homesOf('cell-a', 'cell-b'),
      minDwellMs: 0,
      neighbourLostMs: 30_000,
      maxFailedOver: 0.34,
      handoverMs: 2_000,
      requiresStandby: false,
      fleetInForce: true,
      confirmations: {},
      refused: [],
      knownRevision: 7,
      knownIncarnation: incarnation,
    });
    expect(reply).toMatchObject({ behind: true, revision: 0, records: [] });
  });

  test('takes whole records back, and goes on from their epoch', async () => {
    const away = {
      ...awayRecord('cell-a', 'cell-b', 41),
      pins: { acme: { cell: 'cell-b', until: 9_000_000_000_000 } },
      position: '0/16B3748',
    };
    await store.restore(
      [
        away,
        {
          ...initialRecord('cell-b', 'cell-a'),
          moved: [{ buckets: [0, 9], to: 'cell-c', generation: 2 }],
          epoch: 3,
        },
      ],
      70,
    );
    const r1 = machine('r1');
    const reply = await r1.beat(A_UP);
    expect(reply.revision).toBeGreaterThanOrEqual(71);
    const { pins, position } = away;
    expect(r1.records.get('cell-a')).toMatchObject({ phase: 'closing', epoch: 42, pins, position });
    expect(r1.records.get('cell-b')).toEqual({
      ...initialRecord('cell-b', 'cell-a'),
      moved: [{ buckets: [0, 9], to: 'cell-c', generation: 2 }],
      epoch: 3,
    });
  });

  test('keeps the record with the higher epoch when another is brought back', async () => {
    await store.restore([awayRecord('cell-a', 'cell-b', 5)], 0);
    await store.restore([{ ...initialRecord('cell-a', 'cell-b'), epoch: 4 }], 0);
    const r1 = machine('r1');
    await r1.beat({});
    expect(r1.records.get('cell-a')).toEqual(awayRecord('cell-a', 'cell-b', 5));
  });

  test('shows a machine that is up to date what another one brought back', async () => {
    const r1 = machine('r1');
    await r1.beat({});
    await store.restore([awayRecord('cell-a', 'cell-b', 5)], 0);
    expect((await r1.beat({})).records).toEqual([awayRecord('cell-a', 'cell-b', 5)]);
  });

  test('keeps what a change is not about, empty and not, and large numbers whole', async () => {
    const moved: HealthRecord['moved'] = [
      { buckets: [0, 65_535], to: 'cell-c', generation: 2 ** 50 },
      { tenant: 'bolt', to: 'cell-c' },
    ];
    const pins = {
      'acme "ü" 1': { cell: 'cell-a', until: 9_000_000_000_000 },
      '7': { cell: 'cell-b', until: 9_000_000_000_001 },
    };
    await store.restore([{ ...initialRecord('cell-a', 'cell-b'), moved, pins, epoch: 2 ** 52 }], 2 ** 50);
    const reply = await machine('r1').beat(A_DOWN);
    expect(reply.revision).toBe(2 ** 50 + 2);
    expect(reply.records).toMatchObject([{ state: 'failed-over', moved, pins, epoch: 2 ** 52 + 1 }]);
  });

  test('tells subscribers each changed record with its revision', async () => {
    const heard: [HealthRecord[], number][] = [];
    let ready = kind === 'in-process';
    store.subscribe(
      (records, revision) => heard.push([records, revision]),
      () => (ready = true),
    );
    await until('subscribed', () => ready);
    await machine('r1').beat(A_DOWN);
    await until('the change is heard', () => heard.length > 0);
    expect(heard).toMatchObject([[[{ home: 'cell-a', state: 'failed-over', epoch: 2 }], 1]]);
  });

  test('answers events newest first, and only those after the one named', async () => {
    const r1 = machine('r1');
    await r1.beat(A_DOWN);
    now += 10;
    await r1.beat(A_UP);
    now += 10;
    await r1.beat(A_DOWN);
    const [third, second, first, ...rest] = await store.events(10);
    expect(rest).toEqual([]);
    expect([first?.epoch, second?.epoch, third?.epoch]).toEqual([2, 3, 4]);
    expect(first).toEqual({
      id: first?.id,
      at: now - 20,
      cell: 'cell-a',
      from: 'serving',
      to: 'failed-over',
      epoch: 2,
      cause: 'unreachable',
      actor: 'quorum',
      reason: '1 of 1 routers: connection refused',
      details: { target: 'cell-b', votes: { r1: 'down' } },
      tenantSecondsRefused: null,
    });
    expect(await store.events(1)).toEqual([third]);
    expect(await store.events(0)).toEqual([]);
    expect(await store.events(10, second?.id)).toEqual([third]);
    expect(await store.events(10, third?.id)).toEqual([]);
  });

  test('refuses to list events after something that is no event', async () => {
    await machine('r1').beat(A_DOWN);
    await expect(store.events(10, 'yesterday')).rejects.toThrow(RangeError);
  });

  test('cuts reasons of any length and content to what an event may hold', async () => {
    const reason = `"\\\n\u0000${'ü\u{1F600}'.repeat(300)}`;
    await machine('r1').beat({ 'cell-a': { ...DOWN, reason }, 'cell-b': UP });
    const [event] = await store.events(1);
    expect(event?.reason.startsWith('1 of 1 routers: "\\\n\u0000ü')).toBe(true);
    expect(event?.reason.length).toBeLessThanOrEqual(200);
  });
});
