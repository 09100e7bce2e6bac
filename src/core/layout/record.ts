/**
 * Tables of fields. A record is its fields one after the other, without padding and without their names; of a set of messages
 * each has a number, by which the receiver knows which record it is.
 */
import { type ByteReader, type ByteWriter, LayoutError } from "./byte-cursor.ts";
import type { FieldShape, Kind, Shape, ValueOf } from "./kinds.ts";

/** By name: the kind of the field, and a sentence that says what it means. The order is that of the bytes. */
export type FieldTable = Readonly<Record<string, readonly [kind: Kind<unknown>, says: string]>>;

export type RecordOf<F extends FieldTable> = { readonly [N in keyof F]: ValueOf<F[N][0]> };

export type RecordKind<R> = Kind<R> & { readonly shape: Shape & { readonly is: "record" } };

export function record<const F extends FieldTable>(fields: F): RecordKind<RecordOf<F>> {
  return recordOf(fields, {}) as RecordKind<RecordOf<F>>;
}

export interface MessageTable {
  /** Stands for its name in the bytes. */
  readonly number: number;
  /** A sentence, as its sender would say it. */
  readonly says: string;
  readonly fields: FieldTable;
}

export type MessageTables = Readonly<Record<string, MessageTable>>;

/** Of the messages of these tables, the one of this name; by default, any of them. */
export type MessageOf<M extends MessageTables, T extends keyof M = keyof M> = {
  readonly [N in T]: { readonly type: N } & RecordOf<M[N]["fields"]>;
}[T];

export class MessageSet<const M extends MessageTables> {
  readonly tables: M;
  readonly #kinds = new Map<string, { readonly number: number; readonly fields: RecordKind<Values> }>();
  readonly #byNumber: (RecordKind<Values> | undefined)[] = [];

  constructor(tables: M) {
    this.tables = tables;
    for (const [type, { number, fields }] of Object.entries(tables)) {
      const kind = recordOf(fields, { type });
      this.#kinds.set(type, { number, fields: kind });
      this.#byNumber[number] = kind;
    }
  }

  get types(): readonly (keyof M & string)[] {
    return Object.keys(this.tables);
  }

  numberOf({ type }: { readonly type: keyof M }): number {
    return this.tables[type]?.number ?? 0;
  }

  shapeOf(type: keyof M & string): Shape {
    const kind = this.#kinds.get(type);
    if (kind === undefined) throw new RangeError(`no message ${type}`);
    return kind.fields.shape;
  }

  /** Its fields, without its number. Throws a RangeError for values that have no room in their fields. */
  write(writer: ByteWriter, message: MessageOf<M>): void {
    this.#kinds.get(message.type as string)?.fields.write(writer, message);
  }

  /** Throws a LayoutError. */
  read(number: number, reader: ByteReader): MessageOf<M> {
    const kind = this.#byNumber[number];
    if (kind === undefined) throw new LayoutError(`unknown message type ${number}`);
    return kind.read(reader) as MessageOf<M>;
  }
}

type Values = Readonly<Record<string, unknown>>;

/** `constants` are properties of what is read that don't stand in the bytes. */
function recordOf(table: FieldTable, constants: Values): RecordKind<Values> {
  const names = Object.keys(table);
  const kinds = Object.values(table).map(([kind]) => kind as Kind<unknown>);
  const fields = Object.entries(table).map(([name, [{ shape }, says]]): FieldShape => ({ name, shape, says }));
  return {
    shape: { is: "record", fields },
    write(writer, values) {
      for (const [index, kind] of kinds.entries()) kind.write(writer, values[names[index] ?? ""]);
    },
    read(reader) {
      const values: Record<string, unknown> = { ...constants };
      for (const [index, kind] of kinds.entries()) values[names[index] ?? ""] = kind.read(reader);
      return values;
    },
  };
}
