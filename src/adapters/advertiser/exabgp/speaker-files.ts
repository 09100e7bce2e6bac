/** What ExaBGP is started with, as text. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { formatIpv4, formatPrefix } from "../../../core/wire/ipv4.ts";
import { exabgpConfig, exabgpEnvironment } from "./exabgp-config.ts";
import { HELPER_SOURCE, runtimeFiles } from "./runtime-directory.ts";
import type { SpeakerSettings } from "./speaker.ts";

/** How ExaBGP starts its helper. `run` names the start of ExaBGP, or what it is configured with. */
export function helperCommand(options: SpeakerSettings, run: string): string[] {
  const { bgp, prefixes, runtimeDirectory, pythonPath: python = "python3" } = options;
  const { helper, socket } = runtimeFiles(runtimeDirectory);
  return [
    // A helper that hangs must not survive its ExaBGP.
    ...["/usr/bin/env", "setpriv", "--pdeathsig=KILL", "--"],
    ...[python, "-I", helper],
    ...["--socket", socket],
    ...["--run", run],
    ...["--neighbors", bgp.neighbors.map(({ address }) => formatIpv4(address)).join(",")],
    ...["--prefixes", prefixes.map(formatPrefix).join(",")],
  ];
}

/**
 * The files of an ExaBGP that isn't ours. Its helper names their content, so that one that still runs with old files is
 * noticed. Its own supervisor decides which account it runs as.
 */
export function sidecarFiles(options: SpeakerSettings): { run: string; config: string; environment: string } {
  const configWith = (run: string) => exabgpConfig(options.bgp, helperCommand(options, run));
  const environment = exabgpEnvironment("nobody");
  const digest = createHash("sha256").update(configWith("")).update(environment).update(readFileSync(HELPER_SOURCE));
  const run = digest.digest("hex").slice(0, 32);
  return { run, config: configWith(run), environment };
}
