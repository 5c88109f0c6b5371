// How `npx cellgate local …` speaks to a running fleet: HTTP on a unix socket that only its owner can open.
import { chmodSync, mkdirSync, mkdtempSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { EXIT, Failure, oneLine } from '../failure.ts';

/** The longest path that a unix socket can have on Linux, in bytes. */
const MAX_SOCKET_PATH_BYTES = 107;

/** One row for each process of the fleet. */
export type Status = { name: string; kind: string; state: string; url: string; pid: number | null };

/** What the fleet answers to. `restart` throws a `Failure` whose exit code the CLI takes over. */
export type Controlled = {
  status: () => Status[];
  restart: (name: string) => Promise<Status>;
};

/** A path for the socket in a folder of its own (mode 0700), under `folder` or, where that is too long, in /tmp. */
export function socketPath(folder: string): string {
  const inside = join(folder, 'control');
  const path = join(inside, 'socket');
  if (Buffer.byteLength(path) <= MAX_SOCKET_PATH_BYTES) {
    mkdirSync(inside, { mode: 0o700 });
    return path;
  }
  return join(mkdtempSync('/tmp/cellgate-control-'), 'socket');
}

/** Listens; the server keeps nothing alive by itself. */
export async function serveControl(path: string, fleet: Controlled): Promise<Server> {
  const server = createServer((request, response) => {
    const [, verb, name = ''] = (request.url ?? '').split('/');
    if (request.method === 'GET' && verb === 'status') {
      answer(response, 200, fleet.status());
    } else if (request.method === 'POST' && verb === 'restart') {
      fleet.restart(name).then(
        (status) => answer(response, 200, status),
        (error: unknown) => answer(response, 409, problem(error)),
      );
    } else answer(response, 404, problem(new Failure(EXIT.badInput, 'no such request')));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  chmodSync(path, 0o600);
  return server;
}

function problem(error: unknown): { exitCode: number; message: string } {
  if (error instanceof Failure) return { exitCode: error.exitCode, message: error.message };
  return { exitCode: EXIT.no, message: oneLine(error) };
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
