// Hears of changes on a connection of its own, and says whenever some may have been missed.
import { connect } from './redis-connection.ts';
import type { RedisAddress } from './redis-url.ts';

export type Subscription = {
  /** The connection may be dead without knowing: start another. */
  renew(): void;
  close(): void;
};

/**
 * Subscribes to `channel`, now and after every reconnect; `onSubscribed` follows each time, since what was published
 * before it is lost.
 */
export function subscribeTo(
  address: RedisAddress,
  timeoutMs: number,
  channel: string,
  onSubscribed: () => void,
  onMessage: (message: string) => void,
): Subscription {
  const client = connect(address, timeoutMs);
  const renew = (): void => {
    if (client.status === 'ready') client.disconnect(true);
  };
  client.on('message', (from: string, message: string) => {
    if (from === channel) onMessage(message);
  });
  client.on('ready', () => {
    client.subscribe(channel).then(onSubscribed, renew);
  });
  return { renew, close: () => client.disconnect() };
}
