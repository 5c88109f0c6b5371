// How a router's process is started, here and by every run that measures one: as `npm run router` does it.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const ROOT = join(import.meta.dirname, '../..');

/** What was compiled once is not compiled again. */
export const PRELOAD: readonly string[] = ['--import', pathToFileURL(join(ROOT, 'node-version.mjs')).href];

/** Arguments of Node. */
export const ROUTER_ARGS: readonly string[] = [...PRELOAD, join(ROOT, 'router/main.ts')];

/** Several arenas cost memory, and win nothing (docs/performance.md). */
export const ROUTER_ENV = { MALLOC_ARENA_MAX: '1' } as const;
