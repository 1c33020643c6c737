#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Which kernel boots, and on what.

. "$(dirname "$0")/tap.sh" || exit

IFS=$'\t' read -r release vmlinuz modules < <("$guest/kernel")
has "the default is a 6.12" "6.12." "$release"
is "and boots" "$release" "$("$guest/run" --no-module uname -r)"

mkdir -p "$tmp/kernel/lib/modules"
cp "$vmlinuz" "$tmp/kernel/vmlinuz"
is "an unpacked kernel names its release" "$release"$'\t'"$tmp/kernel/vmlinuz"$'\t' \
	"$("$guest/kernel" "$tmp/kernel")"
is "and boots without modules" "$release" \
	"$("$guest/run" --no-module --kernel "$tmp/kernel" uname -r)"
ln -s "$modules" "$tmp/kernel/lib/modules/$release"
is "and with them" "$tmp/kernel/lib/modules/$release" "$("$guest/kernel" "$tmp/kernel" | cut -f3)"
said=$("$guest/kernel" "$tmp" 2>&1)
is "a folder without a kernel: status" 125 $?
has "a folder without a kernel: says so" "has no vmlinuz" "$said"

# An emulator that stands in for KVM: one that works, one that hangs.
if [[ ! -r /dev/kvm || ! -w /dev/kvm ]]; then
	skip "the trial of KVM" "no /dev/kvm for this user"
	finish
fi
mkdir "$tmp/bin"
cat >"$tmp/bin/qemu-system-x86_64" <<'END'
#!/bin/bash
if [[ " $* " == *" -accel kvm "* ]]; then
	echo trial >>"$TRIALS"
	[[ $KVM == works ]] || exec sleep 1000
	set -- "${@/#kvm/tcg}"
	set -- "${@/#host/max}"
fi
PATH=${PATH#*:} exec qemu-system-x86_64 "$@"
END
chmod +x "$tmp/bin/qemu-system-x86_64"

# The KVM that works is an emulation, which may need more than KVM's ten seconds.
accelerator() { # works|hangs
	[[ $1 == hangs ]] || local -x AIF_KVM_TRIAL_SECONDS=120
	KVM=$1 TRIALS=$tmp/trials AIF_CACHE=$tmp/cache PATH=$tmp/bin:$PATH \
		"$guest/run" -v --name test_runner --no-module true 2>&1 | grep -o ', \(kvm\|tcg\),'
}

is "KVM that works is used" ", kvm," "$(accelerator works)"
rm -r "$tmp/cache" "$tmp/trials"
is "KVM that hangs is not" ", tcg," "$(accelerator hangs)"
is "and is not tried again" ", tcg, 1" "$(accelerator hangs) $(wc -l <"$tmp/trials")"

finish
