// One process of the local fleet: a cell, a router or Redis, in a session of its own, its output in a log file.
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { EXIT, Failure } from '../failure.ts';
import { markOf, signal, type ProcessMark } from './process-mark.ts';

export type ChildSpec = {
  name: string;
  kind: 'cell' | 'router' | 'redis';
  command: string;
  args: readonly string[];
  /** The whole environment. */
  env: Record<string, string>;
  /** Written to its stdin, which then ends. */
  stdin?: string;
  url: string;
  /** Where a cell keeps its data: its PostgreSQL may outlive it. */
  dataDir?: string;
  isReady: () => Promise<boolean>;
};

/** `wanted`: true when the runner itself had asked for the exit. `how`: a signal's name or `exit code N`. */
export type Exit = { how: string; wanted: boolean; livedMs: number; wasReady: boolean };

const LAST_LINES = 5;
const POLL_MS = 25;

export class Child {
  readonly spec: ChildSpec;
  readonly logFile: string;
  state = 'not started';
  mark: ProcessMark | undefined;
  #process: ChildProcess | undefined;
  #gone: Promise<void> = Promise.resolve();
  #group: number | undefined;
  #stopping = false;
  readonly #onExit: (child: Child, exit: Exit) => void;

  constructor(spec: ChildSpec, logFile: string, onExit: (child: Child, exit: Exit) => void) {
    this.spec = spec;
    this.logFile = logFile;
    this.#onExit = onExit;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Starts it. `detached` makes a new session, so that the terminal's Ctrl-C reaches the runner alone. */
  start(): void {
    const { command, args, env, stdin } = this.spec;
    mkdirSync(dirname(this.logFile), { recursive: true });
    const log = openSync(this.logFile, 'a');
    const startedMs = performance.now();
    try {
      const input = stdin === undefined ? 'ignore' : 'pipe';
      const child = spawn(command, args, { env, detached: true, stdio: [input, log, log] });
      this.#process = child;
      this.#group = child.pid;
      this.#stopping = false;
      this.state = 'starting';
      this.mark = child.pid === undefined ? undefined : markOf(child.pid);
      // It may die before it has read all of it; that is the exit's story, not the pipe's.
      child.stdin?.on('error', () => undefined).end(stdin);
      this.#gone = new Promise((resolve) => {
        const ended = (how: string): void => {
          if (this.#process !== child) return;
          this.#ended(how, performance.now() - startedMs);
          resolve();
        };
        child.once('error', (error) => ended(error.message));
        child.once('exit', (code, name) => ended(name ?? `exit code ${code}`));
      });
    } finally {
      closeSync(log);
    }
  }

  #ended(how: string, livedMs: number): void {
    const wasReady = this.state === 'ready';
    this.#process = undefined;
    this.mark = undefined;
    this.state = `exited (${how})`;
    this.#onExit(this, { how, wanted: this.#stopping, livedMs, wasReady });
  }

  /** Resolves once it answers. Throws a `Failure` with its last log lines when it exits, or takes `limitMs`. */
  async untilReady(limitMs: number): Promise<void> {
    const end = performance.now() + limitMs;
    const process = this.#process;
    while (this.#process !== undefined && this.#process === process) {
      if (performance.now() > end) {
        throw new Failure(
          EXIT.no,
          `${this.spec.name} was not ready within ${limitMs / 1_000} s${this.lastLines()}`,
        );
      }
      if (await this.spec.isReady().catch(() => false)) {
        if (this.#process === process) this.state = 'ready';
        break;
      }
      await pause(POLL_MS);
    }
    if (this.#process === undefined || this.#process !== process) {
      throw new Failure(EXIT.no, `${this.spec.name} ${this.state} before it was ready${this.lastLines()}`);
    }
  }

  /** SIGTERM, and SIGKILL when it is not gone after `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    const { pid } = this;
    if (pid === undefined) return;
    this.#stopping = true;
    signal(pid, 'SIGTERM');
    const impatience = setTimeout(() => void this.kill(), graceMs);
    await this.#gone;
    clearTimeout(impatience);
  }

  /** SIGKILL, to it alone: its PostgreSQL has a better way to end. Resolves when it is gone. */
  async kill(): Promise<void> {
    this.#stopping = true;
    if (this.pid === undefined) return;
    signal(this.pid, 'SIGKILL');
    await this.#gone;
  }

  /** SIGKILL to all that it left in its process group: an `initdb` that was under way, for one. */
  sweep(): void {
    if (this.#group !== undefined) signal(this.#group, 'SIGKILL', { group: true });
    this.#group = undefined;
  }

  /** The end of its log, indented, to follow a sentence. */
  lastLines(): string {
    const lines = readFileSync(this.logFile, 'utf8').trimEnd().split('\n').slice(-LAST_LINES);
    return lines.map((line) => `\n  ${line}`).join('');
  }
}
