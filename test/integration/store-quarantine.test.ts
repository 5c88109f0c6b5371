// The quarantine in both stores: who is on it, who hears of it, and what becomes of it.
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { QUARANTINE_MAX, type QuarantineChange } from '../../router/health/verdicts/quarantine.ts';
import { createRedisStore } from '../../router/health/redis/redis-store.ts';
import { StoreUnavailable, type Store } from '../../router/health/store.ts';
import { DOWN, homesOf, machineOf, UP, type Machine } from '../support/machine.ts';
import { bothStores } from '../support/both-stores.ts';
import { until } from '../support/wait.ts';

const WELL = { 'cell-a': UP, 'cell-b': UP };
const A_DEAD = { 'cell-a': DOWN, 'cell-b': UP };
const BOTH_DEAD = { 'cell-a': DOWN, 'cell-b': DOWN };
const WISH = {
  tenant: 'acme',
  home: 'cell-a',
  actor: 'ada',
  reason: 'floods "us"',
  owner: 'core',
  expiresInMs: 60_000,
};
const RELEASE = { tenant: 'acme', actor: 'bob', reason: 'fixed', owner: 'ops' };

const { stores, redis } = bothStores();
let prefix = 0;

describe.each(stores)('the %s store', (kind, make) => {
  let now = 0;
  let store: Store;
  let machine: (id: string) => Machine;

  beforeEach(() => {
    now = 1_790_000_000_000;
    store = make(() => now);
    machine = (id) => machineOf(store, id, homesOf('cell-a', 'cell-b'));
    onTestFinished(async () => await store.close());
  });

  const entry = () => {
    const { expiresInMs, ...said } = WISH;
    return { ...said, since: now, until: now + expiresInMs };
  };
  /** `acme!`: with a request that was in the other cell before. */
  const died = (cell: string, ...tenants: string[]) => {
    const inFlight = tenants.map((text) => {
      return { home: 'cell-a', tenant: text.replace('!', ''), again: text.endsWith('!') };
    });
    return { deaths: [{ cell, many: false, tenants: inFlight }], failing: [] };
  };
  const tenantsOf = ({ quarantine }: Machine) => quarantine.map(({ tenant }) => tenant).sort();

  test('refuses a tenant for an operator, and tells the whole list to whoever does not know it', async () => {
    const [r1, r2] = [machine('r1'), machine('r2')];
    expect((await r1.beat(WELL)).quarantine).toEqual([]);
    await r2.beat(WELL);
    expect(await store.quarantine(WISH)).toEqual({ entry: entry() });
    expect(await r1.beat(WELL)).toMatchObject({ revision: 1, quarantine: [entry()] });
    expect((await r1.beat(WELL)).quarantine).toBe(null);
    await store.quarantine({ ...WISH, tenant: 'bolt' });
    await r2.beat(WELL);
    expect(tenantsOf(r2)).toEqual(['acme', 'bolt']);
  });

  test('tells the time by its own clock', async () => {
    expect((await machine('r1').beat(WELL)).storeMs).toBe(now);
  });

  test('takes another end and another reason for a tenant that is refused already', async () => {
    const r1 = machine('r1');
    await r1.beat(WELL);
    await store.quarantine(WISH);
    now += 1_000;
    await store.quarantine({ ...WISH, reason: 'again', expiresInMs: 5_000 });
    await r1.beat(WELL);
    expect(r1.quarantine).toMatchObject([{ reason: 'again', since: now, until: now + 5_000 }]);
    expect(await store.events(10)).toHaveLength(2);
  });

  test('lets a tenant in again, once', async () => {
    const r1 = machine('r1');
    await r1.beat(WELL);
    await store.quarantine(WISH);
    await r1.beat(WELL);
    expect(await store.unquarantine(RELEASE)).toEqual({ entry: entry() });
    expect(await store.unquarantine(RELEASE)).toEqual({ refused: 'not-found' });
    expect((await r1.beat(WELL)).quarantine).toEqual([]);
  });

  test('lets a tenant in by itself when its time is over', async () => {
    const r1 = machine('r1');
    await r1.beat(WELL);
    await store.quarantine(WISH);
    now += 59_999;
    await r1.beat(WELL);
    expect(tenantsOf(r1)).toEqual(['acme']);
    now += 1;
    expect((await r1.beat(WELL)).quarantine).toEqual([]);
  });

  test('keeps nobody out for as long as its clock was set back', async () => {
    const r1 = machine('r1');
    await r1.beat(WELL);
    await store.quarantine(WISH);
    now -= 86_400_000;
    await r1.beat(WELL);
    expect(tenantsOf(r1)).toEqual([]);
  });

  test('tells of each change in its events, with the state of the home as it stands', async () => {
    const r1 = machine('r1');
    await r1.beat(WELL);
    await r1.beat(A_DEAD);
    await store.quarantine(WISH);
    now += 1_000;
    await store.unquarantine(RELEASE);
    await store.quarantine({ ...WISH, expiresInMs: 0 });
    await r1.beat(A_DEAD);
    const event = {
      cell: 'cell-a',
      from: 'failed-over',
      to: 'failed-over',
      epoch: 2,
      tenantSecondsRefused: null,
    };
    expect((await store.events(10)).slice(0, 4)).toMatchObject([
      {
        ...event,
        cause: 'expired',
        actor: 'quorum',
        details: { quarantine: { tenant: 'acme', what: 'expired', until: now, owner: 'core' } },
      },
      { ...event, cause: 'operator', actor: 'ada', details: { quarantine: { what: 'added' } } },
      {
        ...event,
        cause: 'operator',
        actor: 'bob',
        reason: 'fixed',
        details: { quarantine: { tenant: 'acme', what: 'removed', owner: 'ops' } },
      },
      {
        ...event,
        at: now - 1_000,
        cause: 'operator',
        actor: 'ada',
        reason: 'floods "us"',
        details: { quarantine: { tenant: 'acme', what: 'added', until: now + 59_000, owner: 'core' } },
      },
    ]);
  });

  test('finds the tenant that was in flight at both deaths of its pair, before it passes the second verdict', async () => {
    const r1 = machine('r1');
    await r1.beat(WELL);
    r1.accusations = died('cell-a', 'acme', 'bolt');
    await r1.beat(A_DEAD);
    r1.accusations = died('cell-b', 'acme!', 'core');
    await r1.beat(BOTH_DEAD);
    await r1.beat(BOTH_DEAD);
    expect(r1.quarantine).toMatchObject([
      { tenant: 'acme', home: 'cell-a', actor: 'quorum', owner: null, since: now, until: now + 600_000 },
    ]);
    const [verdict, quarantined] = await store.events(2);
    expect(verdict).toMatchObject({ cell: 'cell-b', details: { held: 'no-target' } });
    expect(quarantined).toMatchObject({
      cell: 'cell-a',
      cause: 'unreachable',
      actor: 'quorum',
      details: { quarantine: { tenant: 'acme', what: 'added' }, died: ['cell-a', 'cell-b'] },
    });
  });

  test('refuses one that fails alone while its cell is up', async () => {
    const r1 = machine('r1');
    await r1.beat(WELL);
    r1.accusations = { deaths: [], failing: [{ cell: 'cell-a', home: 'cell-a', tenant: 'acme' }] };
    await r1.beat(WELL);
    expect(tenantsOf(r1)).toEqual(['acme']);
    expect(await store.events(1)).toMatchObject([{ details: { failing: 'cell-a' } }]);
  });

  test('decides nothing on what a machine tells that knows more than it does', async () => {
    const r1 = machine('r1');
    await r1.beat(WELL);
    const failing = [{ cell: 'cell-a', home: 'cell-a', tenant: 'acme' }];
    const reply = await store.beat({
      router: 'r1',
      fleetDigest: 'digest',
      votes: WELL,
      homes: homesOf('cell-a', 'cell-b'),
      minDwellMs: 0,
      neighbourLostMs: 30_000,
      maxFailedOver: 0.34,
      handoverMs: 2_000,
      requiresStandby: false,
      fleetInForce: true,
      confirmations: {},
      refused: [],
      accusations: { deaths: [], failing },
      knownRevision: 7,
      knownIncarnation: null,
    });
    expect(reply).toMatchObject({ behind: true, quarantine: [] });
    expect(await store.events(1)).toEqual([]);
  });

  test('takes as many tenants as it has room for, and no more', async () => {
    const r1 = machine('r1');
    await r1.beat(WELL);
    const named = Array.from({ length: QUARANTINE_MAX }, (_, i) => ({ ...entry(), tenant: `t${i}` }));
    await store.restore([], 1, [...named, entry()]);
    await r1.beat(WELL);
    expect(r1.quarantine).toHaveLength(QUARANTINE_MAX);
    expect(await store.quarantine(WISH)).toEqual({ refused: 'too-many' });
    expect(await store.quarantine({ ...WISH, tenant: 't7' })).toHaveProperty('entry');
    await store.unquarantine({ ...RELEASE, tenant: 't7' });
    expect(await store.quarantine(WISH)).toHaveProperty('entry');
  });

  test('gets back what it lost, less what is over, and lets what it has stand', async () => {
    const r1 = machine('r1');
    await r1.beat(WELL);
    await store.quarantine(WISH);
    const brought = [
      { ...entry(), reason: 'older' },
      { ...entry(), tenant: 'bolt', owner: null },
      { ...entry(), tenant: 'core', since: now - 60_000, until: now },
    ];
    await store.restore([], 5, brought);
    const reply = await r1.beat(WELL);
    expect(reply.revision).toBe(6);
    const named = r1.quarantine.map(({ tenant, reason }) => [tenant, reason]);
    expect(named.sort(([a = ''], [b = '']) => (a < b ? -1 : 1))).toEqual([
      ['acme', WISH.reason],
      ['bolt', WISH.reason],
    ]);
    expect(r1.quarantine.find(({ tenant }) => tenant === 'bolt')).toEqual(brought[1]);
  });

  test('tells subscribers who is refused, and who no more, as soon as it is so', async () => {
    const heard: [readonly QuarantineChange[], number][] = [];
    let ready = kind === 'in-process';
    store.subscribe(
      (_, revision, quarantine) => heard.push([quarantine, revision]),
      () => (ready = true),
    );
    await until('subscribed', () => ready);
    await machine('r1').beat(WELL);
    await store.quarantine(WISH);
    await store.unquarantine(RELEASE);
    await until('both are heard', () => heard.length === 2);
    expect(heard).toEqual([
      [[{ tenant: 'acme', entry: entry() }], 1],
      [[{ tenant: 'acme', entry: null }], 2],
    ]);
  });
});

