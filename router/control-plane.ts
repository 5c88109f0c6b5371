// The control plane: what a machine has once, however many workers serve its requests. Its fleet, vote, store and admin port.
import type { Logger } from 'pino';
import { AdminServer } from './admin/admin-server.ts';
import type { Config } from './config.ts';
import { FleetHolder } from './fleet/holder.ts';
import { PublicCertificate } from './front/certificate.ts';
import { createStore } from './health/create-store.ts';
import { LoadReports } from './health/load-reports.ts';
import { Monitor } from './health/monitor.ts';
import type { Store } from './health/store.ts';
import { CellNetwork } from './network.ts';
import type { Requests } from './request-health.ts';
import { Metrics } from './telemetry/metrics.ts';
import { Expiries } from './tls/expiries.ts';

export class ControlPlane {
  readonly config: Config;
  readonly log: Logger;
  readonly fleets: FleetHolder;
  readonly network: CellNetwork;
  readonly monitor: Monitor;
  readonly metrics = new Metrics();
  readonly store: Store;
  #loads: LoadReports | null = null;
  #admin: AdminServer | null = null;

  /** Throws `FleetFileError` or `PemError` when a file can not be used. Nothing is asked or listened to yet. */
  constructor(config: Config, log: Logger) {
    this.config = config;
    this.log = log;
    // Read here as well: what is wrong with it is told before any worker has begun.
    PublicCertificate.of(config, new Expiries(), log);
    this.fleets = new FleetHolder(config.FLEET_FILE, config.FLEET_ACTIVATE_MS, log);
    this.store = createStore(config);
    this.network = new CellNetwork(config, log, this.metrics);
    this.network.follow(this.fleets);
    this.monitor = new Monitor(config, this.fleets, this.store, this.network, log);
    this.metrics.observeControl({ monitor: this.monitor, fleets: this.fleets });
    this.monitor.quarantine.onChange(({ entry }) => {
      const who = { home: entry?.home, actor: entry?.actor };
      log.warn(who, entry === null ? 'tenant let in' : 'tenant quarantined');
    });
  }

  /** Opens the admin port, which tells of these requests too, and answers its address. Rejects with `EADDRINUSE`. */
  async listen(requests: Requests): Promise<string> {
    const { config, fleets, monitor, store } = this;
    this.#loads = new LoadReports(monitor.machine, store, () => requests.counts());
    this.#admin = new AdminServer({ config, fleets, monitor, store, metrics: () => requests.metrics() });
    return await this.#admin.listen();
  }

  /** Probes the cells, tells the store, and follows the fleet file. */
  start(): void {
    this.monitor.start();
    this.#loads?.start();
    this.fleets.watch();
    this.network.watch();
  }

  /** `/readyz` says no. */
  startDraining(): void {
    this.#admin?.startDraining();
  }

  /** What files hold from now on is not looked at any more. */
  unwatch(): void {
    this.fleets.unwatch();
    this.network.unwatch();
  }

  /** To be called once nothing of this machine's is inside a cell: a handover does not wait for who beats no more. */
  async close(): Promise<void> {
    this.unwatch();
    await Promise.all([this.#loads?.stop(), this.monitor.stop()]);
    await Promise.all([this.#admin?.close(), this.store.close()]);
  }
}
