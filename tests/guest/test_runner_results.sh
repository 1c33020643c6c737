#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A command's result comes back from the guest as it was: status, bytes on both
# outputs, arguments, identity.  Also what it finds there.
#
# shellcheck disable=SC2016 # the guest's shell expands

. "$(dirname "$0")/tap.sh" || exit

# The counting boots go first, while the others fill the time.
boot count1 --no-module --count 'cat /proc/uptime'
boot count2 --no-module --count 'cat /proc/uptime'

arguments=('[%s]' -x 'a b' "it's" '"q"' "\$HOME" '*' '' $'line\nline' '-- é')
boot arguments --no-module -- \
	sh -c 'printf "$@"; echo; echo $((2 + 3)) two; exit 3' sh "${arguments[@]}"
boot line --no-module 'sleep 1000 & echo a $((2 + 3)); kill -9 $$'
boot unknown --no-module no-such-command

# Not a multiple of anything, with every byte value, and different on each side.
head -c 3000017 /dev/urandom >"$tmp/a"
head -c 1000003 /dev/urandom >"$tmp/b"
# shellcheck disable=SC2317 # called by `background`
slowly() {
	"$@" | { sleep 6; cat; }
}
background bytes slowly "$guest/run" --no-module --name test_runner/bytes --stdin \
	--file "$tmp/b:b" 'cat b >&2 & cat; wait' <"$tmp/a"

user='echo $(id -u) $(id -un) $(id -g); touch /x 2>/dev/null || echo refused'
boot number --no-module --uid 1002 "$user"
boot name --no-module --uid attacker "$user"
boot stranger --no-module --uid 4242 "id -u; echo heard >/dev/stderr; $user"

cat >"$tmp/inventory" <<'END'
cat
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
grep -q ' further=words$' /proc/cmdline || echo "no words for the kernel"
[ "$PWD" = /aif ] || echo "in $PWD"
echo end
END
boot inventory --no-module --smp 3 --mem 768 --append 'some more' --append further=words \
	--file "$tmp/inventory" 'sh inventory 2>&1' <<<"unseen"

mkdir -p "$tmp/folder/sub"
echo deep >"$tmp/folder/sub/file"
boot files --no-module --file "$tmp/folder" --file "$tmp/folder:/else/where" \
	--file "$guest/init" --file "$(command -v bash):/bin/bash" \
	--file "$tmp/folder/sub/file:/bin/nproc" --stock-module null_blk '
	bash -c '\''echo $(cat folder/sub/file /else/where/sub/file) ${BASH_VERSINFO[0]}'\''
	cat /bin/nproc
	cat tests/guest/init '"$guest"'/init | wc -l
	modprobe null_blk && test -b /dev/nullb0 && echo $(cut -d" " -f1 /proc/modules | sort)'
boot bare --no-module --no-tools --mem 240 --file "$tmp/folder" 'cat folder/sub/file; test -e build'

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
	boot plugin --no-module --plugin "$tmp/plugin.so,hello=on" true
fi
wait

# shellcheck disable=SC2059 # a format is among the arguments
is "arguments arrive intact" "$(printf "${arguments[@]}")"$'\n'"5 two" "$(out arguments)"
is "the exit status" "3 " "$(status arguments) $(err arguments)"
is "one argument is a shell line" "a 5" "$(out line)"
is "death by a signal, without a word, with a process left running" "137 " \
	"$(status line) $(err line)"
is "an unknown command" 127 "$(status unknown)"
is "standard input is standard output, and a slow reader loses nothing" \
	"0 $(sha256sum <"$tmp/a")" "$(status bytes) $(sha256sum <"$tmp/bytes.out")"
is "binary standard error" "$(sha256sum <"$tmp/b")" "$(sha256sum <"$tmp/bytes.err")"
is "a user by number" $'1002 executor 1002\nrefused' "$(out number)"
is "a user by name" $'1003 attacker 1003\nrefused' "$(out name)"
is "a user nobody knew" $'4242\n4242 user4242 4242\nrefused heard' \
	"$(out stranger) $(err stranger)"
is "an ordinary small system, and no standard input unless asked" end "$(out inventory)"
is "files, folders, programs with their libraries; modprobe knows what was asked for" \
	"deep deep 5 deep $(cat "$guest"/init{,} | wc -l) configfs null_blk" \
	"$(out files | xargs)"

is "little memory, and files but no tools" "1 deep" "$(status bare) $(out bare)"

# Guest seconds are billions of instructions; a run repeats within half a percent.
is "counting repeats" "within 0.5 %" "$(cat "$tmp"/count[12].out | awk '
	{ up[NR] = $1 }
	END { d = up[1] - up[2]
	      print (NR == 2 && d * d <= (0.005 * up[1]) ^ 2 ? "within 0.5 %" : up[1] " " up[2]) }')"
if [[ -e $tmp/plugin.status ]]; then
	is "a plugin, its argument and its output" "0 hello=on" "$(status plugin) $(err plugin)"
else
	skip "a plugin, its argument and its output" "no C compiler"
fi

finish
