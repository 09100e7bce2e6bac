/** What the advertiser needs from the part that keeps ExaBGP running: the daemon itself, or another supervisor. */

import type { Ipv4Prefix } from "../../../core/wire/ipv4.ts";
import type { EventLog } from "../../telemetry/log.ts";
import type { SpeakerState } from "../advertiser.ts";
import type { BgpOptions } from "./exabgp-config.ts";
import type { Report } from "./helper-channel.ts";
import type { RouteCommands } from "./helper-protocol.ts";

export interface SpeakerSettings {
  readonly bgp: BgpOptions;
  /** The prefixes about which reports of routers are of interest. */
  readonly prefixes: readonly Ipv4Prefix[];
  /** Absolute path; see `RuntimeDirectory`. */
  readonly runtimeDirectory: string;
  /** ExaBGP isn't ours: `exabgp/sidecar.sh` is run separately, as a member of this group (default: our own). */
  readonly sidecar?: { readonly group?: string | undefined } | undefined;
  /** Default: `exabgp` in the path. */
  readonly exabgpPath?: string;
  /** Runs the helper. Default: `python3` in the path. */
  readonly pythonPath?: string;
  /** The account that ExaBGP runs as. Default: `exabgp` if we are root, otherwise our own. */
  readonly user?: string;
  /** After a silence of the daemon of this length, the helper withdraws everything. Default 1000. */
  readonly helperDeadlineMs?: number;
}

export interface SpeakerOptions extends SpeakerSettings {
  readonly log: EventLog;
}

export const DEFAULT_HELPER_DEADLINE_MS = 1000;

export interface SpeakerListener {
  /** ExaBGP runs, its helper is there, and nothing is announced yet. */
  joined(): void;
  reported(report: Report): void;
  /** ExaBGP is gone, or withdraws everything because we have left its helper. It returns unless it was asked to stop. */
  lost(reason: string): void;
}

export interface Speaker {
  readonly state: SpeakerState;
  /** Process id of ExaBGP, if it is our child. */
  readonly pid: number | undefined;
  readonly restarts: number;
  readonly lastError: string | undefined;
  /** Rejects with the reason if this can't work; otherwise the rest follows by itself. */
  start(): Promise<void>;
  /** Replaces all routes; lost unless the state is `running`. */
  set(sequence: number, routes: readonly RouteCommands[]): void;
  /** Ends ExaBGP, which closes its sessions; another one follows after a pause. */
  restart(reason: string): void;
  stop(): Promise<void>;
}
