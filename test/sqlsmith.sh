# What make sqlsmith does on a server that checks (test/checked.sh, which sources
# this): queries made up by Debian's sqlsmith, from all tables, views and functions
# that a role may use, as one that acts for a provider and then as the owner.
#
# Most of them end in an error, as they should.  A finding is a crash, or an error
# of a kind that is none of the user's.  Each query is rolled back.

# What PostgreSQL itself has no code for, and what the statements of it say.
of_the_server='invalid INTERVAL typmod|cannot advance OID counter|failed to find conversion function|^XX... (STATEMENT|CONTEXT|DETAIL|HINT):'

smith_server()
{
	quietly in_private psql -Xq -v ON_ERROR_STOP=1 -f test/sqlsmith.sql || return
	# The code of each error, and of some queries how they are read.
	in_private psql -Xq -c "LOAD 'auto_explain'" -c "ALTER SYSTEM SET log_line_prefix = '%e '" \
		-c "ALTER SYSTEM SET session_preload_libraries = auto_explain" \
		-c "ALTER SYSTEM SET auto_explain.log_min_duration = 0" \
		-c "ALTER SYSTEM SET auto_explain.sample_rate = 0.1"
	in_private pg_ctl -s -D "$work/data" reload
}

# smith ROLE SECONDS: queries as a role for a while, and what came of them.
smith()
{
	local log=$work/sqlsmith.$1 seed=$RANDOM ok=yes queries plans

	echo "== sqlsmith as $1, seed $seed"
	in_private truncate -s 0 "$work/server.log"
	in_private timeout "$2" sqlsmith --exclude-catalog --verbose --seed="$seed" \
		--target="host=$work dbname=postgres user=$1" >"$log" 2>&1 || true
	queries=$(grep -oE 'queries: [0-9]+' "$log" | tail -n 1 | grep -oE '[0-9]+') || queries=0
	plans=$(grep -c 'Custom Scan (awspool accounts)' "$work/server.log") || plans=0
	tail -n 15 "$log"
	echo "$queries queries; of the plans that were logged $plans read the view by a scan of ours"

	if awk -v known="$of_the_server" '
			/^XX|PANIC:|TRAP:|terminated by signal/ && $0 !~ known { show = 4; found = 1 }
			show-- > 0
			END { exit !found }' "$work/server.log" >"$work/findings"; then
		head -n 100 "$work/findings" | cut -c 1-2000
		ok=no
	fi
	if [ $ok = yes ] && ((queries > 0 && plans > 0)); then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
	fi
}
