// The line between two databases: TCP on loopback → the unix socket of an embedded PostgreSQL, to be cut and healed.
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** `silence`: nothing arrives any more and nobody is told, as when a line is cut. `reset`: connections are refused. */
export type Cut = 'silence' | 'reset';

export type Cable = {
  /** A connection string for the database at its end. */
  url: string;
  /** From now on, for the connections there are and for new ones. */
  cut(how: Cut): void;
  /** What waited in a silence arrives now. */
  heal(): void;
  /** Ends the listener and every connection. */
  close(): Promise<void>;
};

/** A cable to the database `user`@`socketPath`, whether somebody listens there yet or not. */
export async function layCable(socketPath: string, user: string): Promise<Cable> {
  const links = new Set<Link>();
  let state: Cut | 'whole' = 'whole';
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    if (state === 'reset') {
      socket.on('error', () => undefined).resetAndDestroy();
      return;
    }
    const link = new Link(socket, socketPath, () => links.delete(link));
    links.add(link);
    if (state === 'whole') link.flow();
  });
  const port = await listen(server);
  return {
    url: `postgres://${user}@127.0.0.1:${port}/postgres`,
    cut(how) {
      state = how;
      for (const link of links) {
        if (how === 'silence') link.hush();
        else link.destroy();
      }
    },
    heal() {
      state = 'whole';
      for (const link of links) link.flow();
    },
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const link of links) link.destroy();
      await closed;
    },
  };
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port: 0, host: '127.0.0.1' }, resolve);
  });
  return (server.address() as AddressInfo).port;
}

/** One connection. It dials only once it may flow: a connect into a silence hangs. */
class Link {
  readonly #near: Socket;
  readonly #socketPath: string;
  readonly #gone: () => void;
  #far: Socket | null = null;
  #flows = false;

  constructor(near: Socket, socketPath: string, gone: () => void) {
    this.#near = near;
    this.#socketPath = socketPath;
    this.#gone = gone;
    near.pause();
    this.#watch(near);
  }

  flow(): void {
    this.#flows = true;
    if (this.#far === null) {
      const far = connect({ path: this.#socketPath, allowHalfOpen: true });
      this.#far = far;
      this.#watch(far);
      this.#carry(this.#near, far);
      this.#carry(far, this.#near);
    }
    // One end is gone since: what it would have said by then is said now.
    if (this.#near.destroyed || this.#far.destroyed) this.destroy();
    this.#near.resume();
    this.#far.resume();
  }

  hush(): void {
    this.#flows = false;
    this.#near.pause();
    this.#far?.pause();
  }

  destroy(): void {
    this.#near.resetAndDestroy();
    this.#far?.destroy();
    this.#gone();
  }

  #carry(from: Socket, to: Socket): void {
    from.on('data', (chunk: Buffer) => {
      if (!to.write(chunk)) from.pause();
    });
    to.on('drain', () => {
      if (this.#flows) from.resume();
    });
    from.on('end', () => to.end());
  }

  /** In a silence nobody hears of the end of the other side. */
  #watch(socket: Socket): void {
    socket.on('error', () => undefined);
    socket.on('close', () => {
      if (this.#flows) this.destroy();
    });
  }
}
