// A cell of the tests' own that is fenced (contract level 1), and keeps a log of every rule it was brought.
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import { isOwn, type Rule } from '../../loadtest/stubs/fence.ts';
import { startStubCell, type StubCell } from './stub-cell.ts';

export type { Rule };

export type FencedCell = StubCell & {
  /** The newest rule of each home that it knows. */
  rules: Map<string, Rule>;
  /** Every rule it was brought, in order, with what came along; also those that it knew already. */
  brought: { rule: Rule; authorization: string | undefined }[];
  /** The requests of tenants that it refused with 421, by path. */
  refused: string[];
  /** How far it has written: what it answers a closing rule with. */
  position: string | null;
  /** What it waits for before it takes a rule. */
  beforeTaking: (rule: Rule) => Promise<void> | void;
  /** Has it know these rules, as if it had been brought them before. */
  show(known: readonly Rule[]): void;
  /** Has its health say this, too. */
  say(more: Readonly<Record<string, unknown>>): void;
  /** As after a restart: it knows no rules. */
  forget(): void;
};

/** `token`: rules without it are refused with 401; null: any are taken. */
export async function startFencedCell(id: string, token: string | null = null): Promise<FencedCell> {
  const rules = new Map<string, Rule>();
  const brought: FencedCell['brought'] = [];
  const cell = await startStubCell(id);
  const refused: string[] = [];
  fence(cell, rules, refused);
  const plain = cell.health.body as Record<string, unknown>;
  const showRules = (): void => {
    const epochs = Object.fromEntries([...rules].map(([home, { epoch }]) => [home, epoch]));
    cell.health.body = { ...plain, epochs, rules: Object.fromEntries(rules) };
  };
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const rule = (await json(request)) as Rule;
    const { authorization } = request.headers;
    brought.push({ rule, authorization });
    const allowed = token === null || authorization === `Bearer ${token}`;
    await fenced.beforeTaking(rule);
    if (allowed && rule.epoch >= (rules.get(rule.home)?.epoch ?? 0)) rules.set(rule.home, rule);
    showRules();
    response.writeHead(allowed ? 200 : 401, { 'content-type': 'application/json' });
    const position = rule.phase === 'closing' ? fenced.position : null;
    const epoch = rules.get(rule.home)?.epoch;
    response.end(JSON.stringify({ home: rule.home, epoch, ...(position === null ? {} : { position }) }));
  };
  cell.scripts.set('/.cellgate/serving', (request, response) => void take(request, response));
  showRules();
  const show = (known: readonly Rule[]): void => {
    rules.clear();
    for (const rule of known) rules.set(rule.home, rule);
    showRules();
  };
  const fenced: FencedCell = Object.assign(cell, {
    rules,
    brought,
    refused,
    position: null,
    beforeTaking: () => undefined,
    show,
    say: (more: Readonly<Record<string, unknown>>) => {
      Object.assign(plain, more);
      showRules();
    },
    forget: () => show([]),
  });
  return fenced;
}

/**
 * Requests of tenants that are not its own by the newest rule it knows are refused, whatever a test has them do; not where
 * its health, as a test has it, is that of contract level 0.
 */
function fence(cell: StubCell, rules: ReadonlyMap<string, Rule>, refused: string[]): void {
  const [usual] = cell.server.listeners('request') as RequestListener[];
  cell.server.removeAllListeners('request');
  cell.server.on('request', (request, response) => {
    const { 'x-cell-home': home, 'x-tenant-id': tenant = '', 'x-cell-epoch': epoch = '0' } = request.headers;
    const rule = typeof home === 'string' ? rules.get(home) : undefined;
    const isFenced = home !== undefined && 'epochs' in (cell.health.body as object);
    if (!isFenced || (rule !== undefined && isOwn(rule, cell.id, String(tenant), Number(epoch)))) {
      usual?.(request, response);
      return;
    }
    refused.push(request.url ?? '');
    misdirects(rule?.epoch ?? null, 1, () => undefined)(request, response);
  });
}

/** Answers 421, `times` times, with what a fenced cell says then; after that as `then` does. */
export function misdirects(epoch: number | null, times: number, then: RequestListener): RequestListener {
  let left = times;
  return (request, response) => {
    if (left <= 0) {
      then(request, response);
      return;
    }
    left -= 1;
    request.resume().on('end', () => {
      response.writeHead(421, { 'content-type': 'application/json' });
      response.end(JSON.stringify(epoch === null ? {} : { epoch }));
    });
  };
}
