# What is measured.  To be sourced.  Each scenario can run alone.

# for_1_8_32 "SIDES" SCRIPT WORDS "TARGETS" [HOW]: a line for so many clients.
for_1_8_32()
{
	local clients targets=($4)

	for clients in 1 8 32; do
		line "$clients client$([ $clients = 1 ] || echo s)$3" tps ${targets[0]:+">= ${targets[0]}"}
		targets=("${targets[@]:1}")
		"${5-compare}" "$1" "$2" $clients
	done
}

scenario_hot()
{
	local sides="limit awspool skip naive"

	scenario "One hot pool" \
		"Every client claims from the same pool, one claim a transaction."
	stock "$sides" $((max_tps * duration))
	for_1_8_32 "$sides" claim "" "0.95 0.95 0.9"
	for_1_8_32 "$sides" claim_for_order ", with an order id" "0.85 0.85 0.85"
}

# The first two of these more exactly.
scenario_limit()
{
	scenario "One hot pool, in turns" "As the hot pool, but $taking_turns."
	claim_in_turns "limit awspool" "1 1 0.95"
}

# Both libraries in one server, which each database chooses from.
scenario_before()
{
	scenario "The release before" \
		"As the hot pool, side by side with version 1.0, which is the limit here, but $taking_turns."
	make_before
	claim_in_turns "before awspool" "0.92 0.92 0.92"
	count_work_of "before awspool"
}

taking_turns="both sides keep their database and stay connected; each claims for a quarter of a second while the other one is stopped, then it is the other's turn"

# claim_in_turns "TWO SIDES" "TARGETS"
claim_in_turns()
{
	stock "$1" $((6 * rounds * $(most_in_turns)))
	orders=0
	for_1_8_32 "$1" claim "" "$2" take_turns
	for_1_8_32 "$1" claim_for_order ", with an order id" "$2" take_turns
	stocked=()
}

# What is left of the difference without two things that 1.0 does not have.
scenario_bare()
{
	scenario "The release before, without the counts and the index of those in progress" \
		"The same, but where 1.1 is, table awspool.tally and index account_in_progress were dropped."
	make_before
	stock "before awspool-bare" $((3 * rounds * $(most_in_turns)))
	sql -d awspool-bare -c 'DROP INDEX awspool.account_in_progress' \
		-c 'ALTER EXTENSION awspool DROP TABLE awspool.tally' -c 'DROP TABLE awspool.tally'
	orders=0
	for_1_8_32 "before awspool-bare" claim "" "0.98 0.98 0.98" take_turns
	stocked=()
}

# take_turns "TWO SIDES" SCRIPT CLIENTS: as compare, but both are connected all the
# time, and every quarter of a second the other one is stopped and this one goes on.
# These two differ by less than the machine from one second to the next.
take_turns()
{
	local round side tps sides=($1)

	for ((round = 1; round <= rounds; round++)); do
		sql -d postgres -c CHECKPOINT
		orders=$((orders + $(most_in_turns)))
		rm -f "$work"/pid.*
		for side in "${sides[@]}"; do
			claim_all_the_time "$side" "$2" "$3" &
		done
		wait_for_clients "${sides[@]}" $((2 * $3))
		let_in_turn "$work/pid.${sides[0]}" "$work/pid.${sides[1]}" >"$work/turns"
		for side in "${sides[@]}"; do
			wait -n
		done
		while read -r side tps; do
			record "$round" "$side" "$tps"
		done < <(awk -v one="${sides[0]%-*}" -v other="${sides[1]%-*}" \
			'{ n[NR % 2] += $1; s[NR % 2] += $2 } END { print one, 1e6 * n[1] / s[1]; print other, 1e6 * n[0] / s[0] }' "$work/turns")
	done
}

# One of those two, for longer than the turns take.
claim_all_the_time()
{
	local database=$1

	run "${1%-*}" "$2" "$3" -T $((2 * duration + 5)) \
		-D claimed=$((orders - $(most_in_turns))) -D stride=$(($(most_in_turns) / $3))
}

# How many can be claimed meanwhile, and as many again: clients are not alike.
most_in_turns()
{
	echo $((2 * max_tps * (duration + 5)))
}

