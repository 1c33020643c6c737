#!/bin/bash
# SPDX-License-Identifier: MIT
# aif embed, search and model in this process, with the real model.  Prints TAP.

cd "$(dirname "$0")/../.." || exit 1
. tests/cli/tap.sh
aif=$PWD/build/aif
unset AIF_LOG_LEVEL

if ! fetched=$(tools/fetch-model 2>"$tmp/err"); then
	skip "all" "no model: $(tail -n 1 "$tmp/err")"
	finish
fi
model=$(sed -n 's/^model\t//p' <<<"$fetched")
embed() { "$aif" embed --device local "$@"; }
search() { "$aif" search --device local "$@"; }

# One fact about JSON lines on standard input: EXPRESSION over the list d.
fact() {
	python3 -c 'import json, math, sys
d = [json.loads(line) for line in sys.stdin]
dot = lambda a, b: sum(x * y for x, y in zip(a["embedding"], b["embedding"]))
print(eval(sys.argv[1]))' "$1"
}

# ---- embed

try embed --json "a cat" "a kitten" "a car's engine"
is "embed: quietly" "0 " "$status $err"
is "embed: fields" "['embedding', 'index', 'tokens', 'truncated']" "$(fact 'sorted(d[0])' <<<"$out")"
is "embed: one object a text, in order" "[0, 1, 2]" "$(fact '[x["index"] for x in d]' <<<"$out")"
is "embed: 384 floats of length 1" "[384] True" \
	"$(fact '[len(d[0]["embedding"])], abs(dot(d[0], d[0]) - 1) < 1e-5' <<<"$out" | tr -d '(),' )"
is "embed: tokens" "[4, 4, 7] False" \
	"$(fact '[x["tokens"] for x in d], any(x["truncated"] for x in d)' <<<"$out" | tr -d '()' | sed 's/\],/]/')"
is "embed: meaning" "True" "$(fact 'dot(d[0], d[1]) > 2 * dot(d[0], d[2])' <<<"$out")"

seq -f 'line number %g of many' 1 300 >"$tmp/lines"
embed --json - <"$tmp/lines" >"$tmp/all"
is "embed: every line, in order" "True" "$(fact '[x["index"] for x in d] == list(range(300))' <"$tmp/all")"
is "embed: neighbours do not matter" "$(tail -n 1 "$tmp/all" | sed 's/^{[^,]*,//')" \
	"$(embed --json "line number 300 of many" | sed 's/^{[^,]*,//')"
is "embed: plain numbers are the same ones" "$(head -n 1 "$tmp/all" | sed 's/.*\[//; s/\].*//')" \
	"$(embed "line number 1 of many" | sed 's/e-0/e-/g; s/ /,/g')"
is "embed: NUL-separated texts may have newlines" "$(embed $'two\nlines' 'one')" \
	"$(printf 'two\nlines\0one' | embed -0)"
is "embed: an empty line is a text" "2" "$(printf '\n\n' | embed --json - | grep -c '"tokens":2,')"
is "embed: nothing in, nothing out" "" "$(embed - </dev/null)"

try embed --ids "101 1037 3793 102"
is "embed: token ids have the text's vector" "0 $(embed "a text")" "$status $out$err"
is "embed: one line each, whatever stands between them" "$(embed "a text" "a cat")" \
	"$(printf '101  1037\t3793 102 \n101 1037 4937 102' | embed -i -)"
is "embed: how many" "[4] [False]" "$(embed --ids --json "101 1037 3793 102" |
	fact '[x["tokens"] for x in d], [x["truncated"] for x in d]' | tr -d '(),')"
is "embed: an id that is none is the nearest" "$(embed --ids "101 0 30521 102")" \
	"$(embed --ids "101 -7 999999999 102")"
try embed --ids "$(yes 7 | head -n 257 | xargs)" "101 102"
is "embed: more ids than the model takes" "1 aif embed: text 0: longer than the service takes" \
	"$status $err"
