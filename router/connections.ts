// The clients' connections: how many there may be, and which one goes when there is no room for another.
import type { Socket } from 'node:net';

export class Connections {
  readonly #most: number;
  readonly #all = new Set<Socket>();
  /** Those without a request on them, the one that has been so for longest first. */
  readonly #quiet = new Set<Socket>();

  constructor(most: number) {
    this.#most = most;
  }

  get count(): number {
    return this.#all.size;
  }

  /**
   * A new one. When all places are taken the longest quiet one goes: in a flood that is one of the flood's, because an
   * ordinary client brings its request at once.
   */
  opened(socket: Socket): void {
    if (this.#all.size >= this.#most) this.#makeRoom(socket);
    if (socket.destroyed) return;
    this.#all.add(socket);
    this.#quiet.add(socket);
    socket.once('close', () => {
      this.#all.delete(socket);
      this.#quiet.delete(socket);
    });
  }

  /** A request has come on it. */
  busy(socket: Socket): void {
    this.#quiet.delete(socket);
  }

  /** A request on it has ended. */
  quiet(socket: Socket): void {
    if (!socket.destroyed) this.#quiet.add(socket);
  }

  #makeRoom(newest: Socket): void {
    const [longest] = this.#quiet;
    const victim = longest ?? newest;
    victim.destroy();
    // Its own `close` comes later; the place is free now.
    this.#all.delete(victim);
    this.#quiet.delete(victim);
  }
}
