// How one process reaches the cells: their names looked up, and TLS by the files it was given. Each process has its own.
import type { Logger } from 'pino';
import type { Config } from './config.ts';
import type { ActiveFleet } from './fleet/holder.ts';
import { Names } from './names.ts';
import type { Network } from './origin-pool.ts';
import type { Metrics } from './telemetry/metrics.ts';
import { CellTls } from './tls/cell-tls.ts';
import { Expiries } from './tls/expiries.ts';

export class CellNetwork implements Network {
  readonly names: Names;
  readonly tls: CellTls;
  readonly expiries = new Expiries();

  /** Throws `PemError` when a file can not be used. */
  constructor(config: Config, log: Logger, metrics: Metrics) {
    this.names = new Names(config.DNS_TTL_MS);
    this.tls = new CellTls(config, this.expiries, log);
    metrics.observeTls(this.tls, this.expiries);
  }

  /** Knows the cells of the fleet in force from now on, before anything connects to a new one. */
  follow(fleets: ActiveFleet): void {
    this.tls.setFleet(fleets.active.cells);
    fleets.onActivate(({ cells }) => this.tls.setFleet(cells));
  }

  /** Reads its files again when they change. */
  watch(): void {
    this.tls.watch();
  }

  unwatch(): void {
    this.tls.unwatch();
  }
}
