#!/bin/bash
# SPDX-License-Identifier: MIT
#
# kmod/compat/probe, against this machine's headers: what it answers, when it asks
# again, and that a broken toolchain is not taken for an answer.  Prints TAP.

# shellcheck disable=SC2317 # functions that check calls
set -u
cd "$(dirname "$0")/../.." || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
headers=(/lib/modules/6.12*/build)
kdir=${KDIR:-${headers[-1]}}
count=0
failed=0

check() { # NAME COMMAND...
	local name=$1
	shift
	count=$((count + 1))
	if "$@"; then
		echo "ok $count - $name"
	else
		sed 's/^/# /' "$work/out"
		echo "not ok $count - $name"
		failed=1
	fi
}

fresh() {
	rm -rf "$work/compat"
	cp -r kmod/compat "$work/compat"
}

probe() {
	status=0
	"$work/compat/probe" "$kdir" >"$work/out" 2>&1 || status=$?
}

said() { grep -qx "probe $1" "$work/out"; }
says() { grep -q "$1" "$work/out"; }
nothing_said() { [[ $status -eq 0 && ! -s $work/out ]]; }
no_verdict() { [[ $status -eq 1 && ! -e $work/compat/have.mk ]] && says "$1"; }
is_known() { grep -q "^AIF_HAVE := .*$1" "$work/compat/have.mk"; }

if [[ ! -d $kdir ]]; then
	echo "ok 1 - compile probes # SKIP no kernel headers in $kdir"
	echo 1..1
	exit 0
fi

fresh
echo 'int probe(void); int probe(void) { return no_such_thing; }' \
	>"$work/compat/probes/asked_in_vain.c"
probe
check "what compiles is there" said "uring_cancel: yes"
check "and the module's build is told" is_known URING_CANCEL
check "what does not is not, and why" \
	says "^probe asked_in_vain: no (.no_such_thing. undeclared"
probe
check "the same question is not asked twice" nothing_said
sed -i 's/no_such_thing/0/' "$work/compat/probes/asked_in_vain.c"
probe
check "another one is" said "asked_in_vain: yes"

echo '#error "this compiler is broken"' >>"$work/compat/probes/canary.c"
probe
check "a canary that dies: no verdict, old ones included" no_verdict "canary does not compile"
check "and what the compiler said" says "this compiler is broken"

fresh
echo 'int probe; extern int probe;' >"$work/compat/probes/must_fail.c"
probe
check "what must fail compiles: no verdict" no_verdict "must_fail compiles"

status=0
"$work/compat/probe" "$work/nowhere" >"$work/out" 2>&1 || status=$?
check "no such kernel: it says which" no_verdict "$work/nowhere"

echo "1..$count"
exit "$failed"
