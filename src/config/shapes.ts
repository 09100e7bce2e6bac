/** What sections of the file are made of. */
import { z } from "zod";

/** Of members, clusters and checks. */
export const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/;

export const list = <T extends z.ZodType>(element: T) => z.array(element, { error: "a list" });

export function section<T extends z.core.$ZodLooseShape>(shape: T) {
  return z.strictObject(shape, { error: "a section with keys and values" });
}
