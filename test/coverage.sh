#!/bin/bash
# Run every test, and tell which lines and branches of src/ they reached; end
# with "N passed, N failed".  What test/run.sh knows (REGRESS=...) works here,
# too, to see what one test reaches.
#
# A backend that is killed, or ends in a crash, writes nothing down: what only
# such a test reaches counts as not reached.

set -euo pipefail
cd "$(dirname "$0")/.."
. test/lib.sh
. test/suite.sh

# What all tests together must reach of the lines, in percent.
enough=(--fail-under-line 95)

install_missing $(to_build) $(to_test) gcovr
make_private_place

build_extension with_llvm=no CPPFLAGS=-D_GNU_SOURCE COPT="--coverage -O0"
start_server
run_regress
run_isolation
run_tap
run_pgtap
look_for_crashes
in_private pg_ctl -s -D "$work/data" -m fast stop

quietly in_private gcovr --filter src/ --json "$work/coverage.json"
in_private gcovr -a "$work/coverage.json" --txt --branches
[ -z "$named" ] || enough=()
in_private gcovr -a "$work/coverage.json" --txt "${enough[@]}" ||
	failed=$((failed + 1))
finish
