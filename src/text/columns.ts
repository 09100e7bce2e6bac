/** Text in columns, for people: tables, and names with their values. */
import { visibleLine } from "./visible.ts";

/** A line or several. A line break within one is made visible, so that text from elsewhere can't pretend to be a row. */
export type Cell = string | readonly string[];

/** Columns under upper-case headings. */
export function table(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  return columns([head.map((heading) => heading.toUpperCase()), ...rows]);
}

/** `Name: value` lines, values aligned; entries with nothing to say are left out. */
export function fields(entries: readonly (readonly [name: string, value: Cell | undefined])[]): string {
  return columns(entries.flatMap(([name, value]) => (value === undefined ? [] : [[name && `${name}:`, value]])));
}

/** For tables that come in pages: headings first, and columns that never become narrower. */
export function tableWriter<T>(head: readonly string[], toRow: (item: T) => Cell[]): (page: readonly T[]) => string {
  let pending: Cell[][] = [head.map((heading) => heading.toUpperCase())];
  let widths: readonly number[] = [];
  return (page) => {
    const lines = [...pending, ...page.map(toRow)].flatMap(linesOf);
    pending = [];
    widths = widen(lines, widths);
    return align(lines, widths);
  };
}

function columns(rows: readonly (readonly Cell[])[]): string {
  const lines = rows.flatMap(linesOf);
  return align(lines, widen(lines, []));
}

/** A row is as high as its highest cell. */
function linesOf(row: readonly Cell[]): string[][] {
  const cells = row.map((cell) => (typeof cell === "string" ? [cell] : cell).map(visibleLine));
  const height = Math.max(...cells.map((cell) => cell.length));
  return Array.from({ length: height }, (_, line) => cells.map((cell) => cell[line] ?? ""));
}

/** The width of each column: as its widest cell, and not below `least`. */
function widen(lines: readonly (readonly string[])[], least: readonly number[]): readonly number[] {
  const widths = [...least];
  for (const cells of lines) {
    for (const [column, cell] of cells.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
  }
  return widths;
}

const COLUMN_GAP = "  ";

function align(lines: readonly (readonly string[])[], widths: readonly number[]): string {
  return lines
    .map((cells) =>
      cells
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join(COLUMN_GAP)
        .trimEnd(),
    )
    .join("\n");
}
