// The Redis of a local fleet: one that is found on this machine, run for this fleet alone.
import { randomBytes } from 'node:crypto';
import { accessSync, constants } from 'node:fs';
import { connect } from 'node:net';
import { delimiter, join } from 'node:path';
import type { ChildSpec } from './child.ts';

const NAMES = ['redis-server', 'valkey-server'];

/** The program's path, by the PATH given; `undefined` when there is none. */
export function findRedis(path: string): string | undefined {
  for (const folder of path.split(delimiter).filter(Boolean)) {
    for (const name of NAMES) {
      const program = join(folder, name);
      if (isExecutable(program)) return program;
    }
  }
  return undefined;
}

function isExecutable(program: string): boolean {
  try {
    accessSync(program, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * How to run it: on loopback, nothing kept on disk. Other users of the machine could reach the port too, and
 * a Redis obeys whoever does, so it has a password; that goes through stdin, where `ps` doesn't show it.
 */
export function redisSpec(program: string, port: number, folder: string): ChildSpec {
  const password = randomBytes(16).toString('hex');
  return {
    name: 'redis',
    kind: 'redis',
    command: program,
    args: ['-'],
    env: {},
    stdin: [
      `bind 127.0.0.1`,
      `port ${port}`,
      `requirepass ${password}`,
      `save ""`,
      `appendonly no`,
      `dir "${folder}"`,
      '',
    ].join('\n'),
    url: `redis://:${password}@127.0.0.1:${port}`,
    isReady: () => answersPing(port, password),
  };
}

function answersPing(port: number, password: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(`AUTH ${password}\r\nPING\r\n`));
    let answer = '';
    const end = (ready: boolean): void => {
      socket.destroy();
      resolve(ready);
    };
    socket.setTimeout(1_000, () => end(false));
    socket.once('error', () => end(false));
    socket.once('close', () => end(false));
    socket.on('data', (data: Buffer) => {
      answer += data.toString();
      if (answer.includes('+PONG')) end(true);
      else if (answer.includes('-')) end(false);
    });
  });
}
