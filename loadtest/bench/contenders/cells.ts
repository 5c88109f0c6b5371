// The cells that all contenders stand before: one server for as many as are wanted, each at an address of its own.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { anyFree } from '../../../infra/local/ports.ts';
import { startChild, type Child } from '../../rig/child.ts';
import { until } from '../../rig/until.ts';
import { dial } from '../speed-exchange.ts';
import { pinned, type Machine } from '../speed-machine.ts';
import { ECHO_PATH, LARGE_BODY, LARGE_PATH, SMALL_PATH, SMALL_REST } from '../speed-workloads.ts';

export type Cell = { id: string; host: string; port: number; origin: string };

export type Cells = {
  /** The first so many of them; at most `MOST_CELLS`. */
  first(count: number): Cell[];
  /** Of 127.0.0.1, where they answer too: without any contender in between. */
  port: number;
  pid: number;
  stop(): Promise<void>;
};

export const MOST_CELLS = 1_000;
const NODE_CELL = fileURLToPath(new URL('./node-cell.ts', import.meta.url));

/** Starts them: nginx where it is installed, which costs their core least; else plain `node:http`. */
export async function startCells(machine: Machine, folder: string): Promise<Cells> {
  const port = await anyFree();
  const echo = await startEcho();
  const echoPort = (echo.address() as AddressInfo).port;
  const child = startServer(machine, folder, port, echoPort);
  await until('the cells answer', async () => {
    if (!child.running) throw new Error(child.stderr());
    (await dial(port, null)).close();
    return true;
  });
  return {
    first: (count) => Array.from({ length: count }, (_, index) => cellAt(index, port)),
    port,
    pid: child.pid,
    stop: async () => {
      await child.stop();
      echo.closeAllConnections();
      await new Promise((resolve) => echo.close(resolve));
    },
  };
}

function startServer(machine: Machine, folder: string, port: number, echoPort: number): Child {
  const { nginx } = machine.tools;
  if (nginx === null) {
    const hosts = Array.from({ length: MOST_CELLS }, (_, index) => hostAt(index));
    return startChild(...command(machine, process.execPath, [NODE_CELL]), {
      env: { PORT: String(port), HOSTS: ['127.0.0.1', ...hosts].join(',') },
    });
  }
  writeFileSync(join(folder, 'large'), LARGE_BODY);
  const file = join(folder, 'cells.conf');
  writeFileSync(file, cellsConfig(folder, port, echoPort));
  return startChild(...command(machine, nginx, ['-e', 'stderr', '-p', folder, '-c', file]));
}

function command(machine: Machine, program: string, args: readonly string[]): [string, string[]] {
  const [first, ...rest] = pinned(machine, machine.cores.cells, program, args);
  return [first, rest];
}

function cellAt(index: number, port: number): Cell {
  const host = hostAt(index);
  return { id: idOf(host), host, port, origin: `http://${host}:${port}` };
}

/** 127.1.100.100 to 127.1.109.199: their names have one length, so that answers have one size. */
function hostAt(index: number): string {
  return `127.1.${100 + Math.floor(index / 100)}.${100 + (index % 100)}`;
}

/** `cell-100-101` of 127.1.100.101. Pure. */
export function idOf(host: string): string {
  return `cell-${host.split('.').slice(2).join('-')}`;
}

/** All cells as one nginx, which names itself in `/health` by the address that it was asked at. Pure. */
export function cellsConfig(folder: string, port: number, echoPort: number): string {
  const listens = Array.from({ length: MOST_CELLS }, (_, index) => `listen ${hostAt(index)}:${port};`);
  return `${nginxFrame(folder)}
http {
  ${nginxFolders(folder)}
  access_log off; etag off; server_tokens off; sendfile on; tcp_nopush on; open_file_cache max=10;
  keepalive_timeout 3600s; keepalive_requests 1000000000; default_type text/plain;
  map $server_addr $cell { "~^127\\.\\d+\\.(?<third>\\d+)\\.(?<fourth>\\d+)$" cell-$third-$fourth; }
  server {
    listen 127.0.0.1:${port}; ${listens.join(' ')}
    location = ${SMALL_PATH} { return 200 "$http_x_tenant_id ${SMALL_REST}"; }
    location = ${LARGE_PATH} { alias ${folder}/large; }
    location = ${ECHO_PATH} { proxy_pass http://127.0.0.1:${echoPort}; }
    location = /health { return 200 '{"cell":"$cell","version":"1.0.0","status":"ok","checks":{}}'; }
  }
}
`;
}

/** One process alone, in the foreground. Pure. */
export function nginxFrame(folder: string): string {
  return `daemon off; master_process off; error_log stderr; pid ${folder}/nginx.pid;
events { worker_connections 8192; }`;
}

/** Where it would keep bodies: not in the system's folders, which need not be ours. Pure. */
export function nginxFolders(folder: string): string {
  return ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((what) => `${what}_temp_path ${folder}/nginx-${what};`)
    .join(' ');
}

/** Gives back what it is sent. In this process: nothing that is measured ever asks it. */
async function startEcho(): Promise<Server> {
  const server = createServer((request, response) => {
    request.pipe(response.writeHead(200, { 'content-length': request.headers['content-length'] ?? '0' }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // When a run ends before its time, this is not to hold it up.
  return server.unref();
}
