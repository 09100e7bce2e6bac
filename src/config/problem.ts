import type { Located, Path, Position } from "./place.ts";

export interface ConfigProblem {
  /** With a warning only, the configuration can be used. */
  readonly severity: "error" | "warning";
  readonly file: string;
  /** From 1; absent where the whole file is meant. */
  readonly line?: number;
  readonly column?: number;
  /** Of the value, as in `members[0].bgp.as`; empty where the whole file is meant. */
  readonly path: string;
  /** What is wrong, what is expected, what was found. */
  readonly message: string;
}

/** A configuration that can't be used, with everything that is wrong with it. */
export class ConfigError extends Error {
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    super(problems.map(formatProblem).join("\n"));
    this.name = "ConfigError";
    this.problems = problems;
  }
}

/** `FILE:LINE:COLUMN: error: PATH: MESSAGE`, as compilers say it, so that editors find the place. */
export function formatProblem({ severity, file, line, column, path, message }: ConfigProblem): string {
  const place = line === undefined ? file : `${file}:${line}:${column}`;
  return [place, severity, path, message].filter((part) => part !== "").join(": ");
}

/** Collects problems while the parts of a configuration are checked. */
export class Problems {
  /** By their text, as one slip can fail several rules in the same way. */
  readonly #problems = new Map<string, ConfigProblem>();

  get failed(): boolean {
    return [...this.#problems.values()].some((problem) => problem.severity === "error");
  }

  error(source: Located, path: Path, message: string): void {
    this.#addAt("error", source, path, message, source.locate(path));
  }

  /** An error of a key itself rather than of its value. */
  keyError(source: Located, path: Path, message: string): void {
    this.#addAt("error", source, path, message, source.locateKey(path));
  }

  warn(source: Located, path: Path, message: string): void {
    this.#addAt("warning", source, path, message, source.locate(path));
  }

  add(problem: ConfigProblem): void {
    this.#problems.set(formatProblem(problem), problem);
  }

  #addAt(severity: ConfigProblem["severity"], source: Located, path: Path, message: string, position: Position): void {
    this.add({ severity, file: source.file, ...position, path: formatPath(path), message });
  }

  /** In the order of the file. */
  sorted(): readonly ConfigProblem[] {
    return [...this.#problems.values()].toSorted(
      (a, b) => a.file.localeCompare(b.file) || (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0),
    );
  }
}

function formatPath(path: Path): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === "number") return `${text}[${step}]`;
    return text === "" ? step : `${text}.${step}`;
  }, "");
}