# wait_for_clients ONE OTHER N
wait_for_clients()
{
	local connected="SELECT count(*) FROM pg_stat_activity
		WHERE application_name = 'pgbench' AND datname IN ('$1', '$2')"

	until [ "$(sql -d postgres -c "$connected")" = "$3" ]; do
		sleep 0.1
	done
}

# let_in_turn PIDFILE PIDFILE: prints for each turn, of the first and of the other one,
# how many transactions there were, by their ids, and the microseconds that it took.
let_in_turn()
{
	in_private bash -ec '
		coproc psql -XqAt
		now()
		{
			echo "SELECT pg_snapshot_xmax(pg_current_snapshot());" >&"${COPROC[1]}"
			read -r id <&"${COPROC[0]}"
			at=${EPOCHREALTIME/./}
		}
		SECONDS=0
		for ((turn = 0; turn % 2 || SECONDS < $1; turn++)); do
			kill -STOP "$3"
			kill -CONT "$2"
			now
			from=$id since=$at
			sleep 0.25
			now
			echo "$((id - from)) $((at - since))"
			set -- "$1" "$3" "$2"
		done
		kill -CONT "$2" "$3"' in_turn $((2 * duration)) "$(cat "$1")" "$(cat "$2")"
}

scenario_pools()
{
	local sides="limit awspool skip"

	scenario "200 pools" \
		"Each claim chooses one of 200 pools, the k-th with a probability in proportion to k^-1.1. Their accounts lie mixed in the table."
	stock "$sides" $((max_tps * duration)) 0 200
	for_1_8_32 "$sides" claim "" ""
	for_1_8_32 "$sides" claim_for_order ", with an order id" ""
}

scenario_history()
{
	local n side ratio sides=

	scenario "History" \
		"8 clients claim from a pool behind whose head lie 0, 1 and 5 million accounts that were allocated before. All six take their turns in each round."
	for n in 0 1 5; do
		stock "limit-$n awspool-$n" $((max_tps * duration)) $((n * million))
		sides+="limit-$n awspool-$n "
	done
	each_in_turn "$sides" claim_behind_history

	line "5 million / none" "" ">= 0.95"
	awk -F'\t' -v OFS='\t' '
		$1 == "History" { tps[$4, $3, $2] = $5; rounds = $3 }
		END {
			for (r = 1; r <= rounds; r++) {
				print r, "limit", tps["limit", r, "5 million"] / tps["limit", r, "none"]
				print r, "awspool", tps["awspool", r, "5 million"] / tps["awspool", r, "none"]
			}
		}' "$work/figures" >"$work/against_none"
	while read -r n side ratio; do
		record "$n" "$side" "$ratio"
	done <"$work/against_none"
}

claim_behind_history()
{
	run "${2%-*}" claim 8 -T "$duration"
	case $2 in
		*-0) line none tps ;;
		*) line "${2#*-} million" tps ;;
	esac
	record "$1" "${2%-*}" "$tps"
}

# Once for each side, and the pace in each tenth of the time.
scenario_held()
{
	local rounds=1

	scenario "A snapshot is held" \
		"8 clients claim from one pool for $held_seconds s, one round, while another session holds a REPEATABLE READ snapshot."
	stock "limit awspool skip" $((max_tps * held_seconds))
	each_in_turn "limit awspool skip" claim_for_long
}

claim_for_long()
{
	hold_snapshot
	run "$2" claim 8 -T "$held_seconds" -P $((held_seconds / 10))
	line "whole time" tps
	record "$1" "$2" "$tps"

	awk -v side="$2" '/^progress:/ { print side "\t" $2 "\t" $4 }' "$work/pgbench.copy.claim" \
		>"$work/windows.$2"
	cat "$work/windows.$2" >>"$work/windows"
	line "last tenth / first tenth" "" ">= 0.95"
	record "$1" "$2" "$(awk '{ tps[NR] = $3 } END { print tps[NR] / tps[1] }' "$work/windows.$2")"
}

