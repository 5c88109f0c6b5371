// autocannon as the load: every body is compared, so that the load's own core is soon full.
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { BEGAN, type AutocannonPlan } from './speed-autocannon.ts';
import { parseLoaded, runTool, type Drive } from './speed-driver.ts';

const MAIN = fileURLToPath(new URL('./speed-autocannon.ts', import.meta.url));
/** Before its end: the connections are closed one by one then. */
const END_MS = 20;

const run: Drive['run'] = async ({ machine, target, workload, tenants, windowMs }, { began, ends }) => {
  const scheme = target.ca === null ? 'http' : 'https';
  const url = `${scheme}://127.0.0.1:${target.port}`;
  const plan: AutocannonPlan = { url, workload, tenants, windowMs };
  let start = (): void => undefined;
  const started = new Promise<void>((resolve) => (start = resolve));
  const lines = await runTool(
    machine,
    [process.execPath, MAIN, JSON.stringify(plan)],
    (line) => {
      if (line === BEGAN) start();
    },
    async () => {
      await started;
      began();
      await pause(Math.max(0, windowMs - END_MS));
      ends();
    },
  );
  return parseLoaded(lines);
};

export const driveAutocannon: Drive = { sampled: false, run };
