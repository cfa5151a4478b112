#!/bin/bash
# make bench: how fast awspool claims, and how fast that could be.  Works on a
# private server (test/lib.sh), writes bench/results.md and results.svg.
#
#	make bench                           everything; takes some hours
#	make bench SCENARIOS="hot held"      these only (see bench/scenarios.sh)
#	make bench QUICK=1                   a look whether it runs; means nothing
#	make bench DURATION=2 ROUNDS=3       2 seconds for each side, in 3 rounds
#	make bench SCENARIOS=reads BEHIND="0 100"   so many million closed accounts
#
# With SCENARIOS or QUICK nothing is published: the table goes to the terminal,
# or with OUT=folder to results.md and results.svg there.
#
# The sides of a comparison (bench/statements.sh) run one after the other in
# each round, every round begins with another side, and each run has a fresh
# copy of the same database.  Ratios are taken inside a round; of ratios and
# figures the median over the rounds is reported.

set -euo pipefail
cd "$(dirname "$0")/.."
. test/lib.sh
. bench/statements.sh
. bench/scenarios.sh

if [ -n "${QUICK-}" ]; then
	DURATION=1 ROUNDS=1 HELD_SECONDS=10 IMPORT_SECONDS=5
	million=100000
fi
duration=${DURATION:-10}
rounds=${ROUNDS:-5}
held_seconds=${HELD_SECONDS:-300}
import_seconds=${IMPORT_SECONDS:-60}
max_tps=${MAX_TPS:-30000}	# more than the machine can do; decides the stock
million=${million:-1000000}
complete=(hot limit before bare pools history held crowd roll_back add import connect exhausted
	allocate close batch cost instructions reads counts file)
scenarios=${SCENARIOS:-${complete[*]}}

say()
{
	echo "$(date +%T) $*"
}

give_up()
{
	echo "bench: $*" >&2
	exit 1
}

sql()
{
	in_private psql -XqAt -v ON_ERROR_STOP=1 "$@"
}

# As any server is, but for checkpoints, which come between the runs instead.
start_bench_server()
{
	quietly in_private initdb -D "$work/data" -U postgres -A trust -N --no-locale -E UTF8
	cat >>"$work/data/postgresql.conf" <<-END
		listen_addresses = ''
		unix_socket_directories = '$work'
		max_connections = 200
		shared_buffers = 1GB
		min_wal_size = 4GB
		max_wal_size = 16GB
		checkpoint_timeout = 1h
		fsync = on
		synchronous_commit = on
		autovacuum = on
		log_checkpoints = off
	END
	quietly in_private pg_ctl -D "$work/data" -l "$work/server.log" start
	sql -d postgres -c 'CREATE ROLE app LOGIN'
	createdb base
	quietly sql -d base -f bench/schema.sql
}

# Make database "base_before", once: like base, with the release before this one.  Its
# library goes by another name beside ours, and the functions refer to that.
make_before()
{
	local place=$work/before control

	[ ! -d "$place" ] || return 0
	control=$(in_private pg_config --sharedir)/extension/awspool.control
	unpack_before "$place"
	quietly in_private make -C "$place" awspool.so
	in_private cp "$place/awspool.so" "$(in_private pg_config --pkglibdir)/awspool_before.so"
	in_private sed -i.ours -e "s,\$libdir/awspool,&_before," -e "s/^default_version.*/default_version = '1.0'/" "$control"
	createdb base_before
	quietly sql -d base_before -f bench/schema.sql
	in_private mv "$control.ours" "$control"
}

createdb()
{
	in_private createdb --strategy=file_copy "$@"	# with a checkpoint
}

dropdb()
{
	in_private PGOPTIONS="-c client_min_messages=warning" dropdb --force --if-exists "$1"
}

table_of()
{
	case $1 in
		awspool* | before | single | alone | beside) echo awspool.account ;;
		*) echo bench.account ;;
	esac
}

declare -A stocked

# stock "SIDES" READY [ALLOCATED [POOLS [CLAIMED]]]: for each side a database to
# copy, with so many ready accounts behind so many allocated ones, the oldest
# of them claimed since.  A side may be qualified (limit-5), to have more than
# one.
stock()
{
	local side wanted="$2 ${3-0} ${4-1} ${5-0}"

	ready=$2 pools=${4-1} claimed=0
	for side in $1; do
		if [ "${stocked[$side]-}" = "$wanted" ]; then
			continue
		fi
		say "stocking $side: $2 ready, ${3-0} allocated"
		stocked[$side]=$wanted
		dropdb "$side"
		createdb -T "$([ "$side" = before ] && echo base_before || echo base)" "$side"
		fill "$side" "$(table_of "$side")" "${@:2}"
		if [ "$side" = naive ]; then
			sql -d naive -c 'CREATE INDEX ON bench.account (provider, marketplace, status, added_at)'
		fi
		sql -d "$side" -c 'VACUUM ANALYZE'
	done
}

# fill DATABASE TABLE READY [ALLOCATED [POOLS [CLAIMED]]]
fill()
{
	sql -d "$1" -c "CALL bench.stock('$2', ${4-0}, $3, ${5-1})" \
		-c "CALL bench.claim('$2', ${6-0})"
}

# copy SIDE: a fresh database named copy.
copy()
{
	dropdb copy
	createdb -T "$1" copy
}

# Where the sides work.
database=copy

