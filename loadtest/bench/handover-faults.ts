// The handovers that are played with a fault in them: a router dies or sleeps, a request stays inside, Redis is gone.
import { setTimeout as pause } from 'node:timers/promises';
import { Agent } from 'undici';
import { until } from '../rig/until.ts';
import { call, drain, drainCall, endDrain, restore, sendOne } from './handover-operator.ts';
import type { Scene } from './handover-play.ts';
import type { Act } from './handover-plays.ts';
import {
  epochMs,
  firstRouter,
  rowsAt,
  runningRouters,
  untilCalm,
  untilClosing,
  untilRow,
} from './handover-rig.ts';
import type { Sent } from './open-load.ts';

/** The first router is the operator's; the last one is lost. */
const FIRST = 0;
const LAST = 2;
/** Keeps a handover closing for as long as it takes to do something in it. */
const SHORT_MS = 1_200;
/** Longer than a handover may take: it is undone. */
const LONG_MS = 2_700;
/** Long enough for a second one to open a connection of its own meanwhile. */
const OPENING_PATH = '/slow/50';
/** What is sent is inside a cell by then. */
const INSIDE_MS = 100;
/** So long is Redis away: what is held for a handover gives up meanwhile. */
const AWAY_MS = 4_500;

/** By turns the one that dies has a request inside, or another one has, and it has confirmed. */
export const playKilledRouter: Act = async (scene) => {
  const { fleet, plan, turn, home } = scene;
  const fromMs = epochMs();
  const inside = stayInside(scene, turn % 2 === 0 ? LAST : FIRST, SHORT_MS);
  await pause(INSIDE_MS);
  const drained = drain(scene, 100);
  await untilClosing(scene, home, fromMs);
  withoutLast(scene);
  scene.killed.push({ router: LAST, atMs: performance.now() });
  await fleet.routers[LAST]?.child.stop(0);
  await Promise.all([drained, inside]);
  await fleet.replaceRouter(LAST);
  plan.routers = fleet.routers.map(({ url }) => url);
  await restore(scene);
  await untilCalm(fleet);
};

/**
 * It sleeps from before the handover until after it. What it has in hand, and what comes over connections that it has
 * already, it sends by the rule that it knows.
 */
export const playSleepingRouter: Act = async (scene) => {
  const { fleet, plan, load } = scene;
  const sleeper = fleet.routers[LAST];
  const url = plan.routers[LAST];
  if (sleeper === undefined || url === undefined) throw new Error('it takes three routers');
  const agents = [1, 2].map(() => new Agent({ connections: tenantsOf(scene).length }));
  const askAll = (agent: Agent | undefined, path: string): Promise<Sent[]> =>
    Promise.all(tenantsOf(scene).map((one) => sendOne(url, { ...one, router: LAST, path }, agent)));
  withoutLast(scene);
  const leftMs = performance.now();
  await until('the load has left it', () => !load.openBefore(leftMs));
  const [busy, idle] = agents;
  // Twice as many connections as tenants, all of them open: over half of them something is sent when it is asleep.
  const opened = await Promise.all([askAll(busy, OPENING_PATH), askAll(idle, OPENING_PATH)]);
  const inHand = askAll(busy, `/slow/${INSIDE_MS}`);
  await pause(INSIDE_MS / 2);
  sleeper.child.signal('SIGSTOP');
  const inSleep = askAll(idle, '/orders');
  await drain(scene, 100);
  sleeper.child.signal('SIGCONT');
  scene.extra.push(...opened.flat(), ...(await inHand), ...(await inSleep));
  await Promise.all(agents.map((agent) => agent.close()));
  plan.routers = fleet.routers.map((router) => router.url);
  await restore(scene);
  await untilCalm(fleet);
};

/** The handover is undone, and asked for again by the router that the operator called. */
export const playLongRequest: Act = async (scene) => {
  const inside = stayInside(scene, FIRST, LONG_MS);
  await pause(INSIDE_MS);
  await drain(scene, 100);
  await inside;
  await restore(scene);
  await untilCalm(scene.fleet);
};

/** By turns Redis is killed, and an empty one takes its place; or it is frozen, and goes on later. */
export const playLostRedis: Act = async (scene) => {
  const { fleet, home, turn } = scene;
  const { redis } = fleet;
  scene.mayRefuseMoving = true;
  const fromMs = epochMs();
  const inside = stayInside(scene, FIRST, SHORT_MS);
  await pause(INSIDE_MS);
  // What it is answered depends on when Redis is back.
  const called = call(scene, drainCall(home, 100));
  await untilClosing(scene, home, fromMs);
  await redis.signal(turn % 2 === 0 ? 'SIGKILL' : 'SIGSTOP');
  await Promise.all([pause(AWAY_MS), inside]);
  if (turn % 2 === 0) await redis.restart();
  else await redis.signal('SIGCONT');
  await called;
  await untilRow(runningRouters(fleet), home, 'in the hands of one cell', ({ phase }) => phase === 'open');
  const row = (await rowsAt(firstRouter(fleet))).find(({ id }) => id === home);
  if (row?.share !== 0) await endDrain(scene);
  await untilCalm(fleet);
};

/** A request of one of the home's tenants that stays inside for so long. */
async function stayInside(scene: Scene, router: number, ms: number): Promise<void> {
  const [one] = tenantsOf(scene);
  const url = scene.plan.routers[router];
  if (one === undefined || url === undefined) throw new Error('there is nobody to send a request');
  scene.extra.push(await sendOne(url, { ...one, router, path: `/slow/${ms}` }));
}

function tenantsOf({ fleet, home }: Scene): { tenant: string; home: string }[] {
  return fleet.tenants.filter((one) => one.home === home);
}

/** The clients of the last router go to the first one from now on, as a load balancer would send them. */
function withoutLast({ plan }: Scene): void {
  plan.routers = plan.routers.map((url, index) => (index === LAST ? (plan.routers[FIRST] ?? url) : url));
}
