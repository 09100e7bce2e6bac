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
PROTOCOLS = {"ip-in-ip": 4, "gre": 47}
GRE_HEADER = b"\0\0\x08\0"

arguments = argparse.ArgumentParser()
arguments.add_argument("--home-address", required=True)
arguments.add_argument("--care-of-address", required=True)
arguments.add_argument("--home-agent", required=True)
arguments.add_argument("--encapsulation", choices=PROTOCOLS, default="ip-in-ip")
options = arguments.parse_args()

header = GRE_HEADER if options.encapsulation == "gre" else b""
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
            raw.send(header + os.read(tun, 65535))
        except OSError:
            pass  # What a network loses is lost.
    if raw in readable:
        packet = raw.recv(65535)
        inner = packet[(packet[0] & 15) * 4 + len(header):]
        if inner[:1] and inner[0] >> 4 == 4:
            os.write(tun, inner)
