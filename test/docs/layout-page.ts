/** docs/messages.md, made from the tables: a diagram of the bytes of each message, and what its fields mean. */
import type { FieldShape, Kind, Shape } from "../../src/core/layout/kinds.ts";
import { type FieldTable, type MessageSet, type MessageTables, record } from "../../src/core/layout/record.ts";

const ROW_BITS = 32;
/** Of the text that a bit takes in a diagram: "-+". */
const BIT_WIDTH = 2;
const RULER = `
  0                   1                   2                   3
  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1`.slice(1);

/** A heading, what it is, its diagram and its fields. */
function section(title: string, says: string, { shape }: Pick<Kind<unknown>, "shape">): string {
  if (shape.is !== "record") throw new TypeError(`${title} is no record`);
  const parts = [`### ${title}`, says];
  if (shape.fields.length > 0)
    parts.push(`\`\`\`\n${RULER}\n${diagram(shape.fields)}\n\`\`\``, fieldTable(shape.fields));
  return parts.join("\n\n");
}

export function tableSection(title: string, says: string, fields: FieldTable): string {
  return section(title, says, record(fields));
}

export function messageSections<M extends MessageTables>(messages: MessageSet<M>): string {
  const sections = messages.types.map((type) => {
    const { number, says } = messages.tables[type] ?? { number: 0, says: "" };
    return section(`\`${type}\` (${number})`, says, { shape: messages.shapeOf(type) });
  });
  return sections.join("\n\n");
}

function fieldTable(fields: readonly FieldShape[]): string {
  const rows = flattened(fields).map(({ name, shape, says }) => `| \`${name}\` | ${kindOf(shape)} | ${says} |`);
  return ["| field | kind | meaning |", "| --- | --- | --- |", ...rows].join("\n");
}

/** With the fields of what stands within others, by paths such as `load.storeQueue` and `made[].owner`. */
function flattened(fields: readonly FieldShape[]): FieldShape[] {
  return fields.flatMap((field) => [
    field,
    ...flattened(innerFields(field.shape)).map((inner) => ({
      ...inner,
      name: `${field.name}${field.shape.is === "list" ? "[]" : ""}.${inner.name}`,
    })),
  ]);
}

function innerFields(shape: Shape): readonly FieldShape[] {
  if (shape.is === "record") return shape.fields;
  return shape.is === "list" || shape.is === "optional" ? innerFields(shape.of) : [];
}

function kindOf(shape: Shape): string {
  switch (shape.is) {
    case "integer":
      return shape.maximum < 2 ** (8 * shape.bytes) - 1 && shape.bytes < 8
        ? `${shape.bytes * 8} bits, at most ${shape.maximum}`
        : `${shape.bytes * 8} bits`;
    case "gauge":
      return `${shape.bytes * 8} bits, gauge`;
    case "bits":
      return `${shape.bytes * 8} bits${shape.isSigned ? ", signed" : ""}`;
    case "choice":
      return shape.of.map((word, number) => `${number} \`${word}\``).join(", ");
    case "text":
      return `${shape.minimumLength > 0 ? "member" : "text"}, ${lengthOf(shape.lengthBytes)}`;
    case "bytes":
      return `bytes, ${lengthOf(shape.lengthBytes)}`;
    case "optional":
      return `optional: ${kindOf(shape.of)}`;
    case "list":
      return shape.count === undefined
        ? `list, ${lengthOf(shape.countBytes)}, of: ${kindOf(shape.of)}`
        : `${shape.count} times: ${kindOf(shape.of)}`;
    default:
      return shape.is;
  }
}

function lengthOf(bytes: number): string {
  return `length in ${bytes * 8} bits`;
}

interface Cell {
  readonly label: string;
  /** `undefined`: it goes on for as long as its length says. */
  readonly bits: number | undefined;
}