# The prober of awspool's crowd takes turns: a claim, or an update by key of the
# twin.  The limit is the latter.
scenario_crowd()
{
	scenario "The crowd" \
		"64 sessions claim from one pool and hold their transaction for 50 ms each. In their midst a prober claims, too, or does the same update by primary key, in random turns."
	stock "awspool-crowd skip" $((max_tps * duration))
	fill awspool-crowd bench.account $((max_tps * duration))
	each_in_turn "awspool-crowd skip" probe_crowd
}

probe_crowd()
{
	local side=${2%-*} crowd options=()

	rm -f "$work"/probe.*
	(send "$side" hold 64 -T $((duration + 2))) &
	crowd=$!
	sleep 1
	if [ "$side" = awspool ]; then
		script_claim limit >"$work/probe_limit"
		options=(-f "$work/probe_limit")
	fi
	send "$side" claim 1 -T "$duration" -l --log-prefix="$work/probe" "${options[@]}"
	wait $crowd

	probe "$1" "$side" 0
	if [ "$side" = awspool ]; then
		probe "$1" limit 1
	fi
}

# probe ROUND SIDE SCRIPT: from pgbench's log, which has microseconds.
probe()
{
	awk -v script="$3" '$4 == script { print $3 / 1000 }' "$work"/probe.* | sort -g >"$work/latencies"
	line p50 ms
	record "$1" "$2" "$(percentile 50)"
	line p99 ms "<= 1.5"
	record "$1" "$2" "$(percentile 99)"
}

percentile()
{
	awk -v p="$1" '{ ms[NR] = $1 } END { print ms[int(NR * p / 100 + 0.5)] }' "$work/latencies"
}

scenario_roll_back()
{
	scenario "Rollbacks" \
		"8 clients claim from one pool and roll back every tenth transaction."
	stock "limit awspool skip" $((max_tps * duration))
	line "8 clients" tps
	compare "limit awspool skip" roll_back 8
}

scenario_add()
{
	scenario "One added for every claim" \
		"8 clients add an account and then claim one, in two transactions, which count as one here."
	stock "limit awspool skip" $((max_tps * duration))
	line "8 clients" tps
	compare "limit awspool skip" add_and_claim 8
}

# Whoever claims, the import is awspool's.
scenario_import()
{
	scenario "An import" \
		"8 clients claim from one pool for $import_seconds s; meanwhile import_csv stores $((million / 1000)) thousand accounts there, and commits. For the other sides, too, this import goes into the extension's table."
	stock "limit awspool skip" $((max_tps * import_seconds))
	each_in_turn "limit awspool skip" claim_during_import
}

claim_during_import()
{
	local import

	sql -d copy >"$work/imported" -c "SELECT count(*) FROM awspool.import_csv('1', (
		SELECT string_agg(i || ';MP-0000;SPAM', E'\n') FROM generate_series(600000000001, 600000000000 + $million) i))" &
	import=$!
	run "$2" claim 8 -T "$import_seconds" -P 1
	if [ "$(cat "$work/imported")" != "$million" ]; then
		give_up "the import takes longer than IMPORT_SECONDS"
	fi
	wait $import

	line "whole time" tps
	record "$1" "$2" "$tps"
	line "slowest second" tps
	record "$1" "$2" "$(awk '/^progress:/ { print $4 }' "$work/pgbench.copy.claim" | sort -g | head -n 1)"
}

scenario_connect()
{
	scenario "A new connection for every claim" \
		"8 clients connect, claim once and disconnect, behind $((million / 1000)) thousand dead entries that a held snapshot keeps. What a session's first claim does beyond the update: it loads the library and opens six relations more."
	stock "limit awspool skip" $((million + max_tps * duration))
	each_in_turn "limit awspool skip" claim_and_disconnect
}

claim_and_disconnect()
{
	make_dead "$2" $million
	line "the very first claim" ms
	send "$2" claim 1 -t 1
	record "$1" "$2" "$(said claim 'latency average =')"

	claimed=$((million + 1))
	run "$2" claim 8 -C -T "$duration"
	claimed=0
	line "8 clients" tps ">= 0.8"
	record "$1" "$2" "$tps"
}

