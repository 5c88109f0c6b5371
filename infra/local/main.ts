// `npm start`: flags → what is to run → the fleet → until Ctrl-C → nothing left; nothing else.
import '../../node-version.mjs';
import { EXIT, Failure, oneLine } from '../failure.ts';
import { LocalFleet } from './fleet.ts';
import { stopLeftovers } from './leftovers.ts';
import { readOptions, type Options } from './options.ts';
import { planRouters, prepare } from './prepare.ts';
import { requireFree } from './ports.ts';
import { welcome } from './screen.ts';
import { stopSignals, type StopSignals } from './stop-signals.ts';
import { chooseStore } from './store.ts';

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function complain(error: unknown): void {
  const text = error instanceof Failure ? error.message : oneLine(error);
  process.stderr.write(`${text}\n`);
}

async function giveUp(fleet: LocalFleet, error: Error): Promise<void> {
  complain(error);
  await fleet.kill();
  process.exit(EXIT.no);
}

/** From the flags to the end of the fleet. Throws a `Failure` for what stopped it from coming up. */
async function run(options: Options, signals: StopSignals): Promise<void> {
  const choice = chooseStore(options.routers, process.env);
  const routers = planRouters(options);
  await stopLeftovers(say);
  await requireFree(
    routers.flatMap(({ id, port, adminPort }) => [
      { port, use: `public port of ${id}` },
      { port: adminPort, use: `admin port of ${id}` },
    ]),
  );
  if (signals.asked()) return;
  const { specs, entry, fleetPath, store } = await prepare(options, routers, choice);
  const fleet = new LocalFleet(specs, entry, options.respawn, say);
  // No way out of this process may leave the others running, not even a fault of its own.
  process.once('uncaughtException', (error) => void giveUp(fleet, error));

  const show = async (): Promise<void> => {
    say(`starting ${options.cells} ${options.cells === 1 ? 'cell' : 'cells'} …`);
    await fleet.start();
    say(await welcome({ folder: entry.folder, fleetPath, store, routers, rows: fleet.status() }));
  };
  try {
    await Promise.race([show(), signals.stop]);
    await signals.stop;
    say('stopping (once more: at once) …');
  } finally {
    const how = await Promise.race([stopped(fleet), signals.atOnce.then(() => 'at once' as const)]);
    if (how === 'at once') await killed(fleet);
  }
}

async function stopped(fleet: LocalFleet): Promise<'stopped'> {
  try {
    await fleet.stop();
    return 'stopped';
  } catch (error) {
    await fleet.kill();
    throw error;
  }
}

async function killed(fleet: LocalFleet): Promise<never> {
  await fleet.kill();
  throw new Failure(EXIT.no, 'killed');
}

async function main(): Promise<number> {
  // A closed terminal or pipe is no reason to leave the fleet running without its runner.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  try {
    const options = readOptions(process.argv.slice(2));
    if (options !== undefined) await run(options, stopSignals());
    return 0;
  } catch (error) {
    complain(error);
    return error instanceof Failure ? error.exitCode : EXIT.no;
  }
}

process.exit(await main());
