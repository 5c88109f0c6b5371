// What `npm start` shows once the fleet runs: what there is, what to try, how to break it.
import { requestJson } from '../http-json.ts';
import { table } from '../table.ts';
import type { Status } from './control.ts';
import type { RouterPlan } from './plan.ts';

const TRIED_TENANT = 'acme';

export type Shown = {
  folder: string;
  fleetPath: string;
  /** One sentence: where the routers keep what they share. */
  store: string;
  routers: readonly RouterPlan[];
  rows: readonly Status[];
};

/** The whole text; its last line is `ready http://…`. The neighbours are those that the first router tells. */
export async function welcome(shown: Shown): Promise<string> {
  const { routers, rows, folder, fleetPath } = shown;
  const [first] = routers;
  if (first === undefined) throw new Error('a fleet has a router');
  const url = `http://127.0.0.1:${first.port}`;
  const admin = `http://127.0.0.1:${first.adminPort}`;
  const cells = rows.filter(({ kind }) => kind === 'cell');
  return [
    `fleet file  ${fleetPath}`,
    `logs        ${folder}/logs/<name>.log`,
    `store       ${shown.store}`,
    '',
    cellTable(cells, await neighboursOf(admin)),
    '',
    routerTable(rows, routers),
    '',
    ...thingsToTry(url, admin),
    '',
    ...howToBreakIt(cells, await homeOf(admin)),
    'Ctrl-C stops everything.',
    `ready ${url}`,
  ].join('\n');
}

function cellTable(cells: readonly Status[], neighbours: ReadonlyMap<string, string>): string {
  const rows = cells.map(({ name, url, pid }) => [name, url, String(pid), neighbours.get(name) ?? 'none']);
  return table(['cell', 'url', 'pid', 'neighbour'], rows);
}

function routerTable(rows: readonly Status[], routers: readonly RouterPlan[]): string {
  const pids = new Map(rows.map(({ name, pid }) => [name, pid]));
  return table(
    ['router', 'url', 'admin', 'pid'],
    routers.map(({ id, port, adminPort }) => [
      id,
      `http://127.0.0.1:${port}`,
      `http://127.0.0.1:${adminPort}`,
      String(pids.get(id) ?? '-'),
    ]),
  );
}

function thingsToTry(url: string, admin: string): string[] {
  const tenant = `-H 'x-tenant-id: ${TRIED_TENANT}'`;
  const order = `-H 'content-type: application/json' -d '{"item": "tea", "quantity": 1}'`;
  return [
    'Place an order, read the orders, ask why this tenant is served where it is:',
    `  curl -i ${url}/orders ${tenant} ${order}`,
    `  curl -i ${url}/orders ${tenant}`,
    `  curl -s ${admin}/v1/tenants/${TRIED_TENANT}`,
  ];
}

function howToBreakIt(cells: readonly Status[], home: string | undefined): string[] {
  const victim = cells.find(({ name }) => name === home) ?? cells[0];
  if (victim === undefined) return [];
  const after =
    cells.length === 1
      ? 'it has no neighbour: its tenants are refused'
      : 'its neighbour takes over in seconds';
  return [
    `Kill ${victim.name}, the home of ${TRIED_TENANT} (${after}), and bring it back:`,
    `  kill -9 ${victim.pid}`,
    `  npx cellgate local restart ${victim.name}`,
  ];
}

async function neighboursOf(admin: string): Promise<Map<string, string>> {
  const { body } = await requestJson({ url: `${admin}/v1/cells` });
  const { cells } = body as { cells: { id: string; neighbour: string | null }[] };
  return new Map(cells.flatMap(({ id, neighbour }) => (neighbour === null ? [] : [[id, neighbour]])));
}

async function homeOf(admin: string): Promise<string | undefined> {
  const { body } = await requestJson({ url: `${admin}/v1/tenants/${TRIED_TENANT}` });
  return (body as { home?: string }).home;
}