make_dead()
{
	hold_snapshot
	sql -d copy -c "CALL bench.claim('$(table_of "$1")', $2)" -c CHECKPOINT
}

scenario_exhausted()
{
	scenario "An exhausted pool" \
		"One client asks for an account of a pool where none is ready and a held snapshot keeps $((million / 1000)) thousand dead entries; the limit here is to SELECT a row by primary key. Then one account is added 20 times a second: the time from its row's birth to its claim by a client that asks all the time, or updates by the primary key that will be added next."
	stock "limit awspool skip" $million
	each_in_turn "limit awspool skip" ask
}

ask()
{
	local waiting

	make_dead "$2" $million
	line "the very first answer" ms
	send "$2" ask 1 -t 1
	record "$1" "$2" "$(said ask 'latency average =')"

	line "an answer" ms "<= 2"
	send "$2" ask 1 -T "$duration"
	record "$1" "$2" "$(said ask 'latency average =')"
	line "an answer, each to a new connection" ms
	send "$2" ask 1 -C -T "$duration"
	record "$1" "$2" "$(said ask 'latency average =')"
	[ "$2" != skip ] || return 0

	(send "$2" wait 1 -T $((duration + 2))) &
	waiting=$!
	sleep 1
	send "$2" add 1 -R 20 -T "$duration"
	wait $waiting
	sql -d copy -c "SELECT extract(epoch FROM claimed_at - added_at) * 1000
		FROM $(table_of "$2") WHERE account_id > '5' ORDER BY 1" >"$work/latencies"
	if grep -qx '' "$work/latencies"; then
		give_up "$2 left an account that was added"
	fi
	line "from added to claimed, p50" ms
	record "$1" "$2" "$(percentile 50)"
	line "from added to claimed, p99" ms
	record "$1" "$2" "$(percentile 99)"
}

scenario_allocate()
{
	scenario "Claim and allocate" \
		"8 clients claim from one pool and allocate what they got, against the two updates by primary key. Both together count as one here."
	stock "limit awspool" $((max_tps * duration))
	line "in one transaction" tps ">= 0.9"
	compare "limit awspool" claim_and_allocate_at_once 8
	line "in two" tps ">= 0.9"
	compare "limit awspool" claim_and_allocate 8
}

scenario_close()
{
	scenario "The end of an order" \
		"8 clients allocate accounts that were claimed before, or report that they failed."
	stock "limit awspool" $((max_tps * duration)) 0 1 $((max_tps * duration))
	claimed=0
	line allocate_account tps
	compare "limit awspool" allocate 8
	line fail_account tps
	compare "limit awspool" fail 8
}

# Accounts a second: a batch is a hundred.  Then a claim alone, which is the
# limit, and one beside others' batches.
scenario_batch()
{
	local clients kind

	scenario "Batches" \
		"Clients claim for 100 orders at once; the limit is one UPDATE of 100 rows by primary key, or the same number of single claims. Then one client claims, alone, which is the limit, and beside 100 sessions that have claimed 200 accounts each and do not commit, as a batch or each in a savepoint of its own."
	stock "limit awspool single alone beside" $((max_tps * duration))
	for clients in 1 8; do
		compare_batches "limit awspool" "batches of 100" claim_batch $clients 0.7
		compare_batches "single awspool" "batch / single claims" claim_batch $clients \
			"$([ $clients = 1 ] && echo 12 || echo 4)"
	done
	for kind in batches savepoints; do
		each_in_turn "alone beside" claim_beside $kind
	done
}

# compare_batches "SIDES" TEXT SCRIPT CLIENTS TARGET
compare_batches()
{
	line "$2, $4 client$([ "$4" = 1 ] || echo s)" "accounts/s" ">= $5"
	each_in_turn "$1" claim_batches "$3" "$4"
}

