/** The daemon's log: JSON lines, each with an event id, and never one line per packet. */
import { type DestinationStream, pino, stdTimeFunctions } from "pino";
import { visibleJson } from "../../text/visible.ts";
import { type EventId, type EventLevel, events } from "./events.ts";
import { LineWriter } from "./line-writer.ts";
import { EventRateLimiter } from "./rate-limiter.ts";

/** Details of an event. An `Error` belongs in `err`. Keys and authenticators never appear in it. */
export type EventFields = Readonly<Record<string, unknown>>;

export interface EventLog {
  /**
   * Logs an event of the catalogue at its level, unless the level is switched off or the event is repeating too quickly.
   */
  event(id: EventId, fields?: EventFields): void;
}

export interface ClosableEventLog extends EventLog {
  setLevel(level: EventLevel): void;
  /** Why no lines are being written; `undefined` while they are. */
  readonly failure: string | undefined;
  /**
   * Writes what waits and the counts of suppressed lines, as far as that can be done in a second. No other call may follow.
   */
  close(): Promise<void>;
}

export interface LogOptions {
  readonly level: EventLevel;
  /** Appears in every line. */
  readonly node: string;
  /** The default is stdout, which may be slow, fail, or never be read. */
  readonly stream?: DestinationStream;
  /** Called for each line that was lost because too many were waiting already. */
  readonly lost?: () => void;
}

const SUPPRESSION_REPORT_MS = 10_000;
const LAST_LINES_MS = 1000;
const STDOUT = 1;

export function createLog(options: LogOptions): ClosableEventLog {
  const stdout =
    options.stream === undefined
      ? new LineWriter({
          descriptor: STDOUT,
          lost: () => options.lost?.(),
          resumed: (lines) => log.event("log-resumed", { lines }),
        })
      : undefined;
  const logger = pino(
    {
      level: options.level,
      base: { node: options.node },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    options.stream ?? { write: (line) => stdout?.write(visibleJson(line)) },
  );
  const limiter = new EventRateLimiter();
  let report: NodeJS.Timeout | undefined;

  function write(id: EventId, fields: EventFields): void {
    const { level, message } = events[id];
    logger[level]({ event: id, ...fields }, message);
  }

  function reportSuppressed(): void {
    clearTimeout(report);
    report = undefined;
    for (const [id, suppressed] of limiter.takeSuppressed()) write(id, { suppressed });
  }

  const log: ClosableEventLog = {
    event(id, fields = {}) {
      if (!logger.isLevelEnabled(events[id].level)) return;
      const suppressed = limiter.admit(id, performance.now());
      if (suppressed === undefined) {
        report ??= setTimeout(reportSuppressed, SUPPRESSION_REPORT_MS).unref();
      } else {
        write(id, suppressed > 0 ? { ...fields, suppressed } : fields);
      }
    },
    setLevel(level) {
      logger.level = level;
    },
    get failure() {
      return stdout?.failure;
    },
    async close() {
      reportSuppressed();
      await stdout?.end(LAST_LINES_MS);
    },
  };
  return log;
}
