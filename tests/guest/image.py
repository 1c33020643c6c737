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
    """A cpio archive (newc) being written; parents appear by themselves."""

    def __init__(self, path):
        self.file = open(path, "wb")
        self.names = {""}

    def _entry(self, name, mode, size):
        self.names.add(name)
        encoded = os.fsencode(name) + b"\0"
        fields = (len(self.names), mode, 0, 0, 1, 0, size, 0, 0, 0, 0, len(encoded), 0)
        self.file.write(b"070701" + b"".join(b"%08x" % field for field in fields) + encoded)
        self._pad()

    def _pad(self):
        self.file.write(b"\0" * (-self.file.tell() % 4))

    def _new(self, name):
        """The archive's form of a guest path, or None when it is there already."""
        name = os.path.normpath("/" + name).lstrip("/")
        if name in self.names:
            return None
        self.add_dir(os.path.dirname(name))
        return name

    def add_dir(self, name, mode=0o755):
        name = self._new(name)
        if name:
            self._entry(name, stat.S_IFDIR | mode, 0)

    def add_link(self, name, target):
        name = self._new(name)
        if name:
            target = os.fsencode(target)
            self._entry(name, stat.S_IFLNK | 0o777, len(target))
            self.file.write(target)
            self._pad()

    def add_bytes(self, name, data, mode=0o644):
        name = self._new(name)
        if name:
            self._entry(name, stat.S_IFREG | mode, len(data))
            self.file.write(data)
            self._pad()

    def add_file(self, name, path):
        name = self._new(name)
        if not name:
            return
        with open(path, "rb") as source:
            info = os.fstat(source.fileno())
            self._entry(name, stat.S_IFREG | stat.S_IMODE(info.st_mode), info.st_size)
            shutil.copyfileobj(source, self.file, 1 << 20)
        self._pad()

    def close(self):
        self._entry("TRAILER!!!", 0, 0)
        self.file.close()


def add_busybox(archive):
    """Busybox under all its names; it must be the static one."""
    busybox = shutil.which("busybox")
    if not busybox:
        raise FileNotFoundError("busybox is missing: apt-get install busybox-static")
    archive.add_file("/bin/busybox", busybox)
    for applet in subprocess.check_output([busybox, "--list"], text=True).split():
        archive.add_link("/bin/" + applet, "busybox")
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


def _is_elf(path):
    with open(path, "rb") as file:
        return file.read(4) == b"\x7fELF"


def add_libraries(archive, paths):
    """What the dynamic linker needs to start any of these files."""
    paths = [path for path in paths if os.path.isfile(path) and _is_elf(path)]
    if not paths:
        return
    answer = subprocess.run(["ldd", *paths], text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, check=False).stdout
    libraries = set(re.findall(r"^\t(?:\S+ => )?(/\S+) \(0x", answer, re.MULTILINE))
    for library in sorted(libraries):
        archive.add_file(library, library)
        # glibc opens this one itself, when a thread is cancelled
        if os.path.basename(library) == "libc.so.6":
            unwinder = os.path.join(os.path.dirname(library), "libgcc_s.so.1")
            if os.path.exists(unwinder):
                archive.add_file(unwinder, unwinder)


def _module_name(path):
    return re.sub(r"\.ko(\.\w+)?$", "", os.path.basename(path)).replace("-", "_")


def _dependencies(modules):
    """{name: (path, [paths it needs, in the order to load])} from modules.dep."""
    table = {}
    with open(os.path.join(modules, "modules.dep"), encoding="ascii") as file:
        for line in file:
            path, _, needs = line.partition(":")
            table[_module_name(path)] = (path, needs.split()[::-1])
    return table


def add_modules(archive, modules, names):
    """Kernel modules by name, with what they need; returns guest paths in the
    order to load.  Unpacked here, because the guest is the slower machine."""
    table = _dependencies(modules) if names else {}
    with open(os.path.join(modules, "modules.builtin"), encoding="ascii") as file:
        builtin = {_module_name(line.strip()) for line in file}
    order = []
    for name in (name.replace("-", "_") for name in names):
        if name in builtin:
            continue
        if name not in table:
            raise FileNotFoundError(f"{modules} has no module {name}")
        order += [path for path in (*table[name][1], table[name][0]) if path not in order]
    guest = []
    for path in order:
        host = os.path.join(modules, path)
        base, suffix = os.path.splitext(path)
        name = "/lib/modules/" + (base if suffix in UNPACK else path)
        if suffix in UNPACK:
            archive.add_bytes(name, subprocess.check_output([UNPACK[suffix], "-dc", host]))
        else:
            archive.add_file(name, host)
        guest.append(name)
    return guest
