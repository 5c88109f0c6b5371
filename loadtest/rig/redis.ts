// A Redis of the run's own, on loopback, keeping nothing.
import { connect } from 'node:net';
import { findRedis } from '../../infra/local/redis.ts';
import { anyFree } from '../../infra/local/ports.ts';
import { startChild } from './child.ts';
import { until } from './until.ts';

export type RunningRedis = { port: number; stop(): Promise<void> };

/** Starts it and waits until it answers. Throws when this machine has none. */
export async function startRedis(): Promise<RunningRedis> {
  const program = findRedis(process.env['PATH'] ?? '');
  if (program === undefined) throw new Error('no redis-server on this machine: install it first');
  const port = await anyFree();
  const settings = { port, bind: '127.0.0.1', save: '', appendonly: 'no' };
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const child = startChild(program, args);
  await until('Redis answers', () => answersPing(port));
  return { port, stop: () => child.stop(0) };
}

async function answersPing(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    return await new Promise<boolean>((resolve, reject) => {
      socket.once('error', reject);
      socket.once('data', (data) => resolve(data.toString().startsWith('+PONG')));
      socket.write('PING\r\n');
    });
  } finally {
    socket.destroy();
  }
}
