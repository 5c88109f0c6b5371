// Host names of a test's own, whose addresses it may change while a router runs.
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

const PRELOAD = new URL('./hosts-preload.ts', import.meta.url);

export type Hosts = {
  /** What a router's environment needs beside its own. */
  env: Record<string, string>;
  /** Names under `cells.test` → addresses; an empty one: its resolver never answers. */
  set(hosts: Record<string, string>): Promise<void>;
};

export async function startHosts(hosts: Record<string, string>): Promise<Hosts> {
  const folder = await mkdtemp(join(tmpdir(), 'cellgate-hosts-'));
  onTestFinished(async () => await rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'hosts.json');
  const set = async (next: Record<string, string>): Promise<void> => {
    await writeFile(`${file}.new`, JSON.stringify(next));
    await rename(`${file}.new`, file);
  };
  await set(hosts);
  return { env: { HOSTS_FILE: file, NODE_OPTIONS: `--import=${PRELOAD.href}` }, set };
}
