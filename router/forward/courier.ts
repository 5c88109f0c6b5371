// Steps 3 to 5 of a request, over as many sendings as it may have: choose, admit, send; hold, and send again.
import { chooseCell, type Role } from '../choose-cell.ts';
import type { Config } from '../config.ts';
import type { Exchange, Served } from '../exchange.ts';
import type { AnswerOutcome } from '../health/cells/watched-cell.ts';
import type { HomeCount } from '../health/load.ts';
import type { Cause, HealthRecord } from '../health/record.ts';
import { servedBy } from '../health/verdicts/served-by.ts';
import type { InFlight } from '../health/verdicts/suspects.ts';
import type { Lanes } from '../lanes.ts';
import { headerOf } from '../request-head.ts';
import { Aftermath } from './aftermath.ts';
import { Attempt, type AttemptEvents } from './attempt.ts';
import { BodySource } from './body-source.ts';
import type { CellKnowledge } from './cell-knowledge.ts';
import { Crowds } from './crowds.ts';
import { Delivery, RetryBudget, type DeliverySteps, type Inside } from './delivery.ts';
import { Handovers, type Homes } from './handovers.ts';
import { Holds } from './holds.ts';
import { HomeTraffic } from './home-traffic.ts';
import { endTenant, tenantsInside } from './in-flight.ts';
import type { CellPools } from './pools.ts';
import { Streams, type Stream } from './streams.ts';
import { EarlyBytes, TunnelAttempt } from './tunnel.ts';
import { movingQueue, Waits } from './waits.ts';

/**
 * Causes by which a cell is given up with what is inside it. By any other one the cell that is left is alive, and
 * answers what it has begun.
 */
const ENDS_WHAT_IS_INSIDE: ReadonlySet<Cause | null> = new Set<Cause>(['unreachable', 'neighbour-lost']);

/** How long what was in a cell as it died lets the others go ahead: they are with the other cell by then. */
const BEHIND_MS = 100;

