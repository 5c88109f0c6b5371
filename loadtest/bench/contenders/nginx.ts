// Contender: nginx, one process, `hash … consistent`, connections to the cells that are kept.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { nginxFolders, nginxFrame, type Cell } from './cells.ts';
import { launch, type Running, type Setup } from './launch.ts';

/** Null: not installed. */
export async function startNginx(setup: Setup, port: number): Promise<Running | null> {
  const command = setup.machine.tools.nginx;
  if (command === null) return null;
  const folder = join(setup.folder, 'nginx');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'nginx.conf');
  writeFileSync(file, nginxConfig(folder, port, setup.cells));
  const args = ['-e', 'stderr', '-p', folder, '-c', file];
  return await launch(setup, { id: 'nginx', label: 'nginx', port, command, args });
}

/** Without a log, and without files for bodies. Pure. */
export function nginxConfig(folder: string, port: number, cells: readonly Cell[]): string {
  const servers = cells.map(({ host, port: cellPort }) => `server ${host}:${cellPort};`);
  return `${nginxFrame(folder)}
http {
  ${nginxFolders(folder)}
  access_log off; keepalive_timeout 3600s; keepalive_requests 1000000000;
  upstream cells {
    hash $http_x_tenant_id consistent;
    ${servers.join(' ')}
    keepalive 128; keepalive_requests 1000000000;
  }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://cells; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_max_temp_file_size 0;
    }
  }
}
`;
}
