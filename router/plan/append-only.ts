// Whether a new fleet file only adds to the history of the old one. Pure.
import type { Generation, PlacementInput } from '../placement/history.ts';

/** What the new history changes of the old one, in words; none: it only adds to it. */
export function rewritten(before: PlacementInput, after: PlacementInput): string[] {
  return [...changedGenerations(before.generations, after.generations), ...changedWeights(before, after)];
}

function changedGenerations(before: readonly Generation[], after: readonly Generation[]): string[] {
  return before.flatMap((old, index) => {
    const now = after[index];
    if (now === undefined) return [`generations.${index} is gone`];
    if (contentOf(old) !== contentOf(now)) return [`generations.${index} is another one now`];
    // Settling is how a cut-over ends; what was settled has moved, and its old home knows nothing of it any more.
    return index > 0 && old.settled === true && now.settled !== true
      ? [`generations.${index} was settled, and is not any more`]
      : [];
  });
}

function contentOf({ add = [], remove = [], reweight = {} }: Generation): string {
  const byName = Object.entries(reweight).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([[...add].sort(), [...remove].sort(), byName]);
}

/** A cell's `weight` is the one at joining: it is part of the generation that added the cell. */
function changedWeights(before: PlacementInput, after: PlacementInput): string[] {
  const joined = new Set(before.generations.flatMap(({ add = [] }) => add));
  return [...joined].sort().flatMap((cell) => {
    const [old, now] = [before.cells.get(cell)?.weight, after.cells.get(cell)?.weight];
    if (now === undefined || old === now) return [];
    return [`cells.${cell}.weight was ${old} when it joined (a generation may reweight it)`];
  });
}
