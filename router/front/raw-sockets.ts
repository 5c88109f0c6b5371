// Which TCP connection is under a TLS one: it alone can be counted from its first packet, and be reset.
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

const RAW = new WeakMap<TLSSocket, Socket>();

/** The TCP connection under `socket`, or `socket` itself where it is one. */
export function rawSocketOf(socket: Socket): Socket {
  return socket instanceof TLSSocket ? (RAW.get(socket) ?? socket) : socket;
}

/** Ends the connection with a reset: the kernel would go on for minutes to deliver what its peer does not take. */
export function resetSocket(socket: Socket): void {
  const raw = rawSocketOf(socket);
  // Of TLS alone, without its connection, nothing can be reset.
  if (raw instanceof TLSSocket) raw.destroy();
  else raw.resetAndDestroy();
}

/** The connections of one listener whose handshake is not done yet. The TLS server itself never tells which is which. */
export class Handshakes {
  readonly #byPeer = new Map<string, Socket>();

  begun(raw: Socket): void {
    const peer = peerOf(raw);
    this.#byPeer.set(peer, raw);
    raw.once('close', () => {
      if (this.#byPeer.get(peer) === raw) this.#byPeer.delete(peer);
    });
  }

  /** The connection under `socket`, whose handshake has ended, well or not. */
  ended(socket: TLSSocket): Socket | null {
    const peer = peerOf(socket);
    const raw = this.#byPeer.get(peer);
    if (raw === undefined) return null;
    this.#byPeer.delete(peer);
    RAW.set(socket, raw);
    return raw;
  }

  /** Ends all that are under way. */
  cut(): void {
    for (const raw of this.#byPeer.values()) raw.destroy();
  }
}

/** No two open connections of one listener have the same peer. */
function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
