#!/bin/bash
# Torture the pool: clients that write down what they are told, on servers that
# are killed under them, and a judge who reads that (test/torture/torture.pl).  Ends
# with a report and "N passed, N failed", each round being one.
#
#	make torture                 for SECONDS=300
#	make torture SECONDS=3600    for an hour
#	make torture FAULTS=1000     until so many faults have hit something
#	make torture SEED=17         the choices of an earlier run again
#
# With SERVER=17, say, on another version that is installed here.
#
# Of a round that broke a rule, the history and the logs are left in .torture.
# The report of 50 minutes or more goes into doc/torture.md, in place of the last
# one.

set -euo pipefail
cd "$(dirname "$0")/.."
. test/lib.sh
. test/report.sh

seconds=${1:-}
[ -n "$seconds${FAULTS:-}" ] || seconds=300

install_missing $(to_build) $(to_test)
make_private_place
in_private make -s install COPT=-Werror

run_and_report test/torture/torture.pl .torture \
	TORTURE_SECONDS="$seconds" TORTURE_FAULTS="${FAULTS:-}" \
	TORTURE_SEED="${SEED:-}" TORTURE_REPORT="$work/report.md"
if [ "${seconds:-0}" -ge 3000 ] && [ -s "$work/report.md" ]; then
	publish doc/torture.md 'What was tried'
fi
finish
