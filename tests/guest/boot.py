# SPDX-License-Identifier: MIT
"""One guest, from power on to what became of it.

The guest's init and this side speak over four virtio ports: control, standard
output, standard error, standard input.  Each output ends with a last word that
only this run knows, so "all of it arrived" is a fact and not a guess.  The
control port carries one line, "exit STATUS [what was left behind]" or "fail
REASON", and our answer lets the guest go.  The kernel's log is the file behind
the serial console; init's two marks in it bound the command's part.  A test
result (TAP) on standard output is put between the lines of that log, where it
was when the result came: it tells which test the kernel complained of.
"""

import os
import re
import socket
import subprocess
import tempfile
import threading
import time

PORTS = ("control", "out", "err", "in")

UNCLEAN = re.compile(
    r"\bBUG: |\bWARNING: |Oops|general protection fault|Kernel panic|UBSAN: "
    r"|kmemleak: \d+ new suspected|kmemleak: Kernel memory leak detector disabled"
    r"|ODEBUG: [Oo]ut of memory|DMA-API: (debugging out of memory|cacheline tracking ENOMEM)"
    r"|page allocation failure|pagealloc: (memory corruption|single bit error)"
    r"|cannot create duplicate"
    r"|INFO: (task .* blocked|possible |trying to register|lockdep is turned off|rcu_)"
    r"|rcu: INFO: |printk messages dropped")

RESULT = re.compile(rb"(not )?ok \d+( |$)")
RESULT_MARK = "### "
LONGEST_RESULT = 200


class Outcome:
    """What one boot came to.

    status     the command's exit status; None: the guest never said
    left       what the command left behind, in words
    failure    why the guest could not run the command, in words
    timed_out  the guest was still there at the deadline
    booted     it came as far as the command
    qemu       how QEMU ended, in words; empty: well
    boot_log   the kernel's log up to the command
    log        the command's part of it; test results begin with RESULT_MARK
    """

    def __init__(self):
        self.status = None
        self.left = self.failure = self.qemu = ""
        self.timed_out = self.booted = False
        self.boot_log, self.log = [], []

    def read_log(self, path, results=()):
        with open(path, "rb") as file:
            data = file.read()
        for size, result in reversed(results):
            at = data.find(b"\n", max(size - 1, 0)) + 1 or len(data)
            data = data[:at] + RESULT_MARK.encode() + result + b"\n" + data[at:]
        lines = data.decode(errors="replace").replace("\r", "").splitlines()
        marks = [n for n, line in enumerate(lines) if "] aif-guest: " in line]
        begin = marks[0] if marks else len(lines)
        end = marks[1] if len(marks) > 1 else len(lines)
        self.booted = bool(marks)
        self.boot_log, self.log = lines[:begin], lines[begin:end]
        if self.status is not None and len(marks) < 2:
            self.log.append("BUG: the log lacks its end mark")

    def unclean(self):
        """The lines that a sound kernel does not write."""
        return [line for line in self.log
                if UNCLEAN.search(line) and not line.startswith(RESULT_MARK)]

    def died_booting(self):
        """The kernel's own panic before it came to our init, or "": several processors
        emulated at once do not stand its patching of running code."""
        lines = [] if self.booted else self.boot_log
        return next((line for line in lines if "Kernel panic" in line), "")

    def last_result(self):
        """The last test result before the kernel complained, or ""."""
        before = self.log[:self.log.index(self.unclean()[0])]
        return next((line.removeprefix(RESULT_MARK) for line in reversed(before)
                     if line.startswith(RESULT_MARK)), "")


class Relay(threading.Thread):
    """Copies one output of the guest to a descriptor, up to the last word, and
    notes how long the log was when a test result came by."""

    def __init__(self, sock, fd, last_word, log):
        super().__init__(daemon=True)
        self.sock, self.fd, self.last_word, self.log = sock, fd, last_word, log
        self.complete = False
        self.line, self.results = b"", []

    def _held(self, data):
        """How many bytes at the end might begin the last word."""
        longest = min(len(data), len(self.last_word))
        return next((n for n in range(longest, 0, -1)
                     if data.endswith(self.last_word[:n])), 0)

    def _note(self, data):
        *lines, rest = (self.line + data).split(b"\n")
        self.line = rest[:LONGEST_RESULT]
        results = [line[:LONGEST_RESULT] for line in lines if RESULT.match(line)]
        size = os.path.getsize(self.log) if results else 0
        self.results += [(size, result) for result in results]

    def _write(self, data):
        self._note(data)
        try:
            while data:
                data = data[os.write(self.fd, data):]
        except BrokenPipeError:
            pass  # our reader left; the guest's command need not know

    def run(self):
        pending = b""
        while chunk := self.sock.recv(1 << 16):
            pending += chunk
            kept = len(pending) - self._held(pending)
            self._write(pending[:kept])
            pending = pending[kept:]
            if pending == self.last_word:
                self.complete = True
                return
        self._write(pending)


def _feed(sock):
    """Our standard input to the guest, to its end."""
    try:
        while data := os.read(0, 1 << 16):
            sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # the guest is gone


