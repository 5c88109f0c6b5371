// How a cell is lost, and how it comes back.
import type { BenchFleet } from './failover-fleet.ts';

export type FaultKind = 'kill' | 'freeze' | 'black hole' | 'kill, pub/sub blocked' | 'kill, with a router';

export type Fault = {
  kind: FaultKind;
  victim: string;
  /** Resolves when the cell is gone. */
  begin: () => Promise<void>;
  /** The cell is there again; resolves when it listens. */
  end: () => Promise<void>;
};

/** kill -9: its sockets are closed, the next connect is refused. It comes back on the same port. */
export function killOf(fleet: BenchFleet, turn: number): Fault {
  const { victim, cell } = pick(fleet, turn);
  return { kind: 'kill', victim, begin: () => cell.kill('SIGKILL'), end: () => cell.restart() };
}

/** SIGSTOP: the kernel goes on taking connections for it, and nobody answers. */
export function freezeOf(fleet: BenchFleet, turn: number): Fault {
  const { victim, cell } = pick(fleet, turn);
  return { kind: 'freeze', victim, begin: () => cell.kill('SIGSTOP'), end: () => cell.kill('SIGCONT') };
}

/** The line is dead: connects hang, and nothing comes through open connections. */
export function blackHoleOf({ proxy, proxied }: BenchFleet): Fault {
  return {
    kind: 'black hole',
    victim: proxied,
    begin: () => proxy.mode('black-hole'),
    end: () => proxy.mode('pass'),
  };
}

/** A kill of which no router hears by a message: the subscribers' connections carry nothing. */
export function unannouncedKillOf(fleet: BenchFleet, turn: number): Fault {
  const kill = killOf(fleet, turn);
  return {
    ...kill,
    kind: 'kill, pub/sub blocked',
    begin: async () => {
      await fleet.pubSub.mode('black-hole');
      await kill.begin();
    },
    end: async () => {
      await fleet.pubSub.mode('pass');
      await kill.end();
    },
  };
}

function pick({ direct, cells }: BenchFleet, turn: number) {
  const victim = direct[turn % direct.length] ?? '';
  const cell = cells.get(victim);
  if (cell === undefined) throw new Error('the fleet has no cell that can be killed');
  return { victim, cell };
}
