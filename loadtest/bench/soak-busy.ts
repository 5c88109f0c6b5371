// A busy moment: as many requests as go through on a few connections.
import type { SoakFleet } from './soak-fleet.ts';
import { WHOLE_KINDS } from './soak-kinds.ts';
import { sendWhole, soakAgent } from './soak-send.ts';

const CLIENTS = 64;
/** What a client in a hurry asks for; what is slow or goes wrong is not busy. */
const KINDS = WHOLE_KINDS.filter(({ name }) => ['GET', 'POST', 'GET 64 KiB'].includes(name));

/** How many were answered. Throws when one was answered wrongly. */
export async function keepBusy({ router, tenants }: SoakFleet, busyMs: number): Promise<number> {
  const agent = soakAgent();
  const endMs = performance.now() + busyMs;
  let answers = 0;
  const client = async (): Promise<void> => {
    while (performance.now() < endMs) {
      const [kind, of] = [KINDS[answers % KINDS.length], tenants[answers % tenants.length]];
      if (kind === undefined || of === undefined) return;
      answers += 1;
      const answer = await sendWhole(agent, router.url, kind, of.tenant);
      if (!kind.right(answer, of.tenant)) throw new Error(`${kind.name} was answered with ${answer.status}`);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  await agent.destroy();
  return answers;
}
