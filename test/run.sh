#!/bin/bash
# Run every test on one server, and end with "N passed, N failed": test files,
# as pg_regress, its isolation sister, prove and pg_prove count them.  A runner
# that fails without naming a test, or finds none, counts as one more failure,
# and so does a compiler.
#
# Some tests alone, from make; what is not named is left out:
#
#	make test REGRESS=claim                  sql/claim.sql
#	make test ISOLATION="claim lock"         test/specs/claim.spec, lock.spec
#	make test PROVE_TESTS=test/t/dump.pl
#	make test PGTAP=test/pgtap/api.sql
#	make test REGRESS=claim SERVER=17        on another version installed here

set -euo pipefail
cd "$(dirname "$0")/.."
. test/lib.sh
. test/suite.sh

install_missing $(to_build) $(to_test)
make_private_place

in_private make -s lint || failed=1
build_extension COPT=-Werror
start_server
run_regress
run_isolation
run_tap
run_pgtap
look_for_crashes
finish
