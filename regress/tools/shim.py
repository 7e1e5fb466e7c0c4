"""The test's side of shim.c: arms faults, reads the record of changes, and
makes from it the disk as a loss of power would have left it."""
import mmap
import os
import pathlib
import stat
import struct
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
OPS = ["open", "write", "sync", "rename", "unlink", "truncate"]
CREATE, MKDIR, WRITE, TRUNCATE, SYNC, RENAME, UNLINK, LINK = range(1, 9)
LOG_START = 4096
FAULTS = 16 + 64                # offset of the fault table
FAULT = struct.Struct("<iiiII")
RECORD = struct.Struct("<IIQQQQIIIi")


def build(where):
    """The shared object, for this machine."""
    so = pathlib.Path(where, "shim.so")
    subprocess.run(["cc", "-std=gnu11", "-D_GNU_SOURCE", "-O1", "-shared",
                    "-fPIC", "-o", so, HERE / "shim.c", "-ldl"], check=True)
    return so


class Shim:
    def __init__(self, size=64 << 20):
        self.dir = tempfile.TemporaryDirectory(prefix="cg-shim-")
        os.chmod(self.dir.name, 0o755)
        so = build(self.dir.name)
        path = os.path.join(self.dir.name, "shared")
        fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        os.fchmod(fd, 0o666)
        os.ftruncate(fd, size)
        self.map = mmap.mmap(fd, size)
        os.close(fd)
        # a sanitizer's library wants to be first; it need not be
        self.env = {"LD_PRELOAD": str(so), "CG_SHIM": path,
                    "ASAN_OPTIONS": "verify_asan_link_order=0:" +
                    os.environ.get("ASAN_OPTIONS", "detect_leaks=0")}

    def arm(self, who, op, nth, err, stay=False):
        """In processes called who, the nth call from now on fails."""
        self.map[16:80] = who.encode()[:63].ljust(64, b"\0")
        at = FAULTS + OPS.index(op) * FAULT.size
        self.map[at:at + FAULT.size] = FAULT.pack(nth, stay, err, 0, 0)

    def disarm(self):
        for i in range(len(OPS)):
            at = FAULTS + i * FAULT.size
            self.map[at:at + 4] = struct.pack("<i", 0)

    def fired(self, op):
        at = FAULTS + OPS.index(op) * FAULT.size
        return FAULT.unpack_from(self.map, at)[3]

    def record(self, on=True):
        self.map[8:12] = struct.pack("<I", on)

    def position(self):
        """Where the record ends now: all before has happened."""
        return struct.unpack_from("<Q", self.map, 0)[0]

    def events(self, start, end):
        at = start
        while at < end:
            f = RECORD.unpack_from(self.map, LOG_START + at)
            length, ready = f[0], f[9]
            if length == 0:
                return
            body = self.map[LOG_START + at + RECORD.size:
                            LOG_START + at + length]
            at += length
            if ready:
                yield f, body
        if struct.unpack_from("<I", self.map, 12)[0]:
            raise AssertionError("the record of changes is full")


class Node:
    """A file or directory; what is durable of it, and what is not yet."""

    def __init__(self, is_dir, uid, gid, mode):
        self.is_dir = is_dir
        self.meta = (uid, gid, mode)
        self.data = bytearray()
        self.pending = []       # (offset, bytes) or (length, None)
        self.names = {}         # directory: durable entries
        self.changes = []       # not yet durable: (dir, name, node or None)

    def apply(self, change):
        off, data = change
        if data is None:
            del self.data[off:]
            self.data.extend(bytes(off - len(self.data)))
        else:
            self.data.extend(bytes(max(0, off - len(self.data))))
            self.data[off:off + len(data)] = data

    def sync(self, names):
        if self.is_dir:
            for change in self.changes:
                change.settle()
            self.changes = []
            return
        for change in self.pending:
            self.apply(change)
        self.pending = []


class Change:
    """One entry of a directory that is not yet durable."""

    def __init__(self, directory, name, node, undo=None):
        self.directory, self.name, self.node = directory, name, node
        self.undo = undo        # of a rename: the entry that goes
        self.settled = False

    def settle(self):
        if self.settled:
            return
        self.settled = True
        if self.undo:
            d, name, node = self.undo
            if d.names.get(name) is node:
                del d.names[name]
        if self.node is None:
            self.directory.names.pop(self.name, None)
        else:
            self.directory.names[self.name] = self.node


class Disk:
    """A base directory of which only what was synced is kept."""

    def __init__(self, base):
        self.inodes = {}
        self.own = {}           # node: its name changes, not yet durable
        self.root = self.load(base)

    def load(self, path):
        st = os.lstat(path)
        node = Node(stat.S_ISDIR(st.st_mode), st.st_uid, st.st_gid,
                    st.st_mode & 0o7777)
        self.inodes[st.st_ino] = node
        if node.is_dir:
            for e in os.scandir(path):
                if e.is_dir(follow_symlinks=False) or \
                        e.is_file(follow_symlinks=False):
                    node.names[e.name] = self.load(e.path)
        else:
            node.data = bytearray(pathlib.Path(path).read_bytes())
        return node

    def change(self, directory, name, node, undo=None, of=None):
        if directory is None:
            return
        c = Change(directory, name, node, undo)
        directory.changes.append(c)
        if undo and undo[0] is not directory:
            undo[0].changes.append(c)
        if of is not None:
            self.own.setdefault(of, []).append(c)

    def current(self, directory, name):
        """What stands there now, durable or not."""
        for c in reversed(directory.changes):
            if c.undo and c.undo[0] is directory and c.undo[1] == name:
                return None
            if c.directory is directory and c.name == name:
                return c.node
        return directory.names.get(name)

    def play(self, event, body):
        _, what, ino, d1, d2, off, uid, gid, mode, _ = event
        node = self.inodes.get(ino)
        if what in (CREATE, MKDIR):
            name = body.split(b"\0")[0].decode()
            node = Node(what == MKDIR, uid, gid, mode & 0o7777)
            self.inodes[ino] = node
            self.change(self.inodes.get(d1), name, node, of=node)
        elif what == WRITE and node:
            node.pending.append((off, body[:uid]))
        elif what == TRUNCATE and node:
            node.pending.append((off, None))
        elif what == SYNC and node:
            node.sync(None)
            if off == 0:        # fsync: its own names too, not fdatasync
                for c in self.own.pop(node, []):
                    c.settle()
        elif what in (RENAME, LINK, UNLINK):
            n1, n2 = (n.decode() for n in (body.split(b"\0") + [b""])[:2])
            a, b = self.inodes.get(d1), self.inodes.get(d2)
            if a is None:
                return
            moved = self.current(a, n1)
            if what == UNLINK:
                self.change(a, n1, None)
            elif what == LINK:
                self.change(b, n2, moved, of=moved)
            else:
                self.change(b, n2, moved, (a, n1, moved), of=moved)

    def write(self, where, node=None):
        """Makes the durable part real, below a fresh directory."""
        node = node or self.root
        root = os.geteuid() == 0
        os.makedirs(where, exist_ok=True)
        for name, child in node.names.items():
            path = os.path.join(where, name)
            if child.is_dir:
                self.write(path, child)
            else:
                pathlib.Path(path).write_bytes(child.data)
                if root:
                    os.chown(path, *child.meta[:2])
                os.chmod(path, child.meta[2])
        if root:
            os.chown(where, *node.meta[:2])
        os.chmod(where, node.meta[2])
