// A cell needs no other cell while it serves: with all of them away it starts and serves, and it reaches for nothing but its own.
import { execFile, spawnSync } from 'node:child_process';
import { readdirSync, readlinkSync } from 'node:fs';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { databaseUrlOf } from '../../infra/local/pairs.ts';
import { startCell, temporaryDataDir, type RunningCell } from '../support/cell.ts';
import { freePort } from '../support/ports.ts';

const run = promisify(execFile);
const HEADERS = { 'x-tenant-id': 'acme', 'content-type': 'application/json' };

let cell: RunningCell;
/** The sockets of the databases that the cell may reach: its own, and those of its pair. */
let ownSocket: string;
let pairSocket: string;

beforeAll(async () => {
  const dataDir = await temporaryDataDir();
  const pairDir = await temporaryDataDir();
  const own = await databaseUrlOf(dataDir);
  const pair = await databaseUrlOf(pairDir);
  [ownSocket, pairSocket] = [socketOf(own), socketOf(pair)];
  cell = await startCell({
    id: 'cell-a',
    dataDir,
    // Nobody answers at either, and at the Redis of the routers neither: a cell does not know it.
    env: {
      NEIGHBOUR_DATABASE_URL: pair,
      STANDBY_OF: `cell-c=${pair}`,
      REDIS_URL: `redis://127.0.0.1:${await freePort()}`,
    },
  });
});

afterAll(async () => {
  await cell?.stop();
});

function socketOf(url: string): string {
  return `${new URL(url).searchParams.get('host')}/.s.PGSQL.5432`;
}

async function place(): Promise<number> {
  const body = JSON.stringify({ item: 'tea', quantity: 1 });
  return (await fetch(`${cell.url}/orders`, { method: 'POST', headers: HEADERS, body })).status;
}

test('a cell starts, migrates and serves with all the others dead', async () => {
  expect(await place()).toBe(201);
  const health = (await (await fetch(`${cell.url}/health`)).json()) as { status: string };
  expect(health.status).not.toBe('down');
});

/** What the process has open, as `ss` shows it: for a connection to a unix socket the path is that of the other end. */
async function peersOf(pid: number): Promise<{ tcp: string[]; unix: string[] }> {
  const inodes = new Set(
    readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? [];
      } catch {
        return [];
      }
    }),
  );
  const { stdout: tcp } = await run('ss', ['-Htnp', 'state', 'established']);
  const { stdout: unix } = await run('ss', ['-Hxn']);
  // Netid State Recv-Q Send-Q Path Inode Peer PeerInode: the named end of a pair lists the other one by its inode.
  const named = unix.split('\n').map((line) => line.trim().split(/\s+/));
  return {
    tcp: tcp.split('\n').filter((line) => line.includes(`pid=${pid},`)),
    unix: named.flatMap(([, , , , path = '', , , peer = '']) =>
      inodes.has(peer) && path !== '*' ? path : [],
    ),
  };
}

const hasSs = spawnSync('ss', ['-V']).status === 0;
test.skipIf(!hasSs)('it is connected to its own database, and to no other cell and no Redis', async () => {
  expect(await place()).toBe(201);
  const { tcp, unix } = await peersOf(cell.pid);
  // Its clients come from here: the other end is this process.
  const toOthers = tcp.filter((line) => !line.includes(`127.0.0.1:${cell.port} `));
  expect(toOthers).toEqual([]);
  expect(unix).toContain(ownSocket);
  expect(new Set(unix.filter((path) => path !== ownSocket && path !== pairSocket))).toEqual(new Set());
});
