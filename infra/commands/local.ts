// `cellgate local …`: commands to a fleet that `npm start` runs on this machine.
import { EXIT, Failure, oneLine } from '../failure.ts';
import { requestJson, type JsonAnswer } from '../http-json.ts';
import type { Status } from '../local/control.ts';
import { readEntries, type Entry } from '../local/registry.ts';
import { table } from '../table.ts';

/** Which fleet, where several run: the ports that its `npm start` was given, as text. */
export type Which = { port?: string; adminPort?: string };

/** A restart waits for the process to stop, to start, and to be ready. */
const RESTART_LIMIT_MS = 90_000;

/** The one fleet that is meant. Throws a `Failure` when there is none, or more than one. */
export function chooseFleet(running: readonly Entry[], { port, adminPort }: Which): Entry {
  const meant = running.filter(
    (entry) =>
      (port === undefined || String(entry.port) === port) &&
      (adminPort === undefined || String(entry.adminPort) === adminPort),
  );
  const [only] = meant;
  if (only === undefined) {
    const others =
      running.length === 0 ? '' : ` on these ports (running: ${running.map(portsOf).join(', ')})`;
    throw new Failure(EXIT.no, `no local fleet runs${others}; start one with npm start`);
  }
  if (meant.length > 1) {
    const fleets = meant.map(portsOf).join(', ');
    throw new Failure(EXIT.badInput, `several local fleets run, choose one: ${fleets}`);
  }
  return only;
}

function portsOf({ port, adminPort }: Entry): string {
  return `--port ${port} --admin-port ${adminPort}`;
}

async function ask(entry: Entry, path: string, method: string, timeoutMs?: number): Promise<JsonAnswer> {
  const target = { socketPath: entry.socket, path };
  const answer = await requestJson(target, {
    method,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  }).catch((error: unknown) => {
    throw new Failure(
      EXIT.no,
      `the local fleet (runner ${entry.runner.pid}) does not answer: ${oneLine(error)}`,
    );
  });
  if (answer.status === 200) return answer;
  const { exitCode, message } = answer.body as { exitCode: number; message: string };
  throw new Failure(exitCode, message);
}

/** Stops the named process if it runs, starts it again, and answers with one line once it is ready. */
export async function restart(name: string, which: Which): Promise<string> {
  const fleet = chooseFleet(readEntries().live, which);
  const { body } = await ask(fleet, `/restart/${encodeURIComponent(name)}`, 'POST', RESTART_LIMIT_MS);
  const { url, pid } = body as Status;
  return `${name} is up again${url === '' ? '' : ` at ${url}`} (pid ${pid})`;
}

/** A table of all of its processes. */
export async function status(which: Which, { json }: { json?: boolean }): Promise<string> {
  const fleet = chooseFleet(readEntries().live, which);
  const rows = (await ask(fleet, '/status', 'GET')).body as Status[];
  if (json === true) return JSON.stringify(rows, null, 2);
  return table(
    ['name', 'state', 'pid', 'url'],
    rows.map(({ name, state, pid, url }) => [name, state, String(pid ?? '-'), url]),
  );
}

/** The pid of one of its processes, alone, for `kill`. */
export async function pid(name: string, which: Which): Promise<string> {
  const fleet = chooseFleet(readEntries().live, which);
  const rows = (await ask(fleet, '/status', 'GET')).body as Status[];
  const row = rows.find((one) => one.name === name);
  if (row === undefined) {
    const names = rows.map((one) => one.name).join(', ');
    throw new Failure(EXIT.badInput, `no ${name} in this fleet (there are ${names})`);
  }
  if (row.pid === null) throw new Failure(EXIT.no, `${name} does not run`);
  return String(row.pid);
}
