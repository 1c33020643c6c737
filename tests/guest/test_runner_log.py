#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the runner takes for an unclean kernel log, line by line."""

import os
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import boot  # pylint: disable=wrong-import-position

UNCLEAN = (
    "BUG: kernel NULL pointer dereference, address: 0000000000000008",
    "BUG: KASAN: slab-use-after-free in aif_x+0x1/0x2 [aif]",
    "BUG: sleeping function called from invalid context at mm/gup.c:1",
    "watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [aifd:1]",
    "WARNING: CPU: 0 PID: 1 at kmod/aif_main.c:1 aif_x+0x1/0x2 [aif]",
    "WARNING: possible circular locking dependency detected",
    "WARNING: suspicious RCU usage",
    "Oops: general protection fault, probably for non-canonical address",
    "Kernel panic - not syncing: sysrq triggered crash",
    "UBSAN: array-index-out-of-bounds in kmod/aif_x.c:1:2",
    "kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)",
    "insmod: page allocation failure: order:4, mode:0xcc0(GFP_KERNEL)",
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
)
BEGIN, END = "[    1.000000] aif-guest: begin", "[    3.000000] aif-guest: end"


def unclean(lines, status=0):
    """How many lines the runner objects to in a log of these."""
    outcome = boot.Outcome()
    outcome.status = status
    with tempfile.NamedTemporaryFile("w", suffix=".log") as file:
        file.write("\r\n".join([*lines, ""]))
        file.flush()
        outcome.read_log(file.name)
    return len(outcome.unclean())


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
    yield "a result without the log's end is unclean", unclean([BEGIN]) == 1


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
