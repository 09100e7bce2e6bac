"""Runs a command whose output goes to a pipe, a socket or a terminal of which this program has the other end.

    output-host.py pipe|socket|terminal [full] -- COMMAND...

With "full" there is no room left in it from the beginning. On its input it is told to "read" the other end from now on, or
to "close" it. SIGTERM is passed on; the exit code is that of the command.
"""

import fcntl
import os
import pty
import signal
import socket
import subprocess
import sys
import threading
import time
import tty


def ends(kind):
    if kind == "pipe":
        return os.pipe()
    if kind == "socket":
        near, far = socket.socketpair()
        return near.detach(), far.detach()
    near, far = pty.openpty()
    tty.setraw(far)
    return near, far


def fill(descriptor):
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | os.O_NONBLOCK)
    # What is written to a terminal moves on to its other end a little later, which makes room again.
    still_full = 0
    while still_full < 5:
        try:
            os.write(descriptor, b"\n")
            still_full = 0
        except BlockingIOError:
            still_full += 1
            time.sleep(0.02)
    fcntl.fcntl(descriptor, fcntl.F_SETFL, flags)


def read_all(descriptor):
    try:
        while os.read(descriptor, 65536):
            pass
    except OSError:
        pass


split = sys.argv.index("--")
near, far = ends(sys.argv[1])
if "full" in sys.argv[2:split]:
    fill(far)
child = subprocess.Popen(sys.argv[split + 1 :], stdin=subprocess.DEVNULL, stdout=far, stderr=far)
os.close(far)
signal.signal(signal.SIGTERM, lambda *_: child.send_signal(signal.SIGTERM))


def obey():
    for line in sys.stdin:
        if line == "close\n":
            os.close(near)
        else:
            threading.Thread(target=read_all, args=(near,), daemon=True).start()


threading.Thread(target=obey, daemon=True).start()
code = child.wait()
os._exit(code if code >= 0 else 128 - code)
