// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/*
 * Packets of mobiles that this member knows nothing of: they go on to a home of the address, one of the members that the mobile's
 * owner keeps informed. In the form of GitHub's load balancer GLB: a table of ranked members, and who of them is alive.
 * Whatever comes to a member's own address was passed on already, and goes no further: one hop more at most, never a loop.
 */
#pragma once
#include "headers.bpf.h"

#define MAXIMUM_MEMBERS 64
#define SLOTS 65536
#define HOMES_PER_SLOT 4
#define MAXIMUM_POOLS 4096
/* An address that was reported is not reported again for so long. */
#define MISSED_AGAIN_NS 500000000

/* By their numbers. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, MAXIMUM_MEMBERS);
  __type(key, __u32);
  __type(value, __be32);
} members SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, MAXIMUM_MEMBERS);
  __type(key, __be32);
  __type(value, __u32);
} member_numbers SEC(".maps");

/* A bit for each member, so that a death is one update. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u64);
} alive SEC(".maps");

struct ranking {
  __u8 member[HOMES_PER_SLOT];
};

/* By the low 16 bits of the home address: the first members in its ranking. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, SLOTS);
  __type(key, __u32);
  __type(value, struct ranking);
} homes SEC(".maps");

struct prefix {
  __u32 length;
  __be32 address;
};

/* The member that hands an address out comes before all others. */
struct {
  __uint(type, BPF_MAP_TYPE_LPM_TRIE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, MAXIMUM_POOLS);
  __type(key, struct prefix);
  __type(value, __u32);
} pools SEC(".maps");

/* Addresses of which packets were passed on, for the daemon to ask about. */
struct {
  __uint(type, BPF_MAP_TYPE_QUEUE);
  __uint(max_entries, 1024);
  __type(value, __be32);
} missed SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 65536);
  __type(key, __be32);
  __type(value, __u64);
} missed_at_ns SEC(".maps");

enum direction { TO_MOBILE, FROM_MOBILE, DIRECTIONS };

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, DIRECTIONS);
  __type(key, __u32);
  __type(value, __u64);
} passed_on SEC(".maps");

static __always_inline __be32 address_if_alive(__u32 member) {
  __u64 *mask = bpf_map_lookup_elem(&alive, &only);
  if (!mask || member >= MAXIMUM_MEMBERS || !(*mask >> member & 1)) return 0;
  __be32 *address = bpf_map_lookup_elem(&members, &member);
  return address ? *address : 0;
}

/* The member that knows the way to a home address; 0 where that is this one, or nobody. */
static __always_inline __be32 home_of(struct settings *settings, __be32 home_address) {
  struct prefix key = { 32, home_address };
  __u32 *giver = bpf_map_lookup_elem(&pools, &key);
  __be32 home = giver ? address_if_alive(*giver) : 0;
  __u32 slot = bpf_ntohl(home_address) % SLOTS;
  struct ranking *ranking = bpf_map_lookup_elem(&homes, &slot);
  if (!home && ranking) {
    for (int rank = 0; rank < HOMES_PER_SLOT && !home; rank++) home = address_if_alive(ranking->member[rank]);
  }
  return home == settings->own_address ? 0 : home;
}

static __always_inline bool is_member(__be32 address) {
  return bpf_map_lookup_elem(&member_numbers, &address);
}

static __always_inline void report_missed(__be32 home_address, __u64 now_ns) {
  __u64 *at_ns = bpf_map_lookup_elem(&missed_at_ns, &home_address);
  if (at_ns && now_ns - *at_ns < MISSED_AGAIN_NS) return;
  /* A queue that is full stays as it is: there is more to ask about than can be asked. */
  if (bpf_map_push_elem(&missed, &home_address, 0)) return;
  bpf_map_update_elem(&missed_at_ns, &home_address, &now_ns, BPF_ANY);
}

static __always_inline void count_passed_on(enum direction direction, __u32 packets) {
  __u32 key = direction;
  __u64 *count = bpf_map_lookup_elem(&passed_on, &key);
  if (count) *count += packets;
}

/* What the kernel would do with a packet that comes from the device, and by which interface. */
static __always_inline long route(struct __sk_buff *skb, __u32 device, struct iphdr *header, __u32 *out) {
  struct bpf_fib_lookup fib = {
    .family = 2, /* AF_INET */
    .l4_protocol = header->protocol,
    .tos = header->tos,
    .ipv4_src = header->saddr,
    .ipv4_dst = header->daddr,
    .ifindex = device,
  };
  long result = bpf_fib_lookup(skb, &fib, sizeof(fib), 0);
  *out = fib.ifindex;
  return result;
}

/* Whether it is one of those that are routed to the device. */
static __always_inline bool is_home_address(struct __sk_buff *skb, struct settings *settings, __be32 address) {
  struct iphdr header = { .daddr = address };
  __u32 out;
  long routed = route(skb, settings->device, &header, &out);
  return (routed == BPF_FIB_LKUP_RET_SUCCESS || routed == BPF_FIB_LKUP_RET_NO_NEIGH) && out == settings->device;
}

/* Finishes an outer header, and finds the interface that it is to leave by. */
static __always_inline bool is_routed(struct __sk_buff *skb, struct settings *settings, struct iphdr *outer, __u32 *uplink) {
  outer->check = 0;
  outer->check = header_checksum(outer);
  long routed = route(skb, settings->device, outer, uplink);
  return routed == BPF_FIB_LKUP_RET_SUCCESS || routed == BPF_FIB_LKUP_RET_NO_NEIGH;
}

/* A TUN device has no room for an Ethernet header, which the uplink's is to be written to. */
static __always_inline bool has_ethernet_header(struct __sk_buff *skb, struct settings *settings) {
  return skb->ifindex != settings->device || !bpf_skb_change_head(skb, ETH_HLEN, 0);
}

/* To a home, in IP in IP between the members' own addresses. */
static __always_inline int pass_on(struct __sk_buff *skb, struct settings *settings, struct iphdr *inner, __be32 home) {
  struct iphdr outer = outer_header(inner, IPPROTO_IPIP);
  outer.tot_len = bpf_htons(bpf_ntohs(inner->tot_len) + sizeof(outer));
  outer.protocol = IPPROTO_IPIP;
  outer.saddr = settings->own_address;
  outer.daddr = home;
  __u32 uplink;
  if (!is_routed(skb, settings, &outer, &uplink)) return drop(HOME_UNREACHABLE);
  count_passed_on(TO_MOBILE, packets_in(skb));
  if (!has_ethernet_header(skb, settings) || !write_headers(skb, &outer, inner)) return drop(NO_MEMORY);
  return bpf_redirect_neigh(uplink, 0, 0, 0);
}

/* To a home, as it is: with one more header a full-size packet would not fit, and the care-of address is to be checked there. */
static __always_inline int pass_on_tunnel(struct __sk_buff *skb, struct settings *settings, struct iphdr *outer, __be32 home) {
  struct iphdr onward = *outer;
  if (onward.ttl <= 1) return drop(HOME_UNREACHABLE);
  onward.ttl--;
  onward.daddr = home;
  __u32 uplink;
  if (!is_routed(skb, settings, &onward, &uplink)) return drop(HOME_UNREACHABLE);
  count_passed_on(FROM_MOBILE, packets_in(skb));
  if (bpf_skb_store_bytes(skb, ETH_HLEN, &onward, sizeof(onward), 0)) return drop(NO_MEMORY);
  return bpf_redirect_neigh(uplink, 0, 0, 0);
}
