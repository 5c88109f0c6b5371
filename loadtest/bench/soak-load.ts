// The mixed load: at a fixed rate, open loop, kinds and tenants drawn at random; every answer is judged and counted.
import { judgeAnswer, wordsOf, type Answer, type Judgement, type Span } from './soak-answers.ts';
import type { SoakFleet, Tenant } from './soak-fleet.ts';
import { WHOLE_KINDS, type WholeKind } from './soak-kinds.ts';
import { playRude, RUDE_KINDS, type RudeKind } from './soak-rude.ts';
import { sendWhole, soakAgent } from './soak-send.ts';
import { playSocket, SOCKET_KINDS, type SocketKind } from './soak-sockets.ts';
import type { Weather } from './soak-weather.ts';
import { randomFrom } from './statistics.ts';

/** How often each kind was played and how it ended. */
export type KindCount = Record<Judgement, number>;

export type Counts = {
  /** How many were to be sent by now, and were sent. */
  due: number;
  sent: number;
  kinds: Record<string, KindCount>;
  /** Kind and answer → how often: failures that a lost cell explains, and those that nothing does. */
  excused: Record<string, number>;
  wrong: Record<string, number>;
};

export type SoakLoad = {
  counts: Counts;
  /** Sends no more; resolves when all that was sent has ended and every connection is closed. */
  stop(): Promise<void>;
};

type Play = {
  name: string;
  weight: number;
  play: (of: Tenant) => Promise<{ answer: Answer; right: boolean }>;
};

const TICK_MS = 5;
const SOCKET_WEIGHT = 3;

export function startSoakLoad(
  { router, port, tenants }: SoakFleet,
  weather: Weather,
  rate: number,
): SoakLoad {
  const agent = soakAgent();
  const random = randomFrom(1);
  const counts: Counts = { due: 0, sent: 0, kinds: {}, excused: {}, wrong: {} };
  const plays: Play[] = [
    ...WHOLE_KINDS.map((kind) => wholePlay(kind, (tenant) => sendWhole(agent, router.url, kind, tenant))),
    ...RUDE_KINDS.map((kind) => rudePlay(kind, (tenant) => playRude(port, kind, tenant, random() < 0.5))),
    ...SOCKET_KINDS.map((kind) => socketPlay(kind, (tenant) => playSocket(router.url, kind, tenant))),
  ];
  const open = new Set<Promise<void>>();
  const startMs = performance.now();
  const begin = (): void => {
    counts.sent += 1;
    const of = tenants[Math.floor(random() * tenants.length)];
    if (of === undefined) return;
    const done = playOne(drawn(plays, random()), of, weather, counts).finally(() => open.delete(done));
    open.add(done);
  };
  const timer = setInterval(() => {
    counts.due = Math.floor(((performance.now() - startMs) / 1_000) * rate);
    while (counts.sent < counts.due) begin();
  }, TICK_MS);
  return {
    counts,
    async stop() {
      clearInterval(timer);
      await Promise.all(open);
      await agent.destroy();
    },
  };
}

async function playOne(one: Play, of: Tenant, weather: Weather, counts: Counts): Promise<void> {
  const startedAtMs = performance.now();
  const { answer, right } = await one.play(of);
  const span: Span = { of, startedAtMs, endedAtMs: performance.now() };
  const judgement = judgeAnswer(right, answer, span, weather);
  const count = (counts.kinds[one.name] ??= { right: 0, excused: 0, wrong: 0 });
  count[judgement] += 1;
  if (judgement === 'right') return;
  const words = `${one.name}: ${wordsOf(answer)}`;
  counts[judgement][words] = (counts[judgement][words] ?? 0) + 1;
}

function wholePlay({ name, weight, right }: WholeKind, send: (tenant: string) => Promise<Answer>): Play {
  return { name, weight, play: async ({ tenant }) => judged(await send(tenant), (it) => right(it, tenant)) };
}

function rudePlay({ name, weight, right }: RudeKind, send: (tenant: string) => Promise<Answer>): Play {
  return { name, weight, play: async ({ tenant }) => judged(await send(tenant), right) };
}

function socketPlay({ name }: SocketKind, open: (tenant: string) => Promise<Answer>): Play {
  const right = ({ status, whole }: Answer): boolean => status === 101 && whole;
  return { name, weight: SOCKET_WEIGHT, play: async ({ tenant }) => judged(await open(tenant), right) };
}

/** An answer that is to be JSON and is none is not right. */
function judged(answer: Answer, right: (answer: Answer) => boolean): { answer: Answer; right: boolean } {
  try {
    return { answer, right: right(answer) };
  } catch {
    return { answer, right: false };
  }
}

/** `at`: 0–1. */
function drawn(plays: readonly Play[], at: number): Play {
  const total = plays.reduce((sum, { weight }) => sum + weight, 0);
  let left = at * total;
  for (const play of plays) {
    left -= play.weight;
    if (left < 0) return play;
  }
  throw new Error('nothing is played');
}
