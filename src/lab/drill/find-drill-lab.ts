import { ComposeLab } from "../compose/compose-lab.ts";
import { ContainerDrillLab } from "../compose/container-drill-lab.ts";
import { LabError } from "../lab-error.ts";
import { Lab } from "../namespaces/lab.ts";
import type { LabOperations } from "../operations.ts";
import type { DrillLab } from "./drill-lab.ts";
import { NamespaceDrillLab } from "./namespace-drill-lab.ts";

/** What drills strike at, in whatever the lab is made of. */
export function drillLab(lab: LabOperations): DrillLab {
  if (lab instanceof ComposeLab) return new ContainerDrillLab(lab);
  if (lab instanceof Lab) return new NamespaceDrillLab(lab);
  throw new LabError(`${lab.place.name} is no lab for drills`);
}
