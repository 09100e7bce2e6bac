// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* What the daemon tells the programs, and what they count. */
#pragma once
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

/* In the order of DROP_REASONS in drop-reasons.ts. */
enum reason {
  NOT_IPV4,
  TRUNCATED,
  UNATTENDED,
  NO_MEMORY,
  DESTINATION_UNREGISTERED,
  DESTINATION_EXPIRED,
  CARE_OF_UNREACHABLE,
  CARE_OF_AT_HOME,
  SOURCE_IS_CARE_OF,
  OUTER_OPTIONS,
  OUTER_FRAGMENT,
  OUTER_CHECKSUM,
  OUTER_LENGTH,
  GRE_HEADER,
  MINIMAL_HEADER,
  UDP_HEADER,
  INNER_HEADER,
  INNER_CHECKSUM,
  INNER_LENGTH,
  SOURCE_UNREGISTERED,
  SOURCE_EXPIRED,
  CARE_OF_MISMATCH,
  ENCAPSULATION_MISMATCH,
  REVERSE_TUNNEL_NOT_GRANTED,
  INNER_DESTINATION,
  CONGESTION,
  HOME_UNREACHABLE,
  REASONS,
};

struct settings {
  /* The virtual home agent address: where all tunnels end here. */
  __be32 virtual_address;
  /* The interface that the virtual network is routed to. */
  __u32 device;
  /* This member's own: what others pass on comes to it. */
  __be32 own_address;
};

struct tunnel {
  /* On CLOCK_BOOTTIME: a binding that nobody renews ends by itself, whatever becomes of the daemon. */
  __u64 expires_ns;
  __be32 care_of_address;
  /* The protocol number of the outer header. */
  __u8 protocol;
  __u8 is_reverse;
  __u16 reserved;
};

struct pair {
  __be32 home_address;
  __be32 care_of_address;
};

struct traffic {
  __u64 packets_to_mobile;
  __u64 octets_to_mobile;
  __u64 packets_from_mobile;
  __u64 octets_from_mobile;
};

#define MAXIMUM_MOBILES (1 << 20)

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct settings);
} settings_of_all SEC(".maps");

/* The daemon moves this time on while it runs: when it is over, nothing is forwarded any more. On CLOCK_BOOTTIME. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u64);
} attended_until SEC(".maps");

/* Where the packets of a home address go: to the care-of address that was registered last. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, MAXIMUM_MOBILES);
  __type(key, __be32);
  __type(value, struct tunnel);
} tunnels SEC(".maps");

/* Further care-of addresses of mobiles with simultaneous bindings: what comes from there is theirs as well. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, MAXIMUM_MOBILES);
  __type(key, struct pair);
  __type(value, struct tunnel);
} further_tunnels SEC(".maps");

/* By home address. Apart from the tunnels, as an update of a tunnel would set it back. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, MAXIMUM_MOBILES);
  __type(key, __be32);
  __type(value, struct traffic);
} traffic_by_mobile SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, REASONS);
  __type(key, __u32);
  __type(value, __u64);
} drops SEC(".maps");

static const __u32 only = 0;

static __always_inline int drop(enum reason reason) {
  __u32 key = reason;
  __u64 *count = bpf_map_lookup_elem(&drops, &key);
  if (count) *count += 1;
  return TC_ACT_SHOT;
}

static __always_inline bool is_attended(__u64 now_ns) {
  __u64 *until_ns = bpf_map_lookup_elem(&attended_until, &only);
  return until_ns && *until_ns > now_ns;
}

static __always_inline struct traffic *traffic_of(__be32 home_address) {
  struct traffic *traffic = bpf_map_lookup_elem(&traffic_by_mobile, &home_address);
  if (traffic) return traffic;
  struct traffic none = {};
  bpf_map_update_elem(&traffic_by_mobile, &home_address, &none, BPF_NOEXIST);
  return bpf_map_lookup_elem(&traffic_by_mobile, &home_address);
}

static __always_inline __u32 packets_in(struct __sk_buff *skb) {
  return skb->gso_segs ? skb->gso_segs : 1;
}
