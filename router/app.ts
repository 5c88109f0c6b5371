// The public side of the router: one request passes through these steps, in this order.
import type { Config } from './config.ts';
import type { RefusalCode } from './errors.ts';
import type { Exchange, ExchangeEnd } from './exchange.ts';
import { findHome, lastKnownHome } from './find-home.ts';
import type { Fleet, Route } from './fleet/fleet.ts';
import type { ActiveFleet } from './fleet/holder.ts';
import type { Courier } from './forward/courier.ts';
import { bucketOf } from './placement/hash.ts';
import { objectionTo } from './request-check.ts';
import { clientAddress } from './request-head.ts';
import { HASHED_METHODS, isCellgatePath, routeOf } from './routes.ts';
import type { RateLimits } from './rate-limits.ts';
import type { RequestHealth } from './request-health.ts';
import type { Metrics } from './telemetry/metrics.ts';
import type { AccessLog } from './telemetry/access-log.ts';
import { findTenant, type TenantAnswer } from './tenant.ts';
import type { TokenVerifier } from './token.ts';

export type Parts = {
  config: Config;
  fleets: ActiveFleet;
  monitor: RequestHealth;
  courier: Courier;
  rates: RateLimits;
  tokens: TokenVerifier;
  metrics: Metrics;
  accessLog: AccessLog;
};

/** Refusals for want of a cell: what an incident costs its tenants. */
const CELL_LESS: ReadonlySet<RefusalCode> = new Set([
  'cell-unavailable',
  'cell-connection-failed',
  'cell-overloaded',
  'cell-timeout',
  'placement-moving',
]);

/** Those of RFC 9110 that a client may use; any other that the parser knows passes as well. */
const METHODS_ALLOWED = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS';

const NO_BYTES = Buffer.alloc(0);

export class App {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Takes one request from its head to its end. `early`: what came behind the head of an upgrade. */
  serve(exchange: Exchange, early: Buffer = NO_BYTES): void {
    exchange.onEnd(this.#account);
    if (!this.#admissible(exchange)) return;
    const fleet = this.#parts.fleets.active;
    const route = routeOf(exchange.head.path, fleet.routes);
    if (route !== null) {
      exchange.route = route.path;
      exchange.timeoutMs = route.timeoutMs ?? exchange.timeoutMs;
    }
    if (route?.tenantless) {
      this.#serveTenantless(exchange, fleet, route, early);
      return;
    }
    const answer = findTenant(exchange.head, fleet, this.#parts.tokens);
    if (answer instanceof Promise) {
      // The verifier answers with refusals and does not reject; should it, the client is told and nothing is lost.
      answer.then(
        (verified) => this.#serveTenant(exchange, fleet, verified, early),
        () => exchange.refuse('keys-unavailable', null),
      );
    } else this.#serveTenant(exchange, fleet, answer, early);
  }

  /**
   * What no cell is ever asked: requests that mean two things, methods and paths that are not for clients, and anything
   * before the router knows.
   */
  #admissible(exchange: Exchange): boolean {
    const { method, target, path } = exchange.head;
    const objection = objectionTo(exchange.head);
    if (objection !== null) exchange.refuse(objection.code, objection.detail);
    else if (method === 'TRACE' || method === 'CONNECT') {
      exchange.refuse('method-not-allowed', null, { allow: METHODS_ALLOWED });
    }
    // It asks what the whole service can do (RFC 9110, section 9.3.7): to clients that is the router.
    else if (target === '*' && method === 'OPTIONS') exchange.answerEmpty(204, ['allow', METHODS_ALLOWED]);
    else if (!target.startsWith('/')) exchange.refuse('bad-request', 'The target is not a path.');
    else if (isCellgatePath(path)) exchange.refuse('bad-request', 'This path is not for clients.');
    else if (!this.#parts.monitor.ready) exchange.refuse('router-not-ready', null);
    else return true;
    return false;
  }

  #serveTenant(exchange: Exchange, fleet: Fleet, answer: TenantAnswer, early: Buffer): void {
    if ('refusal' in answer) {
      exchange.refuse(answer.refusal, answer.detail);
      return;
    }
    exchange.tenant = answer.tenant;
    const quarantinedS = this.#parts.monitor.quarantine.refusedForS(answer.tenant);
    if (quarantinedS > 0) {
      exchange.refuse('tenant-quarantined', null, { retryAfterS: quarantinedS });
      return;
    }
    const retryAfterS = this.#parts.rates.take(answer.tenant);
    if (retryAfterS > 0) {
      exchange.refuse('tenant-rate-limited', null, { retryAfterS });
      return;
    }
    const found = findHome(fleet.placement.locate(answer.tenant), this.#parts.monitor);
    if ('refusal' in found) {
      exchange.refuse(found.refusal, found.detail);
      return;
    }
    this.#parts.courier.serve(exchange, found.home, early);
  }

  #serveTenantless(exchange: Exchange, fleet: Fleet, route: Route, early: Buffer): void {
    const target = route.tenantless;
    if (target === null) return;
    if ('cell' in target) {
      this.#parts.courier.serve(exchange, target.cell, early);
      return;
    }
    if (!HASHED_METHODS.includes(exchange.head.method)) {
      const allow = HASHED_METHODS.join(', ');
      exchange.refuse('method-not-allowed', 'This route is for reading.', { allow });
      return;
    }
    // Any cell will do: where it is not known who has the bucket now, it is the one that had it last.
    const location = fleet.placement.locateBucket(bucketOf(clientAddress(exchange.head)));
    const { home } = lastKnownHome(location, this.#parts.monitor);
    this.#parts.courier.serve(exchange, home, early);
  }

  readonly #account = ({ exchange, status, headMs, durationMs }: ExchangeEnd): void => {
    const { metrics, monitor, accessLog } = this.#parts;
    const { requests } = metrics;
    const { code, served } = exchange;
    if (code !== null) {
      requests.countRefusal(code);
      if (CELL_LESS.has(code) && exchange.home !== null && exchange.tenant !== null) {
        monitor.countRefused(exchange.home, exchange.tenant);
      }
    } else if (headMs === null) requests.countClientGone();
    else if (served !== null) requests.countAnswer(served.cell, served.role, status, headMs);
    // A stream may last for hours: what makes a request slow is the wait for the head of its answer.
    if (!accessLog.wants(status, code, headMs ?? durationMs)) return;
    accessLog.write({
      method: exchange.head.method,
      route: exchange.route,
      status,
      code,
      cell: served?.cell ?? null,
      role: served?.role ?? null,
      headMs: rounded(headMs),
      durationMs: rounded(durationMs) ?? 0,
      requestId: exchange.requestId,
    });
  };
}

function rounded(ms: number | null): number | null {
  return ms === null ? null : Math.round(ms * 10) / 10;
}
