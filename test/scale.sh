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
#
# If a rule was broken, what was said and the servers' logs are left in .scale.

set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-}
. test/lib.sh

install_missing $(to_build) $(to_test) "postgresql-$SERVER-plproxy"
make_private_place
in_private make -s "-j$(nproc)" install COPT=-Werror

in_private env SCALE_SEED="${SEED:-}" SCALE_MOVES="${MOVES:-}" \
	SCALE_SECONDS="$seconds" SCALE_REPORT="$work/report.md" \
	make -s prove_installcheck PROVE_FLAGS=--verbose \
	PROVE_TESTS=test/scale/scale.pl 2>&1 | tee "$work/said" |
	grep --line-buffered -E '^ *(not )?ok |^#' || failed=1

passed=$(grep -c '^ok ' "$work/said") || true
broken=$(grep -c '^not ok ' "$work/said") || true
[ "$broken" = 0 ] || failed=$broken
if [ "$failed" != 0 ]; then
	rm -rf .scale
	cp -R "$work/awspool/tmp_check/log" .scale
fi
cat "$work/report.md" || true
finish
