#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Whatever goes wrong in a guest, or with it, is a failure of the run, whatever
# the command says.  Each trigger is real.
#
# shellcheck disable=SC2016 # the guest's shell expands

. "$(dirname "$0")/tap.sh" || exit

# What the boots started by `failing` are to come to, reported by `report`.
names=()
declare -A title expected words

failing() { # NAME TITLE STATUS WORDS ARGUMENT...
	names+=("$1") title[$1]=$2 expected[$1]=$3 words[$1]=$4
	boot "$1" "${@:5}"
}

report() {
	local name
	wait
	for name in "${names[@]}"; do
		is "${title[$name]}: status" "${expected[$name]}" "$(status "$name")"
		has "${title[$name]}: says so" "${words[$name]}" "$(out "$name") $(err "$name")"
	done
	names=()
}

failing hang "a hang" 124 "timeout after 60 s" --timeout 60 'sleep 1000'
failing crash "a crash" 120 "Kernel panic - not syncing: sysrq triggered crash" \
	'echo c >/proc/sysrq-trigger'
failing warning "a warning in the log" 120 'not clean after "ok 2 - second" (' '
	echo ok 1 - first; echo ok 2 - second; sleep 0.5
	echo "WARNING: of no consequence" >/dev/kmsg; sleep 0.5; echo ok 3 - third'
failing poweroff "a guest that powers off" 123 "died without reporting: powered off" 'poweroff -f'
failing reboot "a guest that reboots" 123 "died without reporting" 'reboot -f'
failing no_command "no command" 125 "give a COMMAND"
failing option "an unknown option" 125 "usage" --no-such-option true
failing file "a file that is not there" 125 "/no/such/file" --file /no/such/file true
failing kernel "no such kernel" 125 "no package matches linux-image-0.*" \
	--kernel 'linux-image-0.*' true
failing stock "a stock module that is not there" 125 "no module nonesuch" \
	--stock-module nonesuch true
failing memory "too little memory" 125 "--mem" --mem 150 true
failing panics "a kernel that does not come to our init" 125 "did not boot" --accel tcg \
	--append rdinit=/nonesuch true

# A machine whose first boot alone comes to nothing.
mkdir "$tmp/bin"
cat >"$tmp/bin/qemu-system-x86_64" <<-END
	#!/bin/bash
	mkdir "$tmp/flaky" 2>/dev/null && set -- "\${@/panic=-1/panic=-1 rdinit=/nonesuch}"
	exec "$(command -v qemu-system-x86_64)" "\$@"
END
chmod +x "$tmp/bin/qemu-system-x86_64"
PATH=$tmp/bin:$PATH failing flaky "an emulated kernel that dies once before our init" 7 "once more" \
	--accel tcg 'exit 7'
report
has "a kernel that never comes to our init was tried twice" "once more" "$(err panics)"
has "the first boot's log is kept" "Kernel panic" "$(cat "$tree/build/guest/test_runner/flaky/dmesg.died")"
log=$tree/build/guest/test_runner/crash/dmesg
has "the log is kept" "sysrq triggered crash" "$(cat "$log")"
has "with the boot" "Linux version" "$(cat "$log")"
is "with the results" "WARNING: of no consequence,### ok 3 - third" "$(
	grep -A 1 'WARNING: of no' "$tree/build/guest/test_runner/warning/dmesg" |
		sed 's/^\[.*\] //' | paste -sd,)"

# Start a guest that stays; `runner` and `qemu` are its processes.
start() { # NAME
	"$guest/run" --name "test_runner/$1" --no-module --timeout 20 'echo up; sleep 1000' \
		>"$tmp/$1.out" 2>"$tmp/$1.err" &
	runner=$!
	until grep -q up "$tmp/$1.out" || ! kill -0 "$runner" 2>/dev/null; do sleep 0.1; done
	qemu=$(pgrep -P "$runner" -f qemu-system)
}

start stopped
kill -STOP "$qemu"
stopped=$runner
start killed
kill -9 "$qemu"
wait "$runner"
is "a QEMU that is killed: status" 123 $?
has "a QEMU that is killed: says so" "QEMU ended with signal 9" "$(err killed)"
start orphan
kill -9 "$runner"
wait "$runner" 2>/dev/null
timeout 10 sh -c "while kill -0 $qemu 2>/dev/null; do sleep 0.1; done"
is "a runner that is killed takes QEMU with it" 0 $?
wait "$stopped"
is "a machine that stands still: status" 124 $?

# The rest needs a module that makes trouble; a copy of the runner in a tree of
# its own takes it for ours.
release=$("$guest/kernel" | cut -f1)
borrow_runner "$release" || {
	skip "real trouble" "no trouble.ko for $release (make guest-trouble)"
	finish
}

failing loaded "our module is loaded, and unloaded" 0 "trouble" 'cut -d" " -f1 /proc/modules'
failing by_name "or left to the command, that can load it by name" 0 $'0\ntrouble\n0' --no-module '
	modules() { echo $(wc -l </proc/modules); }
	modules; modprobe aif what=nothing && cut -d" " -f1 /proc/modules; rmmod trouble; modules'
failing refuse "a module that does not load" 125 "cannot load aif" --module-args what=refuse true
failing warn "a warning while it loads" 120 "WARNING: CPU" --module-args what=warn true
failing stops "a kernel warning" 120 "trouble_warn" --no-module 'modprobe aif what=warn; sleep 9'
failing oops "an oops" 120 "BUG: kernel NULL pointer" --no-module 'modprobe aif what=oops; sleep 9'
failing goes_on "a warning that stops nothing" 120 "command exited with 0" --no-module \
	'echo 0 >/proc/sys/kernel/panic_on_warn; modprobe aif what=warn'
failing oops_on "an oops that stops nothing" 120 "command exited with 0" --no-module \
	'echo 0 >/proc/sys/kernel/panic_on_oops; modprobe aif what=oops; true'
failing pin "a pinned page" 122 "1 more pages are pinned" --no-module 'modprobe aif what=pin'
failing asleep "a process that does not die" 122 "(modprobe) does not die" --no-module \
	'modprobe aif what=sleep & sleep 1'
failing hold "a module in use" 122 "module trouble cannot be unloaded" --no-module \
	'modprobe aif what=hold; exit 5'
report
has "the command's own status is told" "command exited with 5" "$(err hold)"

finish
