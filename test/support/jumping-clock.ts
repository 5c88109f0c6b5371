// Loaded into a process before all else (`--import`): its wall clock jumps on SIGUSR2, to where a file says.
import { readFileSync } from 'node:fs';

const file = process.env['CLOCK_FILE'] ?? '';
const RealDate = Date;
let offsetMs = 0;

process.on('SIGUSR2', () => {
  offsetMs = Number(readFileSync(file, 'utf8'));
});

globalThis.Date = new Proxy(RealDate, {
  construct(target, args: unknown[], newTarget) {
    const given = args.length > 0 ? args : [RealDate.now() + offsetMs];
    return Reflect.construct(target, given, newTarget) as Date;
  },
  get(target, name) {
    return name === 'now' ? () => RealDate.now() + offsetMs : (Reflect.get(target, name) as unknown);
  },
});
