#!/bin/bash
# What gcc's and clang's static analyzers find in each source file, and end with
# "N passed, N failed".  Findings in the server's headers are not ours to mend,
# hence -isystem.

set -euo pipefail
cd "$(dirname "$0")/.."
. test/lib.sh

analyze()
{
	if quietly "$@" -O2 -D_GNU_SOURCE -o /dev/null \
		-isystem "$("/usr/lib/postgresql/$SERVER/bin/pg_config" --includedir-server)"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
	fi
}

install_missing $(to_build) clang
for source in src/*.c; do
	analyze gcc -S -fanalyzer -Werror "$source"
	analyze clang --analyze -Xclang -analyzer-werror \
		-Xanalyzer -analyzer-output=text "$source"
done
finish
