#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Whatever goes wrong in a guest, or with it, is a failure of the run, whatever
# the command says.  Each trigger is real.

. "$(dirname "$0")/tap.sh"

# Run with some arguments; `status` and `said` are what came of it.
run() {
	said=$("$guest/run" --name test_runner "$@" 2>&1 </dev/null)
	status=$?
}

fails() { # NAME STATUS WORDS ARGUMENT...
	local name=$1 expected=$2 words=$3
	shift 3
	run "$@"
	is "$name: status" "$expected" "$status"
	has "$name: says so" "$words" "$said"
}

fails "a crash" 120 "Kernel panic - not syncing: sysrq triggered crash" \
	'echo c >/proc/sysrq-trigger'
has "its log is kept" "sysrq triggered crash" "$(cat "$tree/build/guest/test_runner/dmesg")"
has "with the boot" "Linux version" "$(cat "$tree/build/guest/test_runner/dmesg")"
fails "a warning in the log" 120 "WARNING: of no consequence" \
	'echo "WARNING: of no consequence" >/dev/kmsg'
fails "a guest that powers off" 123 "died without reporting: powered off" 'poweroff -f'
fails "a guest that reboots" 123 "died without reporting" 'reboot -f'
fails "a hang" 124 "timeout after 15 s" --timeout 15 'sleep 1000'

# Start a guest that stays; `runner` and `qemu` are its processes.
start() {
	"$guest/run" --name test_runner --no-module --timeout 20 'echo up; sleep 1000' \
		>"$tmp/out" 2>"$tmp/err" &
	runner=$!
	until grep -q up "$tmp/out" || ! kill -0 "$runner" 2>/dev/null; do sleep 0.1; done
	qemu=$(pgrep -P "$runner" -f qemu-system)
}

start
kill -9 "$qemu"
wait "$runner"
is "a QEMU that is killed: status" 123 $?
has "a QEMU that is killed: says so" "QEMU ended with signal 9" "$(cat "$tmp/err")"
start
kill -STOP "$qemu"
wait "$runner"
is "a machine that stands still: status" 124 $?
start
kill -9 "$runner"
wait "$runner" 2>/dev/null
timeout 10 sh -c "while kill -0 $qemu 2>/dev/null; do sleep 0.1; done"
is "a runner that is killed takes QEMU with it" 0 $?

fails "no command" 125 "give a COMMAND"
fails "an unknown option" 125 "usage" --no-such-option true
fails "a file that is not there" 125 "/no/such/file" --file /no/such/file true
fails "no such kernel" 125 "no package matches linux-image-0.*" --kernel 'linux-image-0.*' true
fails "a stock module that is not there" 125 "no module nonesuch" --stock-module nonesuch true
fails "too little memory" 125 "--mem" --mem 150 true

# The rest needs a module that makes trouble; a copy of the runner in a tree of
# its own takes it for ours.
trouble=$tree/build/tests/guest/trouble/trouble.ko
release=$("$guest/kernel" | cut -f1)
if [[ $(modinfo -F vermagic "$trouble" 2>/dev/null) != "$release "* ]]; then
	skip "real trouble" "no trouble.ko for $release (make $trouble)"
	finish
fi
mkdir -p "$tmp/tree/tests" "$tmp/tree/build/kmod-$release"
cp -r "$guest" "$tmp/tree/tests/guest"
cp "$trouble" "$tmp/tree/build/kmod-$release/aif.ko"
guest=$tmp/tree/tests/guest

fails "our module is loaded, and unloaded" 0 "trouble" 'cut -d" " -f1 /proc/modules'
run --no-module 'cat /proc/modules'
is "or left to the command" "0 " "$status $said"
run --no-module 'modprobe aif what=nothing && rmmod trouble'
is "that can load it by name" "0 " "$status $said"
fails "a module that does not load" 125 "cannot load aif" --module-args what=refuse true
fails "a warning while it loads" 120 "WARNING: CPU" --module-args what=warn true
fails "a kernel warning" 120 "trouble_init" --no-module 'modprobe aif what=warn'
fails "a warning that stops nothing" 120 "command exited with 0" --no-module \
	'echo 0 >/proc/sys/kernel/panic_on_warn; modprobe aif what=warn'
fails "an oops" 120 "BUG: kernel NULL pointer" --no-module 'modprobe aif what=oops'
fails "an oops that stops nothing" 120 "command exited with 0" --no-module \
	'echo 0 >/proc/sys/kernel/panic_on_oops; modprobe aif what=oops; true'
fails "a pinned page" 122 "1 more pages are pinned" --no-module 'modprobe aif what=pin'
fails "a process that does not die" 122 "(modprobe) does not die" --no-module \
	'modprobe aif what=sleep & sleep 1'
fails "a module in use" 122 "module trouble cannot be unloaded" --no-module \
	'modprobe aif what=hold; exit 5'
has "the command's own status is told" "command exited with 5" "$said"

finish
