#!/usr/bin/env python3
"""Anyhome inside ExaBGP: the API process that joins ExaBGP to the daemon, and fails closed.

    daemon <-- unix socket, NDJSON --> this process <-- stdin and stdout, ExaBGP's text API --> ExaBGP

ExaBGP keeps announcing when its API process dies or the daemon behind it hangs. So whatever happens to the
daemon (gone, silent, talking nonsense), this process withdraws every route and waits for a new set; it never
announces of its own accord. An ExaBGP that refuses to withdraw, or doesn't answer, is killed: the kernel then
closes its sessions, and the routers drop its routes. Should this process itself stand still, the kernel kills it, and
ExaBGP starts another, which withdraws first. docs/advertiser.md describes the protocol and each failure.
"""

import argparse
import ctypes
import fcntl
import functools
import json
import os
import re
import select
import selectors
import signal
import socket
import sys
import time

PROTOCOL_VERSION = 1

# A neighbor can make ExaBGP print what it likes, and the daemon may hang: nothing here grows without bound.
LINE_LIMIT = 1 << 20
OUTBOX_LIMIT = 1 << 20
EVENTS_LIMIT = 1 << 18
ROUTES_LIMIT = 1024
COMMAND = re.compile(r"[\x20-\x7e]{1,4096}")

# Names no prefix, so that it also takes back what an earlier helper in this ExaBGP announced. With the route-refresh
# capability, ExaBGP 4.2.21 holds later announcements back for ever: the generated configuration keeps it off.
WITHDRAW_EVERYTHING = "clear adj-rib out"
ASK_VERSION = "version"
PROBE = "#"

# A `down` may hold a line feed from the neighbor's NOTIFICATION, which leaves it no JSON.
SESSION_EVENT = re.compile(r'"type": "(state|negotiated)".{0,200}?"peer": "([0-9.]{7,15})"')
PATHS_LIMIT = 512
ATTRIBUTES_LIMIT = 8192
# Of what changes faster than this, the daemon gets the last.
PATHS_SECONDS = 0.1

RECONNECT_SECONDS = 0.25
# After a BFD session is down, FRR 8.4 lets ExaBGP connect again a second later: by then a helper that hangs must be gone.
LEASE_SECONDS = 1.5
TURN_SECONDS = LEASE_SECONDS / 6


class BadInput(Exception):
    """The daemon sent something that the protocol doesn't know."""


class Lease:
    """This process lives as long as it says so: else the kernel kills it. No alarm can do that, nor another process be
    trusted to: what stops or freezes this one may have done so to its siblings, and a stopped process takes no signal
    but SIGKILL, which a timer of POSIX can send."""

    class Event(ctypes.Structure):
        """struct sigevent: 64 bytes, of which SIGEV_SIGNAL, which is 0, uses the first."""

        _fields_ = [
            ("value", ctypes.c_void_p),
            ("signal", ctypes.c_int),
            ("notify", ctypes.c_int),
            ("rest", ctypes.c_char * 52),
        ]

    class Period(ctypes.Structure):
        """struct itimerspec"""

        _fields_ = [(name, ctypes.c_long) for name in ("repeat", "repeat_ns", "seconds", "nanoseconds")]

    def __init__(self, seconds):
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.timer = ctypes.c_void_p()
        self.period = self.Period(seconds=int(seconds), nanoseconds=int(seconds % 1 * 1e9))
        event = self.Event(signal=signal.SIGKILL)
        self.check(self.libc.timer_create(time.CLOCK_MONOTONIC, ctypes.byref(event), ctypes.byref(self.timer)))
        self.renew()

    def renew(self):
        self.check(self.libc.timer_settime(self.timer, 0, ctypes.byref(self.period), None))

    def check(self, result):
        if result != 0:
            raise OSError(ctypes.get_errno(), "the kernel gives no timer")


class Lines:
    """Cuts a byte stream into lines. One that is too long is swallowed to its end and yielded as None."""

    def __init__(self):
        self.buffer = bytearray()
        self.swallowing = False

    def feed(self, data):
        self.buffer += data
        while True:
            end = self.buffer.find(b"\n")
            if end < 0:
                break
            line = None if self.swallowing or end > LINE_LIMIT else bytes(self.buffer[:end])
            self.swallowing = False
            del self.buffer[: end + 1]
            yield line
        if len(self.buffer) > LINE_LIMIT:
            self.swallowing = True
            self.buffer.clear()


