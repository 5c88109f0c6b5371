// What is done to a pair of cells while clients write: a scenario each, in the order of the report's table.
import type { FleetOptions } from './fleet.ts';
import { playAsleepRouter, playWrongClock } from './plays-clocks.ts';
import {
  playKilled,
  playKilledNeighbour,
  playKilledPair,
  playLostDisk,
  playRestartedDatabase,
} from './plays-deaths.ts';
import { playCut, playFailover, playLostNeighbour, playSameKey } from './plays-guests.ts';
import { playInterrupted } from './plays-handovers.ts';
import { playHalfRelease } from './plays-release.ts';
import type { Scene } from './scene.ts';

export type Scenario = {
  name: string;
  play: (scene: Scene) => Promise<void>;
  durability?: FleetOptions['durability'];
  /** A disk was lost: with it at most what the lag shown covered. */
  mayLose?: true;
  /** Nobody dies and nothing is cut: whoever answers must have all that was acknowledged by anybody. */
  unharmed?: true;
};

export const SCENARIOS: readonly Scenario[] = [
  { name: 'kill -9 of the cell', play: playKilled('process') },
  { name: 'kill -9 of its PostgreSQL', play: playRestartedDatabase },
  { name: 'kill -9 of both', play: playKilled('both') },
  { name: 'kill -9 of the neighbour', play: playKilledNeighbour },
  { name: 'kill -9 of both cells', play: playKilledPair },
  { name: 'replication is cut', play: playCut },
  { name: 'failover, guest writes, failback', play: playFailover },
  { name: 'the same key again on the guest', play: playSameKey },
  { name: 'the neighbour is lost while serving guests', play: playLostNeighbour },
  { name: 'drain and restore', play: playInterrupted('nothing'), unharmed: true },
  { name: 'a router is killed in closing', play: playInterrupted('router') },
  { name: 'the losing cell is killed in closing', play: playInterrupted('losing cell') },
  { name: 'the gaining cell is killed in closing', play: playInterrupted('gaining cell') },
  { name: 'Redis is lost in closing', play: playInterrupted('Redis') },
  { name: 'a release is half rolled out', play: playHalfRelease },
  { name: 'a router is asleep across a failover', play: playAsleepRouter },
  { name: "the home's clock is 5 s ahead", play: playWrongClock },
  { name: "the home's disk is lost", play: playLostDisk, mayLose: true },
  { name: "the home's disk is lost, sync", play: playLostDisk, durability: 'sync' },
];
