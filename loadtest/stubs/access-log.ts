// The access log of a stub cell: a line when it begins to serve a tenant, and one when it is done with it.
import { openSync, readFileSync, writeSync } from 'node:fs';
import type { Served } from './stub-options.ts';

type Begun = Omit<Served, 'at' | 'untilMs'>;
/** `id` joins the two lines of one service; it holds for one process. */
type Line = ({ begun: string; at: number } & Begun) | { ended: string; at: number };

export class AccessLog {
  readonly #file: number;
  #count = 0;

  constructor(path: string) {
    this.#file = openSync(path, 'a');
  }

  /**
   * Written as the service begins, in one system call: a kill can not lose it. Answers what is to be called when nothing
   * is done for the tenant any more; called before the answer is written, so that nobody can know of its end sooner.
   */
  begin(begun: Begun): () => void {
    const id = `${process.pid}-${(this.#count += 1)}`;
    this.#write({ begun: id, at: nowMs(), ...begun });
    return () => this.#write({ ended: id, at: nowMs() });
  }

  #write(line: Line): void {
    writeSync(this.#file, `${JSON.stringify(line)}\n`);
  }
}

function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

/** What was served by the processes that wrote to this file, in the order in which it began. */
export function readAccessLog(path: string): Served[] {
  const served = new Map<string, Served>();
  for (const text of readFileSync(path, 'utf8').split('\n')) {
    if (text === '') continue;
    const line = JSON.parse(text) as Line;
    if ('ended' in line) {
      const known = served.get(line.ended);
      if (known !== undefined) known.untilMs = line.at;
    } else {
      const { begun, ...rest } = line;
      served.set(begun, { ...rest, untilMs: null });
    }
  }
  return [...served.values()];
}
