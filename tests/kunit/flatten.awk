# SPDX-License-Identifier: MIT
#
# KUnit's nested results of one suite (debugfs kunit/SUITE/results) as flat TAP:
# one line for each case, or for each row of a parameterised one, named
# "suite: case: row".  What KUnit remarked is kept as comments.  A suite that did
# not come to its end, or ran less than it announced, has not passed.
#
#	awk -v suite=NAME -v n=RESULTS-SO-FAR -f flatten.awk

function report(verdict, name, skip)
{
	printf "%s %d - %s: %s%s\n", verdict, ++n, suite, name, skip
	if (verdict == "not ok")
		failed++
	else if (skip == "")
		passed++
}

# Level 1: the suite's cases.  Level 2: a case's rows.
{
	match($0, /^ */)
	level = RLENGTH / 4
	line = substr($0, RLENGTH + 1)
}

level == 1 && line ~ /^1\.\./ { planned = substr(line, 4) + 0 }

line ~ /^# Subtest: / && level == 2 { group = substr(line, 12); rows = bad = 0 }

line ~ /^#/ && line !~ /^# (Subtest|module|Totals):/ && line !~ /: pass:[0-9]+ fail:/ { print line }

line ~ /^(not )?ok [0-9]+ / {
	verdict = line ~ /^not/ ? "not ok" : "ok"
	skip = line ~ / # SKIP/ ? substr(line, index(line, " # SKIP")) : ""
	name = line
	sub(/ # SKIP.*/, "", name)
	sub(/^(not )?ok [0-9]+ (- )?/, "", name)
	if (level == 2) {
		rows++
		bad += verdict == "not ok"
		report(verdict, group ": " name, skip)
	} else if (level == 1) {
		cases++
		if (!rows || (verdict == "not ok" && !bad))
			report(verdict, name, skip)
		rows = bad = 0
	} else {
		ended = 1
		if (verdict == "not ok" && !failed)
			report(verdict, "the suite itself", skip)
	}
}

END {
	if (!ended)
		report("not ok", "did not end", "")
	else if (cases != planned)
		report("not ok", "ran " cases " of " planned " cases", "")
	else if (!passed && !failed)
		report("not ok", "every case was skipped", "")
}
