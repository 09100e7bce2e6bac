/**
 * What the daemon and the helper inside ExaBGP say to each other over the unix socket: one JSON object per line.
 * docs/advertiser.md describes it for people, and exabgp/anyhome_exabgp.py is the other side.
 */
import * as z from "zod";

export const PROTOCOL_VERSION = 1;

/** One route for one neighbor, as commands of ExaBGP's API. `withdraw` also identifies the route. */
export interface RouteCommands {
  readonly announce: string;
  readonly withdraw: string;
}

export type DaemonMessage =
  /** First. Without another message for `deadlineMs`, the helper withdraws everything. */
  | { readonly type: "hello"; readonly version: number; readonly deadlineMs: number }
  /** All routes that there should be; any others are withdrawn. */
  | { readonly type: "set"; readonly sequence: number; readonly routes: readonly RouteCommands[] }
  /** ExaBGP is of no use to this daemon: the helper kills it. */
  | { readonly type: "end"; readonly reason: string }
  /** With `probe`, the helper has ExaBGP answer a command, then answers `alive`. */
  | { readonly type: "heartbeat"; readonly probe?: number };

const counter = z.int().nonnegative();

const helperMessage = z.discriminatedUnion("type", [
  /** First, once ExaBGP has withdrawn what an earlier helper may have announced. */
  z.object({
    type: z.literal("hello"),
    version: z.literal(PROTOCOL_VERSION),
    /** Names the start of ExaBGP that this helper belongs to. */
    run: z.string(),
    /** Its process id where it runs, which may be a container. */
    pid: z.int().positive(),
    /** Names the process of its ExaBGP, even after that has ended. */
    speakerProcess: z.string(),
    /** As ExaBGP answers `version`. */
    speaker: z.string(),
  }),
  z.object({ type: z.literal("applied"), sequence: counter }),
  /** ExaBGP answered `error` to a command of the set; everything is withdrawn. */
  z.object({ type: z.literal("refused"), command: z.string() }),
  /** The daemon was silent for this long; everything was withdrawn, and stays so until the next `set`. */
  z.object({ type: z.literal("lapsed"), silentMs: z.number() }),
  z.object({ type: z.literal("alive"), probe: counter }),
  /**
   * A line from ExaBGP that answers no command, as it came: of sessions, the last ones; of others, up to 1000 characters.
   */
  z.object({ type: z.literal("event"), line: z.string() }),
  /** The last report of a router about a path to one of our prefixes; without attributes the path has gone. */
  z.object({
    type: z.literal("path"),
    neighbor: z.string(),
    prefix: z.string(),
    pathId: z.string().nullable(),
    nextHop: z.string().optional(),
    attributes: z.unknown().optional(),
  }),
  /**
   * With `neighbor`, how many reports of that router since its session came up are not among its paths. Without it, how
   * many lines of no consequence arrived faster than the daemon read them.
   */
  z.object({ type: z.literal("dropped"), events: counter, neighbor: z.string().optional() }),
  /** The last message: why the helper now ends the connection, and ExaBGP with it if ExaBGP can't be trusted. */
  z.object({ type: z.literal("error"), message: z.string() }),
]);

export type HelperMessage = z.infer<typeof helperMessage>;

export type PathReport = Omit<Extract<HelperMessage, { type: "path" }>, "type">;

/** `undefined` if the line isn't a message of this protocol. */
export function parseHelperMessage(line: string): HelperMessage | undefined {
  try {
    return helperMessage.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}
