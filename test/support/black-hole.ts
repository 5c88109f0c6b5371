// Addresses that swallow connections: one whose connects never succeed, one that connects and never says a word.
import { connect, type Socket } from 'node:net';
import { Worker } from 'node:worker_threads';

export type BlackHole = { origin: string; port: number; close(): Promise<void> };

/** Its thread sleeps for good once it listens, so that the kernel alone completes connects, up to the backlog. */
const LISTEN_AND_SLEEP = `
  const { parentPort, workerData } = require('node:worker_threads');
  const server = require('node:net').createServer();
  server.listen({ port: 0, host: '127.0.0.1', backlog: workerData.backlog }, () => {
    parentPort.postMessage(server.address().port);
    setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0));
  });`;

async function listenAndSleep(backlog: number): Promise<{ worker: Worker; port: number }> {
  const worker = new Worker(LISTEN_AND_SLEEP, { eval: true, workerData: { backlog } });
  const port = await new Promise<number>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  return { worker, port };
}

/** Connects, and never an answer: what a stopped process looks like. */
export async function startSilence(): Promise<BlackHole> {
  const { worker, port } = await listenAndSleep(511);
  return { origin: `http://127.0.0.1:${port}`, port, close: async () => void (await worker.terminate()) };
}

/** No connect ever succeeds, none is refused: the queue of the listener is full. */
export async function startBlackHole(): Promise<BlackHole> {
  const { worker, port } = await listenAndSleep(1);
  const fillers: Socket[] = [];
  for (let i = 0; i < 8; i += 1) fillers.push(connect(port, '127.0.0.1').on('error', () => undefined));
  const close = async (): Promise<void> => {
    for (const filler of fillers) filler.destroy();
    await worker.terminate();
  };
  return { origin: `http://127.0.0.1:${port}`, port, close };
}