class Speaker:
    """ExaBGP's side: at most one command in flight, since ExaBGP's replies don't say what they answer."""

    def __init__(self, reply_seconds):
        self.reply_seconds = reply_seconds
        self.lines = Lines()
        self.unsent = b""
        self.command = None
        self.deadline = None
        self.on_reply = None
        self.parent = os.getppid()
        # Only a parent that has answered like ExaBGP is ever killed.
        self.proven = False

    @property
    def busy(self):
        return self.command is not None

    def send(self, command, on_reply):
        self.command = command
        self.on_reply = on_reply
        self.deadline = time.monotonic() + self.reply_seconds
        self.unsent = command.encode("ascii") + b"\n"
        self.flush()

    def flush(self):
        try:
            self.unsent = self.unsent[os.write(1, self.unsent) :]
        except BlockingIOError:
            pass
        except OSError:
            sys.exit(0)

    def read(self):
        """Returns the lines that have come; exits when ExaBGP is gone, which the daemon sees as the end of our connection."""
        try:
            data = os.read(0, 65536)
        except BlockingIOError:
            return []
        if not data:
            sys.exit(0)
        return self.lines.feed(data)

    def answered(self, succeeded):
        command, on_reply = self.command, self.on_reply
        self.command = self.deadline = self.on_reply = None
        self.unsent = b""
        self.proven = True
        on_reply(command, succeeded)

    def overdue(self):
        return self.deadline is not None and time.monotonic() >= self.deadline

    def kill(self):
        if self.proven and os.getppid() == self.parent and self.parent > 1:
            os.kill(self.parent, signal.SIGKILL)


class Daemon:
    """The daemon's side: a connection that is tried again and again."""

    def __init__(self, path, selector):
        self.path = path
        self.selector = selector
        self.socket = None
        self.retry_at = 0.0
        self.complaint = None
        self.disconnect()

    def disconnect(self):
        if self.socket is not None:
            self.selector.unregister(self.socket)
            self.socket.close()
            self.retry_at = time.monotonic() + RECONNECT_SECONDS
        self.socket = None
        self.lines = Lines()
        self.outbox = bytearray()
        self.dropped_events = 0
        self.greeted = False
        self.joined = False
        self.silence_seconds = None
        self.silent_at = None

    def connect(self):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.setblocking(False)
        problem = connection.connect_ex(self.path)
        if problem:
            connection.close()
            self.retry_at = time.monotonic() + RECONNECT_SECONDS
            if problem != self.complaint:
                self.complaint = problem
                complain(f"can't join the daemon at {self.path}: {os.strerror(problem)}; nothing is announced meanwhile")
            return
        self.complaint = None
        self.socket = connection
        self.selector.register(connection, selectors.EVENT_READ, "daemon")

    def send(self, message):
        if self.socket is None:
            return
        self.outbox += json.dumps(message, separators=(",", ":")).encode("ascii") + b"\n"
        self.flush()

    @property
    def has_room(self):
        """Whatever else the daemon has to hear fits in the room that events leave."""
        return self.joined and len(self.outbox) < EVENTS_LIMIT

    def send_event(self, line):
        """A line that is of no consequence: it may be lost."""
        if not self.joined:
            return
        if len(self.outbox) + len(line) > EVENTS_LIMIT:
            self.dropped_events += 1
            return
        if self.dropped_events:
            self.send({"type": "dropped", "events": self.dropped_events})
            self.dropped_events = 0
        self.send({"type": "event", "line": line})

    def flush(self):
        try:
            sent = self.socket.send(self.outbox)
            del self.outbox[:sent]
        except BlockingIOError:
            pass
        except OSError:
            # The read that follows finds the end of the connection.
            self.outbox.clear()
        self.selector.modify(
            self.socket, selectors.EVENT_READ | (selectors.EVENT_WRITE if self.outbox else 0), "daemon"
        )

    def heard(self):
        if self.silence_seconds is not None:
            self.silent_at = time.monotonic() + self.silence_seconds


