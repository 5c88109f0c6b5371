// A small balancer of the tests' own: it reads /readyz of each router and spreads requests over those that say yes.
import { Agent, request } from 'node:http';
import type { RunningRouter } from './router.ts';

const LOOK_MS = 50;

type Target = { router: RunningRouter; agent: Agent; ready: boolean };

export class Balancer {
  readonly #targets: Target[] = [];
  readonly #timer = setInterval(() => void this.#look(), LOOK_MS);
  #turn = 0;

  add(router: RunningRouter): void {
    this.#targets.push({ router, agent: new Agent({ keepAlive: true }), ready: true });
  }

  /** Whether requests go to it now. */
  uses(router: RunningRouter): boolean {
    return this.#targets.some((target) => target.router === router && target.ready);
  }

  /** Sends a request, once, and answers its status; 0: no answer, or not a whole one. */
  async send(method: string, body: string): Promise<number> {
    const ready = this.#targets.filter((target) => target.ready);
    const target = ready[(this.#turn += 1) % ready.length];
    if (target === undefined) return 0;
    const { agent, router } = target;
    const headers = { 'x-tenant-id': 'acme', 'content-length': body.length };
    return await new Promise((resolve) => {
      const sent = request({ agent, port: router.port, method, path: '/orders', headers }, (response) => {
        response.once('close', () => resolve(response.complete ? (response.statusCode ?? 0) : 0)).resume();
      });
      sent.once('error', () => resolve(0));
      sent.end(body);
    });
  }

  close(): void {
    clearInterval(this.#timer);
    for (const { agent } of this.#targets) agent.destroy();
  }

  async #look(): Promise<void> {
    for (const target of this.#targets) {
      if (!target.ready) continue;
      target.ready = await fetch(`${target.router.admin}/readyz`).then(
        ({ status }) => status === 200,
        () => false,
      );
    }
  }
}
