#!/bin/sh
# SPDX-License-Identifier: MIT
# flatten.awk on what KUnit says when all is well, and when it is not.  Prints TAP.
cd "$(dirname "$0")" || exit 1
n=0 failed=0

# Compare the results (no comments) of standard input, as of suite s.
is() { # NAME EXPECTED-LINE...
	n=$((n + 1)) name=$1
	shift
	expected=$(printf '%s\n' "$@")
	got=$(awk -v suite=s -v n=4 -f flatten.awk | grep -v '^#')
	if [ "$got" = "$expected" ]; then
		echo "ok $n - $name"
	else
		echo "not ok $n - $name"
		printf '# expected:\n%s\n# got:\n%s\n' "$expected" "$got" >&2
		failed=1
	fi
}

is "cases and rows" "ok 5 - s: plain" "ok 6 - s: rows: first" "ok 7 - s: rows: last" <<'END'
KTAP version 1
    KTAP version 1
    # Subtest: s
    # module: aif
    1..2
    ok 1 plain
        KTAP version 1
        # Subtest: rows
        ok 1 first
        ok 2 last
    # rows: pass:2 fail:0 skip:0 total:2
    ok 2 rows
# s: pass:2 fail:0 skip:0 total:2
# Totals: pass:3 fail:0 skip:0 total:3
ok 1 s
END
is "a row fails: once" "ok 5 - s: rows: first" "not ok 6 - s: rows: last" <<'END'
    # Subtest: s
    1..1
        # Subtest: rows
        ok 1 first
    # rows: EXPECTATION FAILED at aif_s_kunit.c:7
        not ok 2 last
    not ok 1 rows
not ok 1 s
END
is "a case fails, though its rows did not" "ok 5 - s: rows: first" "not ok 6 - s: rows" <<'END'
    # Subtest: s
    1..1
        # Subtest: rows
        ok 1 first
    not ok 1 rows
not ok 1 s
END
is "a skip has its reason" "ok 5 - s: a" "ok 6 - s: b # SKIP why" <<'END'
    1..2
    ok 1 a
    ok 2 b # SKIP why
ok 1 s
END
is "all skipped" "ok 5 - s: a # SKIP why" "not ok 6 - s: every case was skipped" <<'END'
    1..1
    ok 1 a # SKIP why
ok 1 s # SKIP why
END
is "fewer than announced" "ok 5 - s: a" "not ok 6 - s: ran 1 of 2 cases" <<'END'
    1..2
    ok 1 a
ok 1 s
END
is "no case" "not ok 5 - s: every case was skipped" <<'END'
    1..0
ok 1 s
END
is "cut short" "ok 5 - s: a" "not ok 6 - s: did not end" <<'END'
    1..2
    ok 1 a
END
is "nothing at all" "not ok 5 - s: did not end" </dev/null
is "the suite's own end fails" "ok 5 - s: a" "not ok 6 - s: the suite itself" <<'END'
    1..1
    ok 1 a
not ok 1 s
END
echo "1..$n"
exit $failed
