# SPDX-License-Identifier: MIT
"""The guest's file system: an initramfs written as one newc archive.

Nothing is staged and nothing is cached: the archive is a stream of host files
under guest names, which costs less than looking for an old one.
"""

import os
import re
import shutil
import stat
import subprocess

UNPACK = {".xz": "xz", ".gz": "gzip", ".zst": "zstd"}


class Archive:
    """A cpio archive (newc) being written.  Parents appear by themselves; of two
    files with one name the guest keeps the later."""

    def __init__(self, path):
        self.file = open(path, "wb")
        self.names = {""}
        self.entries = 0

    def _entry(self, name, mode, size):
        self.names.add(name)
        encoded = os.fsencode(name) + b"\0"
        self.entries += 1
        fields = (self.entries, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, len(encoded), 0)
        self.file.write(b"070701" + b"".join(b"%08x" % field for field in fields) + encoded)
        self._pad()

    def _pad(self):
        self.file.write(b"\0" * (-self.file.tell() % 4))

    def _named(self, name):
        """The archive's form of a guest path, which has its parents now."""
        name = os.path.normpath("/" + name).lstrip("/")
        if name:
            self.add_dir(os.path.dirname(name))
        return name

    def add_dir(self, name):
        name = self._named(name)
        if name not in self.names:
            self._entry(name, stat.S_IFDIR | 0o755, 0)

    def add_link(self, name, target):
        name = self._named(name)
        target = os.fsencode(target)
        self._entry(name, stat.S_IFLNK | 0o777, len(target))
        self.file.write(target)
        self._pad()

    def add_bytes(self, name, data, mode=0o644):
        name = self._named(name)
        self._entry(name, stat.S_IFREG | mode, len(data))
        self.file.write(data)
        self._pad()

    def add_file(self, name, path):
        name = self._named(name)
        with open(path, "rb") as source:
            info = os.fstat(source.fileno())
            self._entry(name, stat.S_IFREG | stat.S_IMODE(info.st_mode), info.st_size)
            left = info.st_size
            while left:
                data = source.read(min(left, 1 << 20))
                if not data:
                    raise OSError(f"{path} became shorter while it was read")
                self.file.write(data)
                left -= len(data)
        self._pad()

    def close(self):
        self._entry("TRAILER!!!", 0, 0)
        self.file.close()


def add_busybox(archive):
    """Busybox under all its names; it must be the static one."""
    busybox = shutil.which("busybox")
    if not busybox or libraries([busybox]):
        raise FileNotFoundError("no static busybox: apt-get install busybox-static")
    for applet in subprocess.check_output([busybox, "--list"], text=True).split():
        archive.add_link("/bin/" + applet, "busybox")
    archive.add_file("/bin/busybox", busybox)  # after the list, which has it too
    archive.add_link("/sbin", "bin")


def add_tree(archive, guest, host):
    """A host file or directory at a guest path; returns the files added."""
    if not os.path.isdir(host):
        archive.add_file(guest, host)
        return [host]
    added = []
    for folder, _, names in os.walk(host, followlinks=True):
        place = os.path.normpath(os.path.join(guest, os.path.relpath(folder, host)))
        archive.add_dir(place)
        for name in sorted(names):
            path = os.path.join(folder, name)
            archive.add_file(os.path.join(place, name), path)
            added.append(path)
    return added


def newer_source(built, folders):
    """A file of C or of Kbuild below the folders that is newer than what was built; or None."""
    when = os.path.getmtime(built)
    for folder in folders:
        for place, _, names in os.walk(folder):
            for path in (os.path.join(place, name) for name in names
                         if name == "Kbuild" or name.endswith((".c", ".h"))):
                if os.path.getmtime(path) > when:
                    return path
    return None


def _is_elf(path):
    with open(path, "rb") as file:
        return file.read(4) == b"\x7fELF"


def libraries(paths):
    """What the dynamic linker opens to start any of these files."""
    paths = [path for path in paths if os.path.isfile(path) and _is_elf(path)]
    if not paths:
        return []
    answer = subprocess.run(["ldd", *paths], text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, check=False).stdout
    found = set(re.findall(r"^\t(?:\S+ => )?(/\S+) \(0x", answer, re.MULTILINE))
    # glibc opens this one itself, when a thread exits or is cancelled
    unwinders = {os.path.join(os.path.dirname(path), "libgcc_s.so.1")
                 for path in found if os.path.basename(path) == "libc.so.6"}
    return sorted(found | set(filter(os.path.exists, unwinders)))


def _module_name(path):
    return re.sub(r"\.ko(\.\w+)?$", "", os.path.basename(path)).replace("-", "_")


class Modules:
    """The kernel modules of one guest, so that modprobe works there.

    The guest gets what it asks for and what that needs, unpacked here because
    the guest is the slower machine.
    """

    def __init__(self, release, folder):
        self.release, self.folder = release, folder
        self.chosen = {}  # name: (path in the guest's tree, host path, names it needs)
        self.table, self.builtin = {}, set()
        if folder:
            self._read_tables()

    def _read_tables(self):
        with open(os.path.join(self.folder, "modules.builtin"), encoding="ascii") as file:
            self.builtin = {_module_name(line.strip()) for line in file}
        with open(os.path.join(self.folder, "modules.dep"), encoding="ascii") as file:
            for line in file:
                path, _, needs = line.partition(":")
                self.table[_module_name(path)] = (path, list(map(_module_name, needs.split())))

    def add(self, name):
        """One of the kernel's own, by name."""
        name = name.replace("-", "_")
        if name in self.builtin or name in self.chosen:
            return
        if name not in self.table:
            raise FileNotFoundError(f"kernel {self.release} has no module {name}")
        path, needs = self.table[name]
        base, suffix = os.path.splitext(path)
        self.chosen[name] = (base if suffix in UNPACK else path,
                             os.path.join(self.folder, path), needs)
        for need in needs:
            self.add(need)

    def add_ours(self, path):
        """A module built here, by file."""
        depends = subprocess.check_output(["/sbin/modinfo", "-F", "depends", path], text=True)
        needs = []
        for name in filter(None, depends.strip().replace("-", "_").split(",")):
            if name not in self.builtin:
                needs += [name, *self.table.get(name, ("", []))[1]]
        self.chosen[_module_name(path)] = ("extra/" + os.path.basename(path), path, needs)

    def write(self, archive):
        """Every chosen module, and the table that modprobe reads."""
        for need in [need for _, _, needs in self.chosen.values() for need in needs]:
            self.add(need)
        top = f"/lib/modules/{self.release}"
        lines = []
        for path, host, needs in self.chosen.values():
            unpack = UNPACK.get(os.path.splitext(host)[1])
            if unpack:
                archive.add_bytes(f"{top}/{path}", subprocess.check_output([unpack, "-dc", host]))
            else:
                archive.add_file(f"{top}/{path}", host)
            lines.append(f"{path}: {' '.join(self.chosen[need][0] for need in needs)}\n")
        archive.add_bytes(f"{top}/modules.dep", "".join(lines).encode())
        if self.folder:
            archive.add_file(f"{top}/modules.builtin",
                             os.path.join(self.folder, "modules.builtin"))