# send SIDE SCRIPT CLIENTS OPTIONS...: pgbench on the copy; what it says goes to
# $work/pgbench.DATABASE.SCRIPT, and its pid to $work/pid.DATABASE.  The planner has no
# choice but the index it should use.
send()
{
	local file=$work/$2.$1

	"script_$2" "$1" >"$file"
	in_private PGOPTIONS="-c enable_seqscan=off -c enable_bitmapscan=off -c enable_sort=off" \
		bash -c 'echo $$ >"$0"; exec pgbench "$@"' "$work/pid.$database" -n -M prepared -U app -f "$file" -c "$3" \
		-j $(($3 < $(nproc) ? $3 : $(nproc))) \
		-D n=0 -D pools="$pools" -D claimed="$claimed" \
		-D stride=$(((ready - claimed) / $3)) "${@:4}" "$database" \
		>"$work/pgbench.$database.$2" 2>&1 ||
		give_up "pgbench failed: $(tail -n 5 "$work/pgbench.$database.$2")"
}

# said SCRIPT PATTERN: the number behind the pattern in pgbench's words.
said()
{
	sed -nE "s,^$2 ([0-9.]+).*,\1,p" "$work/pgbench.$database.$1"
}

# changed SIDE COLUMN: how many accounts were claimed (claimed_at), or closed.
changed()
{
	sql -d "$database" -c "SELECT count($2) FROM $(table_of "$1")"
}

# run SIDE SCRIPT CLIENTS OPTIONS...: send, and count what it did.  Leaves the
# transactions per second in $tps.  Of SKIP LOCKED and the naive statement only
# what found an account counts; the others must always find one.
run()
{
	local column=claimed_at before transactions lost may_lose=0 slack=0

	case $2 in allocate | fail)
		column=closed_at ;;
	esac
	before=$(changed "$1" $column)
	send "$@"
	transactions=$(said "$2" 'number of transactions actually processed:')
	tps=$(said "$2" 'tps =')
	lost=$((transactions - $(changed "$1" $column) + before))

	# Each client rolled back every tenth of its own.
	if [ "$2" = roll_back ]; then
		may_lose=$((transactions / 10)) slack=$3
	fi
	if [ $lost -gt $may_lose ] || [ $lost -lt $((may_lose - slack)) ]; then
		case $1 in limit | awspool | before)
			give_up "$1, $2: $lost of $transactions transactions changed nothing; too small a stock? see MAX_TPS" ;;
		esac
		tps=$(awk "BEGIN { print $tps * ($transactions - $lost + $may_lose) / $transactions }")
	fi
}

# each_in_turn "SIDES" COMMAND...: in every round the command, with round and
# side as its last arguments, for each side; each round begins with another.
each_in_turn()
{
	local round side sides=($1)

	for ((round = 1; round <= rounds; round++)); do
		for side in "${sides[@]:round % ${#sides[@]}}" "${sides[@]:0:round % ${#sides[@]}}"; do
			copy "$side"
			"${@:2}" "$round" "$side"
		done
	done
}

# compare "SIDES" SCRIPT CLIENTS: their transactions per second, in turn.
compare()
{
	each_in_turn "$1" compare_one "$2" "$3"
}

compare_one()
{
	run "$4" "$1" "$2" -T "$duration"
	record "$3" "$4" "$tps"
}

# The copy keeps every dead row from now on.
hold_snapshot()
{
	local held="SELECT count(*) FROM pg_stat_activity
		WHERE query LIKE '%pg_sleep(1e6)' AND backend_xmin IS NOT NULL"

	sql -d copy -c 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM pg_class LIMIT 1; SELECT pg_sleep(1e6)' \
		>/dev/null 2>&1 &
	until [ "$(sql -d copy -c "$held")" = 1 ]; do
		sleep 0.1
	done
}

# scenario TITLE HOW, then line TEXT UNIT [TARGET], then record ROUND SIDE VALUE
# for each; "before" is the limit of its scenario.  A target such as ">= 0.95" is for awspool's ratio to the limit, or
# for the figure itself if that is a ratio (unit "").
scenario()
{
	title=$1
	printf '%s\t%s\n' "$1" "$2" >>"$work/scenarios"
	say "$1"
}

line()
{
	local entry

	text=$1
	entry=$(printf '%s\t%s\t%s\t%s' "$title" "$1" "$2" "${3-}")
	grep -qxF "$entry" "$work/lines" || echo "$entry" >>"$work/lines"
}

record()
{
	printf '%s\t%s\t%s\t%s\t%s\n' "$title" "$text" "$1" "${2/before/limit}" "$3" >>"$work/figures"
	say "  $text, round $1, $2: $3"
}

report()
{
	sql -d postgres -v work="$work" -v quick="${QUICK-}" -v duration="$duration" \
		-v rounds="$rounds" -v cores="$(nproc)" \
		-v memory="$(awk '/^MemTotal/ { printf "%.0f", $2 / 1048576 }' /proc/meminfo)" \
		-f bench/report.sql
}

install_missing $(to_build) gnuplot-nox
make_private_place
quietly in_private make install
start_bench_server
touch "$work"/{scenarios,lines,figures,windows}

for name in $scenarios; do
	"scenario_$name"
	dropdb copy
done

report >"$work/results.md"
if [ "$scenarios" = "${complete[*]}" ] && [ -z "${QUICK-}" ]; then
	OUT=${OUT:-bench}
fi
if [ -z "${OUT-}" ]; then
	cat "$work/results.md"
	exit
fi
cp "$work/results.md" "$OUT/results.md"
if [ -s "$work/windows" ] && [ -s "$work/hot" ]; then
	in_private gnuplot -e "work = '$work'" bench/plot.gp >"$OUT/results.svg"
fi
say "written to $OUT"
