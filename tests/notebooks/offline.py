"""Run a command where there is no network but loopback: ``python offline.py COMMAND [ARG ...]``.

Uses a network namespace of an unprivileged user (or of root). Where the system forbids that, the command runs all the
same with a warning, or fails when GRADSCAPE_REQUIRE_ALL=1.
"""
from __future__ import annotations

import fcntl
import os
import shutil
import socket
import struct
import subprocess
import sys

SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1
INSIDE = "GRADSCAPE_INSIDE_NAMESPACE"


def raise_loopback() -> None:
    """Set the interface ``lo`` up: Jupyter kernels talk over it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        request = struct.pack("16sh", b"lo", 0)
        flags = struct.unpack("16sh", fcntl.ioctl(handle, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(handle, SIOCSIFFLAGS, struct.pack("16sh", b"lo", flags | IFF_UP))


def assert_no_way_out() -> None:
    """Fail unless only loopback is there."""
    others = [name for _, name in socket.if_nameindex() if name != "lo" and _is_up(name)]
    if others:
        raise SystemExit(f"offline.py: network interfaces are up inside the namespace: {others}")


def _is_up(name: str) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        request = struct.pack("16sh", name.encode(), 0)
        return bool(struct.unpack("16sh", fcntl.ioctl(handle, SIOCGIFFLAGS, request))[1] & IFF_UP)


def main(command: list[str]) -> int:
    if os.environ.get(INSIDE) == "1":
        raise_loopback()
        assert_no_way_out()
        os.execvp(command[0], command)
    isolate = ["unshare", "--net", "--map-root-user"] if os.geteuid() else ["unshare", "--net"]
    works = shutil.which("unshare") and subprocess.run([*isolate, "true"], capture_output=True).returncode == 0
    if works:
        env = {**os.environ, INSIDE: "1"}
        return subprocess.run([*isolate, sys.executable, __file__, *command], env=env).returncode
    message = "offline.py: this system allows no network namespace"
    if os.environ.get("GRADSCAPE_REQUIRE_ALL") == "1":
        print(message, file=sys.stderr)
        return 1
    print(f"{message}; running with the network as it is", file=sys.stderr)
    return subprocess.run(command).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