# A side "single" is awspool's claims one by one, here the limit.
claim_batches()
{
	local side=$4 name=$4 script=$1 size=100 before

	if [ "$side" = single ]; then
		side=awspool name=limit script=claim_for_order size=1
	fi
	before=$(changed "$side" claimed_at)
	send "$side" "$script" "$2" -T "$duration"
	tps=$(($(changed "$side" claimed_at) - before))
	if [ $tps != $(($(said "$script" 'number of transactions actually processed:') * size)) ]; then
		give_up "$4, $script: too small a stock? see MAX_TPS"
	fi
	record "$3" "$name" "$(awk "BEGIN { print $tps / $duration }")"
}

claim_beside()
{
	if [ "$3" = beside ]; then
		hold_batches "$1"
	fi
	run awspool claim 1 -T "$duration"
	line "a claim beside 100 open batches of 200$([ "$1" = batches ] || echo ", in savepoints")" \
		tps ">= 0.67"
	record "$2" "$([ "$3" = alone ] && echo limit || echo awspool)" "$tps"
}

# hold_batches batches | savepoints: they are open until the copy is dropped.
hold_batches()
{
	local i claims="PERFORM awspool.claim_accounts('1', 'MP-0000', array_fill(NULL::text, '{200}'))"
	local held="SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(1e6)' AND wait_event = 'PgSleep'"

	if [ "$1" = savepoints ]; then
		claims="FOR i IN 1 .. 200 LOOP
			BEGIN
				PERFORM awspool.claim_account('1', 'MP-0000');
			EXCEPTION WHEN division_by_zero THEN
			END;
		END LOOP"
	fi
	for ((i = 0; i < 100; i++)); do
		sql -d copy -c "BEGIN; DO \$\$ BEGIN $claims; END \$\$; SELECT pg_sleep(1e6)" >/dev/null 2>&1 &
	done
	until [ "$(sql -d copy -c "$held")" = 100 ]; do
		sleep 0.1
	done
}

# Looks at all pools.
scenario_counts()
{
	local n

	scenario "The counts" \
		"One client looks at view pool_status, or at that and at alerts, which is what contrib/monitoring reads of pools: 200 of them, with 50 thousand ready accounts, behind 0 and 5 million allocated. Then again, when 8 clients have claimed from them for $held_seconds s while another session held a snapshot."
	for n in 0 5; do
		stock "awspool-$n" 50000 $((n * million)) 200
		time_look pool_status "awspool-$n" "behind $n million" 5
		time_look scrape "awspool-$n" "behind $n million" 50
	done
	stock awspool $((max_tps * held_seconds)) 0 200
	copy awspool
	hold_snapshot
	run awspool claim 8 -T "$held_seconds"
	time_look pool_status copy "under the snapshot" 50
	time_look scrape copy "under the snapshot"
}

# time_look NAME DATABASE WHEN [MILLISECONDS]
time_look()
{
	local round

	line "$1 $3, ms" "" "${4:+<= $4}"
	for ((round = 1; round <= rounds; round++)); do
		send_read "$1" awspool "$2" -T "$duration"
		record $round awspool "$(said "$1" 'latency average =')"
	done
}

# Reads by the provider's role through the view; the limit is the same by the
# owner on the base table, with its indexes.  Provider 1 has a half of all.
scenario_reads()
{
	local n name behind=(${BEHIND:-0 1 5})

	scenario "Reading" \
		"One client, two providers; behind 50,000 ready accounts and 1,000 in progress lie ${behind[*]} million that are closed, one of 20 as failed. The limit is the same query by the owner on the base table. Buffers are those of a warm session, at ${behind[-1]} million."
	for n in "${behind[@]}"; do
		stock_reads "$n"
	done
	for name in by_id by_order by_failed_order join_by_order join_by_id oldest newest \
		next_page ready overdue count move_a_thousand; do
		for n in "${behind[@]}"; do
			[[ $name-$n != by_failed_order-0 ]] || continue
			time_read $name "$n"
		done
		tell_read_buffers $name "${behind[@]}"
	done
}

# stock_reads MILLIONS: very many are not worth a log.
stock_reads()
{
	say "stocking reads-$1"
	dropdb "reads-$1"
	createdb -T base "reads-$1"
	[ "$1" -le 5 ] || sql -d "reads-$1" -c 'ALTER TABLE awspool.account SET UNLOGGED'
	sql -d "reads-$1" -v closed=$(($1 * million)) -f bench/reads.sql
}

