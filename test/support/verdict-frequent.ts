// What random histories must be rich in: those in which nothing happens would show nothing.

const FREQUENT = `
  opened
  undone
  undone, adopted
  undone, adopted cut-over
  opened, adopted
  failover
  failover in closing
  relapse
  relapse from home
  lost
  lost with a share
  lost in closing
  forced
  forced in closing
  forced, longer
  forced, by hand now
  kept away
  drain, back
  neighbour
  kept
  neighbour, later
  neighbour, unsynced
  step to 90
  step to 50
  step to 0
  drain expiry
  pin expiry
  pin expiry, another
  unpinned
  drain, all
  drain, some
  drain ended
  same share
  restore
  pin
  unpin
  same pin
  cut-over
  cut over
  gained
  budget
  no-target
  no-target, guests of before
  no-standby
  suspect-release
  warming-up
  two of one router
  refused: already-away
  refused: handover-under-way
  refused: no-neighbour
  refused: no-standby
  refused: not-at-home
  refused: not-caught-up
  refused: not-found
  refused: target-away
  refused: target-down
  refused: target-drained
  refused: third-cell
  refused: too-many-moves
  refused: warming-up
`
  .trim()
  .split(/\s*\n\s*/);

/** What happened less often than once in five hundred histories. `seen`: how often each thing did in all of them. */
export function rareIn(seen: ReadonlyMap<string, number>, runs: number): string[] {
  return FREQUENT.filter((name) => (seen.get(name) ?? 0) <= runs / 500);
}

/** Adds to `all` what one history saw. */
export function addTo(all: Map<string, number>, seen: ReadonlyMap<string, number>): void {
  for (const [name, count] of seen) all.set(name, (all.get(name) ?? 0) + count);
}
