// One client's connection through the proxy, and what each mode does to it.
import { connect, type Socket } from 'node:net';
import { ChaosFlow } from './chaos-flow.ts';

/** Towards the target, or back to the client. */
export type Way = 'to-target' | 'to-client';

export type LinkMode =
  | 'pass'
  /** Both sides get an RST. */
  | 'reset'
  /** Nothing comes through either way, and nobody is told. */
  | 'black-hole'
  /** What goes this way arrives that much later, in order. */
  | { delayMs: number; way: Way }
  /** An asymmetric partition: nothing comes through this way until it heals. */
  | { cut: Way }
  /** This side's connection is gone, and the other side is not told until it speaks after the mode has ended. */
  | { halfOpen: 'target' | 'client' };

export class ChaosLink {
  readonly #client: Socket;
  readonly #target: Socket;
  readonly #toTarget: ChaosFlow;
  readonly #toClient: ChaosFlow;
  /** The side that is left of a half-open connection. */
  #left: Socket | null = null;

  constructor(client: Socket, targetPort: number, onClose: () => void) {
    this.#client = client;
    this.#target = connect({ port: targetPort, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    client.setNoDelay(true);
    this.#toTarget = new ChaosFlow(client, this.#target);
    this.#toClient = new ChaosFlow(this.#target, client);
    const closed = (): void => {
      if (client.destroyed && this.#target.destroyed) onClose();
    };
    client.once('close', closed);
    this.#target.once('close', closed);
  }

  /** Tells the bytes that the client sends, as they come. */
  onClientData(listener: (chunk: Buffer) => void): void {
    this.#client.on('data', listener);
  }

  set(mode: LinkMode): void {
    if (this.#left !== null) this.#revive(this.#left, mode);
    else if (mode === 'reset') this.destroy();
    else if (typeof mode === 'object' && 'halfOpen' in mode) this.#leaveHalf(mode.halfOpen);
    else {
      this.#toTarget.set(flowOf(mode, 'to-target'));
      this.#toClient.set(flowOf(mode, 'to-client'));
    }
  }

  destroy(): void {
    this.#client.resetAndDestroy();
    this.#target.resetAndDestroy();
  }

  #leaveHalf(gone: 'target' | 'client'): void {
    this.#toTarget.stop();
    this.#toClient.stop();
    const [lost, left] = gone === 'target' ? [this.#target, this.#client] : [this.#client, this.#target];
    this.#left = left;
    lost.resetAndDestroy();
  }

  /** The line works again, and knows nothing of this connection: whoever speaks on it gets an RST. */
  #revive(left: Socket, mode: LinkMode): void {
    if (mode === 'reset' || left.readableEnded) left.resetAndDestroy();
    if (mode !== 'pass') return;
    left.on('data', () => left.resetAndDestroy());
    left.on('end', () => left.resetAndDestroy());
    left.resume();
  }
}

function flowOf(mode: LinkMode, way: Way): { held?: boolean; delayMs?: number } {
  if (mode === 'black-hole') return { held: true };
  if (typeof mode !== 'object') return {};
  if ('cut' in mode) return { held: mode.cut === way };
  return 'delayMs' in mode && mode.way === way ? { delayMs: mode.delayMs } : {};
}
