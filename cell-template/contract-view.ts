// What the template's own parts ask the contract: whose a tenant is by the newest rule, and to be counted while they work.

export interface Contract {
  /** Whether the tenant is this cell's now, by the newest rule it knows. */
  isOwn(home: string, tenant: string): boolean;
  /** Whether any tenant of `home` may be this cell's now: whether later work of that home is worth waiting for. */
  mayServe(home: string): boolean;
  /** The epoch of that rule; null where none is known. */
  epochOf(home: string): number | null;
  /**
   * Counts work for a tenant from now until the function that it answers is called: a handover waits for it. Null where
   * the tenant is not this cell's: nothing may be done then.
   */
  begin(home: string, tenant: string): (() => void) | null;
  /** Takes a rule that came by replication. */
  learn(rule: unknown): void;
  /** Calls `listener` after each rule that was taken. */
  onRule(listener: () => void): void;
}
