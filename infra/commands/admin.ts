// Questions to a router's admin port, and what to tell the user when there is no answer.
import { EXIT, Failure, oneLine } from '../failure.ts';
import { requestJson, type JsonAnswer, type JsonRequest } from '../http-json.ts';

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
    throw new Failure(
      EXIT.no,
      `no router answers at ${base}: ${oneLine(error)} (CELLGATE_ADMIN names its admin port)`,
    );
  });
  if (answer.status === 200 && answer.body !== undefined) return answer.body;
  throw new Failure(answer.status === 400 ? EXIT.badInput : EXIT.no, refusal(base, answer));
}

/** The faults of what was sent, a line each; else what the router says. */
function refusal(base: string, { status, body }: JsonAnswer): string {
  const { detail, title, faults } = (body ?? {}) as { detail?: string; title?: string; faults?: string[] };
  if (faults !== undefined) return faults.join('\n');
  return `the router at ${base} answered ${status}: ${detail ?? title ?? 'no reason given'}`;
}
