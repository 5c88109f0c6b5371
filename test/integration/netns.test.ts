// Two processes in a network of their own: what partitions cut, and that nothing of it is left.
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { canMakeNetworks, startNetwork, type Network } from '../support/netns.ts';
import { until } from '../support/wait.ts';

/** Sends a numbered datagram to its peer every few milliseconds, and answers over HTTP with the last one it heard. */
const PEER = `
  const socket = require('node:dgram').createSocket('udp4');
  const [own, peer] = process.argv.slice(1);
  let sent = 0, heard = 0;
  socket.on('message', (message) => { heard = Number(message); });
  socket.bind(7000, own);
  setInterval(() => socket.send(String(++sent), 7000, peer, () => undefined), 5);
  require('node:http').createServer((_, response) => response.end(JSON.stringify({ sent, heard }))).listen(8000, '127.0.0.1');`;

type State = { sent: number; heard: number };

let network: Network;
let states: { left: () => Promise<State>; right: () => Promise<State> };

beforeEach(async () => {
  if (!canMakeNetworks()) return;
  network = startNetwork(['left', 'right']);
  const start = async (host: string, peer: string): Promise<() => Promise<State>> => {
    network.spawn(host, process.execPath, ['-e', PEER, network.addressOf(host), network.addressOf(peer)]);
    const url = await network.door(host, 8000);
    return async () => (await (await fetch(url)).json()) as State;
  };
  states = { left: await start('left', 'right'), right: await start('right', 'left') };
  await bothHear();
});

afterEach(async () => {
  if (canMakeNetworks()) await network.close();
});

/** Waits until this side has heard something that was sent after now. */
async function hears(side: 'left' | 'right'): Promise<void> {
  const other = side === 'left' ? 'right' : 'left';
  const { sent } = await until(`${other} answers`, () => states[other]());
  await until(`${side} hears ${other}`, async () => (await states[side]()).heard > sent);
}

async function bothHear(): Promise<void> {
  await Promise.all([hears('left'), hears('right')]);
}

/** Whether this side hears nothing of what the other one sends meanwhile. */
async function isDeaf(side: 'left' | 'right'): Promise<boolean> {
  const other = side === 'left' ? 'right' : 'left';
  const before = await states[side]();
  const { sent } = await states[other]();
  await until('much more was sent', async () => (await states[other]()).sent > sent + 50);
  return (await states[side]()).heard <= Math.max(before.heard, sent);
}

function namespaces(): string[] {
  return readdirSync('/run/netns').filter((name) => name.startsWith(`cgtest-${process.pid}-`));
}

test.runIf(canMakeNetworks())('a partition cuts both ways until it heals', async () => {
  network.partition('left', 'right');
  expect([await isDeaf('left'), await isDeaf('right')]).toEqual([true, true]);

  network.heal();
  await bothHear();
});

test.runIf(canMakeNetworks())('a one-way partition cuts that way alone', async () => {
  network.partition('left', 'right', { oneWay: true });

  expect(await isDeaf('right')).toBe(true);
  await hears('left');
});

test.runIf(canMakeNetworks())('closing leaves no namespace and no process', async () => {
  const child = network.spawn('left', process.execPath, ['-e', 'setInterval(() => undefined, 1000)']);
  expect(namespaces()).toHaveLength(3);
  await network.close();

  expect(namespaces()).toEqual([]);
  expect(child.signalCode).toBe('SIGKILL');
});

test.runIf(canMakeNetworks())(
  'a real router inside loses and finds a cell as the partition says',
  async () => {
    const [router, cell] = ['left', 'right'];
    const folder = mkdtempSync(join(tmpdir(), 'cellgate-netns-'));
    const fleetFile = join(folder, 'fleet.yaml');
    const origin = `http://${network.addressOf(cell)}:4101`;
    writeFileSync(
      fleetFile,
      stringify({ cells: { 'cell-a': { origin } }, generations: [{ add: ['cell-a'] }] }),
    );
    const stub = { id: 'cell-a', level: 0, host: network.addressOf(cell), port: 4101, behaviour: {} };
    const files = { logFile: null, rulesFile: null, token: null };
    network.spawn(cell, process.execPath, ['loadtest/stubs/stub-cell-main.ts'], {
      STUB_CELL: JSON.stringify({ ...stub, ...files }),
    });
    network.spawn(router, process.execPath, ['router/main.ts'], {
      FLEET_FILE: fleetFile,
      PROBE_INTERVAL_MS: '50',
      PROBE_TIMEOUT_MS: '100',
    });
    const admin = await network.door(router, 9090);
    const opinion = async (): Promise<unknown> => {
      const { cells } = (await (await fetch(`${admin}/v1/cells`)).json()) as { cells: { opinion: string }[] };
      return cells[0]?.opinion;
    };

    await until('the router finds the cell', async () => (await opinion()) === 'up');
    network.partition(router, cell);
    await until('the router has lost the cell', async () => (await opinion()) === 'down');
    network.heal();
    await until('the router finds it again', async () => (await opinion()) === 'up');
    rmSync(folder, { recursive: true, force: true });
  },
);

test('root can make networks wherever the tests run as CI does', () => {
  expect(canMakeNetworks() || process.getuid?.() !== 0 || process.platform !== 'linux').toBe(true);
});