# time_read NAME MILLIONS
time_read()
{
	local round side target="<= 2"

	case $1 in move_a_thousand) target="<= 3" ;; esac
	line "${1//_/ }, $2 million" ms "$target"
	for ((round = 1; round <= rounds; round++)); do
		for side in limit awspool; do
			send_read "$1" $side "reads-$2" -T "$duration"
			record $round $side "$(said "$1" 'latency average =')"
		done
	done
}

# send_read NAME SIDE DATABASE OPTIONS...
send_read()
{
	local user=postgres

	[ "$2" = limit ] || user=app
	"read_$1" "$2" >"$work/$1.$2"
	in_private pgbench -n -M prepared -U $user -f "$work/$1.$2" -c 1 "${@:4}" "$3" \
		>"$work/pgbench.$database.$1" 2>&1 || give_up "pgbench failed: $(tail -n 5 "$work/pgbench.$database.$1")"
}

# tell_read_buffers NAME MILLIONS...: behind the most; where many rows are written,
# how much more that is than behind the fewest.
tell_read_buffers()
{
	local fewest=1 target text="${1//_/ }, buffers"

	case $1 in
		by_*) target="<= 8" ;;
		join_*) target="<= 8000" ;;
		oldest | newest | next_page | ready) target="<= 12" ;;
		overdue) target="<= 30" ;;
		move_*)
			target="<= 1.2"
			text+=", ${*: -1} to $2 million"
			fewest=$(read_buffers "$1" "$2")
			;;
		*) return 0 ;;
	esac
	line "$text" "" "$target"
	record 1 awspool "$(awk "BEGIN { print $(read_buffers "$1" "${@: -1}") / $fewest }")"
}

# read_buffers NAME MILLIONS: of executing it the second time in a session, which
# knows its catalogs then.
read_buffers()
{
	"read_$1" awspool | sed '/^\\set/d; s/^\(SELECT\|UPDATE\)/EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) &/
		s/:id/$$200000777777$$/; s/:order/$$777777$$/; s/:failed/$$777780$$/; s/:position/2500000/' \
		>"$work/explain"
	in_private psql -XqAt -U app -d "reads-$2" -f "$work/explain" -c '\echo again' -f "$work/explain" |
		awk '/^again/ { again = 1 }
			again && /Buffers: shared/ && !n { gsub(/[^0-9]+/, " "); n = $1 + $2 }
			END { print n }'
}

# How much one claim writes and reads.  Without full page writes, which depend
# on when the last checkpoint was.
scenario_cost()
{
	scenario "The work of one claim" \
		"One client, 10,000 claims after 100 to warm up; WAL as the server counts it, with full_page_writes off, and buffers looked at, the catalogs' included."
	count_work_of "limit awspool skip"
}

# count_work_of "SIDES"
count_work_of()
{
	local rounds=1

	sql -d postgres -c "ALTER SYSTEM SET full_page_writes = off" -c "SELECT pg_reload_conf()" >/dev/null
	stock "$1" 20000
	each_in_turn "$1" count_work claim ""
	each_in_turn "$1" count_work claim_for_order ", with an order id"
	sql -d postgres -c "ALTER SYSTEM RESET full_page_writes" -c "SELECT pg_reload_conf()" >/dev/null
}

count_work()
{
	local wal buffers wal_before buffers_before

	run "$4" "$1" 1 -t 100
	read -r wal_before buffers_before <<<"$(work_so_far)"
	claimed=100
	run "$4" "$1" 1 -t 10000
	claimed=0
	read -r wal buffers <<<"$(work_so_far)"
	line "WAL$2" "bytes per claim"
	record "$3" "$4" $(((wal - wal_before) / 10000))
	line "buffers$2" "touched per claim"
	record "$3" "$4" "$(awk "BEGIN { print ($buffers - $buffers_before) / 10000 }")"
}

work_so_far()
{
	sql -d copy -F ' ' -c "SELECT pg_current_wal_insert_lsn() - '0/0', blks_hit + blks_read
		FROM pg_stat_database WHERE datname = 'copy'"
}

