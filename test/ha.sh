#!/bin/bash
# Three servers under Patroni and clients that write down what they are told, while
# servers are killed, switched over and cut off; then the torture's judge reads that
# (test/ha.pl).  Ends with the figures, as tables, and "N passed, N failed".
#
#	make test-ha                                 all that may happen
#	make test-ha OUTAGES="kill-node switchover"  some of it (test/ha/Outage.pm)
#	make test-ha PUBLISH=yes                     the tables go into doc/failover.md,
#	                                             in place of the last ones
#
# Patroni and etcd are unpacked in the private place, not installed: that would
# start both on this machine.  What is installed is libraries.
#
# Of a round that broke a rule, the history is left in .ha, with all logs.

set -euo pipefail
cd "$(dirname "$0")/.."
. test/lib.sh

fetch_programs()
{
	(cd "$work" && apt-get -qq download patroni etcd-server &&
		for package in patroni_*.deb etcd-server_*.deb; do
			dpkg-deb -x "$package" "$programs" || exit
		done)
}

# Put the report in place of what is under the first heading of doc/failover.md.
publish()
{
	awk -v report="$1" '
		/^## / && headings++ < 2 {
			if (headings == 1) {
				print $0 "\n"
				while ((getline line <report) > 0) print line
				print ""
			}
		}
		headings != 1 { print }' doc/failover.md >"$work/failover.md"
	cp "$work/failover.md" doc/failover.md
}

install_missing $(to_build) libdbd-pg-perl libipc-run-perl python3-dateutil \
	python3-etcd python3-psutil python3-psycopg2 python3-urllib3 python3-yaml
make_private_place
programs=$work/programs
quietly fetch_programs ||
	{ slowly "reading package lists (half a minute)" apt_get update && quietly fetch_programs; } ||
	give_up "the packages could not be fetched"
in_private make -s install COPT=-Werror

in_private env HA_PROGRAMS="$programs" HA_REPORT="$work/report.md" \
	HA_OUTAGES="${OUTAGES-}" \
	make -s prove_installcheck PROVE_FLAGS=--verbose PROVE_TESTS=test/ha.pl 2>&1 |
	tee "$work/tests" | grep --line-buffered -E '^(#|ok|not ok)' || failed=1

passed=$(grep -c '^ok ' "$work/tests") || true
broken=$(grep -c '^not ok ' "$work/tests") || true
[ "$broken" = 0 ] || failed=$broken
[ "$passed" != 0 ] || failed=$((failed > 0 ? failed : 1))
if [ "$failed" != 0 ]; then
	rm -rf .ha
	cp -R "$work/awspool/tmp_check/log" .ha || true
	tail -n 20 "$work/tests"
fi
cat "$work/report.md" || true
if [ -n "${PUBLISH-}" ] && [ "$failed" = 0 ]; then
	publish "$work/report.md"
fi
finish
