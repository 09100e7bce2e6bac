import type { DataPlaneOptions } from "../../../src/adapters/dataplane/forwarder.ts";
import type { ForwardingEntry } from "../../../src/core/forwarding/forwarding-entry.ts";
import { ipv4 } from "../../../src/core/wire/ipv4.ts";
import { NETWORK, OWN_ADDRESS, VIRTUAL_ADDRESS } from "./program-rig.ts";

export const CARE_OF = "192.0.2.9";

export const ENTRY: ForwardingEntry = {
  homeAddress: ipv4("10.64.1.1"),
  tunnels: [
    {
      careOfAddress: ipv4(CARE_OF),
      encapsulation: "ip-in-ip",
      isReverse: true,
      expiresAtMs: Number.POSITIVE_INFINITY,
    },
  ],
};

export function optionsOf(entries: DataPlaneOptions["entries"]): DataPlaneOptions {
  return {
    type: "bpf",
    device: "anyhome0",
    uplinks: "auto",
    virtualAddress: ipv4(VIRTUAL_ADDRESS),
    ownAddress: ipv4(OWN_ADDRESS),
    networks: [NETWORK],
    wallMs: Date.now,
    entries,
    missed: () => undefined,
    changed: () => undefined,
  };
}
