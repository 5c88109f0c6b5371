// What stands between the router and cells that speak plain HTTP, for tests of the parts that connect to them.
import { pino } from 'pino';
import { Names } from '../../router/names.ts';
import type { Network } from '../../router/origin-pool.ts';
import { CellTls } from '../../router/tls/cell-tls.ts';
import { Expiries } from '../../router/tls/expiries.ts';

export function plainNetwork(): Network {
  const log = pino({ level: 'silent' });
  return { names: new Names(30_000), tls: new CellTls({}, new Expiries(), log) };
}
