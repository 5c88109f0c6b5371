// `cellgate events`: the audit log, oldest first as one reads it; `--follow` goes on with what comes.
import { setTimeout as pause } from 'node:timers/promises';
import { Failure } from '../failure.ts';
import { askAdmin } from './admin.ts';
import { eventText, type EventTold } from './events-text.ts';

const LOOK_MS = 1_000;
/** So many can not come between two looks. */
const EVENTS_MOST = 1_000;

export type EventsOptions = { limit: string; follow?: boolean; json?: boolean };
type Answer = { events: EventTold[] };

/** Prints the newest `limit` events. Throws a `Failure`: 1 where no router answers, 2 for a limit that is none. */
export async function events(options: EventsOptions, print: (text: string) => void): Promise<void> {
  const { limit, follow = false, json = false } = options;
  const told = (await askAdmin(`/v1/events?limit=${encodeURIComponent(limit)}`)) as Answer;
  if (json && !follow) {
    print(JSON.stringify(told, null, 2));
    return;
  }
  const show = (event: EventTold): void => print(json ? JSON.stringify(event) : eventText(event));
  const all = told.events.toReversed();
  all.forEach(show);
  if (follow) await goOn(all.at(-1)?.id, show);
}

/** Until the process ends. A router that does not answer for a while is told of once, and asked again. */
async function goOn(newest: string | undefined, show: (event: EventTold) => void): Promise<never> {
  let after = newest;
  let silent = false;
  for (;;) {
    await pause(LOOK_MS);
    try {
      const since = after === undefined ? '' : `&after=${after}`;
      const told = (await askAdmin(`/v1/events?limit=${EVENTS_MOST}${since}`)) as Answer;
      after = told.events[0]?.id ?? after;
      told.events.toReversed().forEach(show);
      silent = false;
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      if (!silent) process.stderr.write(`${error.message}\n`);
      silent = true;
    }
  }
}
