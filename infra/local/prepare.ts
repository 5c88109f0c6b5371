// Everything a local fleet needs before its first process: the temporary folder, the fleet file, the list of processes.
import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EXIT, Failure } from '../failure.ts';
import type { ChildSpec } from './child.ts';
import { socketPath } from './control.ts';
import { removeFolders } from './leftovers.ts';
import type { Options } from './options.ts';
import { cellSpec, fleetFile, inheritedEnv, planCells, routerSpec, type RouterPlan } from './plan.ts';
import { planPairs } from './pairs.ts';
import { nextFree } from './ports.ts';
import { markOf } from './process-mark.ts';
import type { Entry } from './registry.ts';
import { planStore, type StoreChoice } from './store.ts';

export type Prepared = { specs: ChildSpec[]; entry: Entry; fleetPath: string; store: string };

/** `router-1` on the first ports, `router-2` on the next ones, … */
export function planRouters({ routers, port, adminPort }: Options): RouterPlan[] {
  return Array.from({ length: routers }, (_, index) => ({
    id: `router-${index + 1}`,
    port: port + index,
    adminPort: adminPort + index,
  }));
}

/** Makes the temporary folder and what is in it; removes it again when that fails. */
export async function prepare(
  options: Options,
  routers: readonly RouterPlan[],
  choice: StoreChoice,
): Promise<Prepared> {
  const taken = new Set(routers.flatMap(({ port, adminPort }) => [port, adminPort]));
  const cells = planCells(await nextFree(options.cells, options.cellPort, taken));
  const folder = mkdtempSync(join(tmpdir(), 'cellgate-fleet-'));
  const socket = socketPath(folder);
  try {
    // Others may pass through it, as the PostgreSQL of a cell does that root started: it runs under another uid.
    chmodSync(folder, 0o711);
    const fleetPath = join(folder, 'fleet.yaml');
    const fleetText = fleetFile(cells);
    writeFileSync(fleetPath, fleetText);
    const { token, envOf } = await planPairs(fleetText, folder);
    const store = await planStore(choice, folder, process.env);
    const env = inheritedEnv(process.env);
    const specs = [
      ...store.specs,
      ...cells.map((cell) => cellSpec(cell, folder, envOf(cell.id), env)),
      ...routers.map((router) => routerSpec(router, { fleetPath, redis: store.shared, token }, env)),
    ];
    const dataDirs = specs.flatMap(({ dataDir }) => dataDir ?? []);
    const { port, adminPort } = options;
    const entry = { runner: ownMark(), port, adminPort, folder, socket, children: [], dataDirs };
    return { specs, entry, fleetPath, store: store.sentence };
  } catch (error) {
    removeFolders({ folder, socket });
    throw error;
  }
}

function ownMark(): Entry['runner'] {
  const mark = markOf(process.pid);
  if (mark === undefined) throw new Failure(EXIT.no, 'npm start needs /proc, as Linux has it');
  return mark;
}