describe('the shared store', () => {
  const open = (protocol?: number) => {
    const tag = `q-${prefix}`;
    const setting = { url: redis().url, prefix: tag, warmUpMs: 0 };
    const store = createRedisStore(protocol === undefined ? setting : { ...setting, protocol });
    onTestFinished(async () => await store.close());
    return { store, state: `{${tag}}:state`, channel: `{${tag}}:changes` };
  };
  const machineOn = (store: Store, id: string) => machineOf(store, id, homesOf('cell-a', 'cell-b'));

  beforeEach(() => void (prefix += 1));

  test('gets the list back from a machine when it was emptied, and gives it to the others', async () => {
    const { store } = open();
    const [r1, r2] = [machineOn(store, 'r1'), machineOn(store, 'r2')];
    await r1.beat(WELL);
    await store.quarantine(WISH);
    await r1.beat(WELL);
    await redis().command('FLUSHALL');
    await r1.beat(WELL);
    await r2.beat(WELL);
    expect(r2.quarantine).toEqual(r1.quarantine);
    expect(r2.quarantine).toMatchObject([{ tenant: 'acme', actor: 'ada' }]);
  });

  test('refuses an operator while it has lost what machines still hold', async () => {
    const { store } = open();
    await machineOn(store, 'r1').beat(WELL);
    await redis().command('FLUSHALL');
    await expect(store.quarantine(WISH)).rejects.toThrow('lost records');
    await expect(store.unquarantine(RELEASE)).rejects.toThrow(StoreUnavailable);
  });

  test('is left to a newer release that leads it', async () => {
    const [old, young] = [open(1), open(2)];
    const [r1, r2] = [machineOn(old.store, 'r1'), machineOn(young.store, 'r2')];
    await r2.beat(WELL);
    await young.store.quarantine(WISH);
    await r1.beat(WELL);
    expect(r1.quarantine).toHaveLength(1);
    await expect(old.store.unquarantine(RELEASE)).rejects.toThrow('newer release');
  });

  test('leaves out, and counts, what is no entry', async () => {
    const { store, state } = open();
    const r1 = machineOn(store, 'r1');
    await r1.beat(WELL);
    const times = '"until":9000000000000,"since":1';
    const put = async (field: string, value: string) =>
      await redis().command(`HSET ${state} ${field} ${JSON.stringify(value)}`);
    await put('quarantine:x', 'hello');
    await put('quarantine:y', `{${times},"tenant":"y"}`);
    await put('dying:cell-a', 'hello');
    await put('suspects:cell-a', '{"died":7,"tenants":{"a":{}}}');
    await store.quarantine({ ...WISH, expiresInMs: 600_000 });
    await r1.beat(WELL);
    expect(r1.quarantine.map(({ tenant }) => tenant)).toEqual(['acme']);
    expect(store.malformedCount()).toBe(1);
    expect(await redis().command(`HKEYS ${state}`)).not.toMatch(/dying|suspects/);
  });

  test('drops and counts a published change that is none', async () => {
    const { store, channel } = open();
    const heard: (readonly QuarantineChange[])[] = [];
    let ready = false;
    store.subscribe(
      (_, __, quarantine) => heard.push(quarantine),
      () => (ready = true),
    );
    await until('subscribed', () => ready);
    const message = { revision: 1, records: [], quarantine: [['acme', null], ['a b', null], 'x', ['c', {}]] };
    await redis().command(`PUBLISH ${channel} ${JSON.stringify(JSON.stringify(message))}`);
    await until('it is heard', () => heard.length > 0);
    expect(heard).toEqual([[{ tenant: 'acme', entry: null }]]);
    expect(store.malformedCount()).toBe(3);
  });
});