export class Courier {
  readonly holds: Holds<Delivery>;
  readonly retries: RetryBudget;
  readonly streams = new Streams();
  readonly handovers: Handovers;
  readonly #config: Config;
  readonly #knowledge: CellKnowledge;
  readonly #lanes: Lanes;
  readonly #pools: CellPools;
  readonly #waits: Waits;
  readonly #aftermath: Aftermath;
  readonly #homes: Homes;
  /** Everything under way, by home: a verdict on a home ends what is still inside its dead cell. */
  readonly #traffic = new Map<string, HomeTraffic>();
  readonly #crowds: Crowds;
  readonly #steps: DeliverySteps = {
    place: (delivery) => this.#place(delivery, 'waited'),
    giveUp: (delivery) => this.#waits.giveUp(delivery),
    left: (delivery, inside) => this.#left(delivery, inside),
  };
  readonly #events: AttemptEvents = {
    answered: (attempt, status) => this.#answered(attempt, status),
    streams: (attempt, end) => this.#streams(attempt, end),
    ended: ({ delivery, served }, end) => this.#aftermath.ended(delivery, served, end),
    over: ({ delivery }) => delivery.out(),
  };

  constructor(config: Config, knowledge: CellKnowledge, lanes: Lanes, pools: CellPools, homes: Homes) {
    const { HANDOVER_MS: handoverMs, RECONNECT_SPREAD_MS: spreadMs } = config;
    this.#config = config;
    this.#homes = homes;
    this.#knowledge = knowledge;
    this.#lanes = lanes;
    this.#pools = pools;
    this.holds = new Holds({ holdMs: config.HOLD_MS, holdMax: config.HOLD_MAX });
    this.retries = new RetryBudget((cell) => lanes.insideOf(cell));
    this.handovers = new Handovers(this.streams, { handoverMs, spreadMs, homes });
    this.#waits = new Waits(knowledge, this.holds);
    this.#crowds = new Crowds(this.holds, lanes, (delivery) => this.#waits.cellOf(delivery));
    this.#aftermath = new Aftermath(knowledge, this.#waits, this.retries, {
      place: (delivery) => this.#place(delivery, 'again'),
      crowded: (cell, queue) => this.#crowds.waits(cell, queue),
    });
  }

  /** Sends a request to the cell that serves `home`'s tenants now, and sees it through to its end. */
  serve(exchange: Exchange, home: string, early: Buffer): void {
    const { MAX_BODY_BYTES: maxBytes, REPLAY_BYTES: replayBytes } = this.#config;
    const { client, head } = exchange;
    exchange.home = home;
    if (maxBytes !== null && Number(headerOf(head, 'content-length') ?? 0) > maxBytes) {
      exchange.refuse('body-too-large', `At most ${maxBytes} bytes.`);
      return;
    }
    const body = client.hasBody ? new BodySource(client, { maxBytes, replayBytes }) : null;
    const tunnel = exchange.kind === 'tunnel' ? new EarlyBytes(client.socket, early) : null;
    const delivery = new Delivery(exchange, home, tunnel, body, this.#steps);
    this.#remember(delivery);
    this.#place(delivery, 'new');
  }

  /** What the tenants of each home ask for, as counted so far. */
  *counts(): Generator<HomeCount> {
    for (const traffic of this.#traffic.values()) yield traffic.count();
  }

  /**
   * Records changed: what waits for a verdict, or for the end of a handover, goes on, and what is still inside a cell that
   * lost its tenant ends, or is waited for.
   */
  verdict(records: readonly HealthRecord[]): void {
    for (const record of records) {
      const { home, neighbour } = record;
      const underWay = this.#traffic.get(home)?.underWay ?? [];
      this.handovers.follow(record, underWay);
      if (record.phase === 'open') this.#endElsewhere(record, underWay);
      this.holds.wake(movingQueue(home));
      this.holds.wake(home);
      if (neighbour !== null) this.holds.wake(neighbour);
    }
  }

  /** Another fleet file is in force: tenants that have another home by it open their streams there. */
  replaced(): void {
    for (const home of this.streams.homes) this.handovers.endElsewhere(this.#knowledge.recordOf(home));
  }

  /** Who has requests in a cell now. */
  inside(cell: string): InFlight[] {
    return [...this.#traffic.values()].flatMap(({ underWay }) => tenantsInside(underWay, cell));
  }

  /** A tenant is refused from now on: ends all that it has open, in flight or waiting. */
  quarantined(tenant: string, retryAfterS: number): void {
    this.streams.endOf(tenant);
    for (const { underWay } of this.#traffic.values()) endTenant(underWay, tenant, retryAfterS);
  }

  #endElsewhere(record: HealthRecord, underWay: Iterable<Delivery>): void {
    if (!ENDS_WHAT_IS_INSIDE.has(record.cause)) {
      this.handovers.endElsewhere(record);
      return;
    }
    for (const delivery of underWay) this.#aftermath.overtaken(delivery);
    this.streams.endWhere(record.home, ({ cell, tenant }) => servedBy(record, tenant) !== cell);
  }

  /** A cell answered a probe: requests that are to go there may be wrong about it, whatever cell they wait for. */
  probedWell(cell: string): void {
    const goesThere = ({ home, tenant }: Delivery): boolean =>
      servedBy(this.#knowledge.recordOf(home), tenant) === cell;
    for (const { cell: queue } of Array.from(this.holds.waiting())) this.holds.wake(queue, goesThere);
  }

  /** True: the request has gone on its way, or has been answered. False: there is no room, it must go on waiting. */
  #place(delivery: Delivery, how: 'new' | 'waited' | 'again'): boolean {
    const { exchange } = delivery;
    if (!exchange.open) return true;
    const waitedForHandover = delivery.waitsFor === movingQueue(delivery.home);
    if (how !== 'new') this.#findHome(delivery);
    const { home } = delivery;
    delivery.crowded = false;
    delivery.moving = false;
    if (how === 'waited' && this.#knowledge.recordOf(home).epoch < delivery.neededEpoch) return false;
    const choice = chooseCell(home, delivery.tenant, this.#knowledge, delivery.reading);
    if ('refusal' in choice) {
      // What waited for a handover waits for a verdict from now on, and the other way round.
      if (choice.refusal === 'placement-moving') this.#waits.holdMoving(delivery);
      else if (how === 'waited' && !waitedForHandover) return false;
      else this.#waits.holdOrRefuse(delivery, this.#waits.cellOf(delivery), 'cell-unavailable', null);
      return true;
    }
    if (how === 'waited' && delivery.suspect === choice.cell && !this.retries.allows(choice.cell)) {
      exchange.refuse('cell-connection-failed', 'connection closed before an answer');
      return true;
    }
    if (this.#goesBehind(delivery, choice)) return true;
    if (!this.#admit(delivery, choice)) {
      delivery.crowded = true;
      if (how === 'new') {
        if (!this.#waitsForRoom(delivery, choice)) exchange.refuse('cell-overloaded', null);
      } else if (delivery.waitsFor !== null) this.#crowds.waits(choice.cell, delivery.waitsFor);
      return how === 'new';
    }
    this.#send(delivery, choice);
    return true;
  }

  /** It waits behind what waited for a handover and has gone on its way, or goes, at this moment. */
  #waitsForRoom(delivery: Delivery, { cell }: Served): boolean {
    const queue = movingQueue(delivery.home);
    if (!this.handovers.endedLately(delivery.home) || !this.#waits.hold(queue, delivery)) return false;
    this.#crowds.waits(cell, queue);
    return true;
  }

  /**
   * What was in a cell as it died may have killed it: it comes to the other cell of the pair a moment after all that was
   * not, so that the two can be told apart if that one dies as well.
   */
  #goesBehind(delivery: Delivery, { cell }: Served): boolean {
    const { brokeIn, wentBehind } = delivery;
    if (wentBehind || brokeIn === null || brokeIn === cell) return false;
    delivery.wentBehind = true;
    this.#aftermath.placeIn(BEHIND_MS, delivery);
    return true;
  }

  /** What it waited for may have been a cut-over: its tenant has another home since. */
  #findHome(delivery: Delivery): void {
    const { exchange, home } = delivery;
    const found = exchange.tenant === null ? null : this.#homes.homeOf(exchange.tenant);
    if (found === null || found === home) return;
    this.#traffic.get(home)?.underWay.delete(delivery);
    delivery.home = found;
    // Each home counts its own epochs.
    delivery.neededEpoch = 0;
    exchange.home = found;
    this.#trafficOf(found).underWay.add(delivery);
  }

  #admit(delivery: Delivery, { cell, role }: Served): boolean {
    if (delivery.exchange.kind === 'tunnel') return this.#admitStream(delivery, cell, role);
    const { tenant } = delivery.exchange;
    if (!this.#lanes.enter(cell, role, tenant)) return false;
    delivery.entered({ cell, role, stream: false });
    return true;
  }

  /** Tunnels and event streams are counted apart: a request whose answer turns out to be one leaves its lane. */
  #admitStream(delivery: Delivery, cell: string, role: Role): boolean {
    const { tenant } = delivery.exchange;
    if (!this.#lanes.enterTunnel(cell, role, tenant)) return false;
    delivery.leave();
    delivery.entered({ cell, role, stream: true });
    return true;
  }

  /** There is room for what waits for some. */
  #left({ exchange }: Delivery, { cell, role, stream }: Inside): void {
    if (stream) this.#lanes.leaveTunnel(cell, role, exchange.tenant);
    else this.#lanes.leave(cell, role, exchange.tenant);
    this.#crowds.left(cell);
  }

  #streams({ delivery, served }: Attempt, end: Stream['end']): boolean {
    const { exchange, home, tenant } = delivery;
    const { cell, role } = served;
    if (exchange.kind === 'request' && !this.#admitStream(delivery, cell, role)) {
      exchange.refuse('cell-overloaded', 'No room for another event stream.');
      return false;
    }
    const stream = { cell, tenant, end };
    this.streams.add(exchange, home, stream);
    this.handovers.streams(delivery, stream);
    return true;
  }

  #send(delivery: Delivery, served: Served): void {
    const { exchange, body, early } = delivery;
    const suspect = delivery.suspect === served.cell;
    const pool = this.#pools.of(served.cell);
    if (pool === undefined) {
      delivery.leave();
      exchange.refuse('cell-unavailable', null);
      return;
    }
    delivery.suspect = null;
    if (suspect) delivery.retrying(this.retries.begin(served.cell));
    delivery.connections += 1;
    delivery.sentAtMs = performance.now();
    exchange.served = served;
    const deadline = Math.round(this.#knowledge.timeAt(served.cell)) + exchange.timeoutMs;
    if (early !== null) {
      const idleMs = this.#config.STREAM_IDLE_MS;
      const tunnel = new TunnelAttempt(delivery, served, deadline, this.#events, { early, idleMs });
      delivery.attempt = tunnel;
      tunnel.open(pool.takeFresh(true), pool.host);
    } else {
      const attempt = new Attempt(delivery, served, deadline, this.#events);
      delivery.attempt = attempt;
      // When a cell dies all of its open connections are dead, and some do not know it yet.
      attempt.sendRequest(suspect ? pool.takeFresh(false) : pool.take(), pool.host, body, suspect);
    }
  }

  #answered({ delivery, served }: Attempt, status: number): void {
    delivery.doneRetrying();
    this.#knowledge.observeAnswer(served.cell, outcomeOf(status), delivery.exchange.tenant);
  }

  #trafficOf(home: string): HomeTraffic {
    const known = this.#traffic.get(home);
    if (known !== undefined) return known;
    const traffic = new HomeTraffic(home);
    this.#traffic.set(home, traffic);
    return traffic;
  }

  #remember(delivery: Delivery): void {
    const { exchange } = delivery;
    const traffic = this.#trafficOf(delivery.home);
    traffic.requests += 1;
    traffic.underWay.add(delivery);
    exchange.onEnd(() => {
      this.#trafficOf(delivery.home).underWay.delete(delivery);
      delivery.attempt?.cancel();
      delivery.ended();
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
