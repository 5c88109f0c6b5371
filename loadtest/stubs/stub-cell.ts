// A cell without a database: serves the contract of level 0 or 1, writes down whom it served, and misbehaves on demand.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { AccessLog } from './access-log.ts';
import { answerJson } from './answer-json.ts';
import { Begun } from '../../cell-template/contract/begun.ts';
import { openEcho, playPath } from './by-path.ts';
import { openWebSocket, refuseWebSocket, streamEvents } from './endless.ts';
import { Fence, type Rule } from './fence.ts';
import { Pulse } from '../../cell-template/contract/pulse.ts';
import { servedBy } from '../../router/health/verdicts/served-by.ts';
import { WELL, type Behaviour, type Counters, type StubConfig } from './stub-options.ts';

const LOOPBACK = /^(::ffff:)?127\.|^::1$/;
/** A request for this path stays inside for so many milliseconds. */
const SLOW_PATH = /^\/slow\/(\d{1,6})$/;
/** An event stream, and a WebSocket that sends back what it is sent. */
const EVENTS_PATH = '/events';
const ECHO_PATH = '/echo';

/** Why a tenant's request is not served; null: it is. */
type Refused = { status: number; body: unknown } | null;

export class StubCell {
  readonly #config: StubConfig;
  readonly #fence: Fence | null;
  readonly #log: AccessLog | null;
  readonly #pulse: Pulse;
  readonly counters: Counters = { served: 0, refused: 0, expired: 0, probes: 0, rules: 0, unauthorized: 0 };
  behaviour: Behaviour;
  readonly #begun = new Begun();
  #inside = 0;

  constructor(config: StubConfig) {
    this.#config = config;
    this.#fence = config.level === 1 ? new Fence(config.id, config.rulesFile) : null;
    this.#log = config.logFile === null ? null : new AccessLog(config.logFile);
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
    fence.take(rule);
    this.#begun.lookAgain();
    await this.#letGo(fence, rule);
    await answerJson(response, 200, { home: rule.home, epoch: fence.epochOf(rule.home) });
  }

  /**
   * By a closing rule the tenants that change are refused from now on; what was begun for them before, be it for a client
   * that has left since, must be over before another cell serves them.
   */
  async #letGo(fence: Fence, rule: Rule): Promise<void> {
    if (rule.phase !== 'closing') return;
    await this.#begun.over(
      ({ home, tenant }) => home === rule.home && servedBy(rule, tenant) === null,
      () => fence.epochOf(rule.home) > rule.epoch,
    );
  }

  #mayBringRules({ headers, socket }: IncomingMessage): boolean {
    const { token } = this.#config;
    if (token !== null) return headers.authorization === `Bearer ${token}`;
    return LOOPBACK.test(socket.remoteAddress ?? '') && headers['x-forwarded-for'] === undefined;
  }

  /** Answers one request for a WebSocket. */
  upgrade(request: IncomingMessage, socket: Duplex, early: Buffer): void {
    this.#pulse.beat();
    const refused = this.#refusal(request);
    if (refused !== null) {
      refuseWebSocket(socket, refused.status, refused.body);
      return;
    }
    this.#begin(request);
    if (request.url === ECHO_PATH) openEcho(request, socket, early);
    else openWebSocket(request, socket);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const refused = this.#refusal(request);
    if (refused !== null) {
      await answerJson(response, refused.status, refused.body);
      return;
    }
    const done = this.#begin(request);
    if (request.url === EVENTS_PATH) {
      streamEvents(response);
      return;
    }
    const tenant = tenantOf(request);
    const over = this.#begun.begin(headerOf(request, 'x-cell-home') ?? '', tenant);
    if (playPath(request, response, { cell: this.#config.id, tenant })) {
      response.once('close', () => {
        done();
        over();
      });
      return;
    }
    const { status, latencyMs, dripMs } = this.behaviour;
    const slowMs = Number(SLOW_PATH.exec(request.url ?? '')?.[1] ?? 0);
    this.#inside += 1;
    if (latencyMs + slowMs > 0) await pause(latencyMs * this.#slowness() + slowMs);
    this.#inside -= 1;
    done();
    over();
    await answerJson(response, status, { cell: this.#config.id, tenant, method: request.method }, dripMs);
  }

  #refusal(request: IncomingMessage): Refused {
    const deadline = Number(headerOf(request, 'x-cell-deadline') ?? Number.POSITIVE_INFINITY);
    if (deadline < Date.now()) {
      // The router gave up on it long ago: nobody reads this answer.
      this.counters.expired += 1;
      return { status: 503, body: { error: 'its deadline is over' } };
    }
    const home = headerOf(request, 'x-cell-home');
    const epoch = Number(headerOf(request, 'x-cell-epoch') ?? 0);
    const judged = home === null ? undefined : this.#fence?.judge(home, tenantOf(request), epoch);
    if (judged?.own === false) {
      this.counters.refused += 1;
      return { status: 421, body: { epoch: judged.epoch } };
    }
    return null;
  }

  /** Counts and writes down that it is served; the answer is to be called when that is over. */
  #begin(request: IncomingMessage): () => void {
    this.counters.served += 1;
    const begun = {
      tenant: tenantOf(request),
      method: request.method ?? '',
      home: headerOf(request, 'x-cell-home') ?? '',
      role: headerOf(request, 'x-cell-role') ?? '',
      epoch: Number(headerOf(request, 'x-cell-epoch') ?? 0),
      cell: this.#config.id,
    };
    const end = this.#log?.begin(begun) ?? (() => undefined);
    const { poison } = this.behaviour;
    if (poison !== '' && begun.tenant === poison) process.kill(process.pid, 'SIGKILL');
    return end;
  }

  /** 1 up to the knee; from there on a cell does ever less, the more it is asked to do. */
  #slowness(): number {
    const { knee } = this.behaviour;
    return knee === 0 || this.#inside <= knee ? 1 : (this.#inside / knee) ** 4;
  }
}

/** Its bytes are UTF-8, which Node reads as Latin-1. */
function tenantOf(request: IncomingMessage): string {
  return Buffer.from(headerOf(request, 'x-tenant-id') ?? '', 'latin1').toString('utf8');
}

function headerOf(request: IncomingMessage, name: string): string | null {
  const value = request.headers[name];
  return typeof value === 'string' ? value : null;
}

function readRule(json: string): Rule | null {
  try {
    const rule = JSON.parse(json) as Partial<Rule>;
    const { home, target, epoch } = rule;
    if (typeof home !== 'string' || typeof target !== 'string' || !Number.isInteger(epoch)) return null;
    // A router of a release before handovers leaves some of it out.
    return { pins: {}, moved: [], changing: null, ...rule } as Rule;
  } catch {
    return null;
  }
}
