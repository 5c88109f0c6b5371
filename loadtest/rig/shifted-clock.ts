// Loaded into a cell before all else (`--import`): its wall clock is ahead by CLOCK_AHEAD_MS, as its answers' `Date` shows.
import { ServerResponse } from 'node:http';

const aheadMs = Number(process.env['CLOCK_AHEAD_MS'] ?? 0);
const RealDate = Date;

globalThis.Date = new Proxy(RealDate, {
  construct(target, args: unknown[], newTarget) {
    const given = args.length > 0 ? args : [RealDate.now() + aheadMs];
    return Reflect.construct(target, given, newTarget) as Date;
  },
  get(target, name) {
    return name === 'now' ? () => RealDate.now() + aheadMs : (Reflect.get(target, name) as unknown);
  },
});

// Node's own `Date` header comes from the clock that was there before this.
const writeHead = Reflect.get(ServerResponse.prototype, 'writeHead') as (...args: unknown[]) => unknown;
Object.assign(ServerResponse.prototype, {
  writeHead(this: ServerResponse, ...args: unknown[]): unknown {
    if (!this.headersSent && !this.hasHeader('date')) this.setHeader('date', new Date().toUTCString());
    return Reflect.apply(writeHead, this, args);
  },
});
