/**
 * Names settings as the program calls them: `heartbeat-interval` becomes `heartbeatIntervalMs`, with the unit that its kind is
 * measured in.
 */
import { z } from "zod";
import { kindOf, partOf } from "./shapes.ts";

export type Unit = "Ms" | "Seconds";

/** A number whose name ends in its unit. */
export type Measured<U extends Unit> = number & z.$brand<U>;

type CamelCase<Key> = Key extends `${infer Word}-${infer Rest}` ? `${Word}${Capitalize<CamelCase<Rest>>}` : Key;

type UnitOf<Value> = NonNullable<Value> extends Measured<infer U> ? U : "";

/** The type that `named` returns for the output of a schema. */
export type Named<Value> =
  Value extends Measured<infer _ extends Unit>
    ? number
    : Value extends string | number | boolean | undefined
      ? Value
      : Value extends readonly unknown[]
        ? { [Index in keyof Value]: Named<Value[Index]> }
        : Value extends object
          ? { readonly [Key in keyof Value as `${CamelCase<Key> & string}${UnitOf<Value[Key]>}`]: Named<Value[Key]> }
          : Value;

const units = z.registry<{ readonly unit: Unit }>();

/** Declares in which unit the values of a kind are measured. */
export function measured<U extends Unit>(unit: U, kind: z.ZodType<number, string>) {
  return kind.register(units, { unit }) as z.ZodType<Measured<U>, string>;
}

/** Renames the keys of a value that the schema has checked. */
export function named<T extends z.ZodType>(schema: T, value: z.output<T>): Named<z.output<T>> {
  return renamed(schema, value) as Named<z.output<T>>;
}

function renamed(schema: z.core.$ZodType, value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value))
    return value.map((item, index) => renamed(partOf(schema, index, value) ?? z.unknown(), item));
  const entries = Object.entries(value).map(([key, inner]) => {
    const row = partOf(schema, key, value);
    return row === undefined ? [key, inner] : [nameOf(key, row), renamed(row, inner)];
  });
  return Object.fromEntries(entries);
}

function nameOf(key: string, row: z.core.$ZodType): string {
  const [first = "", ...words] = key.split("-");
  const unit = units.get(kindOf(row))?.unit ?? "";
  return [first, ...words.map((word) => word.slice(0, 1).toUpperCase() + word.slice(1)), unit].join("");
}
