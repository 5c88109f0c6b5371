// The data plane: all that a request passes on its way to a cell and back, wired together. One in each process that serves.
import type { Registry } from 'prom-client';
import type { Logger } from 'pino';
import { App } from './app.ts';
import type { Config } from './config.ts';
import type { ActiveFleet } from './fleet/holder.ts';
import { Courier } from './forward/courier.ts';
import { CellPools } from './forward/pools.ts';
import type { HomeCount } from './health/load.ts';
import { Lanes } from './lanes.ts';
import type { CellNetwork } from './network.ts';
import { PublicServer } from './public-server.ts';
import { RateLimits } from './rate-limits.ts';
import type { RequestHealth, Requests } from './request-health.ts';
import { AccessLog } from './telemetry/access-log.ts';
import type { Metrics } from './telemetry/metrics.ts';
import { TokenVerifier } from './token.ts';

export type DataPlaneParts = {
  config: Config;
  fleets: ActiveFleet;
  health: RequestHealth;
  network: CellNetwork;
  metrics: Metrics;
  log: Logger;
};

export class DataPlane implements Requests {
  readonly #config: Config;
  readonly #metrics: Metrics;
  readonly #lanes = new Lanes();
  readonly #rates = new RateLimits();
  readonly #pools: CellPools;
  readonly #courier: Courier;
  readonly #server: PublicServer;
  readonly #accessLog: AccessLog;

  /** Throws `PemError` when the files of the public certificate can not be used. */
  constructor({ config: whole, fleets, health, network, metrics, log }: DataPlaneParts) {
    const config = partOf(whole);
    const [lanes, rates] = [this.#lanes, this.#rates];
    this.#config = config;
    this.#metrics = metrics;
    this.#pools = new CellPools(config, network);
    this.#courier = new Courier(config, health, lanes, this.#pools, health);
    const courier = this.#courier;
    const [tokens, accessLog] = [new TokenVerifier(), new AccessLog(log, config)];
    this.#accessLog = accessLog;
    const app = new App({ config, fleets, monitor: health, courier, rates, tokens, metrics, accessLog });
    this.#server = new PublicServer(app, config, courier.streams, network.expiries, log);
    metrics.observeRequests({
      lanes,
      rates,
      holds: courier.holds,
      clients: () => this.#server.clients,
    });
    this.#share(health);
    this.#followFleet(fleets);
    this.#followHealth(health);
  }

  async listen(): Promise<string> {
    return await this.#server.listen();
  }

  startDraining(): void {
    this.#server.startDraining();
  }

  async close(): Promise<void> {
    await this.#server.close(this.#config.DRAIN_TIMEOUT_MS);
    this.#pools.destroy();
    this.#accessLog.flush();
  }

  counts(): Iterable<HomeCount> {
    return this.#courier.counts();
  }

  metrics(): Registry {
    return this.#metrics.registry;
  }

  /** Cells' capacities and tenants' rates are for all routers together: each of their workers takes an equal part. */
  #share({ liveRouters }: RequestHealth): void {
    const shares = liveRouters * this.#config.WORKERS;
    this.#lanes.setRouters(shares);
    this.#rates.setRouters(shares);
  }

  #followFleet(fleets: ActiveFleet): void {
    const follow = ({ cells, rates }: ActiveFleet['active']): void => {
      this.#lanes.setFleet(cells);
      this.#rates.setFleet(rates);
      this.#pools.setFleet(cells);
    };
    follow(fleets.active);
    fleets.onActivate((fleet) => {
      follow(fleet);
      this.#courier.replaced();
    });
  }

  #followHealth(health: RequestHealth): void {
    const courier = this.#courier;
    courier.handovers.onHeld((home, epoch) => health.confirmHeld(home, epoch));
    health.onRecords((records) => courier.verdict(records));
    health.onLost((cell) => this.#pools.renew(cell));
    health.whoIsInside((cell) => courier.inside(cell));
    health.quarantine.onChange(({ tenant, entry }) => {
      if (entry !== null) courier.quarantined(tenant, health.quarantine.refusedForS(tenant));
    });
    health.onProbe((cell, well) => {
      this.#share(health);
      this.#lanes.adjust(cell, health.isPressed(cell));
      if (well) courier.probedWell(cell);
    });
  }
}

/** A worker's part of what the settings allow the machine, rounded up. */
function partOf(config: Config): Config {
  const part = (most: number): number => Math.ceil(most / config.WORKERS);
  return { ...config, HOLD_MAX: part(config.HOLD_MAX), MAX_CONNECTIONS: part(config.MAX_CONNECTIONS) };
}
