// Everybody who takes part in the table, in its order, and how each is started.
import { fileURLToPath } from 'node:url';
import { anyFree } from '../../../infra/local/ports.ts';
import { startCellgate } from './cellgate.ts';
import { startHaproxy } from './haproxy.ts';
import { launch, type Running, type Setup } from './launch.ts';
import { startNginx } from './nginx.ts';

export type ContenderId =
  | 'cellgate'
  | 'cellgate-log'
  | 'plain'
  | 'plain-log'
  | 'http-proxy-3'
  | 'nginx'
  | 'haproxy'
  | 'bare';

/** In the order of the table. */
export const CONTENDERS: Readonly<Record<ContenderId, string>> = {
  cellgate: 'Cellgate',
  'cellgate-log': 'Cellgate, ACCESS_LOG=all',
  plain: '@fastify/http-proxy',
  'plain-log': '@fastify/http-proxy, log on',
  'http-proxy-3': 'http-proxy-3',
  nginx: 'nginx',
  haproxy: 'HAProxy',
  bare: 'bare fastify, no cell behind',
};

/** Those that are installed, one after the other. */
export async function startContenders(setup: Setup): Promise<Running[]> {
  const running: Running[] = [];
  for (const id of Object.keys(CONTENDERS) as ContenderId[]) {
    const one = await STARTS[id](setup, await anyFree());
    if (one !== null) running.push(one);
  }
  return running;
}

const STARTS: Readonly<Record<ContenderId, (setup: Setup, port: number) => Promise<Running | null>>> = {
  cellgate: (setup, port) => startCellgate(setup, { ...named('cellgate'), port }),
  'cellgate-log': (setup, port) => startCellgate(setup, { ...named('cellgate-log'), port, logs: true }),
  plain: (setup, port) => startNode(setup, 'plain-http-proxy', { ...named('plain'), port }),
  'plain-log': (setup, port) =>
    startNode(setup, 'plain-http-proxy', { ...named('plain-log'), port, logs: true }),
  'http-proxy-3': (setup, port) => startNode(setup, 'http-proxy-3', { ...named('http-proxy-3'), port }),
  nginx: startNginx,
  haproxy: (setup, port) => startHaproxy(setup, port),
  bare: (setup, port) => startNode(setup, 'bare-fastify', { ...named('bare'), port }),
};

function named(id: ContenderId): { id: ContenderId; label: string } {
  return { id, label: CONTENDERS[id] };
}

async function startNode(
  setup: Setup,
  file: string,
  { id, label, port, logs = false }: { id: string; label: string; port: number; logs?: boolean },
): Promise<Running> {
  const main = fileURLToPath(new URL(`./${file}.ts`, import.meta.url));
  const env = {
    PORT: String(port),
    ORIGINS: setup.cells.map(({ origin }) => origin).join(','),
    ...(logs ? { LOG: '1' } : {}),
  };
  return await launch(setup, { id, label, port, command: process.execPath, args: [main], env, logs });
}