is "embed: the next ones are there" 384 "$(tail -n 1 <<<"$out" | wc -w)"

try embed --json "$(yes word | head -n 300 | xargs)"
is "embed: a long text is cut off" "256 True" \
	"$(fact '"%d %s" % (d[0]["tokens"], d[0]["truncated"])' <<<"$out")"
try embed "$(yes word | head -n 300 | xargs)"
is "embed: which is said where the output has no place for it" \
	"0 aif embed: text 0: cut off after 256 tokens" "$status $err"

printf 'good\nbad \xff\nfine\n' >"$tmp/bytes"
try embed - <"$tmp/bytes"
is "embed: bytes that are no text" "1 aif embed: text 1: not valid UTF-8" "$status $err"
is "embed: have an empty line" "384 0 384" "$(awk '{ print NF }' <<<"$out" | xargs)"
is "embed: or an error" '{"index":1,"error":"not valid UTF-8"}' \
	"$(embed --json - <"$tmp/bytes" 2>/dev/null | sed -n 2p)"
try embed - < <(head -c 70000 /dev/zero | tr '\0' a; echo; echo next)
is "embed: a text beyond 64 KiB" "1 aif embed: text 0: longer than the service takes" "$status $err"
is "embed: the next one is there" 384 "$(tail -n 1 <<<"$out" | wc -w)"

# ---- a person's mistakes

mistake() { # NAME STATUS MESSAGE COMMAND...
	local name=$1 expected="$2 $3"
	shift 3
	try "$@"
	is "mistake: $name" "$expected" "$status ${err%%$'\n'*}"
}

mistake "no text" 2 "aif embed: what? Give a TEXT, or - for standard input" embed
mistake "texts and -0" 2 "aif embed: texts as arguments, or -0, not both" embed -0 text
mistake "a service and a model" 2 "aif embed: --service or --model, not both" \
	"$aif" embed --service one --model two x
mistake "an id that is none" 1 "aif embed: text 1: 'two' is not a token id" \
	embed --ids "101 102" "101 two 102"
mistake "an id that no tokenizer makes" 1 "aif embed: text 0: '4294967296' is not a token id" \
	embed --ids 4294967296
mistake "no ids" 1 "aif embed: text 0: no token ids" embed --ids ""
mistake "more ids than any model takes" 1 "aif embed: text 1: more than 65536 token ids" \
	embed --ids - < <(echo 101 102; yes 7 | head -n 65537 | tr '\n' ' ')
printf '101 102\n101 \0 102\n101 102\n' >"$tmp/nul"
mistake "a NUL byte in ids" 1 "aif embed: text 1: a NUL byte is not a token id" \
	embed --ids - <"$tmp/nul"
is "what is no list of numbers ends it" "" "$out"
mistake "an unknown option" 2 "aif embed: unrecognized option '--jason'" embed --jason x
mistake "an unknown command" 2 "aif: there is no command 'embd'; see aif --help" "$aif" embd
mistake "no command" 2 "aif: a command is missing; see aif --help" "$aif"
mistake "no module" 1 "aif embed: $tmp/aif: no such device: is the module loaded? \`aif probe\` tells" \
	"$aif" embed --device "$tmp/aif" x
mistake "another device" 1 "aif embed: /dev/null: not an AIF device" "$aif" embed --device /dev/null x
mistake "a service that local has not" 1 \
	"aif embed: no service 'other' of yours or of root; \`aif service list\` shows all" \
	embed --service other x
mistake "a wrong path" 1 "aif embed: model $tmp/none: No such file or directory" \
	embed --model "$tmp/none" x
mistake "a wrong name" 1 \
	"aif embed: model 'none' is not in ${model%/*}: get it with tools/fetch-model, or give a path" \
	embed --model none x