class Session:
    """What one router has said since its session came up."""

    def __init__(self):
        self.lines = {}
        # (prefix, path id) -> (next hop, attributes)
        self.paths = {}
        self.lost = 0
        self.told_lost = 0


class View:
    """What all routers have said, by its last state. ExaBGP says it once; the daemon may join later, or read slower than
    routers talk: it gets each entry as it is when there is room to send it. Bounded, whatever routers say."""

    def __init__(self, neighbors, prefixes):
        self.sessions = {neighbor: Session() for neighbor in neighbors}
        self.prefixes = set(prefixes)
        self.marks = [f'"{prefix}"' for prefix in prefixes]
        self.told = set()
        self.unsent_lines = {}
        self.unsent_paths = {}
        self.paths_at = 0.0

    def take(self, line):
        """Keeps what a line says about a session or its paths. False for any other line."""
        event = SESSION_EVENT.search(line)
        if event and event[2] in self.sessions:
            self.session_changed(event[1], event[2], line)
            return True
        if '"type": "update"' not in line:
            return False
        # Routers may send all of the internet: what isn't about our prefixes isn't even parsed.
        if any(mark in line for mark in self.marks):
            self.update(line)
        return True

    def session_changed(self, kind, neighbor, line):
        session = self.sessions[neighbor]
        if kind == "state":
            # `up` follows `negotiated`, and all paths follow `up`.
            kept = session.lines.get("negotiated") if '"state": "up"' in line else None
            session.lines = {"negotiated": kept} if kept else {}
            session.paths.clear()
            session.lost = session.told_lost = 0
            for unsent in (self.unsent_lines, self.unsent_paths):
                for key in [key for key in unsent if key[0] == neighbor]:
                    del unsent[key]
            self.told = {key for key in self.told if key[0] != neighbor}
            if kept:
                self.unsent_lines[neighbor, "negotiated"] = True
        session.lines[kind] = line
        self.unsent_lines[neighbor, kind] = True

    def update(self, line):
        try:
            event = json.loads(line, parse_constant=refuse_constant)["neighbor"]
            neighbor = event["address"]["peer"]
            session = self.sessions[neighbor]
        except (ValueError, RecursionError, LookupError, TypeError):
            self.lose_all()
            return
        try:
            update = event["message"]["update"]
            for nlri in update.get("withdraw", {}).get("ipv4 unicast", []):
                self.path_changed(neighbor, session, nlri, None)
            for next_hop, nlris in update.get("announce", {}).get("ipv4 unicast", {}).items():
                for nlri in nlris:
                    self.path_changed(neighbor, session, nlri, (next_hop, update.get("attribute", {})))
        except (LookupError, TypeError, AttributeError):
            self.lose(neighbor, session)

    def path_changed(self, neighbor, session, nlri, path):
        prefix, path_id = (nlri, None) if isinstance(nlri, str) else (nlri["nlri"], nlri.get("path-information"))
        if prefix not in self.prefixes:
            return
        if not isinstance(path_id, (str, type(None))) or len(path_id or "") > 15:
            raise TypeError
        key = (neighbor, prefix, path_id)
        session.paths.pop(key, None)
        if path is not None:
            if fits(path) and len(session.paths) < PATHS_LIMIT:
                session.paths[key] = path
            else:
                self.lose(neighbor, session)
        if key in session.paths or key in self.told:
            self.unsent_paths[key] = True
        else:
            self.unsent_paths.pop(key, None)

    def lose(self, neighbor, session):
        session.lost += 1
        self.unsent_lines[neighbor, "lost"] = True

    def lose_all(self):
        """A line that can't be read may have been about any session."""
        for neighbor, session in self.sessions.items():
            self.lose(neighbor, session)

    def tell_again(self):
        """A daemon has joined that knows nothing."""
        self.told.clear()
        for session in self.sessions.values():
            session.told_lost = 0
        self.unsent_lines = {
            (neighbor, kind): True for neighbor, session in self.sessions.items() for kind in session.lines
        }
        self.unsent_lines.update(
            {(neighbor, "lost"): True for neighbor, session in self.sessions.items() if session.lost}
        )
        self.unsent_paths = {key: True for session in self.sessions.values() for key in session.paths}

    def tell(self, daemon, now):
        while self.unsent_lines and daemon.has_room:
            neighbor, kind = key = next(iter(self.unsent_lines))
            del self.unsent_lines[key]
            session = self.sessions[neighbor]
            if kind == "lost":
                daemon.send({"type": "dropped", "events": session.lost - session.told_lost, "neighbor": neighbor})
                session.told_lost = session.lost
            else:
                daemon.send({"type": "event", "line": session.lines[kind]})
        if now < self.paths_at:
            return
        while self.unsent_paths and daemon.has_room:
            neighbor, prefix, path_id = key = next(iter(self.unsent_paths))
            del self.unsent_paths[key]
            message = {"type": "path", "neighbor": neighbor, "prefix": prefix, "pathId": path_id}
            path = self.sessions[neighbor].paths.get(key)
            if path is None:
                self.told.discard(key)
                daemon.send(message)
            else:
                self.told.add(key)
                daemon.send({**message, "nextHop": path[0], "attributes": path[1]})
            self.paths_at = now + PATHS_SECONDS

    def due_at(self, daemon):
        return self.paths_at if self.unsent_paths and daemon.has_room else None


