// One direction of a proxied connection: bytes, the end and the reset go through in order, late, or not yet.
import type { Socket } from 'node:net';

/** Beyond this much in waiting, the sender is no longer read: its own TCP window fills, as on a dead line. */
const MAX_WAITING_BYTES = 1_048_576;

type Item = { dueMs: number; what: Buffer | 'end' | 'reset' };

export class ChaosFlow {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #waiting: Item[] = [];
  #waitingBytes = 0;
  #held = false;
  #delayMs = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(from: Socket, to: Socket) {
    this.#from = from;
    this.#to = to;
    from.on('data', (chunk: Buffer) => this.#push(chunk));
    from.on('end', () => this.#push('end'));
    from.on('error', () => undefined);
    from.on('close', () => {
      if (!from.readableEnded) this.#push('reset');
    });
    to.on('drain', () => this.#pump());
  }

  /** `held`: nothing goes through until it is released, and then everything, as TCP sends again after a partition. */
  set({ held = false, delayMs = 0 }: { held?: boolean; delayMs?: number }): void {
    this.#held = held;
    this.#delayMs = delayMs;
    this.#pump();
  }

  /** Nothing will go through any more. */
  stop(): void {
    this.set({ held: true });
    this.#forget();
  }

  #forget(): void {
    this.#waiting.length = 0;
    this.#waitingBytes = 0;
  }

  #push(what: Item['what']): void {
    // A sender that has reset its connection sends nothing again when the line heals.
    if (what === 'reset' && this.#held) this.#forget();
    const lastMs = this.#waiting.at(-1)?.dueMs ?? 0;
    this.#waiting.push({ dueMs: Math.max(lastMs, performance.now() + this.#delayMs), what });
    if (typeof what !== 'string') this.#waitingBytes += what.length;
    this.#pump();
  }

  #pump(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    while (!this.#held && !this.#to.writableNeedDrain) {
      const [next] = this.#waiting;
      if (next === undefined) break;
      const waitMs = next.dueMs - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.#pump(), Math.ceil(waitMs));
        break;
      }
      this.#waiting.shift();
      this.#pass(next.what);
    }
    if (this.#waitingBytes < MAX_WAITING_BYTES) this.#from.resume();
    else this.#from.pause();
  }

  #pass(what: Item['what']): void {
    if (what === 'reset') this.#to.resetAndDestroy();
    else if (what === 'end') this.#to.end();
    else {
      this.#waitingBytes -= what.length;
      if (!this.#to.destroyed) this.#to.write(what);
    }
  }
}
