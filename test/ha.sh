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
. test/report.sh

fetch_programs()
{
	(cd "$work" && apt-get -qq download patroni etcd-server &&
		for package in patroni_*.deb etcd-server_*.deb; do
			dpkg-deb -x "$package" "$programs" || exit
		done)
}

install_missing $(to_build) libdbd-pg-perl libipc-run-perl python3-dateutil \
	python3-etcd python3-psutil python3-psycopg2 python3-urllib3 python3-yaml
make_private_place
programs=$work/programs
quietly fetch_programs ||
	{ slowly "reading package lists (half a minute)" apt_get update && quietly fetch_programs; } ||
	give_up "the packages could not be fetched"
in_private make -s install COPT=-Werror

run_and_report test/ha.pl .ha HA_PROGRAMS="$programs" \
	HA_OUTAGES="${OUTAGES-}" HA_REPORT="$work/report.md"
if [ -n "${PUBLISH-}" ] && [ "$failed" = 0 ]; then
	publish doc/failover.md 'What was tried'
fi
finish
