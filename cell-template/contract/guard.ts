// Whom a request is for, and whether this cell may serve it: looked at before anything is read, and again when its work begins.
import type {
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  RouteHandlerMethod,
  RouteOptions,
} from 'fastify';
import { misdirected, problem } from './answers.ts';
import type { Fence } from './fence.ts';
import { TenantError, tenantIfAny } from './tenant.ts';

/** Whose a request is. */
export type Whose = {
  /** '' where the route is `tenantless` and the request names none. */
  tenant: string;
  /** The cell whose tenant it is. */
  home: string;
  /** `guest`: its home is another cell. */
  role: 'home' | 'guest';
  /** Of the rule that it is served by. */
  epoch: number;
};

/** The contract of a route, as `config: { contract: … }`; false: it serves no tenants, and is not fenced. */
export type RouteContract =
  | false
  | {
      /** It serves requests that name no tenant as well. */
      tenantless?: boolean;
      /** Its answers have no end of their own (event streams, WebSockets): routers end them, and no handover waits for them. */
      streams?: boolean;
    };

/** What a request says of itself. */
type Asked = { tenant: string; home: string; epoch: number };
/** What may become of it. */
type Admission = { whose: Whose } | { refuse: (reply: FastifyReply) => FastifyReply };

export class Guard {
  readonly #cell: string;
  readonly #fence: Fence;
  readonly #beat: () => void;
  readonly #whose = new WeakMap<FastifyRequest, Whose>();
  /** What is to be called when a request is answered whose handler has returned no promise. */
  readonly #onAnswer = new WeakMap<FastifyRequest, () => void>();

  constructor(cell: string, fence: Fence, beat: () => void) {
    this.#cell = cell;
    this.#fence = fence;
    this.#beat = beat;
  }

  /** Whose a request is that was let through. */
  whose(request: FastifyRequest): Whose {
    const whose = this.#whose.get(request);
    if (whose === undefined) throw new Error('a route with `contract: false` has no tenant');
    return whose;
  }

  install(app: FastifyInstance): void {
    app.addHook('onRequest', (request, reply, done) => {
      if (!isFenced(request)) return done();
      const admission = this.#admit(request);
      if ('refuse' in admission) return void admission.refuse(reply);
      this.#whose.set(request, admission.whose);
      done();
    });
    app.addHook('onSend', (request, _reply, _payload, done) => {
      this.#onAnswer.get(request)?.();
      done();
    });
    app.addHook('onRoute', (route: RouteOptions) => {
      const contract = route.config?.contract;
      if (contract === false || contract?.streams === true) return;
      route.handler = this.#counted(route.handler);
    });
  }

  /**
   * The handler, as work that a handover waits for. It is over when the promise of the handler is, or, where it returns
   * none, when it has answered: not when the client has left. Whose it is is looked at again, because the body may have
   * taken its time: until here a closing rule did not wait.
   */
  #counted(handler: RouteHandlerMethod): RouteHandlerMethod {
    const onAnswer = this.#onAnswer;
    const begin = (request: FastifyRequest, reply: FastifyReply): (() => void) | null =>
      this.#begin(request, reply);
    return function counted(request, reply): unknown {
      const over = begin(request, reply);
      if (over === null) return reply;
      onAnswer.set(request, over);
      try {
        const result: unknown = handler.call(this, request, reply);
        if (!isPromise(result) || result === reply) {
          // Whoever takes the connection over ends it as well.
          if (reply.sent) over();
          return result;
        }
        onAnswer.delete(request);
        return Promise.resolve(result).finally(over);
      } catch (error) {
        over();
        throw error;
      }
    };
  }

  /** What is to be called when the work is over; null: it was refused. */
  #begin(request: FastifyRequest, reply: FastifyReply): (() => void) | null {
    const admission = this.#admit(request);
    if ('refuse' in admission) {
      admission.refuse(reply);
      return null;
    }
    this.#whose.set(request, admission.whose);
    return this.#fence.begun.begin(admission.whose.home, admission.whose.tenant);
  }

  /** Throws `TenantError` for a tenant that is missing, or none. */
  #admit(request: FastifyRequest): Admission {
    this.#beat();
    if (isExpired(request)) return { refuse: (reply) => problem(reply, 503, 'Its deadline has passed') };
    const { tenant, home, epoch } = this.#askedBy(request);
    const judged = this.#fence.judge(home, tenant, epoch);
    if (!judged.own) return { refuse: (reply) => misdirected(reply, judged.epoch) };
    const role = home === this.#cell ? 'home' : 'guest';
    return { whose: { tenant, home, role, epoch: judged.epoch } };
  }

  #askedBy(request: FastifyRequest): Asked {
    const tenant = tenantIfAny(request);
    const contract = request.routeOptions.config.contract;
    const needsTenant =
      !request.is404 && (contract === undefined || contract === false || !contract.tenantless);
    if (tenant === '' && needsTenant) {
      throw new TenantError('tenant-missing', 'the header x-tenant-id is required');
    }
    return {
      tenant,
      home: headerOf(request, 'x-cell-home') ?? this.#cell,
      epoch: Number(headerOf(request, 'x-cell-epoch') ?? 0) || 0,
    };
  }
}

/** Of paths that there are not, those that a router asks for are: whether they are there is its own cell's to say. */
function isFenced(request: FastifyRequest): boolean {
  if (request.is404) return headerOf(request, 'x-cell-home') !== null;
  return request.routeOptions.config.contract !== false;
}

/** By the cell's own clock, which routers know from its health answers. */
function isExpired(request: FastifyRequest): boolean {
  const deadline = headerOf(request, 'x-cell-deadline');
  return deadline !== null && Number(deadline) < Date.now();
}

function headerOf({ headers }: FastifyRequest, name: string): string | null {
  const value = headers[name];
  return typeof value === 'string' ? value : null;
}

function isPromise(value: unknown): boolean {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function';
}
