/**
 * All requests of the control API: a contract that operators' scripts rely on. The server serves this table, the daemon
 * implements `ControlService`, which follows from it, and docs/api.md is made from it. Keys of answers are always present;
 * `null` means that there is nothing to report.
 */
import { z } from "zod";
import { bindingRequests } from "./bindings.ts";
import { forwardingRequests } from "./forwarding.ts";
import type { ApiRequest, MobileName } from "./kinds.ts";
import { memberRequests } from "./members.ts";
import { routeRequests } from "./routes.ts";

export const requests = { ...memberRequests, ...bindingRequests, ...routeRequests, ...forwardingRequests } as const;

type Requests = typeof requests;

type Mobile<R extends ApiRequest> = R["path"] extends `${string}/:mobile` ? { readonly mobile: MobileName } : unknown;
type Query<R> = R extends { readonly query: z.ZodType } ? z.output<R["query"]> : unknown;
type Answer<R extends ApiRequest> = R["path"] extends `${string}/:mobile`
  ? z.output<R["answer"]> | undefined
  : z.output<R["answer"]>;

/**
 * What the control API needs of the daemon: a method for each request, called with the query and the mobile it is about.
 * Addresses and times are rendered by the daemon; the API passes them on. Methods throw, or reject with, a `ControlError`.
 */
export type ControlService = {
  readonly [Name in keyof Requests]: (
    asked: Mobile<Requests[Name]> & Query<Requests[Name]>,
  ) => Answer<Requests[Name]> | Promise<Answer<Requests[Name]>>;
};

/** Codes of the API's error answers, their HTTP status, and what they mean. */
export const errors = {
  "bad-request": { status: 400, meaning: "The request can't be understood." },
  "not-found": { status: 404, meaning: "There is no such binding." },
  "unknown-route": { status: 404, meaning: "There is no such request." },
  "not-owner": { status: 409, meaning: "Another member owns the mobile: ask that one." },
  "stale-cursor": { status: 410, meaning: "The listing can't be continued: start again." },
  internal: { status: 500, meaning: "An error in the daemon; its log has `api-request-failed`." },
  unavailable: { status: 503, meaning: "The store, or enough of the backups, can't write at the moment." },
} as const;

export type ControlErrorCode = keyof typeof errors;

export const errorView = z.object({ error: z.object({ code: z.string(), message: z.string() }) });

/** A refusal that the operator should read. */
export class ControlError extends Error {
  readonly code: ControlErrorCode;

  constructor(code: ControlErrorCode, message: string) {
    super(message);
    this.name = "ControlError";
    this.code = code;
  }
}
