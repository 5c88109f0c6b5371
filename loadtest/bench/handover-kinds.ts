// The kinds of change that the benchmark of handovers plays, in the order of its table.

export const KINDS = [
  'no change',
  'drain 0→10→50→100→50→0 %',
  'evacuate',
  'restore',
  'failback after kill -9',
  'pin and unpin',
  'expiry of a drain',
  'expiry of a pin',
  'neighbour by the file',
  'cut-over to a new cell',
  'cut-over from a leaving one',
  'a request stays inside: undone',
  'a router is killed in closing',
  'a router is asleep',
  'Redis is lost in closing',
] as const;

export type Kind = (typeof KINDS)[number];
