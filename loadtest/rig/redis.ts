// A Redis of the run's own, on loopback, keeping nothing.
import { connect } from 'node:net';
import { findRedis } from '../../infra/local/redis.ts';
import { anyFree } from '../../infra/local/ports.ts';
import { startChild, type Child } from './child.ts';
import { until } from './until.ts';

export type RunningRedis = {
  port: number;
  /** `SIGKILL` resolves when it is gone. */
  signal(name: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): Promise<void>;
  /** Another one, empty, on the same port. */
  restart(): Promise<void>;
  /** One inline command over a connection of its own; answers the raw reply. */
  command(line: string): Promise<string>;
  stop(): Promise<void>;
};

/** Starts it and waits until it answers. Throws when this machine has none. */
export async function startRedis(): Promise<RunningRedis> {
  const program = findRedis(process.env['PATH'] ?? '');
  if (program === undefined) throw new Error('no redis-server on this machine: install it first');
  const port = await anyFree();
  const settings = { port, bind: '127.0.0.1', save: '', appendonly: 'no' };
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const launch = async (): Promise<Child> => {
    const started = startChild(program, args);
    await until('Redis answers', async () => (await redisCommand(port, 'PING')).startsWith('+PONG'));
    return started;
  };
  let child = await launch();
  const signal: RunningRedis['signal'] = async (name) => {
    child.signal(name);
    if (name === 'SIGKILL') await child.exited;
  };
  return {
    port,
    signal,
    restart: async () => {
      await signal('SIGKILL');
      child = await launch();
    },
    command: (line) => redisCommand(port, line),
    stop: () => child.stop(0),
  };
}

/** Sends one inline command over a connection of its own, and answers what comes back first: enough for short replies. */
export async function redisCommand(port: number, line: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  try {
    return await new Promise<string>((resolve, reject) => {
      socket.once('error', reject);
      socket.once('close', () => reject(new Error('closed without an answer')));
      socket.once('data', (data) => resolve(data.toString()));
      socket.write(`${line}\r\n`);
    });
  } finally {
    socket.destroy();
  }
}
