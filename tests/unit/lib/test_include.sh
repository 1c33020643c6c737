#!/bin/sh
# SPDX-License-Identifier: MIT
#
# libaif from outside: programs in C and C++ against nothing but the header and the
# shared library, and whether check-symbols notices what it is there for.
set -u
cd "$(dirname "$0")/../../.." || exit 1
header=runtime/include/libaif.h
map=runtime/lib/libaif.map
library=build/libaif.so
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
count=0
failed=0

passes() { # NAME WANTED-STATUS COMMAND...
	name=$1
	wanted=$2
	shift 2
	count=$((count + 1))
	"$@" >"$work/said" 2>&1
	status=$?
	if [ "$status" -eq "$wanted" ]; then
		echo "ok $count - $name"
	else
		echo "not ok $count - $name"
		sed 's/^/# /' "$work/said"
		failed=1
	fi
}

# Every function, taken by address: it is declared, and it is there to be linked.
{
	echo '#include <libaif.h>'
	echo '#include <stdio.h>'
	echo 'typedef void (*any)(void);'
	echo 'static const any all[] = {'
	grep '^AIF_API' "$header" | sed 's/(.*//; s/.*[ *]//; s/^/(any)/; s/$/,/'
	cat <<-'END'
	};
	int main(void)
	{
		unsigned int i, there = 0;

		for (i = 0; i < sizeof(all) / sizeof(*all); i++)
			there += all[i] != NULL;
		return there != i || puts(aif_version()) < 0;
	}
	END
} >"$work/all.c"
cp "$work/all.c" "$work/all.cc"
cp "$header" "$library" "$work/"
ln -s libaif.so "$work/libaif.so.0"

passes "a C program compiles and links" 0 \
	cc -std=c11 -Wall -Wextra -pedantic -Werror -D_DEFAULT_SOURCE -I"$work" \
	-Wno-cast-function-type -o "$work/c" "$work/all.c" "$work/libaif.so"
passes "a C++ program compiles and links" 0 \
	c++ -std=c++11 -Wall -Wextra -pedantic -Werror -I"$work" \
	-Wno-cast-function-type -o "$work/cc" "$work/all.cc" "$work/libaif.so"
passes "the C program runs" 0 env LD_LIBRARY_PATH="$work" "$work/c"
passes "the C++ program runs" 0 env LD_LIBRARY_PATH="$work" "$work/cc"
passes "the header does not include the ABI's" 1 grep -q 'linux/aif' "$header"

check=runtime/lib/check-symbols
passes "header, map and library agree" 0 $check $header $map $library
grep -v aif_call $map >"$work/map"
passes "a name missing in the map is noticed" 1 $check $header "$work/map" $library
sed 's/^AIF_API int aif_call/int aif_call/' $header >"$work/header.h"
passes "a name missing in the header is noticed" 1 $check "$work/header.h" $map $library
sed 's/^global:/global:\n\taif_nothing;/' $map >"$work/map"
passes "a name too many in the map is noticed" 1 $check $header "$work/map" $library
echo 'AIF_API void aif_nothing(void);' | cat $header - >"$work/header.h"
passes "a name that the library lacks is noticed" 1 $check "$work/header.h" $map $library

echo "1..$count"
exit "$failed"