def _accelerator(options, accel):
    if accel == "kvm":
        return ["-accel", "kvm", "-cpu", "host"], ""
    if not options.count:
        # Watching the clock, on a busy host, finds it wrong and patches running code, which
        # this emulation does not stand on two processors: "Oops" where there is no bug.
        return ["-accel", "tcg,thread=multi", "-cpu", "max"], " tsc=reliable"
    # Guest time is instructions; erms and fsrm would make a copied byte one.
    return ["-accel", "tcg", "-icount", "shift=0,sleep=off", "-cpu", "max,-erms,-fsrm",
            "-rtc", "base=2026-01-01,clock=vm"], " nokaslr"


def qemu_command(options, accel, kernel, initrd):
    """The machine without its ports; it dies with us, whatever kills us.  The
    kernel's check of its timer is left out: it panics when our host is busy."""
    accelerator, append = _accelerator(options, accel)
    plugin = ["-plugin", options.plugin, "-d", "plugin"] if options.plugin else []
    append += "".join(" " + words for words in options.append)
    return ["setpriv", "--pdeathsig", "KILL", "qemu-system-x86_64",
            "-machine", "q35", "-nodefaults", "-no-user-config", "-display", "none",
            "-no-reboot", "-m", str(options.mem), "-smp", str(options.smp),
            *accelerator, *plugin, "-kernel", kernel, "-initrd", initrd, "-append",
            "console=ttyS0 panic=-1 printk.devkmsg=on cryptomgr.notests no_timer_check" + append]


def _network(forward):
    """A card that leads nowhere but from one port of this host.  Behind the ports: init
    knows them by the first number."""
    if not forward:
        return []
    host, _, guest = forward.partition(":")
    return ["-netdev", f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{int(host)}-:{int(guest)}",
            "-device", "virtio-net-pci,netdev=net,romfile="]


def _ports(log, sockets):
    command = ["-chardev", f"file,id=log,path={log}", "-serial", "chardev:log",
               "-device", "virtio-serial-pci"]
    for number, name in enumerate(PORTS, 1):
        command += ["-chardev", f"socket,id={name},fd={sockets[name].fileno()}",
                    "-device", f"virtserialport,nr={number},chardev={name}"]
    return command


def _report(control, deadline):
    """The guest's one line; empty when it went without one."""
    line = b""
    while not line.endswith(b"\n"):
        control.settimeout(max(deadline - time.monotonic(), 0.001))
        data = control.recv(4096)
        if not data:
            return ""
        line += data
    return line.decode(errors="replace").strip()


def _converse(outcome, control, relays, deadline):
    """Hear the report, wait for all of the output, let the guest go."""
    word, _, rest = _report(control, deadline).partition(" ")
    if word == "exit":
        for relay in relays:
            relay.join(max(deadline - time.monotonic(), 0))
        if any(relay.is_alive() for relay in relays):
            raise TimeoutError
        if all(relay.complete for relay in relays):
            status, _, outcome.left = rest.partition(" ")
            outcome.status = int(status)
    elif word == "fail":
        outcome.failure = rest
    try:
        control.sendall(b"go\n")
    except BrokenPipeError:
        pass  # gone already; how it ended tells


def _ending(process, complaints):
    """How a process ended, in words; empty: well."""
    process.wait()
    if process.returncode == 0:
        return ""
    complaints.seek(0)
    error = complaints.read().decode(errors="replace").strip()
    how = f"signal {-process.returncode}" if process.returncode < 0 else \
        f"status {process.returncode}"
    return f"QEMU ended with {how}" + (f": {error}" if error else "")


def boot(options, accel, kernel, initrd, log, last_word):
    """Boot once, relay the streams, and say what happened."""
    outcome = Outcome()
    pairs = {name: socket.socketpair() for name in PORTS}
    ours = {name: pair[0] for name, pair in pairs.items()}
    theirs = {name: pair[1] for name, pair in pairs.items()}
    deadline = time.monotonic() + options.timeout
    complaints = tempfile.TemporaryFile()
    process = subprocess.Popen(
        qemu_command(options, accel, kernel, initrd) + _ports(log, theirs) +
        _network(options.forward) + [word for d in options.machine_device for word in ("-device", d)],
        stdin=subprocess.DEVNULL, stderr=None if options.plugin else complaints,
        pass_fds=[sock.fileno() for sock in theirs.values()])
    for sock in theirs.values():
        sock.close()
    relays = [Relay(ours["out"], 1, last_word, log), Relay(ours["err"], 2, last_word, log)]
    for relay in relays:
        relay.start()
    if options.stdin:
        threading.Thread(target=_feed, args=(ours["in"],), daemon=True).start()
    try:
        _converse(outcome, ours["control"], relays, deadline)
        process.wait(max(deadline - time.monotonic(), 0))
    except (TimeoutError, subprocess.TimeoutExpired):
        outcome.timed_out = True
    finally:
        if process.poll() is None:
            process.kill()
        outcome.qemu = _ending(process, complaints)
        complaints.close()
    for relay in relays:
        relay.join(1)
    if os.path.exists(log):
        outcome.read_log(log, relays[0].results)
    return outcome
