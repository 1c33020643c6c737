#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What botocore signs is verified, and refused once anything in it was changed.  botocore,
# of a pinned version, lives in a virtual environment in the cache, made on the first run.
# Prints TAP.
set -u
cd "$(dirname "$0")/../../.." || exit 1

here=tests/unit/gateway
cache=${AIF_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/aif}
sum=$(sha256sum <$here/requirements.txt)
venv=$cache/test-gateway-${sum:0:16}

skip() {
	echo "ok 1 - requests signed by botocore # SKIP $*"
	echo 1..1
	exit 0
}

# Whole or not there: marked when done.
make_venv() {
	[ ! -e "$venv/.whole" ] || return 0
	rm -rf "$venv"
	mkdir -p "$cache"
	python3 -m venv "$venv" || skip "no virtual environment: install python3-venv"
	"$venv/bin/pip" install -q --disable-pip-version-check --only-binary :all: \
		-r $here/requirements.txt || skip "pip cannot install $(cat $here/requirements.txt)"
	touch "$venv/.whole"
}

make_venv
exec "$venv/bin/python" -B $here/botocore_signs.py build/$here/verifier.asan "$@"
