// Networks of a test's own, for root: hosts as network namespaces on one bridge, and packets dropped between any two.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { childEnv } from '../../loadtest/rig/child-env.ts';
import { openDoor, type Door } from './netns-door.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const NAMESPACES = '/run/netns';
const PREFIX = 'cgtest';
const IP = '/usr/sbin/ip';
const NFT = '/usr/sbin/nft';

/** Whether this process can make networks: it is root, on Linux, with `ip` and `nft`. */
export function canMakeNetworks(): boolean {
  return process.getuid?.() === 0 && existsSync(IP) && existsSync(NFT);
}

export type Network = {
  /** The address of a host, 10.x, which exists inside the network alone. */
  addressOf(host: string): string;
  /** Runs a command on a host; its environment is PATH and `env`. It is ended with the network. */
  spawn(host: string, command: string, args: readonly string[], env?: Record<string, string>): ChildProcess;
  /** A URL on our own loopback that leads to `port` on the host's own loopback, whatever is partitioned. */
  door(host: string, port: number): Promise<string>;
  /** Drops all packets between the two; `oneWay`: only those from the first to the second. */
  partition(from: string, to: string, options?: { oneWay?: boolean }): void;
  /** Takes every partition away. */
  heal(): void;
  /** Ends every process inside, and removes all of it. Happens by itself when our process exits. */
  close(): Promise<void>;
};

/** Makes a network with these hosts (names of a–z, 0–9, -). Close it in `afterEach`, also when the test fails. */
export function startNetwork(hosts: readonly string[]): Network {
  sweep();
  const id = `${PREFIX}-${process.pid}-${randomBytes(2).toString('hex')}`;
  const namespaces = new Map(hosts.map((host) => [host, `${id}-${host}`]));
  const addresses = new Map(hosts.map((host, index) => [host, `10.77.0.${index + 1}`]));
  const hub = `${id}-hub`;
  const doors: Door[] = [];
  const children: ChildProcess[] = [];
  const remove = (): void => removeNamespaces([hub, ...namespaces.values()]);
  process.once('exit', remove);
  try {
    build(hub, namespaces, addresses);
  } catch (error) {
    remove();
    throw error;
  }
  const namespaceOf = (host: string): string => known(namespaces, host);
  const addressOf = (host: string): string => known(addresses, host);
  return {
    addressOf,
    spawn(host, command, args, env = {}) {
      const child = spawn(IP, ['netns', 'exec', namespaceOf(host), command, ...args], {
        cwd: ROOT,
        env: childEnv(env),
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      children.push(child);
      return child;
    },
    async door(host, port) {
      const door = await openDoor([IP, 'netns', 'exec', namespaceOf(host)], port);
      doors.push(door);
      return door.url;
    },
    partition(from, to, { oneWay = false } = {}) {
      const drop = (chain: string): string => `add rule inet test ${chain}`;
      const rules = [`${drop('outgoing')} ip daddr ${addressOf(to)} drop`];
      if (!oneWay) rules.push(`${drop('incoming')} ip saddr ${addressOf(to)} drop`);
      nft(namespaceOf(from), rules);
    },
    heal() {
      for (const namespace of namespaces.values()) nft(namespace, ['flush table inet test']);
    },
    async close() {
      process.off('exit', remove);
      const gone = children.map(ended);
      remove();
      await Promise.all([...gone, ...doors.map((door) => door.close())]);
    },
  };
}

function known(map: ReadonlyMap<string, string>, host: string): string {
  const value = map.get(host);
  if (value === undefined) throw new Error(`no host ${host} in this network`);
  return value;
}

/** A bridge in a namespace of its own; each host hangs on it by a veth pair. Nothing is added to our own network. */
function build(
  hub: string,
  namespaces: ReadonlyMap<string, string>,
  addresses: ReadonlyMap<string, string>,
): void {
  run(
    'ip',
    ['-batch', '-'],
    [hub, ...namespaces.values()].map((name) => `netns add ${name}`),
  );
  run(IP, ['-n', hub, '-batch', '-'], ['link add br0 type bridge', 'link set br0 up']);
  for (const [index, [host, namespace]] of [...namespaces].entries()) {
    run(
      'ip',
      ['-n', hub, '-batch', '-'],
      [
        `link add host${index} type veth peer name eth0 netns ${namespace}`,
        `link set host${index} master br0 up`,
      ],
    );
    run(
      'ip',
      ['-n', namespace, '-batch', '-'],
      ['link set lo up', `address add ${known(addresses, host)}/24 dev eth0`, 'link set eth0 up'],
    );
    nft(namespace, [
      'add table inet test',
      'add chain inet test incoming { type filter hook input priority 0; }',
      'add chain inet test outgoing { type filter hook output priority 0; }',
    ]);
  }
}

function nft(namespace: string, lines: readonly string[]): void {
  run(IP, ['netns', 'exec', namespace, NFT, '-f', '-'], lines);
}

function run(command: string, args: readonly string[], lines: readonly string[]): void {
  execFileSync(command, args, { input: `${lines.join('\n')}\n`, stdio: ['pipe', 'ignore', 'pipe'] });
}

/** Synchronous, so that it can also run while our process exits. A namespace that is gone is no error. */
function removeNamespaces(names: readonly string[]): void {
  for (const name of names.filter((one) => existsSync(`${NAMESPACES}/${one}`))) {
    const pids = execFileSync(IP, ['netns', 'pids', name]).toString().split('\n').filter(Boolean);
    for (const pid of pids) killNow(Number(pid));
    execFileSync(IP, ['netns', 'delete', name]);
  }
}

/** A test process that was killed cleaned nothing up: the next one does it, by the pid in the name. */
function sweep(): void {
  if (!existsSync(NAMESPACES)) return;
  const ours = readdirSync(NAMESPACES).filter((name) => name.startsWith(`${PREFIX}-`));
  removeNamespaces(ours.filter((name) => !existsSync(`/proc/${name.split('-')[1]}`)));
}

function killNow(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  await new Promise<void>((resolve) => child.once('exit', () => resolve()));
}
