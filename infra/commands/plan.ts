// `cellgate plan`: does the fleet bear the loss of each cell now, and what would a new fleet file change?
import { readFileSync } from 'node:fs';
import { EXIT, Failure } from '../failure.ts';
import { askAdmin } from './admin.ts';
import { dryRunText, planText, type DryRun, type Plan } from './plan-text.ts';

/** The router takes no more, and hangs up on who goes on sending. */
const FILE_BYTES_MOST = 8_388_608;

/** The router stops a dry run after 20 s. */
const DRY_RUN_LIMIT_MS = 25_000;

export type PlanOptions = { fleet?: string; json?: boolean };

/**
 * What to print, and the exit code: 1 where there is a violation. Throws a `Failure`: 2 for a file that can not be read
 * or is wrong, with a line for each fault; 1 where no router answers.
 */
export async function plan({ fleet, json }: PlanOptions): Promise<{ text: string; exitCode: number }> {
  const told = fleet === undefined ? await askAdmin('/v1/plan') : await tryFile(fleet);
  const { violations } = told as Plan;
  const text = fleet === undefined ? planText(told as Plan) : dryRunText(told as DryRun);
  return {
    text: json === true ? JSON.stringify(told, null, 2) : text,
    exitCode: violations.length > 0 ? EXIT.no : 0,
  };
}

async function tryFile(path: string): Promise<unknown> {
  return await askAdmin('/v1/plan', {
    send: { method: 'POST', type: 'application/yaml', body: read(path), timeoutMs: DRY_RUN_LIMIT_MS },
  });
}

function read(path: string): Buffer {
  try {
    const bytes = readFileSync(path);
    if (bytes.length <= FILE_BYTES_MOST) return bytes;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Failure(EXIT.badInput, `${path}: can not be read (${code ?? 'unknown error'})`);
  }
  throw new Failure(EXIT.badInput, `${path}: too large (allowed: ${FILE_BYTES_MOST} bytes)`);
}