class Helper:
    """Brings what ExaBGP announces in line with what the daemon asked for, one command at a time."""

    def __init__(self, options):
        self.run_id = options.run
        self.selector = selectors.DefaultSelector()
        self.speaker = Speaker(options.reply_ms / 1000)
        self.daemon = Daemon(options.socket, self.selector)
        self.version = None
        # Withdraw command -> announce command: what the daemon asked for, and what ExaBGP has been told.
        self.wanted = {}
        self.announced = {}
        self.sequence = None
        # A predecessor in this ExaBGP may have left routes behind.
        self.withdrawing = True
        self.lapsed_ms = None
        self.probe = None
        self.view = View(listed(options.neighbors), listed(options.prefixes))

    def run(self):
        for descriptor in (0, 1):
            fcntl.fcntl(descriptor, fcntl.F_SETFL, fcntl.fcntl(descriptor, fcntl.F_GETFL) | os.O_NONBLOCK)
        self.selector.register(0, selectors.EVENT_READ, "speaker")
        waiting_to_write = False
        lease = Lease(LEASE_SECONDS)
        while True:
            lease.renew()
            self.advance()
            if bool(self.speaker.unsent) != waiting_to_write:
                waiting_to_write = not waiting_to_write
                if waiting_to_write:
                    self.selector.register(1, selectors.EVENT_WRITE, "command")
                else:
                    self.selector.unregister(1)
            for key, events in self.selector.select(self.patience()):
                if key.data == "speaker":
                    self.read_speaker()
                elif key.data == "command":
                    self.speaker.flush()
                elif key.fileobj is self.daemon.socket:
                    if events & selectors.EVENT_WRITE:
                        self.daemon.flush()
                    if events & selectors.EVENT_READ:
                        self.read_daemon()
            self.check_clocks()

    def patience(self):
        """Seconds until the next clock strikes."""
        clocks = [time.monotonic() + TURN_SECONDS, self.speaker.deadline, self.daemon.silent_at]
        clocks.append(self.view.due_at(self.daemon))
        if self.daemon.socket is None:
            clocks.append(self.daemon.retry_at)
        times = [clock for clock in clocks if clock is not None]
        return max(0.0, min(times) - time.monotonic())

    def check_clocks(self):
        now = time.monotonic()
        if self.speaker.overdue():
            self.end_speaker(f"ExaBGP didn't answer '{self.speaker.command}'")
        if self.daemon.silent_at is not None and now >= self.daemon.silent_at:
            self.lapsed_ms = round(self.daemon.silence_seconds * 1000)
            self.daemon.silent_at = None
            self.withdraw_everything()
        self.view.tell(self.daemon, now)
        if len(self.daemon.outbox) > OUTBOX_LIMIT:
            self.part("the daemon writes but doesn't read")
        if self.daemon.socket is None and now >= self.daemon.retry_at:
            self.daemon.connect()

    # What ExaBGP says

    def read_speaker(self):
        for raw in self.speaker.read():
            line = None if raw is None else raw.decode("utf-8", "replace").strip()
            if line is None:
                self.daemon.dropped_events += 1
                self.view.lose_all()
            elif line.startswith("{"):
                if not self.view.take(line):
                    self.daemon.send_event(line[:1000])
            elif line in ("done", "error") and self.speaker.busy:
                self.speaker.answered(line == "done")
            elif line.startswith("exabgp ") and self.speaker.command == ASK_VERSION:
                self.version = line[:100]
            elif line:
                # Not a reason to withdraw: a neighbor's NOTIFICATION can put such a line here, and must not be a switch.
                self.daemon.send_event(line[:1000])

    # What the daemon says

    def read_daemon(self):
        try:
            data = self.daemon.socket.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.part(None)
            return
        try:
            for line in self.daemon.lines.feed(data):
                self.handle(parse(line))
                self.daemon.heard()
        except BadInput as problem:
            self.part(f"bad input from the daemon: {problem}")

    def part(self, problem):
        if problem:
            complain(problem)
            self.daemon.send({"type": "error", "message": problem})
        self.daemon.disconnect()
        self.lapsed_ms = None
        self.withdraw_everything()

    def handle(self, message):
        kind = message.get("type")
        if kind == "hello":
            if message.get("version") != PROTOCOL_VERSION:
                raise BadInput(f"this helper speaks version {PROTOCOL_VERSION} of the protocol")
            self.daemon.silence_seconds = integer(message, "deadlineMs", 50, 60_000) / 1000
            self.daemon.greeted = True
        elif not self.daemon.greeted:
            raise BadInput("the first message must be hello")
        elif kind == "set":
            self.wanted = routes(message)
            self.sequence = integer(message, "sequence", 0, 2**53)
        elif kind == "end":
            self.end_speaker(f"the daemon asked for it ({str(message.get('reason'))[:200]})")
        elif kind == "heartbeat":
            if "probe" in message:
                self.probe = integer(message, "probe", 0, 2**53)
        else:
            raise BadInput(f"unknown type {json.dumps(kind)[:60]}")

    # What to do next

    def withdraw_everything(self):
        self.wanted = {}
        self.sequence = None
        self.probe = None
        self.withdrawing = True

    def advance(self):
        """Takes the next step there is to take, unless ExaBGP still owes an answer."""
        if self.speaker.busy:
            return
        if self.withdrawing:
            self.withdrawing = False
            self.speaker.send(WITHDRAW_EVERYTHING, self.withdrawn)
            return
        if self.version is None:
            self.speaker.send(ASK_VERSION, self.introduced)
            return
        if self.daemon.greeted and not self.daemon.joined:
            self.daemon.joined = True
            self.daemon.send(
                {
                    "type": "hello",
                    "version": PROTOCOL_VERSION,
                    "run": self.run_id,
                    "pid": os.getpid(),
                    "speakerProcess": f"{self.speaker.parent} {started_at(self.speaker.parent)}",
                    "speaker": self.version,
                }
            )
            self.view.tell_again()
            self.view.tell(self.daemon, time.monotonic())
        for withdraw in self.announced:
            if withdraw not in self.wanted:
                self.speaker.send(withdraw, self.route_withdrawn)
                return
        for withdraw, announce in self.wanted.items():
            if self.announced.get(withdraw) != announce:
                self.speaker.send(announce, functools.partial(self.route_announced, withdraw))
                return
        if self.lapsed_ms is not None:
            self.daemon.send({"type": "lapsed", "silentMs": self.lapsed_ms})
            self.lapsed_ms = None
        if self.sequence is not None:
            self.daemon.send({"type": "applied", "sequence": self.sequence})
            self.sequence = None
        if self.probe is not None:
            self.speaker.send(PROBE, self.probed)

    def withdrawn(self, command, succeeded):
        if not succeeded:
            self.end_speaker(f"ExaBGP refused '{command}'")
        self.announced = {}

    def end_speaker(self, problem):
        """An ExaBGP whose routes are unknown must go, and this process with it: its sessions close, so no route outlives it."""
        complain(f"{problem}: killing it")
        self.daemon.send({"type": "error", "message": problem})
        self.speaker.kill()
        sys.exit(1)

    def introduced(self, command, succeeded):
        if self.version is None:
            self.version = "unknown"

    def probed(self, command, succeeded):
        if self.probe is not None:
            self.daemon.send({"type": "alive", "probe": self.probe})
            self.probe = None

    def route_withdrawn(self, command, succeeded):
        if succeeded:
            self.announced.pop(command, None)
        else:
            self.refused(command)

    def route_announced(self, withdraw, command, succeeded):
        if succeeded:
            self.announced[withdraw] = command
        else:
            self.refused(command)

    def refused(self, command):
        """ExaBGP gives no reason. A route half in place is worse than none: everything goes."""
        self.withdraw_everything()
        self.daemon.send({"type": "refused", "command": command})


