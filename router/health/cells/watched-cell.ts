// One cell as this router watches it: its probes, its traffic, and what they add up to.
import type { Config } from '../../config.ts';
import type { CellClock } from './cell-clock.ts';
import type { Network } from '../../origin-pool.ts';
import { LoneFailure } from './lone-failure.ts';
import { Opinion, type OpinionState } from './opinion.ts';
import { Probe, type ProbeResult } from './probe.ts';
import { Prober } from './prober.ts';
import type { Vote } from '../record.ts';
import { TrafficWindow } from './traffic-window.ts';

/** A cell that fails within this time of a change of its version is suspected of a bad release. */
const RELEASE_SUSPECT_MS = 60_000;

/** What an answer to a client says of its cell. `bad`: a gateway's error, a reset, a time-out. */
export type AnswerOutcome = 'good' | 'bad' | 'overloaded';

type ProbeConfig = Pick<Config, 'PROBE_INTERVAL_MS' | 'PROBE_TIMEOUT_MS' | 'FALL' | 'RISE'>;

export type CellEvents = {
  /** The opinion of the cell has changed. */
  turned(cell: WatchedCell): void;
  /** One tenant has failed for long while the cell answered the others. */
  failsAlone(cell: WatchedCell, tenant: string): void;
  /** A probe was answered, or was not; what it told has been taken in. */
  probed(cell: WatchedCell, result: ProbeResult): void;
};

export class WatchedCell {
  readonly id: string;
  readonly origin: string;
  readonly clock: CellClock;
  readonly #opinion: Opinion;
  readonly #prober: Prober;
  readonly #overload = new TrafficWindow();
  readonly #loneFailure = new LoneFailure();
  readonly #events: CellEvents;
  #version: string | null = null;
  #versionSinceMs: number | null = null;
  #caughtUp: boolean | null = null;
  #degraded = false;
  #probed = false;
  #stopped = false;

  /** Begins to probe at once. */
  constructor(id: string, origin: string, config: ProbeConfig, network: Network, events: CellEvents) {
    const { PROBE_INTERVAL_MS, PROBE_TIMEOUT_MS, FALL, RISE } = config;
    this.id = id;
    this.origin = origin;
    this.#events = events;
    this.#opinion = new Opinion(FALL, RISE);
    const probe = new Probe(id, origin, PROBE_TIMEOUT_MS, network);
    this.clock = probe.clock;
    this.#prober = new Prober(probe, PROBE_INTERVAL_MS, (result) => this.#take(result));
  }

  get state(): OpinionState {
    return this.#opinion.state;
  }

  get unreachable(): boolean {
    return this.#opinion.unreachable;
  }

  /** As its last health answer said. */
  get version(): string | null {
    return this.#version;
  }

  /** Whether it was asked at least once, answered or not. */
  get probed(): boolean {
    return this.#probed;
  }

  /** Whether it has more than it can carry: by its own word, or by what it answers to clients. */
  get pressed(): boolean {
    return this.#degraded || this.#overload.exceededAt(performance.now());
  }

  /** The vote, with what is known beside the opinion: its word on being caught up, and a recent release. */
  get vote(): Vote | undefined {
    const { vote } = this.#opinion;
    if (vote?.opinion === 'up') return this.#caughtUp === null ? vote : { ...vote, caughtUp: this.#caughtUp };
    if (vote?.evidence !== 'failing' || this.#versionSinceMs === null) return vote;
    const fresh = performance.now() - this.#versionSinceMs < RELEASE_SUSPECT_MS;
    return fresh ? { ...vote, suspect: 'release' } : vote;
  }

  /** From traffic: a connection could not be made. `reason`: words without addresses. */
  observeNoConnection(reason: string): void {
    this.#observe(() => this.#opinion.observeFailure('unreachable', reason));
    this.#prober.hurry();
  }

  /** From traffic: an answer came, or a reset or a time-out instead of one (`bad`). */
  observeAnswer(outcome: AnswerOutcome, tenant: string | null): void {
    const nowMs = performance.now();
    this.#overload.count(outcome === 'overloaded', tenant, nowMs);
    this.#observe(() => this.#opinion.observeAnswer(outcome === 'bad', tenant, nowMs));
    if (outcome !== 'bad') return;
    this.#prober.hurry();
    const alone = this.#loneFailure.look(this.#opinion.failsAlone, nowMs);
    if (alone !== null && alone !== '') this.#events.failsAlone(this, alone);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#prober.stop();
  }

  #take(result: ProbeResult): void {
    this.#probed = true;
    if (result.version !== null) this.#tellVersion(result.version);
    if (result.told !== null) {
      this.#caughtUp = result.told.caughtUp;
      this.#degraded = result.told.degraded;
    }
    this.#observe(() => {
      if (result.ok) this.#opinion.probeSucceeded();
      else this.#opinion.observeFailure(result.evidence, result.reason);
    });
    this.#events.probed(this, result);
  }

  #tellVersion(version: string): void {
    if (this.#version !== null && this.#version !== version) this.#versionSinceMs = performance.now();
    this.#version = version;
  }

  #observe(act: () => void): void {
    if (this.#stopped) return;
    const before = this.#opinion.state;
    act();
    if (this.#opinion.state !== before) this.#events.turned(this);
  }
}
