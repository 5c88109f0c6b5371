// One probe of one cell: asks `GET /health` and says what the answer means.
import { z } from 'zod';
import { CellClock, steadyNow } from './cell-clock.ts';
import { OriginPool, type Network } from '../../origin-pool.ts';
import { tlsFailure, wordsFor } from '../../tls/failures.ts';
import type { Evidence } from '../record.ts';

/** The rules of two homes, with all the pins and moves that there can be (`PINS_MOST`, `MOVES_MOST`), take nine tenths of it. */
const MAX_ANSWER_BYTES = 1_048_576;

const healthAnswer = z.object({
  cell: z.string().max(63),
  version: z.string().max(64),
  status: z.enum(['ok', 'degraded', 'down']),
  /** Contract level 1: the newest rule it knows of each home, and that rule. */
  epochs: z.record(z.string().max(63), z.int().min(1)).nullable().catch(null).default(null),
  rules: z.record(z.string().max(63), z.unknown()).catch({}).default({}),
  /** Contract level 2: whether it has everything that its neighbour wrote for its tenants. */
  caughtUp: z.boolean().nullable().catch(null).default(null),
  /** Contract level 2: its standby of each home that it stands in for, to be read by who knows which homes matter. */
  standbys: z.record(z.string(), z.unknown()).catch({}).default({}),
});

/** What a health answer tells beside how the cell is. */
export type Told = Pick<z.infer<typeof healthAnswer>, 'epochs' | 'rules' | 'caughtUp' | 'standbys'> & {
  degraded: boolean;
};

export type ProbeResult =
  | { ok: true; version: string; told: Told }
  | { ok: false; evidence: Evidence; reason: string; version: string | null; told: Told | null };

/** Asks one cell how it is, over a connection of its own that no client's request ever waits for. */
export class Probe {
  readonly #cell: string;
  readonly #pool: OriginPool;
  readonly #timeoutMs: number;
  /** The cell's clock, as its answers show it. */
  readonly clock = new CellClock();

  constructor(cell: string, origin: string, timeoutMs: number, network: Network) {
    this.#cell = cell;
    this.#timeoutMs = timeoutMs;
    const options = {
      connections: 1,
      pipelining: 1,
      maxResponseSize: MAX_ANSWER_BYTES,
      connect: { timeout: timeoutMs },
    };
    this.#pool = new OriginPool(origin, options, network);
  }

  /** Answers within the time-out and never rejects. Reasons are words of this file, without addresses. */
  async ask(): Promise<ProbeResult> {
    try {
      const signal = AbortSignal.timeout(this.#timeoutMs);
      const askedAtMs = steadyNow();
      const answer = await this.#pool.current.request({ path: '/health', method: 'GET', signal });
      const { date } = answer.headers;
      this.clock.learn(typeof date === 'string' ? date : null, askedAtMs, steadyNow());
      const text = await answer.body.text();
      return this.#judge(answer.statusCode, text);
    } catch (error) {
      return { ok: false, ...judgeError(error), version: null, told: null };
    }
  }

  #judge(status: number, text: string): ProbeResult {
    const parsed = healthAnswer.safeParse(parseJson(text));
    const failing = (reason: string): ProbeResult => ({
      ok: false,
      evidence: 'failing',
      reason,
      version: parsed.data?.version ?? null,
      told: null,
    });
    if (!parsed.success) {
      return failing(status === 200 ? 'health answer is not understood' : `health answered ${status}`);
    }
    const { cell, version, status: own, epochs, rules, caughtUp, standbys } = parsed.data;
    if (cell !== this.#cell) return failing('another cell answers at its origin');
    const told = { epochs, rules, caughtUp, standbys, degraded: own === 'degraded' };
    if (own === 'down')
      return { ok: false, evidence: 'self-declared', reason: 'says it is down', version, told };
    if (status !== 200) return failing(`health answered ${status}`);
    return { ok: true, version, told };
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A cell that answers, but not with what can be read, is there and ill. */
function judgeError(error: unknown): { evidence: Evidence; reason: string } {
  const { code, name } = error as { code?: string; name?: string };
  if (name === 'HTTPParserError') return { evidence: 'failing', reason: 'answer is not HTTP' };
  if (code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE') {
    return { evidence: 'failing', reason: 'health answer is too large' };
  }
  return { evidence: 'unreachable', reason: reasonOf(error) };
}

/** The library's words may hold addresses; these do not. */
function reasonOf(error: unknown): string {
  const { code, name } = error as { code?: string; name?: string };
  if (code === 'ECONNREFUSED') return 'connection refused';
  if (name === 'TimeoutError' || code === 'UND_ERR_CONNECT_TIMEOUT' || code === 'ETIMEDOUT')
    return 'timed out';
  if (code === 'ECONNRESET' || code === 'EPIPE' || code === 'UND_ERR_SOCKET') return 'connection reset';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'name not found';
  const byTls = tlsFailure(code);
  if (byTls !== null) return wordsFor(byTls);
  if (code === 'EHOSTUNREACH' || code === 'ENETUNREACH') return 'no route';
  return 'probe failed';
}
