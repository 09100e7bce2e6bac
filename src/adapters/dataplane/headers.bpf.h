// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* Outer headers: how they are made, and what of them says how long they are. */
#pragma once
#include "state.bpf.h"

static __always_inline __u16 fold(__s64 difference) {
  __u64 sum = (__u32)difference;
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return ~sum;
}

/* The one's complement sum of an IPv4 header without options: 0 if its checksum is right. */
static __always_inline __u16 header_checksum(struct iphdr *header) {
  return fold(bpf_csum_diff(0, 0, (__be32 *)header, sizeof(*header), 0));
}

/* GRE without checksum, key and sequence number (RFC 2784), around IPv4. */
struct gre {
  __be16 flags_and_version;
  __be16 payload_type;
};

/* What minimal encapsulation has behind an IPv4 header that is otherwise that of the inner packet (RFC 2004 3.1). */
struct minimal {
  __u8 protocol;
  __u8 flags;
  __be16 check;
  __be32 daddr;
  __be32 saddr;
};

#define IPPROTO_MINIMAL 55
/* The original source is there as well. */
#define MINIMAL_HAS_SOURCE 0x80
#define MINIMAL_LENGTH_WITHOUT_SOURCE 8

#define DONT_FRAGMENT 0x4000
#define IS_FRAGMENT 0x3fff

static __always_inline __u16 minimal_checksum(struct minimal *header) {
  return fold(bpf_csum_diff(0, 0, (__be32 *)header, sizeof(*header), 0));
}

/* By which protocol a packet goes to a mobile. Each end of a tunnel takes IP in IP too (RFC 5944 4.2.3). */
static __always_inline __u8 protocol_for(struct __sk_buff *skb, struct tunnel *tunnel, struct iphdr *inner) {
  if (tunnel->protocol != IPPROTO_MINIMAL) return tunnel->protocol;
  /* "MUST NOT be used" for fragments (RFC 2004 3), which are told apart in the header that it changes; nor can it be segmented. */
  bool is_whole = !(inner->frag_off & bpf_htons(IS_FRAGMENT)) && !skb->gso_size;
  return is_whole && inner->ihl == 5 ? IPPROTO_MINIMAL : IPPROTO_IPIP;
}

/* How much longer a packet becomes. */
static __always_inline __u32 overhead_of(__u8 protocol) {
  if (protocol == IPPROTO_MINIMAL) return sizeof(struct minimal);
  return sizeof(struct iphdr) + (protocol == IPPROTO_GRE ? sizeof(struct gre) : 0);
}

static __always_inline struct iphdr outer_header(struct iphdr *inner, __u8 protocol) {
  /* Minimal encapsulation goes on with the inner header. */
  if (protocol == IPPROTO_MINIMAL) return *inner;
  struct iphdr outer = {
    .version = 4,
    .ihl = 5,
    /* DSCP as a uniform tunnel has it (RFC 2983), ECN in the normal mode of RFC 6040 4.1. */
    .tos = inner->tos,
    /* The identification of what is not fragmented is of no use (RFC 6864 4.1), that of all else should differ. */
    .id = bpf_get_prandom_u32(),
    /* RFC 2003 3.1: "copied from the inner IP header" where it is set. */
    .frag_off = inner->frag_off & bpf_htons(DONT_FRAGMENT),
    .ttl = 64,
  };
  return outer;
}

/* Writes what goes before the inner packet, or into it. The packet begins with an Ethernet header. */
static __always_inline bool write_headers(struct __sk_buff *skb, struct iphdr *outer, struct iphdr *inner) {
  __u8 protocol = outer->protocol;
  __u64 flags = BPF_F_ADJ_ROOM_FIXED_GSO;
  /* These mark the packet as encapsulated for good, so only what is to be segmented yet gets them. */
  if (skb->gso_size) {
    flags |= BPF_F_ADJ_ROOM_ENCAP_L3_IPV4;
    if (protocol == IPPROTO_GRE) flags |= BPF_F_ADJ_ROOM_ENCAP_L4_GRE;
  }
  __u32 layer = protocol == IPPROTO_MINIMAL ? BPF_ADJ_ROOM_NET : BPF_ADJ_ROOM_MAC;
  if (bpf_skb_adjust_room(skb, overhead_of(protocol), layer, flags)) return false;
  if (bpf_skb_store_bytes(skb, ETH_HLEN, outer, sizeof(*outer), 0)) return false;
  if (protocol == IPPROTO_GRE) {
    struct gre gre = { .payload_type = bpf_htons(ETH_P_IP) };
    return !bpf_skb_store_bytes(skb, ETH_HLEN + sizeof(*outer), &gre, sizeof(gre), 0);
  }
  if (protocol == IPPROTO_MINIMAL) {
    struct minimal minimal = {
      .protocol = inner->protocol,
      .flags = MINIMAL_HAS_SOURCE,
      .daddr = inner->daddr,
      .saddr = inner->saddr,
    };
    minimal.check = minimal_checksum(&minimal);
    return !bpf_skb_store_bytes(skb, ETH_HLEN + sizeof(*outer), &minimal, sizeof(minimal), 0);
  }
  return true;
}
