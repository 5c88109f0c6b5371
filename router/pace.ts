// Ends what does not move: a body that trickles in, an answer that its client does not take, one that stopped coming.
import type { Exchange } from './exchange.ts';
import { LIMITS } from './limits.ts';

/** How often all that is under way is looked at. Requests that are over before the first look cost nothing. */
const LOOK_MS = 1_000;

/** What was seen of an exchange when it last moved, one way and the other. Bytes are the connection's own counts. */
type Watch = {
  read: number;
  readAtMs: number;
  taken: number;
  takenAtMs: number;
  written: number;
  writtenAtMs: number;
};

type Times = { streamIdleMs: number };

/**
 * Looks at every exchange once a second. Only the time in which it is the client's turn counts against a client: a
 * body that the cell does not take yet, and an answer that the cell has not given, are not its fault.
 */
export class PaceKeeper {
  readonly #open: Iterable<Exchange>;
  readonly #times: Times;
  readonly #watches = new WeakMap<Exchange, Watch>();
  /** Answered, with the rest of the body still to come. */
  readonly #unread = new Set<Exchange>();
  readonly #timer: NodeJS.Timeout;

  constructor(open: Iterable<Exchange>, times: Times) {
    this.#open = open;
    this.#times = times;
    this.#timer = setInterval(() => this.#look(performance.now()), LOOK_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** An exchange has ended. What its client is still sending is read and thrown away, but not for ever. */
  ended(exchange: Exchange): void {
    const { client } = exchange;
    if (!client.complete && !client.severed) this.#unread.add(exchange);
  }

  #look(nowMs: number): void {
    for (const exchange of this.#open) if (exchange.kind === 'request') this.#judge(exchange, nowMs);
    for (const exchange of this.#unread) {
      const { complete, severed } = exchange.client;
      if (complete || severed) this.#unread.delete(exchange);
      else this.#judgeBody(exchange, this.#watch(exchange, nowMs), nowMs);
    }
  }

  #judge(exchange: Exchange, nowMs: number): void {
    const watch = this.#watch(exchange, nowMs);
    if (!exchange.client.complete) this.#judgeBody(exchange, watch, nowMs);
    this.#judgeAnswer(exchange, watch, nowMs);
  }

  #watch(exchange: Exchange, nowMs: number): Watch {
    const known = this.#watches.get(exchange);
    if (known !== undefined) return known;
    const { client } = exchange;
    const watch = {
      read: client.read,
      readAtMs: nowMs,
      taken: 0,
      takenAtMs: nowMs,
      written: client.written,
      writtenAtMs: nowMs,
    };
    this.#watches.set(exchange, watch);
    // The head of an answer whose body takes its time has waited long enough to go with the first of it.
    if (exchange.begun && !client.answered) client.flushHead();
    return watch;
  }

  #judgeBody(exchange: Exchange, watch: Watch, nowMs: number): void {
    const { body, read } = exchange.client;
    if (body.isPaused() || read - watch.read >= LIMITS.paceBytes) {
      watch.read = read;
      watch.readAtMs = nowMs;
    } else if (nowMs - watch.readAtMs >= LIMITS.paceMs) exchange.tooSlow();
  }

  #judgeAnswer(exchange: Exchange, watch: Watch, nowMs: number): void {
    const { client, begun, endless, timeoutMs } = exchange;
    const { written, untaken } = client;
    const taken = written - untaken;
    if (untaken === 0 || taken !== watch.taken) {
      watch.taken = taken;
      watch.takenAtMs = nowMs;
    } else if (nowMs - watch.takenAtMs >= LIMITS.paceMs) exchange.tooSlow();
    if (!begun || client.answered || untaken > 0 || written !== watch.written) {
      watch.written = written;
      watch.writtenAtMs = nowMs;
      return;
    }
    const silentMs = nowMs - watch.writtenAtMs;
    if (!endless && silentMs >= timeoutMs) exchange.source?.stalled();
    else if (endless && this.#times.streamIdleMs > 0 && silentMs >= this.#times.streamIdleMs) client.cut();
  }
}
