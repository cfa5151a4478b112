#!/bin/bash
# Sell a pool that is on three servers, through PgBouncer, while its providers
# move from one to the other and servers and the mover are killed; and read it
# over all servers (test/scale/scale.pl).  Ends with a report and "N passed, N
# failed".
#
#	make test-scale
#	make test-scale SEED=17      the choices of an earlier run again
#	make test-scale MOVES=10     so many of the moves, by chance
#	make test-scale SECONDS=60   no move begins after that; else all are made, which
#	                             takes ten minutes or more
#	make test-scale PUBLISH=yes  the report goes into doc/scale.md, in place of
#	                             the last one
#
# If a rule was broken, what was said and the servers' logs are left in .scale.

set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-}
. test/lib.sh
. test/report.sh

install_missing $(to_build) $(to_test) "postgresql-$SERVER-plproxy"
make_private_place
in_private make -s "-j$(nproc)" install COPT=-Werror

run_and_report test/scale/scale.pl .scale \
	SCALE_SEED="${SEED:-}" SCALE_MOVES="${MOVES:-}" \
	SCALE_SECONDS="$seconds" SCALE_REPORT="$work/report.md"
if [ -n "${PUBLISH-}" ] && [ "$failed" = 0 ]; then
	publish doc/scale.md 'What was tried'
fi
finish