def parse(line):
    if line is None:
        raise BadInput(f"a line longer than {LINE_LIMIT} bytes")
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        raise BadInput("a line that is not JSON") from None
    if not isinstance(message, dict):
        raise BadInput("a message that is not an object")
    return message


def refuse_constant(name):
    """NaN and Infinity are Python's own: JSON has none, and the daemon would end a connection that they come by."""
    raise ValueError(f"{name} is not JSON")


def fits(path):
    try:
        return len(json.dumps(path, allow_nan=False)) <= ATTRIBUTES_LIMIT
    except ValueError:
        # A number such as 1e999 is JSON, but infinite by now.
        return False


def started_at(pid):
    """Ticks since the machine was started: process ids are used again, together with these they are not."""
    try:
        with open(f"/proc/{pid}/stat", encoding="latin-1") as stat:
            # The name in parentheses may hold anything: fields are counted from its end.
            return stat.read().rpartition(") ")[2].split()[19]
    except (OSError, IndexError):
        return ""


def listed(words):
    return [word for word in words.split(",") if word]


def integer(message, name, minimum, maximum):
    value = message.get(name)
    if type(value) is not int or not minimum <= value <= maximum:
        raise BadInput(f"{name} must be an integer from {minimum} to {maximum}")
    return value


def routes(message):
    listed = message.get("routes")
    if not isinstance(listed, list) or len(listed) > ROUTES_LIMIT:
        raise BadInput(f"routes must be an array of at most {ROUTES_LIMIT}")
    result = {}
    for route in listed:
        if not isinstance(route, dict):
            raise BadInput("a route must be an object")
        result[command(route, "withdraw")] = command(route, "announce")
    return result


