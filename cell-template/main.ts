// Starts one cell from the environment alone, as a deployment would.
import '../node-version.mjs';
import { runCell } from './cell.ts';
import { ConfigError, loadConfig } from './config.ts';

try {
  // Said outright: a connection that a frozen database never closes must not keep a stopped cell alive.
  process.exit(await runCell(loadConfig()));
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  for (const fault of error.faults) process.stderr.write(`${fault}\n`);
  process.exit(2);
}