function diagram(fields: readonly FieldShape[]): string {
  const lines: string[] = [];
  let above = 0;
  for (const row of rowsOf(fields.flatMap(({ name, shape }) => cellsOf(titleOf(name), shape)))) {
    const width = row.reduce((sum, { bits }) => sum + bits, 0);
    // No line goes through a field that takes whole rows.
    if (row[0]?.label !== "") lines.push(line(Math.max(above, width)));
    lines.push(` |${row.map(({ label, bits }) => centered(label, bits * BIT_WIDTH - 1)).join("|")}|`);
    above = width;
  }
  lines.push(line(above));
  return lines.join("\n");
}

function line(bits: number): string {
  return ` +${"-+".repeat(bits)}`;
}

function cellsOf(title: string, shape: Shape): Cell[] {
  switch (shape.is) {
    case "record":
      return shape.fields.flatMap((field) => cellsOf(`${title} ${titleOf(field.name)}`, field.shape));
    case "optional":
      return [
        { label: "0 or 1", bits: 8 },
        { label: `${title} ...`, bits: undefined },
      ];
    case "list": {
      const each = `${title} ...`;
      return shape.count === undefined
        ? [
            { label: `${title} Count`, bits: shape.countBytes * 8 },
            { label: each, bits: undefined },
          ]
        : [{ label: `${shape.count} times ${each}`, bits: undefined }];
    }
    case "text":
    case "bytes":
      return [
        { label: `${title} Length`, bits: shape.lengthBytes * 8 },
        { label: `${title} ...`, bits: undefined },
      ];
    case "hexadecimal":
      return [
        { label: `${title} Length`, bits: 8 },
        { label: `${title} ...`, bits: undefined },
      ];
    case "mobile":
      return [
        { label: "NAI Length", bits: 16 },
        { label: `${title}: NAI, or address ...`, bits: undefined },
      ];
    case "endpoint":
      return [
        { label: `${title} Address`, bits: 32 },
        { label: `${title} Port`, bits: 16 },
      ];
    case "integer":
    case "gauge":
    case "bits":
      return [{ label: title, bits: shape.bytes * 8 }];
    case "time":
      return [{ label: title, bits: 64 }];
    case "address":
      return [{ label: title, bits: 32 }];
    case "flag":
    case "choice":
      return [{ label: title, bits: 8 }];
  }
}

interface RowCell {
  readonly label: string;
  readonly bits: number;
}

/** Fields that don't fit into what is left of a row go on in the next one; what has no fixed end takes what is left. */
function rowsOf(cells: readonly Cell[]): RowCell[][] {
  const rows: RowCell[][] = [[]];
  let left = ROW_BITS;
  const put = (label: string, bits: number): void => {
    rows.at(-1)?.push({ label, bits });
    left -= bits;
    if (left === 0) {
      rows.push([]);
      left = ROW_BITS;
    }
  };
  for (const { label, bits } of cells) {
    if (bits === undefined) {
      put(label, left);
      continue;
    }
    const takesWholeRows = left === ROW_BITS && bits % ROW_BITS === 0;
    let rest = bits;
    for (let part = 0; rest > 0; part++) {
      const here = Math.min(rest, left);
      const continued = takesWholeRows ? "" : `... ${label}`;
      put(part === 0 ? label : continued, here);
      rest -= here;
    }
  }
  if (rows.at(-1)?.length === 0) rows.pop();
  return rows;
}

/** `homeAddressSinceMs` is "Home Address Since". */
function titleOf(name: string): string {
  const words = name.replace(/Ms$/, "").replaceAll(/([A-Z])/g, " $1");
  return words.slice(0, 1).toUpperCase() + words.slice(1);
}

function centered(text: string, width: number): string {
  const shown = text.length > width ? `${text.slice(0, Math.max(width - 1, 0))}.` : text;
  const before = Math.floor((width - shown.length) / 2);
  return `${" ".repeat(before)}${shown}${" ".repeat(width - shown.length - before)}`;
}
