import { ComposeLab } from "./compose/compose-lab.ts";
import { Lab } from "./namespaces/lab.ts";
import type { LabOperations } from "./operations.ts";

/** The lab of a name, as whatever it was brought up. @throws RangeError for a name that can't be one of a lab. */
export function findLab(name: string): LabOperations {
  return ComposeLab.isOne(name) ? new ComposeLab(name) : new Lab(name);
}
