// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/*
 * The tunnels of a home agent, in the kernel: RFC 5944 4.2.3, RFC 2003, RFC 2004, RFC 2784, RFC 3024.
 *
 *     correspondent ──▶ uplink ──▶ routing ──▶ anyhome0 ── encapsulate ──▶ uplink ──▶ care-of address
 *     correspondent ◀── uplink ◀── routing ◀── anyhome0 ◀── decapsulate ── uplink ◀── care-of address
 *
 * `encapsulate` is on the egress of the device that the virtual network is routed to, `decapsulate` on the ingress of every
 * uplink. What lies between, such as the TTL, ICMP errors and fragments of the inner packet, is the kernel's as for any route.
 *
 * Whatever comes out of a tunnel was sent by a mobile that is registered where the tunnel begins and was granted a reverse
 * tunnel. All else is dropped and counted by reason: this is never an open relay.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

/* The helper that looks up routes is for programs under a license that is compatible with the GPL. */
char LICENSE[] SEC("license") = "GPL";

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
  REASONS,
};

struct settings {
  /* The virtual home agent address: where all tunnels end here. */
  __be32 virtual_address;
  /* The interface that the virtual network is routed to. */
  __u32 device;
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

SEC("tc")
int encapsulate(struct __sk_buff *skb) {
  struct settings *settings = bpf_map_lookup_elem(&settings_of_all, &only);
  if (!settings) return TC_ACT_SHOT;
  if (skb->protocol != bpf_htons(ETH_P_IP)) return drop(NOT_IPV4);
  struct iphdr inner;
  if (bpf_skb_load_bytes_relative(skb, 0, &inner, sizeof(inner), BPF_HDR_START_NET)) return drop(TRUNCATED);

  __u64 now_ns = bpf_ktime_get_boot_ns();
  if (!is_attended(now_ns)) return drop(UNATTENDED);
  struct tunnel *tunnel = bpf_map_lookup_elem(&tunnels, &inner.daddr);
  if (!tunnel) return drop(DESTINATION_UNREGISTERED);
  if (tunnel->expires_ns <= now_ns) return drop(DESTINATION_EXPIRED);
  /* RFC 2003 3.2, as is the rule about our own addresses: what comes from those by an interface the kernel does not forward. */
  if (inner.saddr == tunnel->care_of_address) return drop(SOURCE_IS_CARE_OF);

  __u8 protocol = protocol_for(skb, tunnel, &inner);
  __u16 inner_length = bpf_ntohs(inner.tot_len);
  struct iphdr outer = outer_header(&inner, protocol);
  outer.tot_len = bpf_htons(inner_length + overhead_of(protocol));
  outer.protocol = protocol;
  outer.saddr = settings->virtual_address;
  outer.daddr = tunnel->care_of_address;
  outer.check = 0;
  outer.check = header_checksum(&outer);

  __u32 uplink;
  long routed = route(skb, settings->device, &outer, &uplink);
  if (routed != BPF_FIB_LKUP_RET_SUCCESS && routed != BPF_FIB_LKUP_RET_NO_NEIGH) return drop(CARE_OF_UNREACHABLE);
  if (uplink == settings->device) return drop(CARE_OF_AT_HOME);

  struct traffic *traffic = traffic_of(inner.daddr);
  if (traffic) {
    __sync_fetch_and_add(&traffic->packets_to_mobile, packets_in(skb));
    __sync_fetch_and_add(&traffic->octets_to_mobile, inner_length);
  }

  /* A TUN device has no room for an Ethernet header, which the uplink's is to be written to. */
  if (skb->ifindex == settings->device && bpf_skb_change_head(skb, ETH_HLEN, 0)) return drop(NO_MEMORY);
  if (!write_headers(skb, &outer, &inner)) return drop(NO_MEMORY);
  return bpf_redirect_neigh(uplink, 0, 0, 0);
}

/* Neither "this network", nor loopback, multicast, reserved or the limited broadcast address. */
static __always_inline bool is_unicast(__be32 address) {
  __u8 first = bpf_ntohl(address) >> 24;
  return first != 0 && first != 127 && first < 224;
}

static __always_inline struct tunnel *tunnel_from(__be32 home_address, __be32 care_of_address) {
  struct tunnel *tunnel = bpf_map_lookup_elem(&tunnels, &home_address);
  if (!tunnel || tunnel->care_of_address == care_of_address) return tunnel;
  struct pair pair = { home_address, care_of_address };
  struct tunnel *further = bpf_map_lookup_elem(&further_tunnels, &pair);
  return further ? further : tunnel;
}

#define ECN_MASK 3
#define NOT_ECT 0
#define ECT_1 1
#define ECT_0 2
#define CE 3

SEC("tc")
int decapsulate(struct __sk_buff *skb) {
  struct settings *settings = bpf_map_lookup_elem(&settings_of_all, &only);
  if (!settings || skb->protocol != bpf_htons(ETH_P_IP) || skb->pkt_type != PACKET_HOST) return TC_ACT_UNSPEC;
  struct iphdr outer;
  if (bpf_skb_load_bytes_relative(skb, 0, &outer, sizeof(outer), BPF_HDR_START_NET)) return TC_ACT_UNSPEC;
  if (outer.daddr != settings->virtual_address) return TC_ACT_UNSPEC;
  __u8 protocol = outer.protocol;
  if (protocol != IPPROTO_IPIP && protocol != IPPROTO_GRE && protocol != IPPROTO_MINIMAL) return TC_ACT_UNSPEC;

  /* It is a tunnel that ends here: the kernel has nothing to do with it from here on. */
  if (outer.version != 4 || outer.ihl != 5) return drop(OUTER_OPTIONS);
  if (outer.frag_off & bpf_htons(IS_FRAGMENT)) return drop(OUTER_FRAGMENT);
  if (header_checksum(&outer)) return drop(OUTER_CHECKSUM);
  __u32 outer_length = bpf_ntohs(outer.tot_len);
  if (outer_length > skb->len - ETH_HLEN) return drop(OUTER_LENGTH);
  struct iphdr inner;
  __u32 overhead = overhead_of(protocol);
  if (protocol == IPPROTO_MINIMAL) {
    struct minimal minimal = {};
    if (outer_length < sizeof(outer) + MINIMAL_LENGTH_WITHOUT_SOURCE) return drop(OUTER_LENGTH);
    if (bpf_skb_load_bytes_relative(skb, sizeof(outer), &minimal, MINIMAL_LENGTH_WITHOUT_SOURCE, BPF_HDR_START_NET))
      return drop(TRUNCATED);
    bool has_source = minimal.flags & MINIMAL_HAS_SOURCE;
    if (!has_source) overhead = MINIMAL_LENGTH_WITHOUT_SOURCE;
    if (outer_length < sizeof(outer) + overhead) return drop(OUTER_LENGTH);
    if (has_source && bpf_skb_load_bytes_relative(skb, sizeof(outer), &minimal, sizeof(minimal), BPF_HDR_START_NET))
      return drop(TRUNCATED);
    if (minimal_checksum(&minimal)) return drop(MINIMAL_HEADER);
    inner = outer;
    inner.tot_len = bpf_htons(outer_length - overhead);
    inner.protocol = minimal.protocol;
    inner.daddr = minimal.daddr;
    if (has_source) inner.saddr = minimal.saddr;
    inner.check = 0;
    inner.check = header_checksum(&inner);
  } else {
    if (outer_length < overhead + sizeof(inner)) return drop(OUTER_LENGTH);
    if (protocol == IPPROTO_GRE) {
      struct gre gre;
      if (bpf_skb_load_bytes_relative(skb, sizeof(outer), &gre, sizeof(gre), BPF_HDR_START_NET)) return drop(TRUNCATED);
      if (gre.flags_and_version || gre.payload_type != bpf_htons(ETH_P_IP)) return drop(GRE_HEADER);
    }
    if (bpf_skb_load_bytes_relative(skb, overhead, &inner, sizeof(inner), BPF_HDR_START_NET)) return drop(TRUNCATED);
    if (inner.version != 4 || inner.ihl < 5) return drop(INNER_HEADER);
  }
  __u32 inner_length = bpf_ntohs(inner.tot_len);
  if (inner_length != outer_length - overhead || inner_length < inner.ihl * 4) return drop(INNER_LENGTH);
  /* Of a header with options the kernel checks it, as of every packet that it forwards. */
  if (inner.ihl == 5 && header_checksum(&inner)) return drop(INNER_CHECKSUM);

  __u64 now_ns = bpf_ktime_get_boot_ns();
  if (!is_attended(now_ns)) return drop(UNATTENDED);
  struct tunnel *tunnel = tunnel_from(inner.saddr, outer.saddr);
  if (!tunnel) return drop(SOURCE_UNREGISTERED);
  if (tunnel->care_of_address != outer.saddr) return drop(CARE_OF_MISMATCH);
  if (tunnel->expires_ns <= now_ns) return drop(SOURCE_EXPIRED);
  bool is_minimal_fallback = tunnel->protocol == IPPROTO_MINIMAL && protocol == IPPROTO_IPIP;
  if (tunnel->protocol != protocol && !is_minimal_fallback) return drop(ENCAPSULATION_MISMATCH);
  if (!tunnel->is_reverse) return drop(REVERSE_TUNNEL_NOT_GRANTED);

  /* Nothing that a mobile sends reaches this host itself, nor a tunnel in the tunnel, nor more than one receiver. */
  __u32 next;
  if (!is_unicast(inner.daddr) || inner.daddr == settings->virtual_address) return drop(INNER_DESTINATION);
  long routed = route(skb, settings->device, &inner, &next);
  /* Where the device does not forward, the kernel would still take what is for this host. */
  if (routed < 0 || routed == BPF_FIB_LKUP_RET_NOT_FWDED || routed == BPF_FIB_LKUP_RET_FWD_DISABLED)
    return drop(INNER_DESTINATION);

  /* RFC 6040 4.2 */
  __u8 outer_ecn = outer.tos & ECN_MASK;
  __u8 inner_ecn = inner.tos & ECN_MASK;
  __u8 ecn = inner_ecn;
  if (outer_ecn == CE && inner_ecn == NOT_ECT) return drop(CONGESTION);
  if (outer_ecn == CE || (outer_ecn == ECT_1 && inner_ecn == ECT_0)) ecn = outer_ecn;

  struct traffic *traffic = traffic_of(inner.saddr);
  if (traffic) {
    __sync_fetch_and_add(&traffic->packets_from_mobile, packets_in(skb));
    __sync_fetch_and_add(&traffic->octets_from_mobile, inner_length);
  }

  __s32 room = -(__s32)overhead;
  __u32 layer = protocol == IPPROTO_MINIMAL ? BPF_ADJ_ROOM_NET : BPF_ADJ_ROOM_MAC;
  if (bpf_skb_adjust_room(skb, room, layer, BPF_F_ADJ_ROOM_FIXED_GSO)) return drop(NO_MEMORY);
  if (protocol == IPPROTO_MINIMAL && bpf_skb_store_bytes(skb, ETH_HLEN, &inner, sizeof(inner), 0))
    return drop(NO_MEMORY);
  if (ecn != inner_ecn) {
    __u8 tos = (inner.tos & ~ECN_MASK) | ecn;
    __u32 offset = ETH_HLEN + __builtin_offsetof(struct iphdr, check);
    if (bpf_l3_csum_replace(skb, offset, bpf_htons(inner.tos), bpf_htons(tos), 2)) return drop(NO_MEMORY);
    if (bpf_skb_store_bytes(skb, ETH_HLEN + __builtin_offsetof(struct iphdr, tos), &tos, sizeof(tos), 0))
      return drop(NO_MEMORY);
  }
  return bpf_redirect(settings->device, BPF_F_INGRESS);
}
