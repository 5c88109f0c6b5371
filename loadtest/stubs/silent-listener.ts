// A port on which no connect ever succeeds and none is refused: the queue of its listener is full.
import { connect, type Socket } from 'node:net';
import { Worker } from 'node:worker_threads';

/** Its thread sleeps for good once it listens, so that nobody ever takes a connection from the queue. */
const LISTEN_AND_SLEEP = `
  const { parentPort, workerData } = require('node:worker_threads');
  const server = require('node:net').createServer();
  server.listen({ ...workerData, host: '127.0.0.1', backlog: 1 }, () => {
    parentPort.postMessage('listening');
    setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0));
  });`;

/** More than a queue of one holds. */
const FILLERS = 8;

export type SilentListener = {
  /** Fills the queue: from now on no connect succeeds. Call it when nobody else listens on the port any more. */
  fill(): void;
  close(): Promise<void>;
};

/** Listens on `port` of 127.0.0.1, beside a listener that shares it (`reusePort`), and never accepts. */
export async function listenInSilence(port: number, reusePort: boolean): Promise<SilentListener> {
  const worker = new Worker(LISTEN_AND_SLEEP, { eval: true, workerData: { port, reusePort } });
  await new Promise<void>((resolve, reject) => {
    worker.once('message', () => resolve());
    worker.once('error', reject);
  });
  worker.unref();
  const fillers: Socket[] = [];
  return {
    fill() {
      for (let i = 0; i < FILLERS; i += 1) {
        fillers.push(connect(port, '127.0.0.1').on('error', () => undefined));
      }
    },
    async close() {
      for (const filler of fillers) filler.destroy();
      await worker.terminate();
    },
  };
}
