#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The debug kernel has what was wanted, and a build that fails, is killed or is
# not alone leaves nothing that looks finished.

. "$(dirname "$0")/../guest/tap.sh" || exit
debug=$tree/tests/kernel/debug

if kernel=$("$debug" --have 2>/dev/null); then
	said=$("$debug" --check "$kernel/config" 2>&1)
	is "the configuration is as wanted" "0 " "$? $said"
	grep -v '^CONFIG_KASAN=y' "$kernel/config" >"$tmp/config"
	echo CONFIG_SLUB_TINY=y >>"$tmp/config"
	said=$("$debug" --check "$tmp/config" 2>&1)
	is "one that is not: status" 1 $?
	has "what is lost or unwanted is named" \
		"configuration: CONFIG_KASAN=y CONFIG_SLUB_TINY=n" "$said"
else
	skip "the configuration is as wanted" "not built (make debug-kernel)"
fi

# From here on nobody gets at the source: who tries stands still.
export AIF_CACHE=$tmp/cache
mkdir "$tmp/bin" || exit
cat >"$tmp/bin/apt-get" <<'END'
#!/bin/sh
echo $$ >>"$STANDING"
exec sleep 100
END
chmod +x "$tmp/bin/apt-get"
ln -s apt-get "$tmp/bin/tar"

start() { # NAME
	STANDING=$tmp/$1.standing PATH=$tmp/bin:$PATH "$debug" >"$tmp/$1.out" 2>"$tmp/$1.err" &
}

# Wait for a file that says something, or for its writer's end.
heard() { # FILE PATTERN PID
	until grep -qs "$2" "$1" || ! kill -0 "$3" 2>/dev/null; do sleep 0.1; done
}

said=$("$debug" --have 2>&1)
is "what is not there is not had: status" 1 $?
has "what is not there is not had: says what to do" "make debug-kernel" "$said"
start first
first=$!
heard "$tmp/first.standing" . $first
start second
second=$!
heard "$tmp/second.err" waiting $second
has "a second build waits" "waiting for another build" "$(err second)"
kill -9 $first "$(cat "$tmp/first.standing")"
wait $first 2>/dev/null
heard "$tmp/second.standing" . $second
has "and goes on when the first is killed" "building from linux-source-6.12" "$(err second)"
kill "$(cat "$tmp/second.standing")"
wait $second
is "a build that fails: status" 1 $?
has "a build that fails: says so" "not built; the whole log is $tmp/cache" "$(err second)"
is "it prints no directory" "" "$(out second)"
is "it leaves a lock and a log" "lock log" \
	"$(find "$tmp/cache/kernels" -mindepth 1 | sed 's/.*\.//' | sort | xargs)"
"$debug" --have >"$tmp/had" 2>&1
is "and nothing to be had" 1 $?

finish
