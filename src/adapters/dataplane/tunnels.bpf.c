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
 * Packets of mobiles that this member knows nothing of go on to another one (homes.bpf.h).
 *
 * Whatever comes out of a tunnel was sent by a mobile that is registered where the tunnel begins and was granted a reverse
 * tunnel. All else is dropped and counted by reason: this is never an open relay.
 */
#include "homes.bpf.h"

/* The helper that looks up routes is for programs under a license that is compatible with the GPL. */
char LICENSE[] SEC("license") = "GPL";

/*
 * By the tunnel to the care-of address. `is_passed_on`: the packet is in IP in IP from another member, which becomes that tunnel
 * where it can stay so.
 */
static __always_inline int send_to_mobile(struct __sk_buff *skb, struct settings *settings, struct tunnel *tunnel,
                                          struct iphdr *inner, bool is_passed_on) {
  /* RFC 2003 3.2, as is the rule about our own addresses: what comes from those by an interface the kernel does not forward. */
  if (inner->saddr == tunnel->care_of_address) return drop(SOURCE_IS_CARE_OF);

  __u8 protocol = protocol_for(skb, tunnel, inner);
  /* What is to be segmented yet can't get out of one encapsulation and into another. Each end takes IP in IP. */
  if (is_passed_on && skb->gso_size) protocol = IPPROTO_IPIP;
  __u16 inner_length = bpf_ntohs(inner->tot_len);
  struct iphdr outer = outer_header(inner, protocol);
  outer.tot_len = bpf_htons(inner_length + overhead_of(protocol));
  outer.protocol = protocol;
  outer.saddr = settings->virtual_address;
  outer.daddr = tunnel->care_of_address;
  __u32 uplink;
  if (!is_routed(skb, settings, &outer, &uplink)) return drop(CARE_OF_UNREACHABLE);
  if (uplink == settings->device) return drop(CARE_OF_AT_HOME);

  struct traffic *traffic = traffic_of(inner->daddr);
  if (traffic) {
    __sync_fetch_and_add(&traffic->packets_to_mobile, packets_in(skb));
    __sync_fetch_and_add(&traffic->octets_to_mobile, inner_length);
  }

  if (is_passed_on && protocol == IPPROTO_IPIP) {
    if (bpf_skb_store_bytes(skb, ETH_HLEN, &outer, sizeof(outer), 0)) return drop(NO_MEMORY);
    return bpf_redirect_neigh(uplink, 0, 0, 0);
  }
  __s32 room = -(__s32)sizeof(outer);
  if (is_passed_on && bpf_skb_adjust_room(skb, room, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO)) return drop(NO_MEMORY);
  if (!has_ethernet_header(skb, settings) || !write_headers(skb, &outer, inner)) return drop(NO_MEMORY);
  return bpf_redirect_neigh(uplink, 0, 0, 0);
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
  if (tunnel && tunnel->expires_ns > now_ns) return send_to_mobile(skb, settings, tunnel, &inner, false);
  __be32 home = home_of(settings, inner.daddr);
  if (!home) return drop(tunnel ? DESTINATION_EXPIRED : DESTINATION_UNREGISTERED);
  report_missed(inner.daddr, now_ns);
  return pass_on(skb, settings, &inner, home);
}

/*
 * IP in IP from another member to our own address: for a mobile of which that one knew nothing. It goes to the mobile or nowhere. What is
 * for no home address is somebody else's tunnel.
 */
