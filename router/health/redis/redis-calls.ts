// How the store asks Redis: every call bounded, every failure a `StoreUnavailable` that tells no address and no secret.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect, type RedisClient } from './redis-connection.ts';
import { withDeadline } from '../deadline.ts';
import type { RedisAddress } from './redis-url.ts';
import { StoreUnavailable } from '../store.ts';

export type Script = { sha: string; text: string };

/** The scripts that all begin with, which know the state; and with those, the ones that know what votes and handovers are. */
export const STATE_PARTS: readonly string[] = ['common', 'json-text', 'record-text', 'record', 'state'];
export const VERDICT_PARTS: readonly string[] = [
  ...STATE_PARTS,
  'machines',
  'tally',
  'events',
  'moved',
  'handover',
  'hash',
  'served-by',
];

/** Reads `scripts/<name>.lua` of each name, and joins them in this order: Redis' scripts can not load one another. */
export function script(...names: string[]): Script {
  const read = (name: string): string =>
    readFileSync(new URL(`./scripts/${name}.lua`, import.meta.url), 'utf8');
  const text = names.map(read).join('\n');
  return { sha: createHash('sha1').update(text).digest('hex'), text };
}

export type RedisCalls = {
  /** Runs a call on the connection; rejects when it fails or takes too long. */
  call<T>(call: (client: RedisClient) => Promise<T>): Promise<T>;
  /** Runs a script by its SHA; a Redis that does not know it (first use, restarted, failed over) is sent the text. */
  run(script: Script, keys: string[], args: string[]): Promise<unknown>;
  close(): void;
};

/**
 * Connects, and bounds every call by `timeoutMs`. A connection that left a call without an answer may be dead without
 * knowing (a peer that vanished sends no reset): it is replaced, and `onReplaced` told.
 */
export function redisCalls(address: RedisAddress, timeoutMs: number, onReplaced: () => void): RedisCalls {
  const client = connect(address, timeoutMs);
  const firstAttempt = new Promise<void>((resolve) => {
    client.once('ready', resolve);
    client.once('close', resolve);
  });
  const late = (): never => {
    if (client.status === 'ready') {
      client.disconnect(true);
      onReplaced();
    }
    throw new StoreUnavailable(`Redis did not answer within ${timeoutMs} ms`);
  };
  const calls: RedisCalls = {
    async call(call) {
      const answer = firstAttempt.then(async () => await call(client));
      try {
        return await withDeadline(answer, timeoutMs, late);
      } catch (error) {
        throw error instanceof StoreUnavailable ? error : new StoreUnavailable(problemOf(error));
      }
    },
    run: async ({ sha, text }, keys, args) =>
      await calls.call(async (client) => {
        try {
          return await client.evalsha(sha, keys.length, ...keys, ...args);
        } catch (error) {
          if (replyCode(error) !== 'NOSCRIPT') throw error;
          return await client.eval(text, keys.length, ...keys, ...args);
        }
      }),
    close: () => client.disconnect(),
  };
  return calls;
}

/** Redis' own error code (`NOAUTH`, `OOM`), or null when it is not Redis that refused. */
function replyCode(error: unknown): string | null {
  if (!(error instanceof Error) || error.name !== 'ReplyError') return null;
  return /^[A-Z]+/.exec(error.message)?.[0] ?? 'ERR';
}

/** What is wrong, by its code alone: whole messages of sockets hold addresses, those of Redis hold arguments. */
function problemOf(error: unknown): string {
  const code = replyCode(error);
  return code === null ? 'Redis is not connected' : `Redis refused: ${code}`;
}
