// When the machines that beat may be taken for all there are.
import { BEAT_TTL_MS } from './store.ts';

/**
 * Machines beat each second. Where none was heard for this long (the store was emptied, frozen, cut off from all, or
 * its clock jumped), it is not known who is alive, and a majority of the few that come back first is none: a verdict
 * waits until `BEAT_TTL_MS` after the first beat, by when each live machine has beaten. Half the time that a beat
 * counts, because after any shorter silence the beats from before it still count when the next ones are due.
 */
export const SILENCE_MS = BEAT_TTL_MS / 2;
