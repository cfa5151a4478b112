#!/bin/bash
# make test-update: a pool of 1.0 with ACCOUNTS=1000000 is updated while it
# sells.  Ends with "N passed, N failed", and tells before how long who waited:
# what "Updating" in the reference says comes from here.
#
# The release before is taken from the history of this checkout, and installed
# first.  Ours is made beside it, and installed by test/update.pl under the
# feet of those who sell.

set -euo pipefail
cd "$(dirname "$0")/.."
. test/lib.sh
. test/suite.sh

install_missing $(to_build) $(to_test) git
make_private_place

unpack_before "$work/before"
echo "== build 1.0 and the version of today on $SERVER"
in_private make -s -C "$work/before" "-j$(nproc)" install with_llvm=no
in_private make -s "-j$(nproc)" with_llvm=no COPT=-Werror
settings+=(ACCOUNTS="${ACCOUNTS:-1000000}")
PROVE_TESTS=test/update.pl
run_tap
finish
