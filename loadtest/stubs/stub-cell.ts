// A cell without a database: serves the contract of level 0 or 1, writes down whom it served, and misbehaves on demand.
import { openSync, writeSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { Fence, type Rule } from './fence.ts';
import { Pulse } from './pulse.ts';
import { WELL, type Behaviour, type Counters, type Served, type StubConfig } from './stub-options.ts';

const LOOPBACK = /^(::ffff:)?127\.|^::1$/;

export class StubCell {
  readonly #config: StubConfig;
  readonly #fence: Fence | null;
  readonly #log: number | null;
  readonly #pulse: Pulse;
  readonly counters: Counters = { served: 0, refused: 0, expired: 0, probes: 0, rules: 0, unauthorized: 0 };
  behaviour: Behaviour;
  #inside = 0;

  constructor(config: StubConfig) {
    this.#config = config;
    this.#fence = config.level === 1 ? new Fence(config.id, config.rulesFile) : null;
    this.#log = config.logFile === null ? null : openSync(config.logFile, 'a');
    this.#pulse = new Pulse(() => this.#fence?.doubt());
    this.behaviour = { ...WELL, ...config.behaviour };
  }

  /** Answers one request, whatever it is for. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#pulse.beat();
    if (request.url === '/health') await this.#tellHealth(response);
    else if (request.url === '/.cellgate/serving' && this.#fence !== null) {
      await this.#takeRule(this.#fence, request, response);
    } else await this.#serve(request, response);
  }

  async #tellHealth(response: ServerResponse): Promise<void> {
    this.counters.probes += 1;
    const { health, healthStatus, version, healthToo, latencyMs, dripMs } = this.behaviour;
    const answer = { cell: this.#config.id, version, status: health, checks: {}, ...this.#fence?.describe() };
    if (healthToo) await pause(latencyMs);
    await answerJson(response, healthStatus, answer, healthToo ? dripMs : 0);
  }

  async #takeRule(fence: Fence, request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!this.#mayBringRules(request)) {
      this.counters.unauthorized += 1;
      await answerJson(response, 401, { error: 'a rule needs a token, or a peer on loopback' });
      return;
    }
    const rule = readRule(await text(request));
    if (request.method !== 'PUT' || rule === null) {
      await answerJson(response, 400, { error: 'not a rule' });
      return;
    }
    this.counters.rules += 1;
    await answerJson(response, 200, { home: rule.home, epoch: fence.take(rule) });
  }

  #mayBringRules({ headers, socket }: IncomingMessage): boolean {
    const { token } = this.#config;
    if (token !== null) return headers.authorization === `Bearer ${token}`;
    return LOOPBACK.test(socket.remoteAddress ?? '') && headers['x-forwarded-for'] === undefined;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const deadline = Number(headerOf(request, 'x-cell-deadline') ?? Number.POSITIVE_INFINITY);
    if (deadline < Date.now()) {
      // The router gave up on it long ago: nobody reads this answer.
      this.counters.expired += 1;
      await answerJson(response, 503, { error: 'its deadline is over' });
      return;
    }
    const tenant = headerOf(request, 'x-tenant-id') ?? '';
    const home = headerOf(request, 'x-cell-home');
    const judged = home === null ? undefined : this.#fence?.judge(home, tenant);
    if (judged?.own === false) {
      this.counters.refused += 1;
      await answerJson(response, 421, { epoch: judged.epoch });
      return;
    }
    this.counters.served += 1;
    this.#write(request, tenant, home ?? '');
    const { status, latencyMs, dripMs, poison } = this.behaviour;
    if (tenant !== '' && tenant === poison) process.kill(process.pid, 'SIGKILL');
    this.#inside += 1;
    if (latencyMs > 0) await pause(latencyMs * this.#slowness());
    this.#inside -= 1;
    await answerJson(response, status, { cell: this.#config.id, tenant, method: request.method }, dripMs);
  }

  /** 1 up to the knee; from there on a cell does ever less, the more it is asked to do. */
  #slowness(): number {
    const { knee } = this.behaviour;
    return knee === 0 || this.#inside <= knee ? 1 : (this.#inside / knee) ** 4;
  }

  /** Written as the service begins, in one system call: a kill can not lose it. */
  #write(request: IncomingMessage, tenant: string, home: string): void {
    if (this.#log === null) return;
    const line: Served = {
      at: performance.timeOrigin + performance.now(),
      tenant,
      method: request.method ?? '',
      home,
      role: headerOf(request, 'x-cell-role') ?? '',
      epoch: Number(headerOf(request, 'x-cell-epoch') ?? 0),
      cell: this.#config.id,
    };
    writeSync(this.#log, `${JSON.stringify(line)}\n`);
  }
}

function headerOf(request: IncomingMessage, name: string): string | null {
  const value = request.headers[name];
  return typeof value === 'string' ? value : null;
}

function readRule(json: string): Rule | null {
  try {
    const rule = JSON.parse(json) as Partial<Rule>;
    const whole =
      typeof rule.home === 'string' && typeof rule.target === 'string' && Number.isInteger(rule.epoch);
    return whole ? (rule as Rule) : null;
  } catch {
    return null;
  }
}

async function answerJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  dripMs = 0,
): Promise<void> {
  const json = JSON.stringify(body);
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(json),
  });
  if (dripMs === 0) {
    response.end(json);
    return;
  }
  for (const byte of json) {
    if (response.destroyed) return;
    response.write(byte);
    await pause(dripMs);
  }
  response.end();
}
