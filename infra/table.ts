// Plain text tables for people: columns padded to their widest cell, no frames.
import { spelledOut } from '../router/faults.ts';

/**
 * Lines without a trailing line break. Every row has as many cells as `head`. Reasons, owners and versions are whatever
 * somebody wrote: none may break its row, or steer the terminal.
 */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows].map((row) => row.map(spelledOut));
  const widths = head.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return all.map(line).join('\n');
}
