// PUT /.cellgate/serving: takes the rules that routers bring, and answers a handover once this cell's part of it is done.
import type { FastifyInstance, FastifyReply } from 'fastify';
import { problem } from './answers.ts';
import { mayBringRules } from './bringer.ts';
import type { Fence } from './fence.ts';
import { readRule, RULE_BYTES_MOST, type Rule } from './rule.ts';
import { mayLose, servedBy } from './served-by.ts';

/** What a cell of level 2 does in a handover. */
export type Handovers = {
  /**
   * For the cell that loses tenants: how far it has written, asked once the work that was begun for them is over. Null: it
   * has nothing to say.
   */
  position?(rule: Rule): Promise<string | null>;
  /**
   * For the cell that gains them: resolves once it has everything up to the position. `signal`: nobody waits for it any
   * more, because the router has given up, or because a newer rule has come.
   */
  applied?(rule: Rule, position: string, signal: AbortSignal): Promise<void>;
};

type Parts = { cell: string; token: string | null; fence: Fence; beat: () => void; handovers: Handovers };
/** A router that waits for the end of this cell's part of a handover. */
type Waiting = { rule: Rule; inVain: AbortController };

export function servingRoute(app: FastifyInstance, { cell, token, fence, beat, handovers }: Parts): void {
  const part = new PartOfHandover(cell, fence, handovers);
  void app.register((scope, _options, done) => {
    // Fastify's own reader refuses a tenant that is called `__proto__`.
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, parsed) => parsed(null, body));
    scope.put('/.cellgate/serving', {
      config: { contract: false },
      bodyLimit: RULE_BYTES_MOST,
      onRequest: (request, reply, next) => {
        if (mayBringRules(request.raw, token)) next();
        else problem(reply, 401, 'A rule needs the token, or a peer on loopback');
      },
      handler: async (request, reply) => {
        const rule = readRule(parsed(request.body));
        if (rule === null) return problem(reply, 400, 'Not a rule');
        beat();
        try {
          await fence.take(rule);
          const position = await part.end(rule, reply);
          const epoch = fence.epochOf(rule.home);
          const isStill = position !== null && epoch === rule.epoch;
          return await reply.send({ home: rule.home, epoch, ...(isStill ? { position } : {}) });
        } catch (error) {
          const { home, epoch } = rule;
          request.log.warn({ err: error, home, epoch }, 'rule not taken');
          return problem(reply, 503, 'The rule could not be taken');
        }
      },
    });
    done();
  });
}

class PartOfHandover {
  readonly #cell: string;
  readonly #fence: Fence;
  readonly #handovers: Handovers;
  readonly #waiting = new Set<Waiting>();

  constructor(cell: string, fence: Fence, handovers: Handovers) {
    this.#cell = cell;
    this.#fence = fence;
    this.#handovers = handovers;
    fence.onRule(({ home, epoch }) => {
      for (const { rule, inVain } of this.#waiting) {
        if (rule.home === home && rule.epoch < epoch) inVain.abort();
      }
    });
  }

  /** Resolves with the position to answer, once nothing is left to be done; at once for an open rule, or a superseded one. */
  async end(rule: Rule, reply: FastifyReply): Promise<string | null> {
    if (rule.phase === 'open' || this.#fence.epochOf(rule.home) > rule.epoch) return null;
    const waiting = { rule, inVain: new AbortController() };
    const { signal } = waiting.inVain;
    this.#waiting.add(waiting);
    const giveUp = (): void => {
      waiting.inVain.abort();
      this.#fence.begun.lookAgain();
    };
    if (reply.request.raw.socket.destroyed) giveUp();
    else reply.raw.once('close', giveUp);
    try {
      await this.#letGo(rule, signal);
      if (signal.aborted) return null;
      if (rule.position !== null) await this.#handovers.applied?.(rule, rule.position, signal);
      else if (mayLose(this.#cell, rule)) return (await this.#handovers.position?.(rule)) ?? null;
      return null;
    } catch (error) {
      if (signal.aborted) return null;
      throw error;
    } finally {
      this.#waiting.delete(waiting);
    }
  }

  /**
   * The tenants that change are refused from now on; what was begun for them before, be it for a client that has left
   * since, must be over before another cell serves them.
   */
  async #letGo(rule: Rule, signal: AbortSignal): Promise<void> {
    await this.#fence.begun.over(
      ({ home, tenant }) => home === rule.home && servedBy(rule, tenant) === null,
      () => signal.aborted,
    );
  }
}

function parsed(body: unknown): unknown {
  try {
    return JSON.parse(String(body));
  } catch {
    return null;
  }
}
