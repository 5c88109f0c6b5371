// Every metric of the router, defined once. Labels are cells, roles, states and codes: bounded, never a tenant.
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { FleetHolder } from '../fleet/holder.ts';
import type { Holds } from '../forward/holds.ts';
import type { Standby } from '../health/cells/standbys.ts';
import type { Monitor } from '../health/monitor.ts';
import type { Lanes } from '../lanes.ts';
import type { RateLimits } from '../rate-limits.ts';
import { RequestCounts } from './request-counts.ts';
import type { CellTls } from '../tls/cell-tls.ts';
import type { Expiries } from '../tls/expiries.ts';

/** Up to the longest hold by default, close together where handovers are. */
const HOLD_SECONDS = [
  0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 2.5, 3, 3.5, 5,
];

/** What the public listener counts: connections now, those of them that speak HTTP/2, handshakes that came to nothing. */
export type ClientCounts = {
  connections: number;
  http2: number;
  failedHandshakes: number;
  filesRefused: boolean;
};

export class Metrics {
  readonly registry = new Registry();
  readonly requests = new RequestCounts(this.registry);
  readonly #holdSeconds = new Histogram({
    name: 'cellgate_hold_seconds',
    help: 'Seconds for which a request was held, by what for: a verdict, the end of a handover, or room in a cell.',
    labelNames: ['kind'] as const,
    buckets: HOLD_SECONDS,
    registers: [this.registry],
  });
  constructor() {
    collectDefaultMetrics({ register: this.registry });
  }

  /** Gauges of what a machine has once, read from the parts themselves at each scrape. */
  observeControl({ monitor, fleets }: { monitor: Monitor; fleets: FleetHolder }): void {
    this.#observeCells(monitor, fleets);
    this.#observeStore(monitor, fleets);
    this.#observeVerdicts(monitor);
    this.#gauge('cellgate_quarantined_tenants', 'Tenants that are refused now.', [], (gauge) =>
      gauge.set(monitor.quarantine.entries.length),
    );
  }

  /** Those of what each process has that serves: a machine's are their sums. `clients`: of the public listener. */
  observeRequests(parts: {
    lanes: Lanes;
    rates: RateLimits;
    holds: Holds;
    clients: () => ClientCounts;
  }): void {
    this.#observeLanes(parts.lanes);
    this.#observeRates(parts.rates);
    this.#observeHolds(parts.holds);
    this.#observeClients(parts.clients);
  }

  /** Workers that serve now, how often one was replaced, and how often one was left out of a scrape. */
  observeWorkers(parts: { serving: () => number; restarts: () => number; silent: () => number }): void {
    this.#gauge('cellgate_workers', 'Processes of this router that serve requests now.', [], (gauge) =>
      gauge.set(parts.serving()),
    );
    this.#counter('cellgate_worker_restarts_total', 'Workers that ended and were replaced.', parts.restarts);
    this.#counter(
      'cellgate_worker_scrapes_missed_total',
      'Scrapes in which a worker did not answer in time: its counters are those of its last answer, its gauges are missing.',
      parts.silent,
    );
  }

  #observeClients(clients: () => ClientCounts): void {
    this.#gauge(
      'cellgate_client_connections',
      'Open connections of clients to the public listener.',
      [],
      (gauge) => gauge.set(clients().connections),
    );
    this.#gauge('cellgate_client_http2_connections', 'Those of them that speak HTTP/2.', [], (gauge) =>
      gauge.set(clients().http2),
    );
    this.#gauge(
      'cellgate_client_tls_files_refused',
      'Whether TLS_CERT_FILE and TLS_KEY_FILE do not fit any more, and older ones go on: an alarm.',
      [],
      (gauge) => gauge.set(clients().filesRefused ? 1 : 0),
      'max',
    );
    this.#counter(
      'cellgate_client_handshakes_failed_total',
      'TLS handshakes of clients that came to nothing: no common version, plain HTTP, a client that left or took too long.',
      () => clients().failedHandshakes,
    );
  }

  observeTls(tls: CellTls, expiries: Expiries): void {
    const failures: Counter<'cell' | 'reason'> = new Counter({
      name: 'cellgate_cell_tls_failures_total',
      help: 'Connections to a cell that failed by TLS, by why: each is an alarm.',
      labelNames: ['cell', 'reason'],
      registers: [this.registry],
      collect: () => {
        failures.reset();
        for (const { count, ...labels } of tls.failures()) failures.inc(labels, count);
      },
    });
    this.#gauge(
      'cellgate_certificate_expiry_seconds',
      'Seconds until a certificate ends, below 0 when it is over, by its use; cell-peer: the one that the cell showed last.',
      ['use', 'cell'],
      (gauge) => {
        for (const { use, cell, seconds } of expiries.left())
          gauge.set(cell === null ? { use } : { use, cell }, seconds);
      },
      'min',
    );
    this.#gauge(
      'cellgate_cell_tls_files_refused',
      'Whether the files of CELL_TLS_… do not fit, and what they held before goes on: 1 for long is an alarm.',
      [],
      (gauge) => gauge.set(tls.filesRefused ? 1 : 0),
      'max',
    );
  }

  #observeCells(monitor: Monitor, fleets: FleetHolder): void {
    this.#gauge(
      'cellgate_cell_up',
      "This router's own opinion of a cell: 1 up, 0 down, absent unknown.",
      ['cell'],
      (gauge) => {
        for (const cell of fleets.active.placement.cells) {
          const opinion = monitor.opinionOf(cell);
          if (opinion !== 'unknown') gauge.set({ cell }, opinion === 'up' ? 1 : 0);
        }
      },
    );
    this.#gauge(
      'cellgate_home_state',
      'The state of a home by the record in force: 1 on the state it is in.',
      ['home', 'state'],
      (gauge) => {
        for (const home of fleets.active.placement.cells)
          gauge.set({ home, state: monitor.recordOf(home).state }, 1);
      },
    );
    this.#gauge('cellgate_home_epoch', 'The epoch of a home by the record in force.', ['home'], (gauge) => {
      for (const home of fleets.active.placement.cells) gauge.set({ home }, monitor.recordOf(home).epoch);
    });
    this.#gauge(
      'cellgate_standby_state',
      "The standby of a home at its neighbour in force, by that cell's own word: 1 on the state it is in, absent where it tells of none.",
      ['home', 'state'],
      (gauge) => {
        for (const [home, { state }] of standbysOf(monitor, fleets)) gauge.set({ home, state }, 1);
      },
    );
    this.#gauge(
      'cellgate_standby_lag_seconds',
      'How far the standby of a home was behind at its last contact with it; absent where its cell does not tell.',
      ['home'],
      (gauge) => {
        for (const [home, { lagSeconds }] of standbysOf(monitor, fleets))
          if (lagSeconds !== null) gauge.set({ home }, lagSeconds);
      },
    );
    this.#gauge(
      'cellgate_standby_lag_bytes',
      'How much the standby of a home lacked at its last contact with it; absent where its cell does not tell.',
      ['home'],
      (gauge) => {
        for (const [home, { lagBytes }] of standbysOf(monitor, fleets))
          if (lagBytes !== null) gauge.set({ home }, lagBytes);
      },
    );
    this.#gauge('cellgate_home_buckets', 'Buckets whose home is this cell.', ['home'], (gauge) => {
      for (const [home, { owned }] of monitor.buckets) gauge.set({ home }, owned);
    });
    this.#gauge(
      'cellgate_home_moving_buckets',
      'Buckets whose home is this cell, and which are still to be cut over to another one.',
      ['home'],
      (gauge) => {
        for (const [home, { moving }] of monitor.buckets) {
          gauge.set(
            { home },
            Object.values(moving).reduce((sum, count) => sum + count, 0),
          );
        }
      },
    );
  }

  #observeLanes(lanes: Lanes): void {
    this.#gauge(
      'cellgate_inside_requests',
      'Requests of this router inside a cell now, by role.',
      ['cell', 'role'],
      (gauge) => {
        for (const { cell, home, guest } of lanes.inside()) {
          gauge.set({ cell, role: 'home' }, home);
          gauge.set({ cell, role: 'guest' }, guest);
        }
      },
    );
    this.#gauge(
      'cellgate_inside_tunnels',
      'WebSocket tunnels and event streams of this router inside a cell now.',
      ['cell'],
      (gauge) => {
        for (const { cell, tunnels } of lanes.inside()) gauge.set({ cell }, tunnels);
      },
    );
    this.#gauge(
      'cellgate_lane_limit_requests',
      "This router's part of a cell's concurrency.",
      ['cell'],
      (gauge) => {
        for (const { cell, limit } of lanes.inside()) gauge.set({ cell }, limit);
      },
    );
    const refused: Counter<'cell' | 'role' | 'why'> = new Counter({
      name: 'cellgate_lane_refusals_total',
      help: 'Times a request found no room in a cell: its lane was full, or its tenant had its share of it.',
      labelNames: ['cell', 'role', 'why'],
      registers: [this.registry],
      collect: () => {
        refused.reset();
        for (const { count, ...labels } of lanes.refused()) refused.inc(labels, count);
      },
    });
  }

  #observeRates(rates: RateLimits): void {
    this.#gauge(
      'cellgate_rate_limit_tenants',
      'Tenants whose rate this router remembers now; bounded.',
      [],
      (gauge) => gauge.set(rates.remembered),
    );
  }

  #observeHolds(holds: Holds): void {
    holds.onOver((kind, ms) => this.#holdSeconds.observe({ kind }, ms / 1000));
    this.#gauge(
      'cellgate_held_requests',
      'Requests that wait for a verdict on a cell or for room after it; `moving:` and a home: for the end of its handover.',
      ['cell'],
      (gauge) => {
        for (const { cell, count } of holds.waiting()) gauge.set({ cell }, count);
      },
    );
  }

  #observeStore(monitor: Monitor, fleets: FleetHolder): void {
    this.#gauge(
      'cellgate_store_up',
      'Whether the store of the verdicts answered the last beat.',
      [],
      (gauge) => {
        gauge.set(monitor.storeAnswers ? 1 : 0);
      },
    );
    this.#gauge(
      'cellgate_knowledge_age_seconds',
      'Seconds since the store last answered; absent before the first time.',
      [],
      (gauge) => {
        if (monitor.knowledgeAgeMs !== null) gauge.set(monitor.knowledgeAgeMs / 1000);
      },
    );
    this.#gauge(
      'cellgate_store_passive',
      'Whether the store is led by a newer release, so that this router decides nothing: 1 for long is an alarm.',
      [],
      (gauge) => {
        gauge.set(monitor.passive ? 1 : 0);
      },
    );
    this.#gauge(
      'cellgate_live_routers',
      'Routers that beat within three seconds, as last known.',
      [],
      (gauge) => {
        gauge.set(monitor.liveRouters);
      },
    );
    this.#gauge(
      'cellgate_router_ids_shared',
      'Router IDs under which two processes have beaten for longer than a restart explains: more than 0 for long is an alarm.',
      [],
      (gauge) => {
        gauge.set(monitor.sharedIds.length);
      },
    );
    this.#gauge(
      'cellgate_fleet_digests',
      'Different fleet files loaded by live routers; more than one is an alarm.',
      [],
      (gauge) => {
        gauge.set(monitor.fleetDigests);
      },
    );
    this.#gauge(
      'cellgate_fleet_file_refused',
      'Whether the fleet file on disk is wrong and an older one goes on.',
      [],
      (gauge) => {
        gauge.set(fleets.fileRefused ? 1 : 0);
      },
    );
  }

  #observeVerdicts(monitor: Monitor): void {
    this.#gauge(
      'cellgate_failover_held',
      'A home that should fail over and is held back, by why: an alarm.',
      ['home', 'why'],
      (gauge) => {
        for (const { home, why } of monitor.held) gauge.set({ home, why }, 1);
      },
    );
    this.#gauge(
      'cellgate_convergence_ratio',
      'Share (0–1) of the live routers that know the newest records, as last known.',
      [],
      (gauge) => gauge.set(monitor.convergence.current),
    );
    this.#gauge(
      'cellgate_oldest_beat_seconds',
      'Age of the oldest beat of a live router, as last known.',
      [],
      (gauge) => gauge.set(monitor.convergence.oldestMs / 1000),
    );
  }

  #counter(name: string, help: string, read: () => number): void {
    const counter: Counter = new Counter({
      name,
      help,
      registers: [this.registry],
      collect: () => {
        counter.reset();
        counter.inc(read());
      },
    });
  }

  /** `aggregator`: what becomes of it where several processes of a machine tell of it. */
  #gauge<L extends string>(
    name: string,
    help: string,
    labelNames: L[],
    read: (gauge: Gauge<L>) => void,
    aggregator: 'sum' | 'min' | 'max' = 'sum',
  ): void {
    const gauge: Gauge<L> = new Gauge({
      name,
      help,
      labelNames,
      aggregator,
      registers: [this.registry],
      collect: () => {
        gauge.reset();
        read(gauge);
      },
    });
  }
}

/** Each home whose neighbour tells of its standby. */
function standbysOf(monitor: Monitor, fleets: FleetHolder): [home: string, Standby][] {
  return fleets.active.placement.cells.flatMap((home): [string, Standby][] => {
    const standby = monitor.standbyOf(home);
    return standby === null ? [] : [[home, standby]];
  });
}
