/** The daemon's log: JSON lines with an event id each, never one line per packet. */
import { type DestinationStream, destination, pino, stdTimeFunctions } from "pino";
import { type EventId, type EventLevel, events } from "./events.ts";
import { EventRateLimiter } from "./rate-limiter.ts";

/** Details of an event. An `Error` belongs in `err`. No keys, no authenticators. */
export type EventFields = Readonly<Record<string, unknown>>;

export interface EventLog {
  /** Logs an event of the catalogue at its level, unless the level is switched off or the event is repeating too quickly. */
  event(id: EventId, fields?: EventFields): void;
}

export interface ClosableEventLog extends EventLog {
  setLevel(level: EventLevel): void;
  /** Writes what is buffered, and the counts of suppressed lines. Last call. */
  close(): void;
}

export interface LogOptions {
  readonly level: EventLevel;
  /** Appears in every line. */
  readonly node: string;
  /** Default: stdout, buffered up to 1 MiB while the reader is slow, so that a stuck reader never stops the daemon. */
  readonly stream?: DestinationStream;
}

const SUPPRESSION_REPORT_MS = 10_000;
const BUFFER_BYTES = 1 << 20;

export function createLog(options: LogOptions): ClosableEventLog {
  const stdout = options.stream ? undefined : destination({ fd: 1, sync: false, maxLength: BUFFER_BYTES });
  const logger = pino(
    {
      level: options.level,
      base: { node: options.node },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    options.stream ?? stdout ?? process.stdout,
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

  return {
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
    close() {
      reportSuppressed();
      stdout?.flushSync();
    },
  };
}
