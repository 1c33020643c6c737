#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What the debug kernel sees is a failure of the run.  Each trouble is real.
#
# shellcheck disable=SC2016 # the guest's shell expands

. "$(dirname "$0")/tap.sh" || exit

"$tree/tests/kernel/debug" --have >"$tmp/kernel" || {
	skip "the debug kernel" "not built (make debug-kernel)"
	finish
}
is "it has a name" "$(cat "$tmp/kernel")/vmlinuz" "$("$guest/kernel" debug | cut -f2)"
borrow_runner "$("$guest/kernel" "$(cat "$tmp/kernel")" | cut -f1)" || {
	skip "the debug kernel" "no trouble.ko for it (make module-debug)"
	finish
}
boot_debug() { # NAME ARGUMENT...
	boot "$1" --kernel "$(cat "$tmp/kernel")" --no-module "${@:2}"
}

# What locks are held is known until the first complaint about them or memory.
boot_debug complaints '
	echo 0 >/proc/sys/kernel/panic_on_warn
	for what in nothing page atomic shift dma object inversion freed; do
		modprobe aif what=$what; rmmod trouble
		sleep 0.5; echo ok $((n += 1)) - $what; sleep 0.5
	done'
boot_debug fatal 'modprobe aif what=freed; sleep 9'
boot_debug leak 'modprobe aif what=leak; exit 3'
boot_debug sound 'modprobe aif what=nothing'
wait

# The results before which the runner saw something to complain of in the log.
complained() {
	python3 -B - "$guest" "$tmp/tree/build/guest/test_runner/complaints/dmesg" <<'END'
import sys
sys.path.insert(0, sys.argv[1])
import boot
seen = False
for line in open(sys.argv[2], encoding="utf-8"):
    if line.startswith(boot.RESULT_MARK):
        print(line.split()[-1] if seen else "", end=" ")
        seen = False
    seen = seen or bool(boot.UNCLEAN.search(line))
END
}

is "complaints: status" 120 "$(status complaints)"
is "the first is placed" 'not clean after "ok 1 - nothing"' \
	"$(err complaints | grep -o 'not clean after ".*"')"
is "each is seen" " page atomic shift dma object inversion freed " "$(complained)"
log=$(cat "$tmp/tree/build/guest/test_runner/complaints/dmesg")
has "a sleep in atomic context" "BUG: sleeping function called from invalid context" "$log"
has "a shift too far" "UBSAN: shift-out-of-bounds" "$log"
has "a DMA mapping undone in another size" \
	"DMA-API: platform trouble: device driver frees DMA memory with different size" "$log"
has "a timer that is freed while it runs" "ODEBUG: free active (active state 0) object" "$log"
has "a lock inversion" "WARNING: possible circular locking dependency detected" "$log"
has "a write to a page after it was freed" "pagealloc: memory corruption" "$log"
has "a use after free" "BUG: KASAN: slab-use-after-free in trouble_freed" "$log"
is "one that is fatal: status" 120 "$(status fatal)"
has "one that is fatal: says so" "Kernel panic - not syncing: KASAN" "$(err fatal)"
is "a leak: status" 120 "$(status leak)"
has "a leak: says so" "new suspected memory leaks" "$(err leak)"
has "a leak: says where, after the module has gone" "in trouble_leak [trouble]" "$(err leak)"
has "a leak: the command's own status is told" "command exited with 3" "$(err leak)"
is "no trouble" "0 " "$(status sound) $(out sound)"

finish
