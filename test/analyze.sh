#!/bin/bash
# What gcc's and clang's static analyzers find in each source file, and end with
# "N passed, N failed".  Findings in the server's headers are not ours to mend,
# hence -isystem.  As many files at a time as there are processors.

set -euo pipefail
cd "$(dirname "$0")/.."
. test/lib.sh

running=0

analyze()
{
	((running < $(nproc))) || note_result
	quietly "$@" -O2 -D_GNU_SOURCE -o /dev/null \
		-isystem "$("/usr/lib/postgresql/$SERVER/bin/pg_config" --includedir-server)" &
	running=$((running + 1))
}

# Wait for one of those that run.
note_result()
{
	if wait -n; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
	running=$((running - 1))
}

install_missing $(to_build) clang
for source in src/*.c; do
	analyze gcc -S -fanalyzer -Werror "$source"
	analyze clang --analyze -Xclang -analyzer-werror \
		-Xanalyzer -analyzer-output=text "$source"
done
while ((running > 0)); do note_result; done
finish
