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

named=${REGRESS-}${ISOLATION-}${PROVE_TESTS-}${PGTAP-}

wanted()
{
	[ -z "$named" ] || [ -n "$1" ]
}

# What a runner's output says, as "passed failed".  pg_regress ends with "All 3
# tests passed." or "1 of 3 tests failed.", from 16 on as a comment of TAP;
# prove with a "(Wstat: ...)" line for each bad file and "Files=3, ...".
count()
{
	awk '
		{ sub(/^#? +/, "") }
		/^All [0-9]+ tests passed/       { passed = $2 }
		/^[0-9]+ of [0-9]+ tests failed/ { passed = $3 - $1; failed = $1 }
		/\.\. skipped:/                  { skipped++ }
		/ \(Wstat: /                     { failed++ }
		/^Files=[0-9]+/                  { passed = substr($1, 7) - failed - skipped }
		END                              { print passed + 0, failed + 0 }' "$1"
}

# run NAME WHY COMMAND...: show what a runner says and add up what it counts; if
# it failed, WHY is the command that shows what it wrote down about that.
run()
{
	local log=$work/$1.log why=$2 ok=yes good bad

	echo "== $1 on $SERVER"
	in_private "${@:3}" 2>&1 | tee "$log" || ok=no
	read -r good bad <<<"$(count "$log")"
	if [ "$bad" = 0 ] && { [ $ok = no ] || [ "$good" = 0 ]; }; then
		bad=1
	fi
	if [ "$bad" != 0 ]; then
		in_private bash -c "$why 2>/dev/null" || true
		# The next runner shall not meet a server that hangs or recovers.
		in_private pg_ctl -s -D "$work/data" -l "$work/server.log" \
			-m immediate restart || true
	fi
	passed=$((passed + good))
	failed=$((failed + bad))
}

install_missing $(to_build) $(to_test)
make_private_place

echo "== build on $SERVER"
in_private make -s lint || failed=1
in_private make -s install COPT=-Werror || { failed=$((failed + 1)); finish; }
start_server

if wanted "${REGRESS-}"; then
	run regress 'cat regression.diffs' \
		make -s installcheck ISOLATION= TAP_TESTS= ${REGRESS:+REGRESS="$REGRESS"}
fi
if wanted "${ISOLATION-}"; then
	run isolation 'cat output_iso/regression.diffs' \
		make -s installcheck REGRESS= TAP_TESTS= ${ISOLATION:+ISOLATION="$ISOLATION"}
fi
if wanted "${PROVE_TESTS-}"; then
	make_small_disk || echo "no small disk could be mounted"
	run TAP 'tail -n 100 tmp_check/log/regress_log_*' \
		env SMALL_DISK="$work/small" make -s installcheck REGRESS= ISOLATION= ${PROVE_TESTS:+PROVE_TESTS="$PROVE_TESTS"}
fi
if wanted "${PGTAP-}"; then
	in_private createdb -T template0 awspool_pgtap &&
		in_private psql -Xq -d awspool_pgtap \
			-c 'CREATE EXTENSION awspool' -c 'CREATE EXTENSION pgtap' || true
	run pgTAP true pg_prove -d awspool_pgtap ${PGTAP:-test/pgtap/*.sql}
fi

# A crash is a failure of its own, whichever test it hit.
if grep -A 1 -E 'PANIC:|TRAP:|terminated by signal' "$work/server.log"; then
	failed=$((failed + 1))
fi
finish
