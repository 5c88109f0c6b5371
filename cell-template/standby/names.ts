// What the databases, subscriptions and slots of a pair are called, and how one server reaches the other.

/** The copy of `home`'s data, on its neighbour's server. */
export function standbyDatabase(home: string): string {
  return `standby_${home}`;
}

/**
 * PostgreSQL cuts names after 63 bytes, and a slot's is the longest of them: `standby_`, the home, and who reads from it.
 */
export const PAIRED_NAME_BYTES = 38;

/** In the standby: what comes from `home`. */
export function standbySubscription(home: string): string {
  return `standby_${home.replaceAll('-', '_')}`;
}

/** In the home's own database: what its guests wrote next door. */
export function guestsSubscription(home: string): string {
  return `guests_${home.replaceAll('-', '_')}`;
}

/**
 * The slot of a subscription, which may hold no hyphen. `subscriber`: the system identifier of its server: another server that
 * subscribes to the same, be it a former neighbour's, has a slot of its own and takes nothing from this one.
 */
export function slotOf(subscription: string, subscriber: string): string {
  return `${subscription}_${BigInt(subscriber).toString(16).slice(-8)}`;
}

/** The same server, another database. */
export function withDatabase(url: string, database: string): string {
  const changed = new URL(url);
  changed.pathname = `/${encodeURIComponent(database)}`;
  return changed.href;
}

export type LinkState = 'synced' | 'copying';

/**
 * How a subscription connects to its publisher. Its name there says whether it still copies: what such a one confirms is
 * not all there yet, and no write may rely on it (`synchronous_standby_names`).
 */
export function connectionOf(url: string, subscription: string, state: LinkState): string {
  const connection = new URL(url);
  connection.searchParams.set(
    'application_name',
    state === 'synced' ? subscription : `${subscription}_copying`,
  );
  connection.searchParams.set('connect_timeout', '3');
  connection.searchParams.set('keepalives_idle', '5');
  connection.searchParams.set('keepalives_interval', '2');
  connection.searchParams.set('keepalives_count', '3');
  // libpq decodes no `+`.
  return connection.href.replaceAll('+', '%20');
}
