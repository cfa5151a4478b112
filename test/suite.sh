# Build the extension and run its tests in the private place.  To be sourced
# after lib.sh.  REGRESS, ISOLATION, PROVE_TESTS and PGTAP name some tests alone.

# Nothing depends on what the superuser is called, not even that it is a plain name.
superuser=dba-1

named=${REGRESS-}${ISOLATION-}${PROVE_TESTS-}${PGTAP-}

# Each test starts a server of its own, so some may run at a time; those that take
# long begin first.  Of the processors one test alone uses little: it waits for
# disks, locks and sessions.
jobs=4

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

build_extension()
{
	echo "== build on $SERVER"
	in_private make -s "-j$(nproc)" install "$@" || { failed=$((failed + 1)); finish; }
}

run_regress()
{
	wanted "${REGRESS-}" || return 0
	run regress 'cat regression.diffs' \
		make -s installcheck ISOLATION= ${REGRESS:+REGRESS="$REGRESS"}
}

run_isolation()
{
	wanted "${ISOLATION-}" || return 0
	run isolation 'cat output_iso/regression.diffs' \
		make -s installcheck REGRESS= ${ISOLATION:+ISOLATION="$ISOLATION"}
}

run_tap()
{
	wanted "${PROVE_TESTS-}" || return 0
	make_small_disk || echo "no small disk could be mounted"
	# From 17 on a test copies this, which costs less than an initdb of its own.
	[ "$SERVER" -lt 17 ] || quietly in_private initdb -D "$work/initdb-template" -A trust -N
	run TAP 'tail -n 100 tmp_check/log/regress_log_*' \
		env SMALL_DISK="$work/small" INITDB_TEMPLATE="$work/initdb-template" OLD_SERVERS="${OLD_SERVERS-}" \
		make -s prove_installcheck PROVE_FLAGS="--timer --jobs $jobs" \
		${PROVE_TESTS:+PROVE_TESTS="$PROVE_TESTS"}
}

run_pgtap()
{
	wanted "${PGTAP-}" || return 0
	in_private createdb -T template0 awspool_pgtap &&
		in_private psql -Xq -d awspool_pgtap \
			-c 'CREATE EXTENSION awspool' -c 'CREATE EXTENSION pgtap' || true
	run pgTAP true pg_prove -d awspool_pgtap ${PGTAP:-test/pgtap/*.sql}
}

# A crash is a failure of its own, whichever test it hit.
look_for_crashes()
{
	if grep -A 1 -E 'PANIC:|TRAP:|terminated by signal' "$work/server.log"; then
		failed=$((failed + 1))
	fi
}
