// Contender: Cellgate as it is shipped, every setting at its default but addresses, and what a section is about.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { request } from 'undici';
import { anyFree } from '../../../infra/local/ports.ts';
import { ROUTER_ARGS, ROUTER_ENV } from '../../../infra/local/router-process.ts';
import { until } from '../../rig/until.ts';
import type { Cell } from './cells.ts';
import { launch, type Running, type Setup } from './launch.ts';
import type { Pems } from './pems.ts';

export type CellgateOptions = {
  id: string;
  label: string;
  port: number;
  env?: Record<string, string>;
  /** `ACCESS_LOG=all`. */
  logs?: boolean;
  pems?: Pems;
  /** So many tenants, by name, are pinned. */
  pins?: readonly string[];
};

/** Starts it before the cells of `setup`, and waits until it is ready. */
export async function startCellgate(setup: Setup, options: CellgateOptions): Promise<Running> {
  const { id, label, port, env = {}, logs = false, pems, pins = [] } = options;
  const fleet = join(setup.folder, `${id}.yaml`);
  writeFileSync(fleet, fleetFile(setup.cells, pins));
  const adminPort = await anyFree();
  const tls = pems === undefined ? {} : { TLS_CERT_FILE: pems.certificate, TLS_KEY_FILE: pems.key };
  const running = await launch(setup, {
    id,
    label,
    port,
    command: process.execPath,
    args: [...ROUTER_ARGS],
    env: {
      ...ROUTER_ENV,
      HOST: '127.0.0.1',
      PORT: String(port),
      ADMIN_PORT: String(adminPort),
      ROUTER_ID: id,
      FLEET_FILE: fleet,
      ...(logs ? { ACCESS_LOG: 'all' } : {}),
      ...tls,
      ...env,
    },
    logs,
    ...(pems === undefined ? {} : { ca: pems.ca }),
  });
  await until(`${id} is ready`, async () => {
    const answer = await request(`http://127.0.0.1:${adminPort}/readyz`);
    await answer.body.dump();
    return answer.statusCode === 200;
  });
  return running;
}

/** JSON, which YAML is a superset of; pins spread over all cells. Pure. */
export function fleetFile(cells: readonly Cell[], pins: readonly string[]): string {
  return JSON.stringify({
    cells: Object.fromEntries(cells.map(({ id, origin }) => [id, { origin }])),
    generations: [{ add: cells.map(({ id }) => id) }],
    pins: Object.fromEntries(pins.map((tenant, index) => [tenant, cells[index % cells.length]?.id ?? ''])),
  });
}