# Neither the machine's speed nor its other work is in it.
scenario_instructions()
{
	local side kind

	scenario "Instructions" \
		"Beside version 1.0, which is the limit: what callgrind counts in a server in single-user mode, for a claim and its commit, 1,000 of them in a loop, and for an account of a file of 20,000, in a pool that has half a million."
	install_missing valgrind
	make_before
	for kind in random ascending; do
		write_file $kind 20000 >"$work/$kind.csv"
	done
	stock "before awspool" 500000
	in_private pg_ctl -s -D "$work/data" stop
	for side in before awspool; do
		count_instructions $side
	done
	quietly in_private pg_ctl -D "$work/data" -l "$work/server.log" start
}

# count_instructions DATABASE
count_instructions()
{
	local to_begin=$(instructions_of "$1" "SELECT")

	instructions_of "$1" "$(loop_of_claims 100 NULL)" >/dev/null	# to warm up
	record_instructions "$1" "a claim" 1000 "$(instructions_of "$1" "$(loop_of_claims 1000 NULL)")"
	record_instructions "$1" "a claim with an order id" 1000 \
		"$(instructions_of "$1" "$(loop_of_claims 1000 "'order-' || i")")"
	record_instructions "$1" "an account, COPY" 20000 "$(instructions_of "$1" "SET awspool.provider = '1'
COPY awspool.import (account_id, marketplace_id, account_model) FROM '$work/random.csv' WITH (FORMAT csv, DELIMITER ';', HEADER)")"
	record_instructions "$1" "an account, import_csv" 20000 "$(instructions_of "$1" \
		"SELECT count(*) FROM awspool.import_csv('1', pg_read_file('$work/ascending.csv'))")"
}

# instructions_of DATABASE STATEMENTS: a statement in each line.
instructions_of()
{
	in_private bash -c 'valgrind --tool=callgrind --callgrind-out-file=/dev/null \
		"$(pg_config --bindir)/postgres" --single -D "$0" "$1" 2>&1 <<<"$2"' "$work/data" "$1" "$2" |
		tee "$work/callgrind" | sed -n 's/^==[0-9]*== Collected : //p'
	if grep -q ERROR "$work/callgrind"; then
		give_up "$(grep -A 3 ERROR "$work/callgrind")"
	fi
}

loop_of_claims()
{
	echo "DO \$\$ BEGIN FOR i IN 1 .. $1 LOOP PERFORM awspool.claim_account('1', 'MP-0000', $2); COMMIT; END LOOP; END \$\$"
}

# record_instructions SIDE TEXT NUMBER INSTRUCTIONS
record_instructions()
{
	line "$2" instructions "<= 1.03"
	record 1 "$1" $((($4 - to_begin) / $3))
}

# The file's rows a second.  The twin and the extension's table are in the same
# database, both empty or with the same stock.
scenario_file()
{
	local n kind

	scenario "A file" \
		"$((million / 1000)) thousand accounts are stored from a CSV file, with \\\`\\\\copy\\\` by a client or with COPY and pg_read_file by the server, into a table that is empty or has 5 million accounts; their ids are drawn at random, or ascend. The limit is a bare COPY of the file into the twin, its line for import_csv and check_csv that by the server."
	for kind in random ascending; do
		write_file $kind $million >"$work/$kind.csv"
	done
	stock awspool-empty 0
	stock awspool-full 0
	fill_at_random awspool-full awspool.account $((5 * million))
	fill_at_random awspool-full bench.account $((5 * million))
	sql -d awspool-full -c 'VACUUM ANALYZE'

	store_file "empty table, ids at random" awspool-empty random
	store_file "empty table, ids ascending" awspool-empty ascending
	store_file "5 million in it, ids at random" awspool-full random
	watch_memory
}

# Ids as if at random, each once: multiples of the golden section of a prime,
# modulo that.
write_file()
{
	echo "account_id;marketplace_id;account_model"
	if [ "$1" = ascending ]; then
		seq -f '%.0f;MP-0000;SPAM' 300000000001 $((300000000000 + $2))
	else
		awk -v n="$2" 'BEGIN {
			for (i = 1; i <= n; i++) {
				id = (id + 61803398861) % 99999999977
				printf "%.0f;MP-0000;SPAM\n", id + 300000000000
			}
		}'
	fi
}