mkdir "$tmp/short"
for file in "$model"/*; do ln -s "$file" "$tmp/short/"; done
rm "$tmp/short/model.safetensors"
mistake "a model without weights" 1 \
	"aif embed: $tmp/short/model.safetensors: cannot map it: No such file or directory" \
	embed --model "$tmp/short" x
head -c 50000000 "$model/model.safetensors" >"$tmp/short/model.safetensors"
try embed --model "$tmp/short" x
is "mistake: a truncated model" 1 "$status"
has "which is named" "aif embed: $tmp/short/model.safetensors: " "$err"
is "in one line" 1 "$(wc -l <"$tmp/err")"
AIF_CPU_ISA=none mistake "an unknown instruction set" 1 \
	"aif embed: backend cpu: Invalid argument (AIF_CPU_ISA is set)" embed x
embed x >/dev/full 2>"$tmp/err"
is "mistake: no room for the output" "1 aif embed: standard output: No space left on device" \
	"$? $(cat "$tmp/err")"
embed - <"$tmp/lines" 2>"$tmp/err" | head -n 1 >/dev/null
is "a reader that leaves ends it" "141 " "${PIPESTATUS[0]} $(cat "$tmp/err")"

# ---- search

cat >"$tmp/tools" <<'END'
a tool to compress files
text editor for programmers

music player
read electronic mail
graphical web browser
END
try search "send letters" "$tmp/tools"
is "search: quietly" "0 " "$status $err"
is "search: the nearest first, with its line" "5: read electronic mail" \
	"$(head -n 1 <<<"$out" | sed 's/^ *[0-9.]* *//')"
is "search: no empty line" 5 "$(wc -l <<<"$out")"
is "search: standard input, one of them, JSON" "1 6 graphical web browser ['line', 'rank', 'score', 'text']" \
	"$(search --json -n 1 firefox - <"$tmp/tools" |
		fact '"%d %d %s %s" % (d[0]["rank"], d[0]["line"], d[0]["text"], sorted(d[0]))')"
is "search: scores fall" "True" "$(search --json x "$tmp/lines" |
	fact '[x["score"] for x in d] == sorted((x["score"] for x in d), reverse=True) and len(d) == 10')"
is "search: a line that is the query" "1.000 7" \
	"$(search -n 1 "line number 7 of many" "$tmp/lines" | sed 's/^ *\([0-9.]*\) *\([0-9]*\):.*/\1 \2/')"
try search word "$tmp/bytes"
is "search: a line that is no text" "1 aif search: $tmp/bytes:2: not valid UTF-8" "$status $err"
is "search: the others are ranked" 2 "$(wc -l <<<"$out")"
mistake "a query that is no text" 1 "aif search: the query: not valid UTF-8" \
	search $'\xff' "$tmp/tools"
mistake "no file" 1 "aif search: $tmp/none: No such file or directory" search x "$tmp/none"
mistake "a folder" 1 "aif search: $tmp: Is a directory" search x "$tmp"
mistake "none given" 2 "aif search: give a QUERY, and a FILE or - for standard input" search x
mistake "a number that is none" 2 "aif search: --top: 'ten' is not a number from 1 to 1000000" \
	search -n ten x "$tmp/tools"

# ---- on a terminal

terminal() { script -qec "$*" /dev/null </dev/null; }
has "a terminal sees progress" "loading all-MiniLM-L6-v2" "$(terminal "$aif search -d local -n1 x $tmp/lines 2>&1")"
has "which counts" "304 lines" "$(yes "$(cat "$tmp/tools")" | sed '/^$/d' | head -n 320 >"$tmp/many";
	terminal "$aif search -d local -n1 x $tmp/many 2>&1")"

# ---- model

is "model list" "0" "$("$aif" model list | grep -qx "${model##*/}"; echo $?)"
try "$aif" model show --json "$model"
is "model show" "$(sed -n 's/^digest\t//p' <<<"$fetched") apache-2.0 256 384" \
	"$(fact '"%(digest)s %(license)s %(max_tokens)d %(dimensions)d" % d[0]' <<<"$out")"
mistake "which model" 2 "aif model show: which model?" "$aif" model show

finish
