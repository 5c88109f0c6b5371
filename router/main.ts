// The router's process: environment → config → two planes → listen → graceful close; nothing else.
import '../node-version.mjs';
import { setTimeout as pause } from 'node:timers/promises';
import { ConfigError, readConfig, type Config } from './config.ts';
import { ControlPlane } from './control-plane.ts';
import { DataPlane } from './data-plane.ts';
import { faultLine } from './faults.ts';
import { FleetFileError } from './fleet/load.ts';
import type { Requests } from './request-health.ts';
import { settleMemory } from './settle-memory.ts';
import { createLog } from './telemetry/log.ts';
import { PemError } from './tls/pem-files.ts';
import { Workers } from './workers/workers.ts';

try {
  await run(readConfig());
} catch (error) {
  process.exitCode = complain(error);
}

async function run(config: Config): Promise<void> {
  const log = createLog(config);
  const control = new ControlPlane(config, log);
  const requests = config.WORKERS === 1 ? inThisProcess(control) : new Workers(control);
  const close = async (): Promise<void> => {
    control.unwatch();
    await requests.close();
    await control.close();
  };

  settleMemory();
  try {
    const admin = await control.listen(requests);
    const address = await requests.listen();
    control.start();
    const { store, fleets } = control;
    const said = { address, admin, store: store.kind, fleet: fleets.active.digest, workers: config.WORKERS };
    log.info(said, 'router listening');
  } catch (error) {
    await close();
    throw error;
  }
  process.on('SIGHUP', () => control.fleets.reload());

  const signal = await stopSignal();
  log.info({ signal, graceMs: config.DRAIN_GRACE_MS }, 'router draining');
  control.startDraining();
  requests.startDraining();
  await pause(config.DRAIN_GRACE_MS);
  await close();
  log.info('router stopped');
}

/** The planes know each other directly: what requests ask of health is a call. */
function inThisProcess({ config, fleets, monitor, network, metrics, log }: ControlPlane): Requests {
  metrics.observeWorkers({ serving: () => 1, restarts: () => 0, silent: () => 0 });
  return new DataPlane({ config, fleets, health: monitor, network, metrics, log });
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
