#!/bin/bash
# Restore a pool that sells to an earlier time with pgBackRest, and bring it in
# line with its orders, as the reference tells ("After a restore"); ends with
# "N passed, N failed".  test/pitr.pl does it.

set -euo pipefail
cd "$(dirname "$0")/.."
. test/lib.sh
. test/suite.sh

install_missing $(to_build) $(to_test) pgbackrest
make_private_place

build_extension COPT=-Werror
PROVE_TESTS=test/pitr.pl
run_tap
finish
