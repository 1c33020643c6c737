#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A command's result comes back from the guest as it was: status, bytes on both
# outputs, arguments, identity.  Also what it finds there.
#
# shellcheck disable=SC2016 # the guest's shell expands

. "$(dirname "$0")/tap.sh"
run() {
	"$guest/run" --name "test_runner" --timeout 120 --no-module "$@"
}

run 'exit 3' && status=0 || status=$?
is "the exit status" 3 "$status"
run sh -c "kill -9 \$\$" 2>"$tmp/err" && status=0 || status=$?
is "death by a signal, without a word" "137 " "$status $(cat "$tmp/err")"
run no-such-command 2>"$tmp/err" && status=0 || status=$?
is "an unknown command" 127 "$status"

arguments=(printf '[%s]' -x 'a b' "it's" '"q"' "\$HOME" '*' '' $'line\nline' '-- é')
is "arguments arrive intact" "$("${arguments[@]}")" "$(run -- "${arguments[@]}")"
is "one argument is a shell line" "a 5" "$(run 'echo a $((2 + 3))')"

# Not a multiple of anything, with every byte value, and different on each side.
head -c 3000017 /dev/urandom >"$tmp/a"
head -c 1000003 /dev/urandom >"$tmp/b"
run --file "$tmp/a" --file "$tmp/b:b" 'cat b >&2 & cat a; wait' >"$tmp/out" 2>"$tmp/err"
is "two binary outputs: status" 0 $?
is "binary standard output" "$(sha256sum <"$tmp/a")" "$(sha256sum <"$tmp/out")"
is "binary standard error" "$(sha256sum <"$tmp/b")" "$(sha256sum <"$tmp/err")"
run 'head -c 2000000 /dev/zero' | { sleep 6; wc -c >"$tmp/count"; }
is "a slow reader loses nothing" 2000000 "$(cat "$tmp/count")"
is "standard input" "$(sha256sum <"$tmp/a")" "$(run --stdin sha256sum <"$tmp/a")"
is "no standard input unless asked" end "$(echo unseen | run 'cat && echo end')"
is "a process left running ends with the command" "done" "$(run 'sleep 1000 & echo done')"

is "a user by number" "1002 executor 1002" "$(run --uid 1002 'echo $(id -u) $(id -un) $(id -g)')"
is "a user by name" "1003 attacker" "$(run --uid attacker 'echo $(id -u) $(id -un)')"
is "a user nobody knew" "4242" "$(run --uid 4242 'id -u; echo x >/dev/stderr' 2>/dev/null)"
is "a user is not root" refused "$(run --uid client 'touch /root/x || echo refused' 2>/dev/null)"

cat >"$tmp/inventory" <<'END'
for fs in proc sysfs devtmpfs devpts debugfs tracefs cgroup2; do
	grep -q " $fs " /proc/mounts || echo "no $fs"
done
for dir in /tmp /run /dev/shm; do
	su client -c "touch $dir/x" || echo "cannot write $dir"
done
for controller in cpu memory pids; do
	grep -qw $controller /sys/fs/cgroup/cgroup.subtree_control || echo "no $controller"
done
ping -c 1 -W 5 127.0.0.1 >/dev/null || echo "no loopback"
su executor -c 'test "$(id -u)" = 1002' || echo "no executor"
[ "$(nproc)" = 3 ] || echo "$(nproc) processors"
awk '/^MemTotal/ { exit !(640 < $2 / 1024 && $2 / 1024 < 768) }' /proc/meminfo || echo "memory"
[ "$PWD" = /aif ] || echo "in $PWD"
echo end
END
is "an ordinary small system" end \
	"$(run --smp 3 --mem 768 --file "$tmp/inventory" 'sh inventory' 2>&1)"

mkdir -p "$tmp/folder/sub"
echo deep >"$tmp/folder/sub/file"
is "files, folders, programs with their libraries" "deep deep 5 init" "$(
	run --file "$tmp/folder" --file "$tmp/folder:/else/where" --file "$guest/init" \
		--file "$(command -v bash):/bin/bash" \
		'bash -c '\''echo $(cat folder/sub/file /else/where/sub/file) ${BASH_VERSINFO[0]}'\''
		cd tests/guest && ls' | tr '\n' ' ' | sed 's/ $//')"
is "a given file wins over what is there" "deep" \
	"$(run --file "$tmp/folder/sub/file:/bin/nproc" cat /bin/nproc)"
is "paths of the build's host hold" "init" "$(run --file "$guest/init" ls "$guest")"
is "modprobe knows what was asked for" "configfs null_blk" "$(
	run --stock-module null_blk 'modprobe null_blk && test -b /dev/nullb0 &&
		echo $(cut -d" " -f1 /proc/modules | sort)')"

run 'sleep 1; echo first' >"$tmp/first" &
run 'echo second' >"$tmp/second"
wait $!
is "two at once" "first second" "$(cat "$tmp/first") $(cat "$tmp/second")"

# Guest seconds are billions of instructions; a run repeats within half a percent.
is "counting repeats" "within 0.5 %" "$(
	{ run --count 'cat /proc/uptime'; run --count 'cat /proc/uptime'; } | awk '
		{ up[NR] = $1 }
		END { d = up[1] - up[2]
		      print (NR == 2 && d * d <= (0.005 * up[1]) ^ 2 ? "within 0.5 %" : up[1] " " up[2]) }')"

# Declared here because not every Debian has QEMU's header; the number is the
# interface's, which QEMU 9 raised.
cat >"$tmp/plugin.c" <<'END'
__attribute__((visibility("default"))) int qemu_plugin_version = VERSION;
void qemu_plugin_outs(const char *text);
int qemu_plugin_install(unsigned long id, const void *info, int argc, char **argv)
{
	qemu_plugin_outs(argc ? argv[0] : "no argument");
	return 0;
}
END
major=$(qemu-system-x86_64 --version | sed -n 's/.*version \([0-9]*\).*/\1/p')
if cc -shared -fPIC -DVERSION=$((major < 9 ? 1 : 2)) -o "$tmp/plugin.so" "$tmp/plugin.c"; then
	is "a plugin, its argument and its output" "hello=on" \
		"$(run --plugin "$tmp/plugin.so,hello=on" true 2>&1)"
else
	skip "a plugin, its argument and its output" "no C compiler"
fi

finish
