// The router's process: environment → config → parts → listen → graceful close; nothing else.
import '../node-version.mjs';
import { setTimeout as pause } from 'node:timers/promises';
import { AdminServer } from './admin/admin-server.ts';
import { App } from './app.ts';
import { ConfigError, readConfig, type Config } from './config.ts';
import { faultLine } from './faults.ts';
import { FleetHolder } from './fleet/holder.ts';
import { FleetFileError } from './fleet/load.ts';
import { Courier } from './forward/courier.ts';
import { CellPools } from './forward/pools.ts';
import { createStore } from './health/create-store.ts';
import { LoadReports } from './health/load-reports.ts';
import { Monitor } from './health/monitor.ts';
import { Lanes } from './lanes.ts';
import { Names } from './names.ts';
import { PublicServer } from './public-server.ts';
import { RateLimits } from './rate-limits.ts';
import { AccessLog, createLog } from './telemetry/log.ts';
import { Metrics } from './telemetry/metrics.ts';
import { CellTls } from './tls/cell-tls.ts';
import { Expiries } from './tls/expiries.ts';
import { PemError } from './tls/pem-files.ts';
import { TokenVerifier } from './token.ts';

try {
  await run(readConfig());
} catch (error) {
  process.exitCode = complain(error);
}

async function run(config: Config): Promise<void> {
  const log = createLog(config);
  const fleets = new FleetHolder(config.FLEET_FILE, config.FLEET_ACTIVATE_MS, log);
  const expiries = new Expiries();
  const tls = new CellTls(config, expiries, log);
  const store = createStore(config);
  const network = { names: new Names(config.DNS_TTL_MS), tls };
  const monitor = new Monitor(config, fleets, store, network, log);
  const lanes = new Lanes();
  const rates = new RateLimits();
  const pools = new CellPools(config, network);
  const metrics = new Metrics();
  const accessLog = new AccessLog(log, config);
  const tokens = new TokenVerifier();
  const courier = new Courier(config, monitor, lanes, pools, monitor);
  const loads = new LoadReports(monitor.machine, store, () => courier.counts());
  const app = new App({ config, fleets, monitor, courier, rates, tokens, metrics, accessLog });
  const publicServer = new PublicServer(app, config, courier.streams, expiries, log);
  const adminServer = new AdminServer({ config, fleets, monitor, store, metrics });

  metrics.observe({ monitor, fleets, lanes, rates, holds: courier.holds });
  metrics.observeTls(tls, expiries);
  metrics.observeClients(() => publicServer.clients);
  tls.setFleet(fleets.active.cells);
  lanes.setFleet(fleets.active.cells);
  rates.setFleet(fleets.active.rates);
  pools.setFleet(fleets.active.cells);
  fleets.onActivate(({ cells, rates: limits }) => {
    tls.setFleet(cells);
    lanes.setFleet(cells);
    rates.setFleet(limits);
    pools.setFleet(cells);
    courier.replaced();
  });
  courier.handovers.onHeld((home, epoch) => monitor.confirmHeld(home, epoch));
  monitor.onRecords((records) => courier.verdict(records));
  monitor.onLost((cell) => pools.renew(cell));
  monitor.whoIsInside((cell) => courier.inside(cell));
  monitor.quarantine.onChange(({ tenant, entry }) => {
    log.warn(
      { home: entry?.home, actor: entry?.actor },
      entry === null ? 'tenant let in' : 'tenant quarantined',
    );
    if (entry !== null) courier.quarantined(tenant, monitor.quarantine.refusedForS(tenant));
  });
  monitor.onProbe((cell, well) => {
    lanes.setRouters(monitor.liveRouters);
    rates.setRouters(monitor.liveRouters);
    lanes.adjust(cell, monitor.isPressed(cell));
    if (well) courier.probedWell(cell);
  });

  const close = async (): Promise<void> => {
    fleets.unwatch();
    tls.unwatch();
    // It beats until nothing of its own is inside a cell: a handover that did not know of that would not wait for it.
    await publicServer.close(config.DRAIN_TIMEOUT_MS);
    await Promise.all([loads.stop(), monitor.stop()]);
    pools.destroy();
    await Promise.all([adminServer.close(), store.close()]);
  };

  try {
    const admin = await adminServer.listen();
    const address = await publicServer.listen();
    monitor.start();
    loads.start();
    fleets.watch();
    tls.watch();
    log.info({ address, admin, store: store.kind, fleet: fleets.active.digest }, 'router listening');
  } catch (error) {
    await close();
    throw error;
  }
  process.on('SIGHUP', () => fleets.reload());

  const signal = await stopSignal();
  log.info({ signal, graceMs: config.DRAIN_GRACE_MS }, 'router draining');
  adminServer.startDraining();
  publicServer.startDraining();
  await pause(config.DRAIN_GRACE_MS);
  await close();
  log.info('router stopped');
}

/** The first SIGTERM or SIGINT; a second one ends the process at once, as the system does by itself. */
async function stopSignal(): Promise<NodeJS.Signals> {
  return await new Promise((resolve) => {
    process.once('SIGTERM', resolve);
    process.once('SIGINT', resolve);
  });
}

/** Tells what was wrong on stderr, one line a fault, and answers the exit code: 2 bad input, 1 anything else. */
function complain(error: unknown): number {
  if (error instanceof ConfigError || error instanceof FleetFileError || error instanceof PemError) {
    for (const fault of error.faults) process.stderr.write(`${faultLine(fault)}\n`);
    return 2;
  }
  const { code, port, message } = error as NodeJS.ErrnoException & { port?: number };
  const busy = code === 'EADDRINUSE' ? `port ${port} is already in use` : message;
  process.stderr.write(`cellgate: ${busy}\n`);
  return 1;
}
