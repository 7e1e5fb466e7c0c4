"""The test's side of probe.c: makes a process of the suite run system calls
of one's choice, inside its walls.

    p = Probe()
    with Suite(env=p.env) as s:
        l = p.calls()
        fd = l("openat", AT_FDCWD, "/etc/passwd", os.O_RDONLY)
        l("read", fd, Room(100), 100)
        end = p.run(pid, l)     # the call that killed it, or None
        l.result[fd].err
"""
import errno
import mmap
import os
import pathlib
import re
import struct
import subprocess
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
AT_FDCWD = -100
IDLE, GO, DONE = range(3)
NUMBER, DATA, RESULT = range(3)
MAX_CALLS = 1024
HEAD = struct.Struct("<IiII")
CALL = struct.Struct("<q6q6sBBiiq")
DATA_START = HEAD.size + MAX_CALLS * CALL.size + 63 & ~63
SIZE = 1 << 20
PATIENCE = 60
# How an open of what the walls hide may end: at a root directory, a mode or
# Landlock.
HIDDEN = frozenset({errno.EPERM, errno.EACCES, errno.ENOENT, errno.EXDEV,
                    errno.ELOOP, errno.ENOTDIR})


class Room(int):
    """An argument: so many bytes for the kernel to fill, zero before."""


class Ref(int):
    """An argument: what an earlier call of the list returned."""


class Result:
    def __init__(self, text, ret, err):
        self.text, self.ret, self.err = text, ret, err

    def __str__(self):
        return f"{self.text} = {self.ret}" + (
            " " + errno.errorcode.get(self.err, str(self.err))
            if self.ret == -1 else "")


class Calls:
    def __init__(self, numbers):
        self.numbers = numbers
        self.calls, self.texts = [], []
        self.data = b""
        self.rooms = {}         # number of the call: its room's place
        self.result = []
        self.wanted = lambda name: True

    def keep(self, b):
        at = DATA_START + len(self.data)
        self.data += b.ljust(len(b) + 7 & ~7, b"\0")
        if DATA_START + len(self.data) > SIZE:
            raise AssertionError("too much for one list")
        return at

    def __call__(self, name, *args, number=None, compat=False):
        """Adds a call that is wanted.  A str is a path, bytes go as they are.
        compat: by the 32-bit entry, which has other numbers."""
        kinds, values = [], []
        if number is None:
            number = self.numbers.get(name)
        if number is None or not self.wanted(name):
            return None         # not on this machine, or not now
        for a in args:
            if isinstance(a, str):
                a = os.fsencode(a) + b"\0"
            if isinstance(a, Room):
                values.append(self.keep(bytes(a)))
                self.rooms[len(self.calls)] = values[-1], int(a)
                kinds.append(DATA)
            elif isinstance(a, Ref):
                values.append(int(a))
                kinds.append(RESULT)
            elif isinstance(a, bytes):
                values.append(self.keep(a))
                kinds.append(DATA)
            else:
                values.append(int(a))
                kinds.append(NUMBER)
        values += [0] * (6 - len(values))
        kinds += [NUMBER] * (6 - len(kinds))
        self.calls.append(CALL.pack(number, *values, bytes(kinds),
                                    compat, 0, 0, 0, 0))
        self.texts.append(name + repr(tuple(
            a if not isinstance(a, bytes) else a[:60] for a in args)))
        if len(self.calls) > MAX_CALLS:
            raise AssertionError("too many calls for one list")
        return Ref(len(self.calls) - 1)


class Probe:
    def __init__(self):
        self.dir = tempfile.TemporaryDirectory(prefix="cg-probe-")
        os.chmod(self.dir.name, 0o755)
        so = os.path.join(self.dir.name, "probe.so")
        subprocess.run(["cc", "-std=gnu11", "-D_GNU_SOURCE", "-O1", "-shared",
                        "-fPIC", "-o", so, HERE / "probe.c", "-ldl"],
                       check=True)
        path = os.path.join(self.dir.name, "shared")
        fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        os.fchmod(fd, 0o666)
        os.ftruncate(fd, SIZE)
        self.map = mmap.mmap(fd, SIZE)
        os.close(fd)
        text = subprocess.run(
            ["cc", "-E", "-dM", "-include", "sys/syscall.h", "-x", "c",
             "/dev/null"], check=True, capture_output=True, text=True).stdout
        self.numbers = {name: int(n) for name, n in re.findall(
            r"^#define __NR_(\w+) (\d+)$", text, re.M)}
        # a sanitizer's library wants to be first; it need not be
        self.env = {"LD_PRELOAD": so, "CG_PROBE": path,
                    "ASAN_OPTIONS": "verify_asan_link_order=0:" +
                    os.environ.get("ASAN_OPTIONS", "detect_leaks=0")}

    def calls(self):
        return Calls(self.numbers)

    def run(self, pid, calls):
        """Fills calls.result.  None, or the call that the process died of."""
        body = b"".join(calls.calls)
        self.map[HEAD.size:HEAD.size + len(body)] = body
        self.map[DATA_START:DATA_START + len(calls.data)] = calls.data
        self.map[4:16] = struct.pack("<iII", pid, len(calls.calls), 0)
        self.map[0:4] = struct.pack("<I", GO)
        end = time.monotonic() + PATIENCE
        alive = True
        while self.state() != DONE and alive:
            if time.monotonic() > end:
                raise AssertionError(f"process {pid} does not listen")
            time.sleep(0.001)
            alive = lives(pid)
        died = self.state() != DONE
        self.map[0:4] = struct.pack("<I", IDLE)
        started = HEAD.unpack_from(self.map, 0)[3]
        n = started - 1 if died else started
        for i in range(max(n, 0)):
            f = CALL.unpack_from(self.map, HEAD.size + i * CALL.size)
            calls.result.append(Result(calls.texts[i], f[12], f[10]))
        calls.room = {i: self.map[at:at + size]
                      for i, (at, size) in calls.rooms.items()}
        if not died:
            return None
        return calls.texts[started - 1] if started > 0 else "nothing of ours"

    def state(self):
        return HEAD.unpack_from(self.map, 0)[0]


def lives(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text() \
            .rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False
