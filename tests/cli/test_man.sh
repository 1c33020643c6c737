#!/bin/bash
# SPDX-License-Identifier: MIT
# The manual pages name every option, every key and every JSON field that there is.
# Prints TAP.

cd "$(dirname "$0")/../.." || exit 1
. tests/cli/tap.sh
aif=build/aif

if ! command -v man >/dev/null; then
	skip "all" "no man(1): apt-get install man-db"
	finish
fi

options() { # COMMAND...: long options that its --help shows
	"$@" --help | grep -o -- ' --[a-z-]*' | tr -d ' ' | grep -vxE -- '--(help|usage|version)?' | sort -u
}

page() { # PAGE: as a person reads it
	man -l "docs/man/$1" 2>/dev/null | col -b
}

commands() { # COMMAND...
	"$@" --help | sed -n 's/^  \([a-z]*\)  .*/\1/p'
}

described() { # PAGE COMMAND...
	local page=$1 text option missing=
	shift
	text=$(page "$page")
	for option in $(options "$@"); do
		grep -q -e "$option\\b" <<<"$text" || missing+=" $option"
	done
	is "$page has the options of: ${*##*/}" "" "$missing"
}

for command in $(commands $aif); do
	case $command in
	service | model | bench | key)
		for verb in $(commands $aif "$command"); do
			described aif.1 $aif "$command" "$verb"
		done
		;;
	*) described aif.1 $aif "$command" ;;
	esac
	has "aif.1 has a paragraph for $command" "aif $command" "$(page aif.1 | grep '^     aif')"
done
described aifd.8 build/aifd
described aif-gateway.8 build/aif-gateway

# JSON fields, of those who write them: literals, and rows of a table of them.
fields() { # FILE...
	{
		grep -ho 'cli_json_set([a-z]*, "[a-z_0-9]*"' "$@"
		sed -n '/const char \*key;/,/};/p' "$@" | grep -o '{ "[a-z_0-9]*",'
	} | sed 's/.*"\([a-z_0-9]*\)".*/\1/' | sort -u
}

# What the page has between `.It COMMAND` in its section JSON and the next one.
json_paragraph() { # COMMAND
	sed -n '/^\.Sh JSON/,/^\.Sh ENV/p' docs/man/aif.1 | sed -n "/^\.It $1\$/,/^\.It\|^\.El/p"
}

for command in embed search run service model key probe selftest bench; do
	missing=
	for field in $(fields tools/cmd_$command.c); do
		json_paragraph $command | grep -q "^\.Va.*\<$field\>" || missing+=" $field"
	done
	is "aif.1 has the JSON fields of $command" "" "$missing"
done
is "which are found, also those of a table" "answered dtype name" \
	"$(fields tools/cmd_service.c | grep -x -e answered -e dtype -e name | xargs)"

# The keys that the page names, against those that the parser knows.
while read -r key; do
	printf 'service x {\n\t%s = "?"\n}\n' "$key" >"$tmp/conf"
	try build/aifd --check --config "$tmp/conf"
	case $err in
	*"no such option"*) is "aifd.conf.5: $key is a key" "" "$err" ;;
	*":2: $key: "* | *":2: model '?'"*) is "aifd.conf.5: $key is a key" "" "" ;;
	*) is "aifd.conf.5: $key is a key" "an error about its value" "$err" ;;
	esac
done < <(sed -n 's/^\.It Va //p' docs/man/aifd.conf.5)
is "aifd.conf.5: there is no other" \
	"$(sed -n 's/^\t{ "\([a-z_]*\)".*/\1/p' runtime/daemon/conf.c | sort | xargs)" \
	"$(sed -n 's/^\.It Va //p' docs/man/aifd.conf.5 | sort | xargs)"
sed -n '/^\.Bd/,/^\.Ed/{//!p}' docs/man/aifd.conf.5 | sed 's/model = .*/type = echo/' >"$tmp/conf"
try build/aifd --check --config "$tmp/conf"
is "aifd.conf.5: its example is sound" "0 embed: type echo, 2 workers" "$status $out$err"

for page in docs/man/*; do
	is "${page##*/} has no mistake" "" "$(man --warnings -l "$page" 2>&1 >/dev/null)"
done

finish
