#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the runner takes for an unclean kernel log, line by line, and for a stale module."""

import os
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import boot  # pylint: disable=wrong-import-position
import image  # pylint: disable=wrong-import-position

UNCLEAN = (
    "BUG: kernel NULL pointer dereference, address: 0000000000000008",
    "BUG: KASAN: slab-use-after-free in aif_x+0x1/0x2 [aif]",
    "BUG: sleeping function called from invalid context at mm/gup.c:1",
    "watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [aifd:1]",
    "WARNING: CPU: 0 PID: 1 at kmod/aif_main.c:1 aif_x+0x1/0x2 [aif]",
    "WARNING: possible circular locking dependency detected",
    "WARNING: suspicious RCU usage",
    "WARNING: possible recursive locking detected",
    "BUG: MAX_LOCKDEP_CHAINS too low!",
    "INFO: lockdep is turned off.",
    "Oops: general protection fault, probably for non-canonical address",
    "Kernel panic - not syncing: sysrq triggered crash",
    "UBSAN: shift-out-of-bounds in kmod/aif_x.c:1:2",
    "UBSAN: array-index-out-of-bounds in kmod/aif_x.c:1:2",
    "kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)",
    "kmemleak: Kernel memory leak detector disabled",
    "BUG: kmemleak does not scan",
    "ODEBUG: Out of memory. ODEBUG disabled",
    "DMA-API: debugging out of memory - disabling",
    "DMA-API: cacheline tracking ENOMEM, dma-debug disabled",
    "insmod: page allocation failure: order:4, mode:0xcc0(GFP_KERNEL)",
    "pagealloc: memory corruption",
    "sysfs: cannot create duplicate filename '/class/aif'",
    "INFO: task aifd:99 blocked for more than 120 seconds.",
    "INFO: trying to register non-static key.",
    "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:",
    "** 127 printk messages dropped **",
)
CLEAN = (
    "aif: loading out-of-tree module taints kernel.",
    "aif: module verification failed: signature and/or required key missing - tainting kernel",
    "Memory cgroup out of memory: Killed process 99 (hog) total-vm:1kB",
    "raw_client[99]: segfault at 0 ip 0000 sp 0000 error 4 in libc.so.6[1000+2000]",
    "mtrr: your CPUs had inconsistent fixed MTRR settings",
    "DEBUG: nothing of note",
    "DMA-API: dma_debug_entry pool grown to 65536 (100%)",
)
BEGIN, END = "[    1.000000] aif-guest: begin", "[    3.000000] aif-guest: end"


def outcome_of(lines, status=0, results=()):
    """What the runner makes of a log of these lines."""
    outcome = boot.Outcome()
    outcome.status = status
    with tempfile.NamedTemporaryFile("w", suffix=".log") as file:
        file.write("\r\n".join([*lines, ""]))
        file.flush()
        outcome.read_log(file.name, results)
    return outcome


def unclean(lines, status=0):
    """How many lines the runner objects to in a log of these."""
    return len(outcome_of(lines, status).unclean())


def placed(*places):
    """The last result before a warning, when result N came with the log at
    places[N]: bytes from the start of the warning's line."""
    warning = "[    2.000000] " + UNCLEAN[0]
    start = len(BEGIN + "\r\n")
    results = [(start + place, b"ok %d - x" % n) for n, place in enumerate(places)]
    return outcome_of([BEGIN, warning, END], 0, results).last_result()


def relayed(*chunks):
    """The results that a relay notes in a stream of these chunks."""
    with tempfile.NamedTemporaryFile() as log:
        relay = boot.Relay(None, os.open(os.devnull, os.O_WRONLY), b"", log.name)
        for chunk in chunks:
            relay._write(chunk)  # pylint: disable=protected-access
        os.close(relay.fd)
    return [result for _, result in relay.results]


def stale(built, source, name):
    """Is a module of that time older than a source of that?"""
    with tempfile.TemporaryDirectory() as folder:
        module, path = os.path.join(folder, "aif.ko"), os.path.join(folder, "kmod", name)
        os.mkdir(os.path.dirname(path))
        for file, when in ((module, built), (path, source)):
            with open(file, "w", encoding="ascii"):
                pass
            os.utime(file, (when, when))
        return image.newer_source(module, [os.path.dirname(path)]) == path


def cases():
    for line in UNCLEAN:
        stamped = "[    2.000000] " + line
        yield f"unclean: {line}", unclean([BEGIN, stamped, END]) == 1
    for line in CLEAN:
        yield f"clean: {line}", unclean([BEGIN, "[    2.000000] " + line, END]) == 0
    warning = "[    2.000000] " + UNCLEAN[0]
    yield "the boot's lines are not the command's", unclean([warning, BEGIN, END]) == 0
    yield "nor are those after the end", unclean([BEGIN, END, warning]) == 0
    yield "a log that stops counts to its end", unclean([BEGIN, warning], None) == 1
    yield "a result before the warning", placed(-9) == "ok 0 - x"
    yield "right before it", placed(-9, 0) == "ok 1 - x"
    yield "while it is written", placed(0, 20) == "ok 0 - x"
    yield "no result before it", placed(20) == ""
    yield "results in a stream", relayed(b"ok 1 - a\nx\nnot ok 2 - b\nok\n", b"ok 3\n") == [
        b"ok 1 - a", b"not ok 2 - b", b"ok 3"]
    yield "a result in pieces", relayed(b"x\no", b"k 1", b" - a\n") == [b"ok 1 - a"]
    yield "a result is no complaint", not outcome_of(
        [BEGIN, END], 0, [(len(BEGIN) + 2, b"ok 1 - WARNING: x")]).unclean()
    yield "a result without the log's end is unclean", unclean([BEGIN]) == 1
    yield "a module older than its source", stale(1000, 1001, "aif_x.c")
    yield "one that is not", not stale(1001, 1001, "aif_x.c")
    yield "what is no source", not stale(1000, 1001, "README.md")


def main():
    failed = 0
    number = 0
    for number, (name, passed) in enumerate(cases(), 1):
        print(f"{'ok' if passed else 'not ok'} {number} - {name}")
        failed += not passed
    print(f"1..{number}")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
