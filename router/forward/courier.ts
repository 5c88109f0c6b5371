// Steps 3 to 5 of a request, over as many sendings as it may have: choose, admit, send; hold, and send again.
import { chooseCell } from '../choose-cell.ts';
import type { Config } from '../config.ts';
import type { RefusalCode } from '../errors.ts';
import type { Exchange, Served } from '../exchange.ts';
import type { AnswerOutcome } from '../health/watched-cell.ts';
import type { HomeCount } from '../health/load.ts';
import type { Cause, HealthRecord, HeldWhy } from '../health/record.ts';
import type { Lanes } from '../lanes.ts';
import { Attempt, type AttemptEnd } from './attempt.ts';
import { BodySource, hasBody } from './body-source.ts';
import type { CellKnowledge } from './cell-knowledge.ts';
import { Delivery, RetryBudget } from './delivery.ts';
import type { CellFailure } from './failure.ts';
import { Holds } from './holds.ts';
import { HomeTraffic } from './home-traffic.ts';
import type { CellPools } from './pools.ts';
import { EarlyBytes, TunnelAttempt } from './tunnel.ts';

/** Sendings again come a little apart: what made the first ones fail may need a moment. */
const RETRY_JITTER_MS = 20;

const NOBODY_UP = 'Neither its cell nor the neighbour is up.';
const HELD_BACK: Record<Exclude<HeldWhy, 'warming-up'>, string> = {
  'no-target': NOBODY_UP,
  budget: 'Its failover is held back: too many cells are away already.',
  'suspect-release': 'Its failover is held back: a new release is to blame.',
};

/**
 * Causes by which a cell is given up with what is inside it. By any other one the cell that is left is alive, and
 * answers what it has begun.
 */
const ENDS_WHAT_IS_INSIDE: ReadonlySet<Cause | null> = new Set<Cause>(['unreachable', 'neighbour-lost']);

export class Courier {
  readonly holds: Holds<Delivery>;
  readonly retries: RetryBudget;
  readonly #config: Config;
  readonly #knowledge: CellKnowledge;
  readonly #lanes: Lanes;
  readonly #pools: CellPools;
  /** Everything under way, by home: a verdict on a home ends what is still inside its dead cell. */
  readonly #traffic = new Map<string, HomeTraffic>();
  /** Cells whose waiting requests found no room where they should go: tried again as others leave. */
  readonly #crowded = new Set<string>();

  constructor(config: Config, knowledge: CellKnowledge, lanes: Lanes, pools: CellPools) {
    this.#config = config;
    this.#knowledge = knowledge;
    this.#lanes = lanes;
    this.#pools = pools;
    this.holds = new Holds({ holdMs: config.HOLD_MS, holdMax: config.HOLD_MAX });
    this.retries = new RetryBudget((cell) => lanes.insideOf(cell));
  }

  /** Sends a request to the cell that serves `home`'s tenants now, and sees it through to its end. */
  serve(exchange: Exchange, home: string, early: Buffer): void {
    const { MAX_BODY_BYTES: maxBytes, REPLAY_BYTES: replayBytes } = this.#config;
    const { request } = exchange;
    exchange.home = home;
    if (maxBytes !== null && Number(request.headers['content-length'] ?? 0) > maxBytes) {
      exchange.refuse('body-too-large', `At most ${maxBytes} bytes.`);
      return;
    }
    const body = hasBody(request) ? new BodySource(request, { maxBytes, replayBytes }) : null;
    const tunnel = exchange.kind === 'tunnel' ? new EarlyBytes(exchange.response.socket, early) : null;
    const delivery = new Delivery(exchange, home, tunnel, body, {
      place: () => this.#place(delivery, 'waited'),
      giveUp: () => this.#giveUp(delivery),
    });
    this.#remember(delivery);
    this.#place(delivery, 'new');
  }

