#!/usr/bin/python3
"""The mobile's end of a tunnel with a co-located care-of address, which is not ours: Linux makes and reads the outer headers.

Packets of the home address go through a TUN device and a raw socket of the encapsulation's protocol, both ways.
"""
import argparse
import fcntl
import os
import select
import socket
import struct
import subprocess

TUNSETIFF = 0x400454CA
IFF_TUN_NO_PI = 0x1001
SO_RCVBUFFORCE = 33
PROTOCOLS = {"ip-in-ip": 4, "gre": 47, "minimal": 55}
GRE_HEADER = b"\0\0\x08\0"

arguments = argparse.ArgumentParser()
arguments.add_argument("--home-address", required=True)
arguments.add_argument("--care-of-address", required=True)
arguments.add_argument("--home-agent", required=True)
arguments.add_argument("--encapsulation", choices=PROTOCOLS, default="ip-in-ip")
options = arguments.parse_args()



def checksum(octets):
    total = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def payload_for(inner):
    """What the tunnel carries behind the outer header."""
    if options.encapsulation == "gre":
        return GRE_HEADER + inner
    if options.encapsulation == "minimal":
        # RFC 2004 3.1: protocol, S bit, checksum, original destination and source.
        header = struct.pack("!BBH4s4s", inner[9], 0x80, 0, inner[16:20], inner[12:16])
        return header[:2] + struct.pack("!H", checksum(header)) + header[4:] + inner[20:]
    return inner


def inner_of(packet):
    outer_length = (packet[0] & 15) * 4
    if options.encapsulation == "minimal":
        header = packet[outer_length:outer_length + 12]
        if checksum(header) != 0:
            raise ValueError("wrong checksum of a minimal forwarding header")
        inner = bytearray(packet[:20] + packet[outer_length + 12:])
        struct.pack_into("!H", inner, 2, len(inner))
        inner[9] = header[0]
        inner[10:12] = b"\0\0"
        inner[12:16], inner[16:20] = header[8:12], header[4:8]
        struct.pack_into("!H", inner, 10, checksum(inner[:20]))
        return bytes(inner)
    return packet[outer_length + (len(GRE_HEADER) if options.encapsulation == "gre" else 0):]


tun = os.open("/dev/net/tun", os.O_RDWR)
name = "mn-" + options.home_address.rsplit(".", 1)[1]
fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN_NO_PI))
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, PROTOCOLS[options.encapsulation])
# It is one process on a busy machine: what comes while others run waits.
raw.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
raw.bind((options.care_of_address, 0))
raw.connect((options.home_agent, 0))
for command in (
    f"ip address add {options.home_address}/32 dev {name}",
    f"ip link set {name} up mtu 1400 txqueuelen 10000",
    f"ip route add default dev {name} table {100 + int(name[3:])}",
    f"ip rule add from {options.home_address} lookup {100 + int(name[3:])}",
):
    subprocess.run(command.split(), check=True)
print("the tunnel is there", flush=True)

while True:
    readable, _, _ = select.select([tun, raw], [], [])
    if tun in readable:
        try:
            raw.send(payload_for(os.read(tun, 65535)))
        except OSError:
            pass  # What a network loses is lost.
    if raw in readable:
        inner = inner_of(raw.recv(65535))
        # Others behind the same care-of address have an end of their own.
        if inner[:1] and inner[0] >> 4 == 4 and inner[16:20] == socket.inet_aton(options.home_address):
            os.write(tun, inner)
