# SPDX-License-Identifier: MIT
"""One guest, from power on to verdict.

The guest's init and this side speak over four virtio ports: control, standard
output, standard error, standard input.  Each output ends with a last word that
only this run knows, so "all of it arrived" is a fact and not a guess; the
control port carries "exit STATUS" or "fail REASON", and our answer lets the
guest go.  The kernel's log is the serial console's file.
"""

import os
import re
import secrets
import socket
import subprocess
import threading
import time

UNCLEAN = re.compile(
    r"BUG: |WARNING: |Oops|general protection fault|Kernel panic"
    r"|UBSAN: |kmemleak: \d+ new suspected|page allocation failure"
    r"|INFO: (task .* blocked|possible |trying to register|rcu_)|rcu: INFO: ")


class Relay(threading.Thread):
    """Copies one output of the guest to a descriptor, up to the last word."""

    def __init__(self, sock, fd, last_word):
        super().__init__(daemon=True)
        self.sock, self.fd, self.last_word = sock, fd, last_word
        self.complete = False

    def _held(self, data):
        """How many bytes at the end might begin the last word."""
        longest = min(len(data), len(self.last_word))
        return next((n for n in range(longest, 0, -1)
                     if data.endswith(self.last_word[:n])), 0)

    def _write(self, data):
        while data:
            try:
                data = data[os.write(self.fd, data):]
            except BrokenPipeError:
                return

    def run(self):
        pending = b""
        while chunk := self.sock.recv(1 << 16):
            pending += chunk
            held = self._held(pending)
            self._write(pending[:len(pending) - held])
            pending = pending[len(pending) - held:]
            if pending == self.last_word:
                self.complete = True
                return
        self._write(pending)


def feed(sock):
    """Our standard input to the guest, to its end."""
    try:
        while data := os.read(0, 1 << 16):
            sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # the guest is gone


PORTS = ("control", "out", "err", "in")


def qemu_command(options, kernel, initrd, log, sockets):
    """QEMU for one boot; it dies with us, whatever kills us."""
    command = ["setpriv", "--pdeathsig", "KILL", "qemu-system-x86_64",
               "-machine", "q35", "-nodefaults", "-no-user-config", "-display", "none",
               "-no-reboot", "-m", str(options.mem), "-smp", str(options.smp),
               "-kernel", kernel, "-initrd", initrd,
               "-append", "console=ttyS0 quiet panic=-1 printk.devkmsg=on"]
    if options.accel == "kvm":
        command += ["-accel", "kvm", "-cpu", "host"]
    else:
        command += ["-accel", "tcg,thread=multi", "-cpu", "max"]
    if options.shell:
        return command + ["-serial", "mon:stdio"]
    command += ["-chardev", f"file,id=log,path={log}", "-serial", "chardev:log",
                "-device", "virtio-serial-pci"]
    for number, name in enumerate(PORTS, 1):
        command += ["-chardev", f"socket,id={name},fd={sockets[name].fileno()}",
                    "-device", f"virtserialport,nr={number},chardev={name}"]
    return command


class Outcome:
    """What one boot came to.

    status   the command's exit status, None when the guest never said
    failure  why the guest could not run the command, None if it did
    log      the kernel's log between the marks, a list of lines
    """

    def __init__(self):
        self.status = self.failure = self.qemu_error = None
        self.timed_out = False
        self.log, self.boot_log = [], []

    def unclean(self):
        return [line for line in self.log if UNCLEAN.search(line)]


def split_log(path):
    """(lines before the first mark, lines after it and before the second)."""
    with open(path, encoding="utf-8", errors="replace") as file:
        lines = file.read().replace("\r", "").splitlines()
    marks = [n for n, line in enumerate(lines) if "] aif-guest: " in line]
    begin = marks[0] if marks else len(lines)
    end = marks[1] if len(marks) > 1 else len(lines)
    return lines[:begin], lines[begin:end]


def _converse(outcome, control, relays, deadline):
    """Wait for the guest's report and for all of its output, then let it go."""
    report = b""
    while not report.endswith(b"\n"):
        control.settimeout(max(deadline - time.monotonic(), 0.001))
        data = control.recv(4096)
        if not data:
            return
        report += data
    word, _, value = report.decode(errors="replace").strip().partition(" ")
    if word == "exit":
        for relay in relays:
            relay.join(max(deadline - time.monotonic(), 0))
        if not all(relay.complete for relay in relays):
            raise TimeoutError
        outcome.status = int(value)
    else:
        outcome.failure = value
    control.sendall(b"go\n")


def boot(options, kernel, initrd, log, last_word):
    """Boot once, relay, and say what happened."""
    outcome = Outcome()
    ours, theirs = {}, {}
    for name in PORTS:
        ours[name], theirs[name] = socket.socketpair()
    deadline = time.monotonic() + options.timeout
    qemu = subprocess.Popen(qemu_command(options, kernel, initrd, log, theirs),
                            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                            pass_fds=[sock.fileno() for sock in theirs.values()])
    for sock in theirs.values():
        sock.close()
    relays = [Relay(ours["out"], 1, last_word), Relay(ours["err"], 2, last_word)]
    for relay in relays:
        relay.start()
    if options.stdin:
        threading.Thread(target=feed, args=(ours["in"],), daemon=True).start()
    try:
        _converse(outcome, ours["control"], relays, deadline)
        qemu.wait(max(deadline - time.monotonic(), 0))
    except (TimeoutError, subprocess.TimeoutExpired):
        outcome.timed_out = True
    finally:
        qemu.kill()
        outcome.qemu_error = qemu.communicate()[1].decode(errors="replace").strip()
    for relay in relays:
        relay.join(1)
    outcome.boot_log, outcome.log = split_log(log)
    return outcome


def new_word():
    """A word no command can print by accident."""
    return secrets.token_hex(16).encode()
