// Questions to a router's admin port, and what to tell the user when there is no answer.
import { EXIT, Failure, oneLine } from '../failure.ts';
import { spelledOut } from '../../router/faults.ts';
import type { SafetyRule } from '../../router/health/store.ts';
import { NoAnswerInTime, requestJson, type JsonAnswer, type JsonRequest } from '../http-json.ts';

/** A handover is tried for about 15 s; for longer only where one alone may take so long (`HANDOVER_MS`). */
const CHANGE_LIMIT_MS = 30_000;

/** The safety rules that can be overruled; whatever else is in the way is there to stay. */
const OVERRULABLE: readonly string[] = [
  'target-up',
  'target-not-drained',
  'standby-synced',
  'caught-up',
] satisfies SafetyRule[];

const DEFAULT_ADMIN = 'http://127.0.0.1:9090';

export type Asking = { send?: JsonRequest; env?: NodeJS.ProcessEnv };

/**
 * The body of a 200 answer to a GET, or to what is to be sent. Throws a `Failure`: 2 for an unusable `CELLGATE_ADMIN` or
 * a 400, else 1.
 */
export async function askAdmin(path: string, { send, env = process.env }: Asking = {}): Promise<unknown> {
  const given = env['CELLGATE_ADMIN'] ?? '';
  const base = given === '' ? DEFAULT_ADMIN : given;
  if (!URL.canParse(base) || !/^https?:$/.test(new URL(base).protocol)) {
    throw new Failure(EXIT.badInput, `CELLGATE_ADMIN is not an http:// or https:// URL: ${base}`);
  }
  const url = base.replace(/\/+$/, '') + path;
  const answer = await requestJson({ url }, send).catch((error: unknown) => {
    throw new Failure(EXIT.no, unanswered(base, error, { changes: send?.token !== undefined }));
  });
  if (answer.status === 200 && answer.body !== undefined) return answer.body;
  throw new Failure(answer.status === 400 ? EXIT.badInput : EXIT.no, refusal(base, answer));
}

/** The 200 answer to a change, which needs the token `CELLGATE_TOKEN`. Throws a `Failure` as `askAdmin` does. */
export async function changeAdmin(
  method: 'POST' | 'PUT' | 'DELETE',
  path: string,
  body: Readonly<Record<string, unknown>>,
  { env = process.env, limitMs = CHANGE_LIMIT_MS }: { env?: NodeJS.ProcessEnv; limitMs?: number } = {},
): Promise<unknown> {
  const token = env['CELLGATE_TOKEN'] ?? '';
  if (!/^[\x21-\x7e]+$/.test(token)) {
    throw new Failure(
      EXIT.badInput,
      'CELLGATE_TOKEN is not set, or is none (a token of the router’s ADMIN_TOKEN)',
    );
  }
  const send = {
    method,
    token,
    type: 'application/json',
    body: Buffer.from(JSON.stringify(body)),
    timeoutMs: limitMs,
  };
  return await askAdmin(path, { send, env });
}

/** What was sent to be changed may have begun, where the router is silent, or gone, only after it was asked. */
function unanswered(base: string, error: unknown, { changes }: { changes: boolean }): string {
  const asked = error instanceof NoAnswerInTime || (error as NodeJS.ErrnoException).code === 'ECONNRESET';
  return changes && asked
    ? `the router at ${base} has not told how it ended (${oneLine(error)}). The handover may still be under way: ` +
        'look at cellgate cells and cellgate events before you ask again'
    : `no router answers at ${base}: ${oneLine(error)} (CELLGATE_ADMIN names its admin port)`;
}

type Problem = {
  detail?: string;
  title?: string;
  faults?: string[];
  rule?: string;
  waitingFor?: string[];
};

/** The faults of what was sent, a line each; else what the router says. */
function refusal(base: string, { status, body }: JsonAnswer): string {
  const { detail, title, faults, rule, waitingFor = [] } = (body ?? {}) as Problem;
  if (faults !== undefined) return faults.join('\n');
  const why = [detail ?? title ?? 'no reason given'];
  if (rule !== undefined)
    why.push(`(${OVERRULABLE.includes(rule) ? `--override ${rule} overrules it` : rule})`);
  if (waitingFor.length > 0) why.push(`Waited for: ${waitingFor.join(' · ')}`);
  return spelledOut(`the router at ${base} answered ${status}: ${why.join(' ')}`);
}
