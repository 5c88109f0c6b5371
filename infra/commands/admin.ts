// Questions to a router's admin port, and what to tell the user when there is no answer.
import { EXIT, Failure, oneLine } from '../failure.ts';
import { requestJson } from '../http-json.ts';

const DEFAULT_ADMIN = 'http://127.0.0.1:9090';

/** The body of a 200 answer. Throws a `Failure`: 2 for an unusable `CELLGATE_ADMIN` or a 400, else 1. */
export async function askAdmin(path: string, env: NodeJS.ProcessEnv = process.env): Promise<unknown> {
  const given = env['CELLGATE_ADMIN'] ?? '';
  const base = given === '' ? DEFAULT_ADMIN : given;
  if (!URL.canParse(base) || !/^https?:$/.test(new URL(base).protocol)) {
    throw new Failure(EXIT.badInput, `CELLGATE_ADMIN is not an http:// or https:// URL: ${base}`);
  }
  const answer = await requestJson({ url: base.replace(/\/+$/, '') + path }).catch((error: unknown) => {
    throw new Failure(
      EXIT.no,
      `no router answers at ${base}: ${oneLine(error)} (CELLGATE_ADMIN names its admin port)`,
    );
  });
  if (answer.status === 200 && answer.body !== undefined) return answer.body;
  const { detail, title } = (answer.body ?? {}) as { detail?: string; title?: string };
  throw new Failure(
    answer.status === 400 ? EXIT.badInput : EXIT.no,
    `the router at ${base} answered ${answer.status}: ${detail ?? title ?? 'no reason given'}`,
  );
}
