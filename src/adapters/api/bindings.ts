/** What the control API says about mobility bindings. */
import { z } from "zod";
import type { EventLog } from "../telemetry/log.ts";
import { traffic } from "./forwarding.ts";
import { type ApiRequest, address, count, flag, mobileName, next, pageQuery, text, time } from "./kinds.ts";

export const role = z.enum(["owner", "ingress", "backup"]);
export const bindingState = z.enum(["temporary", "permanent"]);

const careOf = z.object({
  careOfAddress: address,
  foreignAgent: text.describe("`ADDRESS:PORT` that the request came from."),
  lifetime: count.describe("Seconds granted; 65535 is infinite."),
  expiresAt: time.nullable().describe("`null` if infinite."),
  flags: z.array(z.enum(["S", "B", "D", "M", "G", "T"])).describe("The flags that the mobile set (RFC 5944 3.3)."),
});

export const bindingView = z.object({
  mobile: text.describe("Key of the binding: `nai:USER@REALM` or `ip:HOME-ADDRESS`."),
  homeAddress: address.describe("0.0.0.0 in a temporary binding as long as none is assigned."),
  nai: text.nullable(),
  careOfAddress: address.nullable().describe("The one registered last."),
  careOfAddresses: z.array(careOf).describe("All of them, oldest first; empty where only the owner knows them."),
  foreignAgent: text.describe(
    "`ADDRESS:PORT` that the last accepted request came from; of a temporary binding, the pending one.",
  ),
  owner: text.describe("Id of the member that serves the mobile."),
  ownerAddress: address,
  roles: z.array(role).describe("What this home agent is to the mobile."),
  state: bindingState,
  lifetime: count.nullable().describe("Seconds granted; 65535 is infinite; `null` while temporary."),
  expiresAt: time.nullable().describe("When the binding, or the temporary binding, ends; `null` if never."),
  identification: text
    .regex(/^0x[0-9a-f]{16}$/)
    .describe("Of the last accepted request: 64 bits as `0x` and 16 hexadecimal digits."),
  generation: count.nullable().describe("Generation of the ownership; `null` where it isn't known."),
});

export const bindingDetailView = bindingView.extend({
  traffic: z
    .object({ toMobile: traffic, fromMobile: traffic })
    .nullable()
    .describe("Through this home agent, since its data plane started to work; `null` where it has none."),
});

export const bindingPage = z.object({ bindings: z.array(bindingView), next });

/** Whose binding, or replay state, is gone. */
export const deletionView = bindingView.pick({ mobile: true, homeAddress: true, nai: true, owner: true });

const bindingQuery = pageQuery.extend({
  mobile: mobileName.optional().describe("Only the mobile with this home address or NAI."),
  owner: z.string().min(1).max(255).optional().describe("Only mobiles that this member owns."),
  role: role.optional().describe("Only mobiles for which this home agent has this role."),
  state: bindingState.optional().describe("Only bindings in this state."),
});

/** Strict, so that a misspelt switch is refused instead of being ignored. */
const deletionQuery = z
  .strictObject({
    "forget-replay": flag.describe(
      "Let the mobile in again whatever Identification it had used, even if its binding has ended.",
    ),
  })
  .transform((query) => ({ forgetReplay: query["forget-replay"] === "true" }));

export type BindingView = z.infer<typeof bindingView>;
export type BindingDetailView = z.infer<typeof bindingDetailView>;
export type BindingPage = z.infer<typeof bindingPage>;
export type BindingQuery = z.output<typeof bindingQuery>;
export type DeletionView = z.infer<typeof deletionView>;
export type DeletionOptions = z.output<typeof deletionQuery>;

export const bindingRequests = {
  bindings: {
    method: "GET",
    path: "/v1/bindings",
    summary: "A page of the bindings that this home agent owns, backs up or is the ingress of. All conditions apply.",
    query: bindingQuery,
    answer: bindingPage,
  },
  binding: {
    method: "GET",
    path: "/v1/bindings/:mobile",
    summary: "The binding of a mobile, by its home address or NAI.",
    answer: bindingDetailView,
  },
  deleteBinding: {
    method: "DELETE",
    path: "/v1/bindings/:mobile",
    summary:
      "Ends the binding of a mobile, if this member owns it, as if its lifetime had ended. Returns whose it was.",
    query: deletionQuery,
    answer: deletionView,
    audit: (log: EventLog, { mobile }: DeletionView, { forgetReplay }: DeletionOptions) => {
      if (forgetReplay) log.event("replay-state-forgotten", { mobile });
      else log.event("binding-deleted", { mobile });
    },
  },
} as const satisfies Record<string, ApiRequest>;
