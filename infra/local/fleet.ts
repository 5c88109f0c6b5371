// The running local fleet: starts its processes in order, restarts one, stops them all.
import type { Server } from 'node:http';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { EXIT, Failure, oneLine } from '../failure.ts';
import { Child, type ChildSpec, type Exit } from './child.ts';
import { serveControl, type Status } from './control.ts';
import { killDatabases } from './databases.ts';
import { removeFolders } from './leftovers.ts';
import { removeEntry, writeEntry, type Entry } from './registry.ts';

const GRACE_MS = { router: 1_500, cell: 3_000, redis: 500 };
/** How long a stop takes in all before the rest is killed: with that, a stop is over within 5 s. */
const STOP_LIMIT_MS = 3_000;
const READY_LIMIT_MS = 60_000;
const RESPAWN_MS = 3_000;
const RESPAWN_LONGEST_MS = 60_000;
/** One that lived this long did not keep dying: the next wait is the shortest again. */
const LIVED_WELL_MS = 10_000;

type Say = (line: string) => void;

export class LocalFleet {
  readonly #children = new Map<string, Child>();
  readonly #entry: Entry;
  readonly #respawn: boolean;
  readonly #say: Say;
  readonly #restarts = new Map<string, Promise<unknown>>();
  readonly #respawns = new Map<string, number>();
  #control: Server | undefined;
  #stopping = false;

  /** `entry` is what the registry shall know; its children are filled in here, as they come and go. */
  constructor(specs: readonly ChildSpec[], entry: Entry, respawn: boolean, say: Say) {
    this.#entry = entry;
    this.#respawn = respawn;
    this.#say = say;
    for (const spec of specs) {
      const log = join(entry.folder, 'logs', `${spec.name}.log`);
      this.#children.set(spec.name, new Child(spec, log, (child, exit) => this.#exited(child, exit)));
    }
  }

  /** Redis, then all cells, then all routers: a router that probes a cell too early would vote against it. */
  async start(): Promise<void> {
    writeEntry(this.#entry);
    this.#control = await serveControl(this.#entry.socket, this);
    for (const kind of ['redis', 'cell', 'router'] as const) {
      const group = this.#ofKind(kind);
      for (const child of group) this.#launch(child);
      await Promise.all(group.map((child) => child.untilReady(READY_LIMIT_MS)));
    }
  }

  status(): Status[] {
    return [...this.#children.values()].map(({ spec, state, pid }) => ({
      name: spec.name,
      kind: spec.kind,
      state,
      url: spec.kind === 'redis' ? '' : spec.url,
      pid: pid ?? null,
    }));
  }

  /** Stops the process if it runs, starts it where it was, and answers once it is ready. One at a time for each. */
  async restart(name: string): Promise<Status> {
    const child = this.#children.get(name);
    if (child === undefined) {
      throw new Failure(
        EXIT.badInput,
        `${name} is not part of this fleet (known: ${[...this.#children.keys()].join(', ')})`,
      );
    }
    const before = this.#restarts.get(name) ?? Promise.resolve();
    const restarted = before.catch(() => undefined).then(() => this.#restartNow(child));
    this.#restarts.set(name, restarted);
    await restarted;
    const status = this.status().find((row) => row.name === name);
    if (status === undefined) throw new Failure(EXIT.no, `${name} is gone`);
    return status;
  }

  async #restartNow(child: Child): Promise<void> {
    await child.stop(GRACE_MS[child.spec.kind]);
    this.#launch(child);
    await child.untilReady(READY_LIMIT_MS);
    this.#say(`${child.spec.name} is up again at ${child.spec.url} (pid ${child.pid})`);
  }

  #launch(child: Child): void {
    if (this.#stopping) throw new Failure(EXIT.no, 'the fleet is stopping');
    child.start();
    this.#mark();
  }

  /** Keeps the registry's entry true: it is all that is left to the next runner if this one is killed. */
  #mark(): void {
    this.#entry.children = [...this.#children.values()].flatMap(({ spec, mark }) =>
      mark === undefined ? [] : [{ name: spec.name, ...mark }],
    );
    writeEntry(this.#entry);
  }

  #exited(child: Child, exit: Exit): void {
    if (this.#stopping) return;
    this.#mark();
    const { name } = child.spec;
    // One that never became ready is reported to whoever is waiting for it, unless nobody but this file is.
    if (exit.wanted || (!exit.wasReady && !this.#respawns.has(name))) return;
    if (!this.#respawn) {
      this.#say(`${name} exited (${exit.how}); bring it back: npx cellgate local restart ${name}`);
      return;
    }
    const tries = exit.livedMs > LIVED_WELL_MS ? 0 : (this.#respawns.get(name) ?? 0);
    this.#respawns.set(name, tries + 1);
    const waitMs = Math.min(RESPAWN_MS * 2 ** tries, RESPAWN_LONGEST_MS);
    this.#say(`${name} exited (${exit.how}); it is started again in ${waitMs / 1_000} s`);
    void this.#respawnIn(waitMs, child);
  }

  async #respawnIn(waitMs: number, child: Child): Promise<void> {
    await pause(waitMs, undefined, { ref: false });
    if (this.#stopping || child.pid !== undefined) return;
    await this.restart(child.spec.name).catch((error: unknown) => {
      if (!this.#stopping) this.#say(oneLine(error));
    });
  }

  /** Routers, cells and the databases of those that were killed, Redis; then nothing of the fleet is left. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const late = pause(STOP_LIMIT_MS, undefined, { ref: false }).then(() => this.kill());
    await Promise.race([this.#stopInOrder(), late]);
  }

  async #stopInOrder(): Promise<void> {
    for (const kind of ['router', 'cell', 'redis'] as const) await this.#stopKind(kind);
    this.#forget();
  }

  /** The same at once, with nobody asked. */
  async kill(): Promise<void> {
    this.#stopping = true;
    const children = [...this.#children.values()];
    await Promise.all(children.map((child) => child.kill()));
    await killDatabases(this.#entry.dataDirs);
    for (const child of children) child.sweep();
    this.#forget();
  }

  async #stopKind(kind: ChildSpec['kind']): Promise<void> {
    await Promise.all(
      this.#ofKind(kind).map(async (child) => {
        await child.stop(GRACE_MS[kind]);
        await killDatabases(child.spec.dataDir === undefined ? [] : [child.spec.dataDir]);
        child.sweep();
      }),
    );
  }

  #ofKind(kind: ChildSpec['kind']): Child[] {
    return [...this.#children.values()].filter(({ spec }) => spec.kind === kind);
  }

  #forget(): void {
    this.#control?.close();
    this.#control?.closeAllConnections();
    removeFolders(this.#entry);
    removeEntry(this.#entry);
  }
}
