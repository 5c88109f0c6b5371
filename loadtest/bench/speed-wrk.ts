// wrk as the load: hardly any work for the load's core, and so no look at bodies: it counts statuses and bytes.
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { CONNECTIONS, parseLoaded, runTool, type Drive } from './speed-driver.ts';

const SCRIPT = fileURLToPath(new URL('./speed-wrk.lua', import.meta.url));
/** Until all of its connections are at work. */
const BEGIN_MS = 150;
/** Longer than any window: it is told when to end, because it takes whole seconds alone. */
const LONGEST_S = 600;

/** A `Drive` for a machine that has it. */
export function driveWith(wrk: string): Drive {
  const run: Drive['run'] = async ({ machine, target, workload, tenants, windowMs }, { began, ends }) => {
    const { method, path, body } = workload;
    const scheme = target.ca === null ? 'http' : 'https';
    const url = `${scheme}://127.0.0.1:${target.port}${path}`;
    const flags = ['-t1', `-c${CONNECTIONS}`, `-d${LONGEST_S}s`, '-s', SCRIPT, url, '--'];
    const asked = [method, path, body ?? '', String(tenants.first), String(tenants.count)];
    const lines = await runTool(
      machine,
      [wrk, ...flags, ...asked],
      () => undefined,
      async (interrupt) => {
        await pause(BEGIN_MS);
        began();
        await pause(Math.max(50, windowMs - BEGIN_MS));
        ends();
        interrupt();
      },
    );
    return parseLoaded(lines);
  };
  return { sampled: true, run };
}