static __always_inline int take_passed_on(struct __sk_buff *skb, struct settings *settings, struct iphdr *outer) {
  struct iphdr inner;
  if (outer->version != 4 || outer->ihl != 5 || (outer->frag_off & bpf_htons(IS_FRAGMENT))) return TC_ACT_UNSPEC;
  if (bpf_skb_load_bytes_relative(skb, sizeof(*outer), &inner, sizeof(inner), BPF_HDR_START_NET)) return TC_ACT_UNSPEC;
  if (inner.version != 4 || inner.ihl < 5) return TC_ACT_UNSPEC;
  struct tunnel *tunnel = bpf_map_lookup_elem(&tunnels, &inner.daddr);
  if (!tunnel && !is_home_address(skb, settings, inner.daddr)) return TC_ACT_UNSPEC;
  if (header_checksum(outer)) return drop(OUTER_CHECKSUM);
  __u32 outer_length = bpf_ntohs(outer->tot_len);
  if (outer_length > skb->len - ETH_HLEN) return drop(OUTER_LENGTH);
  __u32 inner_length = bpf_ntohs(inner.tot_len);
  if (inner_length != outer_length - sizeof(*outer) || inner_length < inner.ihl * 4) return drop(INNER_LENGTH);
  if (inner.ihl == 5 && header_checksum(&inner)) return drop(INNER_CHECKSUM);
  __u64 now_ns = bpf_ktime_get_boot_ns();
  if (!is_attended(now_ns)) return drop(UNATTENDED);
  if (!tunnel) return drop(DESTINATION_UNREGISTERED);
  if (tunnel->expires_ns <= now_ns) return drop(DESTINATION_EXPIRED);
  return send_to_mobile(skb, settings, tunnel, &inner, true);
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

#define IS_WHOLE -1

/* Finds the inner header, and how long what lies before it is. Answers IS_WHOLE, or the reason why the packet can't be taken. */
static __always_inline int look_inside(struct __sk_buff *skb, struct iphdr *outer, struct iphdr *inner, __u32 *overhead) {
  if (outer->version != 4 || outer->ihl != 5) return OUTER_OPTIONS;
  if (outer->frag_off & bpf_htons(IS_FRAGMENT)) return OUTER_FRAGMENT;
  if (header_checksum(outer)) return OUTER_CHECKSUM;
  __u32 outer_length = bpf_ntohs(outer->tot_len);
  if (outer_length > skb->len - ETH_HLEN) return OUTER_LENGTH;
  __u8 protocol = outer->protocol;
  *overhead = overhead_of(protocol);
  if (protocol == IPPROTO_MINIMAL) {
    struct minimal minimal = {};
    if (outer_length < sizeof(*outer) + MINIMAL_LENGTH_WITHOUT_SOURCE) return OUTER_LENGTH;
    if (bpf_skb_load_bytes_relative(skb, sizeof(*outer), &minimal, MINIMAL_LENGTH_WITHOUT_SOURCE, BPF_HDR_START_NET))
      return TRUNCATED;
    bool has_source = minimal.flags & MINIMAL_HAS_SOURCE;
    if (!has_source) *overhead = MINIMAL_LENGTH_WITHOUT_SOURCE;
    if (outer_length < sizeof(*outer) + *overhead) return OUTER_LENGTH;
    if (has_source && bpf_skb_load_bytes_relative(skb, sizeof(*outer), &minimal, sizeof(minimal), BPF_HDR_START_NET))
      return TRUNCATED;
    if (minimal_checksum(&minimal)) return MINIMAL_HEADER;
    *inner = *outer;
    inner->tot_len = bpf_htons(outer_length - *overhead);
    inner->protocol = minimal.protocol;
    inner->daddr = minimal.daddr;
    if (has_source) inner->saddr = minimal.saddr;
    inner->check = 0;
    inner->check = header_checksum(inner);
  } else {
    if (outer_length < *overhead + sizeof(*inner)) return OUTER_LENGTH;
    if (protocol == IPPROTO_GRE) {
      struct gre gre;
      if (bpf_skb_load_bytes_relative(skb, sizeof(*outer), &gre, sizeof(gre), BPF_HDR_START_NET)) return TRUNCATED;
      if (gre.flags_and_version || gre.payload_type != bpf_htons(ETH_P_IP)) return GRE_HEADER;
    }
    if (bpf_skb_load_bytes_relative(skb, *overhead, inner, sizeof(*inner), BPF_HDR_START_NET)) return TRUNCATED;
    if (inner->version != 4 || inner->ihl < 5) return INNER_HEADER;
  }
  __u32 inner_length = bpf_ntohs(inner->tot_len);
  if (inner_length != outer_length - *overhead || inner_length < inner->ihl * 4) return INNER_LENGTH;
  /* Of a header with options the kernel checks it, as of every packet that it forwards. */
  if (inner->ihl == 5 && header_checksum(inner)) return INNER_CHECKSUM;
  return IS_WHOLE;
}

SEC("tc")
int decapsulate(struct __sk_buff *skb) {
  struct settings *settings = bpf_map_lookup_elem(&settings_of_all, &only);
  if (!settings || skb->protocol != bpf_htons(ETH_P_IP) || skb->pkt_type != PACKET_HOST) return TC_ACT_UNSPEC;
  struct iphdr outer;
  if (bpf_skb_load_bytes_relative(skb, 0, &outer, sizeof(outer), BPF_HDR_START_NET)) return TC_ACT_UNSPEC;
  bool is_passed_on = outer.daddr == settings->own_address;
  if (outer.daddr != settings->virtual_address && !is_passed_on) return TC_ACT_UNSPEC;
  __u8 protocol = outer.protocol;
  if (protocol != IPPROTO_IPIP && protocol != IPPROTO_GRE && protocol != IPPROTO_MINIMAL) return TC_ACT_UNSPEC;

  if (is_passed_on && protocol == IPPROTO_IPIP && is_member(outer.saddr)) return take_passed_on(skb, settings, &outer);

  struct iphdr inner;
  __u32 overhead;
  int fault = look_inside(skb, &outer, &inner, &overhead);
  /* What is for our own address, and of no mobile, is somebody else's tunnel. */
  if (fault != IS_WHOLE) return is_passed_on ? TC_ACT_UNSPEC : drop(fault);
  __u32 inner_length = bpf_ntohs(inner.tot_len);

  __u64 now_ns = bpf_ktime_get_boot_ns();
  if (!is_attended(now_ns)) return drop(UNATTENDED);
  struct tunnel *tunnel = tunnel_from(inner.saddr, outer.saddr);
  bool is_known = tunnel && tunnel->expires_ns > now_ns;
  if (!is_known) {
    if (!tunnel && !is_home_address(skb, settings, inner.saddr)) return is_passed_on ? TC_ACT_UNSPEC : drop(SOURCE_UNREGISTERED);
    __be32 home = is_passed_on ? 0 : home_of(settings, inner.saddr);
    if (!home && !tunnel) return drop(SOURCE_UNREGISTERED);
    if (!home) return drop(tunnel->care_of_address == outer.saddr ? SOURCE_EXPIRED : CARE_OF_MISMATCH);
    report_missed(inner.saddr, now_ns);
    return pass_on_tunnel(skb, settings, &outer, home);
  }
  if (tunnel->care_of_address != outer.saddr) return drop(CARE_OF_MISMATCH);
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
