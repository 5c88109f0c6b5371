// Runs before the tests: finds a Redis server on this machine, installs one where it may, or says what to install.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { findRedisServer } from './support/redis.ts';

const PACKAGE_PID_FILE = '/run/redis/redis-server.pid';
// RUNLEVEL=1 keeps the package from starting its own service: the tests start theirs, on ports of their own.
const APT_ENV = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };

if (findRedisServer() === null) {
  if (mayInstall()) install();
  if (findRedisServer() === null) {
    console.error(
      'The tests need a real Redis: install redis-server (Debian: apt-get install redis-server) or valkey-server and put it on the PATH.',
    );
    process.exitCode = 1;
  }
}

function mayInstall(): boolean {
  return existsSync('/etc/debian_version') && process.getuid?.() === 0 && run('apt-get', ['--version']) === 0;
}

function install(): void {
  console.log('no redis-server on this machine: installing it with apt-get');
  apt('update');
  apt('install', '-y', '--no-install-recommends', 'redis-server');
  if (existsSync(PACKAGE_PID_FILE)) run('service', ['redis-server', 'stop']);
}

function apt(...args: string[]): void {
  run('apt-get', ['-o', 'DPkg::Lock::Timeout=120', ...args]);
}

/** The exit code. Whatever the command prints is dropped: a failure shows in the one sentence at the end. */
function run(command: string, args: string[]): number | null {
  return spawnSync(command, args, { stdio: 'ignore', env: APT_ENV }).status;
}
