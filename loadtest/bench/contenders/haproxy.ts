// Contender: HAProxy, one thread, `balance hdr` with `hash-type consistent`; also with TLS and HTTP/2 in front.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Cell } from './cells.ts';
import { launch, type Running, type Setup } from './launch.ts';
import type { Pems } from './pems.ts';

/** Null: not installed. `pems`: it listens with TLS, and offers HTTP/2. */
export async function startHaproxy(
  setup: Setup,
  port: number,
  pems: Pems | null = null,
): Promise<Running | null> {
  const command = setup.machine.tools.haproxy;
  if (command === null) return null;
  const id = pems === null ? 'haproxy' : 'haproxy-tls';
  const file = join(setup.folder, `${id}.cfg`);
  const bind = pems === null ? '' : `ssl crt ${pems.both} alpn h2,http/1.1`;
  writeFileSync(file, haproxyConfig(`127.0.0.1:${port} ${bind}`.trim(), setup.cells));
  const label = pems === null ? 'HAProxy' : 'HAProxy, TLS';
  const tls = pems === null ? {} : { ca: pems.ca };
  return await launch(setup, { id, label, port, command, args: ['-f', file, '-db'], ...tls });
}

/** Pure. */
export function haproxyConfig(bind: string, cells: readonly Cell[]): string {
  const servers = cells.map(({ id, host, port }) => `  server ${id} ${host}:${port}`);
  return `global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 2s
  timeout client 3600s
  timeout server 3600s
frontend tenants
  bind ${bind}
  default_backend cells
backend cells
  balance hdr(x-tenant-id)
  hash-type consistent
  http-reuse always
${servers.join('\n')}
`;
}