def command(route, verb):
    """A command of one line and of that verb, so that a mix-up can't announce where it means to withdraw."""
    text = route.get(verb)
    if not isinstance(text, str) or not COMMAND.fullmatch(text) or f" {verb} route " not in f" {text}":
        raise BadInput(f"{verb} must be a command of one line with '{verb} route'")
    return text


def complain(text):
    """To ExaBGP's log, and never blocking: stderr is a pipe whose reader may hang."""
    line = f"anyhome: {text}\n".encode("utf-8", "replace")[: select.PIPE_BUF]
    try:
        if select.select([], [2], [], 0)[1]:
            os.write(2, line)
    except OSError:
        pass


def main():
    parser = argparse.ArgumentParser(description="ExaBGP API process of Anyhome; started by ExaBGP, not by hand.")
    parser.add_argument("--socket", required=True, help="unix socket of the daemon")
    parser.add_argument("--run", default="", help="names this start of ExaBGP; given back to the daemon")
    parser.add_argument("--neighbors", default="", help="addresses of the routers, with commas between them")
    parser.add_argument("--prefixes", default="", help="what routers say of these is kept for the daemon")
    parser.add_argument("--reply-ms", type=int, default=3000, help="an ExaBGP that doesn't answer for this long is killed")
    parser.add_argument("--check", action="store_true", help="only tell, by ending well, that it could run")
    options = parser.parse_args()
    if not options.check:
        Helper(options).run()


if __name__ == "__main__":
    main()