  /** What the tenants of each home ask for, as counted so far. */
  *counts(): Generator<HomeCount> {
    for (const traffic of this.#traffic.values()) yield traffic.count();
  }

  /** Records changed: what waits for a verdict goes on, and what is still inside a cell that lost its tenants ends. */
  verdict(records: readonly HealthRecord[]): void {
    for (const record of records) {
      const { home, target, neighbour, cause } = record;
      if (ENDS_WHAT_IS_INSIDE.has(cause)) {
        for (const delivery of this.#traffic.get(home)?.underWay ?? []) this.#overtaken(delivery, target);
      }
      this.holds.wake(home);
      if (neighbour !== null) this.holds.wake(neighbour);
    }
  }

  /** A cell answered a probe: requests that are to go there may be wrong about it, whatever cell they wait for. */
  probedWell(cell: string): void {
    const goesThere = ({ home }: Delivery): boolean => this.#knowledge.recordOf(home).target === cell;
    for (const { cell: queue } of Array.from(this.holds.waiting())) this.holds.wake(queue, goesThere);
  }

  /** True: the request has gone on its way, or has been answered. False: there is no room, it must go on waiting. */
  #place(delivery: Delivery, how: 'new' | 'waited' | 'again'): boolean {
    const { exchange, home } = delivery;
    if (!exchange.open) return true;
    delivery.crowded = false;
    if (how === 'waited' && this.#knowledge.recordOf(home).epoch < delivery.neededEpoch) return false;
    const choice = chooseCell(home, this.#knowledge, delivery.reading);
    if ('refusal' in choice) {
      if (how === 'waited') return false;
      this.#holdOrRefuse(delivery, this.#knowledge.recordOf(home).target, 'cell-unavailable', null);
      return true;
    }
    if (how === 'waited' && delivery.suspect === choice.cell && !this.retries.allows(choice.cell)) {
      exchange.refuse('cell-connection-failed', 'connection closed before an answer');
      return true;
    }
    if (!this.#admit(delivery, choice)) {
      delivery.crowded = true;
      if (how === 'new') exchange.refuse('cell-overloaded', null);
      else if (delivery.waitsFor !== null) this.#crowded.add(delivery.waitsFor);
      return how === 'new';
    }
    this.#send(delivery, choice);
    return true;
  }

  #admit(delivery: Delivery, { cell, role }: Served): boolean {
    const tunnel = delivery.exchange.kind === 'tunnel';
    if (!(tunnel ? this.#lanes.enterTunnel(cell) : this.#lanes.enter(cell, role))) return false;
    delivery.entered(() => {
      if (tunnel) this.#lanes.leaveTunnel(cell);
      else this.#lanes.leave(cell, role);
      if (this.#crowded.size > 0) setImmediate(() => this.#roomAgain());
    });
    return true;
  }

  #roomAgain(): void {
    const crowded = [...this.#crowded];
    this.#crowded.clear();
    for (const cell of crowded) this.holds.wake(cell);
  }

  #send(delivery: Delivery, served: Served): void {
    const { exchange, body, early } = delivery;
    const suspect = delivery.suspect === served.cell;
    const pool = suspect ? this.#pools.freshOf(served.cell) : this.#pools.of(served.cell);
    if (pool === undefined) {
      delivery.leave();
      exchange.refuse('cell-unavailable', null);
      return;
    }
    delivery.suspect = null;
    if (suspect) delivery.retrying(this.retries.begin(served.cell));
    delivery.connections += 1;
    exchange.served = served;
    const deadline = Math.round(this.#knowledge.timeAt(served.cell)) + exchange.timeoutMs;
    const events = {
      answered: (status: number) => this.#answered(delivery, served, status),
      ended: (end: AttemptEnd) => this.#ended(delivery, served, end),
    };
    if (early !== null) {
      const tunnel = new TunnelAttempt(exchange, served, deadline, events, early);
      delivery.attempt = tunnel;
      tunnel.open(pool);
    } else {
      const attempt = new Attempt(exchange, served, deadline, events);
      delivery.attempt = attempt;
      attempt.sendRequest(pool, body);
    }
  }

  #answered(delivery: Delivery, { cell }: Served, status: number): void {
    delivery.doneRetrying();
    this.#knowledge.observeAnswer(cell, outcomeOf(status), delivery.exchange.tenant);
  }

  /** A sending ended without an answer for the client. */
  #ended(delivery: Delivery, served: Served, end: AttemptEnd): void {
    delivery.attempt = null;
    delivery.doneRetrying();
    delivery.leave();
    if (end.kind === 'misdirected') {
      delivery.writes += 1;
      this.#misdirected(delivery, served, end.epoch);
      return;
    }
    if (end.written) delivery.writes += 1;
    const { failure } = end;
    if (failure.blame === 'no-connection' || !end.written) {
      this.#unreached(delivery, served, failure);
      return;
    }
    if (failure.blame !== 'none') {
      this.#knowledge.observeAnswer(served.cell, 'bad', delivery.exchange.tenant);
    }
    if (failure.blame === 'reset' && delivery.idempotent && delivery.repeatable)
      this.#again(delivery, served, failure);
    else delivery.exchange.refuse(failure.code, failure.detail);
  }

  /** No byte of it was written: it may wait for what the verdict says, whatever its method. */
  #unreached(delivery: Delivery, { cell }: Served, failure: CellFailure): void {
    if (failure.blame !== 'none') this.#knowledge.observeNoConnection(cell, failure.detail);
    if (failure.blame !== 'none' && delivery.repeatable) {
      this.#holdOrRefuse(delivery, cell, failure.code, failure.detail);
    } else delivery.exchange.refuse(failure.code, failure.detail);
  }

  /** Written, and then the connection broke: once more to the same cell if its budget allows, else after a verdict. */
  #again(delivery: Delivery, { cell }: Served, failure: CellFailure): void {
    delivery.suspect = cell;
    if (this.#knowledge.opinionOf(cell) !== 'down' && this.retries.allows(cell)) {
      const reserved = this.retries.begin(cell);
      setTimeout(() => {
        reserved();
        this.#placeAgain(delivery);
      }, Math.random() * RETRY_JITTER_MS);
      return;
    }
    this.#holdOrRefuse(delivery, cell, failure.code, failure.detail);
  }

  /** 421: not processed, so that any method may be sent again, once. The one with the older rule learns first. */
  #misdirected(delivery: Delivery, { cell, epoch: ours }: Served, theirs: number | null): void {
    if (!delivery.repeatable) {
      delivery.exchange.refuse('cell-unavailable', 'The cells do not agree yet on who serves this tenant.');
      return;
    }
    if (theirs !== null && theirs > ours) {
      delivery.neededEpoch = theirs;
      // The rule may have come while the request was under way: then nothing else would wake it.
      if (this.#knowledge.recordOf(delivery.home).epoch >= theirs) {
        this.#placeAgain(delivery);
        return;
      }
      this.#knowledge.askStore();
      this.#holdOrRefuse(delivery, cell, 'cell-unavailable', null);
      return;
    }
    this.#knowledge.deliverRule(delivery.home, cell).then(
      () => this.#placeAgain(delivery),
      () => delivery.exchange.refuse('cell-unavailable', null),
    );
  }

  /** A verdict has taken the tenants away from the cell it is inside: a frozen one would keep it for ever. */
  #overtaken(delivery: Delivery, target: string): void {
    const { attempt, exchange } = delivery;
    if (attempt === null || attempt.answering || attempt.served.cell === target) return;
    if (attempt.written) delivery.writes += 1;
    attempt.cancel();
    delivery.attempt = null;
    delivery.doneRetrying();
    delivery.leave();
    const again = delivery.repeatable && (delivery.idempotent || !attempt.written);
    if (!again) exchange.refuse('cell-timeout', 'The cell was given up before it answered.');
    else this.#placeAgain(delivery);
  }

  /** Where there is no room for it now, it waits for some. */
  #placeAgain(delivery: Delivery): void {
    if (this.#place(delivery, 'again')) return;
    const { target } = this.#knowledge.recordOf(delivery.home);
    if (this.holds.hold(target, delivery)) {
      delivery.waitsFor = target;
      this.#crowded.add(target);
    } else delivery.exchange.refuse('cell-overloaded', null);
  }

  #holdOrRefuse(delivery: Delivery, cell: string, code: RefusalCode, detail: string | null): void {
    const { exchange } = delivery;
    if (!exchange.open) return;
    delivery.waitsFor = cell;
    const vain =
      this.#whyNotWait(delivery.home) ?? (this.holds.hold(cell, delivery) ? null : 'Too many wait.');
    if (vain !== null) exchange.refuse(code, detail ?? vain);
  }

  /**
   * A verdict can help only if somebody can pass one, and the other cell of the pair is there; null: it can. A cell that
   * comes back may be up to the majority before it is to this router: while it answers probes there is hope.
   */
  #whyNotWait(home: string): string | null {
    if (!this.#knowledge.storeAnswers) return 'No verdict can be had: the store does not answer.';
    const why = this.#knowledge.heldBack(home);
    if (why !== null && why !== 'warming-up') return HELD_BACK[why];
    const { target, neighbour } = this.#knowledge.recordOf(home);
    const other = target === home ? neighbour : home;
    if (other === null || !this.#knowledge.hasCell(other)) return 'Its cell has no neighbour.';
    return this.#knowledge.isUnreachable(other) ? NOBODY_UP : null;
  }

  #giveUp(delivery: Delivery): void {
    if (delivery.crowded) delivery.exchange.refuse('cell-overloaded', 'No room was found in time.');
    else delivery.exchange.refuse('cell-unavailable', 'No verdict came in time.');
  }

  #trafficOf(home: string): HomeTraffic {
    const known = this.#traffic.get(home);
    if (known !== undefined) return known;
    const traffic = new HomeTraffic(home);
    this.#traffic.set(home, traffic);
    return traffic;
  }

  #remember(delivery: Delivery): void {
    const { exchange, home } = delivery;
    const traffic = this.#trafficOf(home);
    traffic.requests += 1;
    traffic.underWay.add(delivery);
    exchange.onEnd(() => {
      traffic.underWay.delete(delivery);
      delivery.attempt?.cancel();
      delivery.doneRetrying();
      delivery.leave();
      delivery.body?.discard();
      if (delivery.waitsFor !== null) this.holds.release(delivery.waitsFor, delivery);
    });
  }
}

/** An application's own errors say nothing of its cell; a gateway's do, and so does its plea to be spared. */
function outcomeOf(status: number): AnswerOutcome {
  if (status === 502 || status === 504) return 'bad';
  return status === 429 || status === 503 ? 'overloaded' : 'good';
}
