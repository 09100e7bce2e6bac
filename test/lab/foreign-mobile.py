"""A mobile node that shares no code with Anyhome: registers home addresses and prints what it was answered, as JSON lines.

usage: foreign-mobile.py (scapy|bytes) HOME-AGENT CARE-OF-ADDRESS HOME-ADDRESS...
"""
import hmac
import json
import random
import socket
import struct
import sys
import time

KEY, SPI = b"1234567812345678", 256


def identification():
    return int((time.time() + 2208988800) * 2**32) & (2**64 - 1)


def built_by_scapy(home, home_agent, care_of, ident):
    from scapy.layers.mobileip import MobileIP, MobileIPRRQ

    return bytes(
        MobileIP(type=1)
        / MobileIPRRQ(flags=0, lifetime=600, homeaddr=home, haaddr=home_agent, coaddr=care_of, id=ident)
    )


def built_by_hand(home, home_agent, care_of, ident):
    return (
        b"\x01\x00" + (600).to_bytes(2, "big")
        + socket.inet_aton(home) + socket.inet_aton(home_agent) + socket.inet_aton(care_of)
        + ident.to_bytes(8, "big")
    )


def with_mobile_home_authentication(message):
    covered = message + struct.pack("!BBI", 32, 20, SPI)
    return covered + hmac.new(KEY, covered, "md5").digest()


def check_reply(reply):
    kind, code, lifetime, home, home_agent, ident = struct.unpack("!BBH4s4sQ", reply[:20])
    assert kind == 3, kind
    assert reply[20:26] == struct.pack("!BBI", 32, 20, SPI), reply[20:26]
    authentic = hmac.compare_digest(reply[26:42], hmac.new(KEY, reply[:26], "md5").digest())
    return {
        "code": code,
        "lifetime": lifetime,
        "homeAddress": socket.inet_ntoa(home),
        "homeAgent": socket.inet_ntoa(home_agent),
        "identification": "0x%016x" % ident,
        "authentic": authentic,
    }


def main():
    how, home_agent, care_of, *homes = sys.argv[1:]
    build = {"scapy": built_by_scapy, "bytes": built_by_hand}[how]
    for home in homes:
        # A port of its own for each mobile, so that equal-cost paths spread them.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((care_of, random.randint(20000, 60000)))
            sock.settimeout(5)
            ident = identification()
            request = with_mobile_home_authentication(build(home, home_agent, care_of, ident))
            sock.sendto(request, (home_agent, 434))
            reply, source = sock.recvfrom(2048)
            print(json.dumps({
                **check_reply(reply),
                "request": request.hex(),
                "reply": reply.hex(),
                "requestIdentification": "0x%016x" % ident,
                "source": "%s:%d" % source,
                "port": sock.getsockname()[1],
            }))


main()
