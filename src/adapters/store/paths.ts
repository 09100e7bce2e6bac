/** The files of a store; directory.ts says what they are. Without the database itself, for those who only want to know. */
import { join } from "node:path";

export interface StorePaths {
  readonly directory: string;
  readonly boot: string;
  readonly pid: string;
  readonly data: string;
  readonly log: string;
  readonly tables: string;
  readonly closed: string;
}

export function storePaths(directory: string): StorePaths {
  const data = join(directory, "data");
  return {
    directory,
    boot: join(directory, "boot.sqlite"),
    pid: join(directory, "pid"),
    data,
    log: join(data, "log.sqlite"),
    tables: join(data, "tables.sqlite"),
    closed: join(data, "closed"),
  };
}

/** SQLite, on Unix: `MAX_PATHNAME`, which has to hold the longest of the suffixes too. */
const DATABASE_PATH_BYTES = 512;
const LONGEST_SUFFIX = "-journal";

/** Why no database can be at this absolute path; `undefined` if one can. */
export function faultOfDatabasePath(path: string): string | undefined {
  const most = DATABASE_PATH_BYTES - LONGEST_SUFFIX.length;
  const length = Buffer.byteLength(path);
  if (length <= most) return undefined;
  return `${path} is too long for the path of a database: it has ${length} bytes, ${most} are possible`;
}