# The same numbers, further on.
fill_at_random()
{
	sql -d "$1" -c "INSERT INTO $2 (provider, account_id, marketplace, model)
		SELECT '1', (i * 61803398861) % 99999999977 + 300000000000, 'MP-0000', 'SPAM'
		FROM generate_series($((million + 1)), $((million + $3))::bigint) i"
}

# store_file TEXT DATABASE KIND
store_file()
{
	local round place="awspool.import (account_id, marketplace_id, account_model)"
	local twin="bench.account (account_id, marketplace, model)" copy
	local options="WITH (FORMAT csv, DELIMITER ';', HEADER)" csv

	csv="pg_read_file('$work/$3.csv')"
	for ((round = 1; round <= rounds; round++)); do
		time_file "$2" "\\copy $twin FROM '$work/$3.csv' $options"
		copy=$speed
		record_speed "\copy, $1" ">= 0.9" "$round" limit "$copy"
		time_file "$2" "\\copy $place FROM '$work/$3.csv' $options"
		record_speed "\copy, $1" ">= 0.9" "$round" awspool "$speed"
		copy=$speed
		time_again "\\copy $place FROM '$work/$3.csv' $options"
		line "the same again / the first time, $1" "" ">= 1"
		record "$round" awspool "$(awk "BEGIN { print $speed / $copy }")"

		time_file "$2" "COPY $twin FROM '$work/$3.csv' $options"
		record_speed "import_csv, $1" ">= 0.95" "$round" limit "$speed"
		record_speed "check_csv, $1" ">= 2" "$round" limit "$speed"
		time_file "$2" "SELECT count(*) FROM awspool.check_csv('1', $csv)"
		record_speed "check_csv, $1" ">= 2" "$round" awspool "$speed"
		time_again "SELECT count(*) FROM awspool.import_csv('1', $csv)"
		record_speed "import_csv, $1" ">= 0.95" "$round" awspool "$speed"
	done
}

record_speed()
{
	line "$1" "thousand rows/s" "$2"
	record "$3" "$4" "$5"
}

# time_file DATABASE COMMAND: on a fresh copy; leaves the speed in $speed.
time_file()
{
	copy "$1"
	time_again "$2"
}

time_again()
{
	local ms

	sql -d copy -c CHECKPOINT
	ms=$(in_private PGOPTIONS="-c awspool.provider=1" psql -XqAt -v ON_ERROR_STOP=1 -U app -d copy \
		-c '\timing on' -c "$1" | sed -nE 's/^Time: ([0-9.]+) ms.*/\1/p')
	speed=$(awk "BEGIN { print $million / $ms }")
}

# How much a backend grows while it stores five times as many.
watch_memory()
{
	local pid idle peak=0 now

	write_file random $((5 * million)) >"$work/large.csv"
	copy awspool-empty
	coproc { in_private PGOPTIONS="-c awspool.provider=1" psql -XqAt -U app -d copy; }
	echo "SELECT pg_backend_pid();" >&"${COPROC[1]}"
	read -r pid <&"${COPROC[0]}"
	idle=$(private_memory "$pid")
	echo "\\copy awspool.import (account_id, marketplace_id, account_model) FROM '$work/large.csv' WITH (FORMAT csv, DELIMITER ';', HEADER)" >&"${COPROC[1]}"
	echo "SELECT 'stored';" >&"${COPROC[1]}"
	until read -r -t 0.2 <&"${COPROC[0]}"; do
		now=$(private_memory "$pid")
		peak=$((now > peak ? now : peak))
	done
	echo '\q' >&"${COPROC[1]}"
	wait
	line "memory over idle at most, MiB, while \copy stores $((5 * million / 1000000)) million" "" "<= 64"
	record 1 awspool "$(awk "BEGIN { print ($peak - $idle) / 1024 }")"
}

private_memory()
{
	awk '/^RssAnon:/ { print $2 }' "/proc/$1/status"
}
