#!/bin/bash
# Is the torture any good?  Put bugs into a copy of the code, one at a time,
# and see that each is caught: by a rule of test/torture/Judge.pm that fits, not
# by an accident.  Ends with "N passed, N failed".
#
#	make torture-bugs                all of test/torture/bugs
#	make torture-bugs BUGS="03 2"    those whose names begin so
#
# A patch begins with what it breaks and
#
#	Caught:  the rules that catch it, as a regular expression
#	Faults:  of a round (test/torture/Fault.pm)
#	Work:    what clients do more often, if it matters (test/torture/Work.pm)
#	Unsafe:  the part of sessions that turn synchronous_commit off, likewise

set -euo pipefail
cd "$(dirname "$0")/.."
. test/lib.sh

patches()
{
	local name

	for name in ${BUGS:-""}; do
		printf '%s\n' test/torture/bugs/"$name"*.patch
	done
}

# What a patch says of itself.
field()
{
	sed -n "/^diff/q; s/^$1: *//p" "$2"
}

# torture FAULTS WORK UNSAFE: one round with the code as it is now.
torture()
{
	in_private make -s install with_llvm=no &&
		in_private env TORTURE_SECONDS=1 TORTURE_ONLY="$1" TORTURE_WORK="$2" \
			TORTURE_UNSAFE="$3" \
			make -s prove_installcheck PROVE_TESTS=test/torture/torture.pl
}

try_bug()
{
	local patch=$1 rules log

	rules=$(field Caught "$patch")
	in_private git apply "$patch" || return
	log=$(torture "$(field Faults "$patch")" "$(field Work "$patch")" \
		"$(field Unsafe "$patch")" 2>&1) || true
	in_private git apply -R "$patch"

	grep -m 1 -E "^# ($rules): " <<<"$log" | cut -c 1-160 && return
	tail -n 20 <<<"$log"
	return 1
}

install_missing $(to_build) $(to_test)
make_private_place

echo "== no bug"
if quietly torture "cancel terminate" "" ""; then
	passed=1
else
	failed=1
fi
for patch in $(patches); do
	echo "== $(basename "$patch" .patch): $(head -n 1 "$patch")"
	if try_bug "$patch"; then
		passed=$((passed + 1))
	else
		echo "not caught"
		failed=$((failed + 1))
	fi
done
finish
