/** Where something stands in a configuration file. */

/** Keys and indices that lead to a value. */
export type Path = readonly (string | number)[];

/** Both from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A file that knows where its parts stand. */
export interface Located {
  readonly file: string;
  /** Where the value at the path stands; if there is none, where it is missing. */
  locate(path: Path): Position;
  /** Where the last key of the path stands. */
  locateKey(path: Path): Position;
}
