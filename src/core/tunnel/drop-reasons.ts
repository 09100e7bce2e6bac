/** Why a packet is not forwarded: in the order of `enum reason` in state.bpf.h, with what it says to an operator. */
export const DROP_REASONS = {
  "not-ipv4": "something else than IPv4 was routed to the tunnel device",
  truncated: "a header is cut off",
  unattended: "the daemon has not run for longer than forwarding outlives it",
  "no-memory": "the kernel had no room for a header",
  "destination-unregistered": "no mobile is registered with the address that the packet is for",
  "destination-expired": "the registration of the mobile that the packet is for has ended",
  "care-of-unreachable": "there is no route to the care-of address",
  "care-of-at-home": "the care-of address is in the virtual network: a loop",
  "source-is-care-of": "the packet comes from the care-of address that it is for: a loop (RFC 2003 3.2)",
  "outer-options": "the outer header has options, or isn't one of IPv4",
  "outer-fragment": "the outer packet is a fragment",
  "outer-checksum": "the checksum of the outer header is wrong",
  "outer-length": "the outer packet is longer than the frame, or too short for its headers",
  "gre-header":
    "the GRE header has a wrong checksum, a key, a sequence number or routing, another version, or no IPv4 behind it",
  "minimal-header": "the checksum of the minimal forwarding header is wrong",
  "udp-header": "the UDP header is wrong, or no message of a tunnel is behind it (RFC 3519 3.3)",
  "inner-header": "the inner header isn't one of IPv4",
  "inner-checksum": "the checksum of the inner header is wrong",
  "inner-length": "the inner packet does not fill the outer one, or is too short for its header",
  "source-unregistered": "no mobile is registered with the inner source address",
  "source-expired": "the registration of the mobile that the packet comes from has ended",
  "care-of-mismatch": "the outer source is not the care-of address of the mobile that the inner source belongs to",
  "encapsulation-mismatch": "the mobile has registered with another encapsulation",
  "reverse-tunnel-not-granted": "the mobile has not registered with T",
  "inner-destination": "the inner destination is an address of this host, broadcast, multicast, or nowhere",
  congestion: "the tunnel says that it was congested, and the mobile's transport would not understand that (RFC 6040)",
  "home-unreachable": "there is no route to the member that the packet was to be passed on to, or its TTL is over",
} as const;

export type DropReason = keyof typeof DROP_REASONS;
