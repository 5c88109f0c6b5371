// What forwarding asks of health, and what it tells it: answered from memory, so that no request waits for either.
import type { Knowledge } from '../choose-cell.ts';
import type { AnswerOutcome } from '../health/cells/watched-cell.ts';
import type { OpinionState } from '../health/cells/opinion.ts';
import type { HeldWhy } from '../health/record.ts';
import type { InFlight } from '../health/verdicts/suspects.ts';

export type CellKnowledge = Knowledge & {
  opinionOf(cell: string): OpinionState;
  /** Now, in epoch milliseconds of the cell's own clock, as far as it has shown it. */
  timeAt(cell: string): number;
  /** Why the store holds a failover of `home` back; null: it does not. */
  heldBack(home: string): HeldWhy | null;
  /** Whether verdicts can be had at all: the store answers. */
  readonly storeAnswers: boolean;
  /** From traffic: a connection to the cell could not be made. */
  observeNoConnection(cell: string, reason: string): void;
  /** From traffic: an answer came, or a reset or a time-out instead of one (`bad`). */
  observeAnswer(cell: string, outcome: AnswerOutcome, tenant: string | null): void;
  /** From traffic: a request of a tenant's was inside the cell, and its connection broke before the answer was whole. */
  observeBroken(cell: string, one: InFlight): void;
  /** A cell knows a newer rule than this router: asks the store now instead of at the next beat. */
  askStore(): void;
  /** Brings the rule in force for `home` to `cell`; resolves when the cell has it, or has not taken it. */
  deliverRule(home: string, cell: string): Promise<void>;
};
