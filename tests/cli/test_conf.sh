#!/bin/bash
# SPDX-License-Identifier: MIT
# What aifd reads: one line that names file and line for each mistake.  Prints TAP.

cd "$(dirname "$0")/../.." || exit 1
. tests/cli/tap.sh
aifd=$PWD/build/aifd
unset AIF_LOG_LEVEL
mkdir -p "$tmp/cache/models/empty"
export AIF_CACHE="$tmp/cache"
cd "$tmp" || exit 1

refused() { # MESSAGE CONF...: lines of the file "conf"
	message=$1
	shift
	printf '%s\n' "$@" >conf
	try "$aifd" --check --config conf
	is "refused: $message" "1 aifd: error: conf$message" "$status $err$out"
}

refused ": no service in it; see aifd.conf(5)" ""
refused ":1: no such option 'workers'" "workers = 2"
refused ":1: no such option 'services'" "services x {" "}"
refused ":1: missing title for section 'service'" "service {" "}"
refused ":3: no such option 'wrokers'" "service x {" "type = echo" "wrokers = 2" "}"
refused ":3: workers: '0' is not a number from 1 to 64" \
	"service x {" "type = echo" "workers = 0" "}"
refused ":3: workers: '65' is not a number from 1 to 64" \
	"service x {" "type = echo" "workers = 65" "}"
refused ":3: workers: 'two' is not a number from 1 to 64" \
	"service x {" "type = echo" "workers = two" "}"
refused ":3: workers: '-1' is not a number from 1 to 64" \
	"service x {" "type = echo" "workers = -1" "}"
refused ":3: workers: '99999999999999999999' is not a number from 1 to 64" \
	"service x {" "type = echo" "workers = 99999999999999999999" "}"
refused ":3: workers: given twice" "service x {" "workers = 1" "workers = 2" "}"
refused ":2: type: 'chat' is none of: embed, echo" "service x {" "type = chat" "}"
refused ":2: backend: 'cuda9' is none of: cpu, cuda, ref" "service x {" "backend = cuda9" "}"
refused ":2: cuda_device: 'a b' is neither a UUID (GPU-...) nor a PCI address (0000:01:00.0)" \
	"service x {" "cuda_device = 'a b'" "}"
refused ":2: cuda_precision: 'fp' is none of: fp32, tf32, bf16, fp16" \
	"service x {" "cuda_precision = fp" "}"
refused ":2: cuda_precision: 'fp32, tf32' is none of: fp32, tf32, bf16, fp16" \
	"service x {" "cuda_precision = 'fp32, tf32'" "}"
refused ":2: cuda_wait: '' is none of: spin, sleep" "service x {" "cuda_wait = ''" "}"
refused ":2: input: 'image' is none of: text, ids" "service x {" "input = image" "}"
refused ":2: device: 'a b' is not a name: 1 to 63 of letters, digits, '.', '_', '-'" \
	"service x {" "device = 'a b'" "}"
refused ":2: service: 'x/y' is not a name: 1 to 63 of letters, digits, '.', '_', '-'" \
	"service 'x/y' {" "type = echo }"
refused ":2: digest: 'abc' is not 64 hexadecimal digits" "service x {" "digest = abc" "}"
refused ":2: model /nowhere: No such file or directory" "service x {" "model = /nowhere" "}"
refused ":2: model ./conf: not a folder" "service x {" "model = ./conf" "}"
refused ":2: model 'none' is not in $tmp/cache/models: get it with tools/fetch-model, or give a path" \
	"service x {" "model = none" "}"
refused ":2: service x: model is missing" "service x {" "}"
refused ":4: service x: model does not go with type=echo" \
	"service x {" "type = echo" "model = empty" "}"
refused ":4: service x: input does not go with type=echo" \
	"service x {" "type = echo" "input = ids" "}"
for key in cuda_device=GPU-1 cuda_precision=bf16 cuda_wait=sleep; do
	refused ":4: service x: ${key%=*} goes with backend=cuda" \
		"service x {" "model = empty" "${key%=*} = ${key#*=}" "}"
done
refused ":5: found duplicate title 'x'" \
	"service x {" "type = echo" "}" "" "service x {" "}"
refused ":3: no such option 'service'" "service x {" "type = echo" "service y {" "}"
refused ": a key without a name; see aifd.conf(5)" "service x {" "type = echo" '"" = 5' "}"

try "$aifd" --check --config missing
is "a file that is not there" "1 aifd: error: missing: No such file or directory" "$status $err"
try "$aifd" --check --config "$tmp"
is "a folder" "1 aifd: error: $tmp: a folder" "$status $err"
try "$aifd" --check
has "the default file is named" "/etc/aif/aifd.conf" "$err"

printf 'service x { model = empty }\n' >conf
try "$aifd" --check --config conf
is "a folder that is no model" 1 "$status"
has "is named, with what it lacks" "service x: $tmp/cache/models/empty/" "$err"

cat >conf <<'END'
# What a sound file looks like.
service "one.1" { type = echo workers = 3 }	// three of them
service two {
	type = "echo"
	delay_ms = 0
}
END
try "$aifd" --check --config conf
is "a sound file" "0 one.1: type echo, 3 workers
two: type echo, 1 worker" "$status $out$err"

try "$aifd" --config conf --device "$tmp/none"
is "without a device" \
	"1 aifd: error: $tmp/none-serve: no such device: is the module loaded? Ask \`aif probe\`" \
	"$status $err"
try "$aifd" --log loud
is "an unknown level" \
	"2 aifd: 'loud' is not a log level: error, warn, info or debug" "$status $err"
exec 9> >(:)
wait $!
"$aifd" --config missing 2>&9
is "who does not listen any more does not end it" 1 $?
exec 9>&-
try "$aifd" surplus
is "an argument too many" 2 "$status"

finish
