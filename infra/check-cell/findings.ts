// What was found of a cell: one line a requirement of its contract, and the level that they add up to.
import { oneLine } from '../failure.ts';

export type Level = 0 | 1 | 2;
/** `holds`: null where it was not tried. `result`: what is missing, or why it was not tried. */
export type Finding = { level: Level; requirement: string; holds: boolean | null; result: string };

export class Findings {
  readonly all: Finding[] = [];
  /** The cell has not answered: it is not asked for more. */
  #silent: string | null = null;

  /** Notes what `look` has found: what is missing, or null where it holds. Answers whether it does. */
  async look(level: Level, requirement: string, look: () => Promise<string | null>): Promise<boolean> {
    if (this.#silent !== null) {
      this.skip(level, requirement, this.#silent);
      return false;
    }
    let missing: string | null;
    try {
      missing = await look();
    } catch (error) {
      missing = oneLine(error);
      this.#silent = 'it did not answer before';
    }
    this.all.push({ level, requirement, holds: missing === null, result: missing ?? 'holds' });
    return missing === null;
  }

  skip(level: Level, requirement: string, why: string): void {
    this.all.push({ level, requirement, holds: null, result: `not tried: ${why}` });
  }

  /** The level all of whose requirements, and those of the levels below, were tried and hold; null: none. */
  get level(): Level | null {
    const holds = (level: Level): boolean =>
      this.all.every((finding) => finding.level > level || finding.holds === true);
    return ([2, 1, 0] as const).find(holds) ?? null;
  }
}
