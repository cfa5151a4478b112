#!/bin/bash
# make bench-scale: what three servers are worth beside one, what PgBouncer's
# aliases cost, and how long a provider is held up that moves (doc/scale.md).
# Works on private servers (test/lib.sh) with fsync, on the same disk and the same
# cores, and ends with the figures, as tables.
#
#	make bench-scale                             some minutes
#	make bench-scale DURATION=10 ROUNDS=5 SIZES="100000 1000000"
#	make bench-scale PUBLISH=yes                 the tables go into doc/scale.md,
#	                                             in place of the last ones
#
# Sides that are compared run one after the other in each round; of the ratios
# inside a round the median is told.  While a provider moves, clients claim at a
# rate that its accounts outlast.

set -euo pipefail
cd "$(dirname "$0")/.."
. test/lib.sh
. test/report.sh

duration=${DURATION:-5}
rounds=${ROUNDS:-3}
sizes=${SIZES:-100000 1000000}
max_tps=${MAX_TPS:-10000}	# more than the machine can do; decides the stock
claim_rate=500	# claims a second while a provider moves

# port_of SERVER: they are told apart by the names of their sockets.
port_of()
{
	case $1 in
		reader) echo 5430 ;;
		*) echo $((5430 + ${1#s})) ;;
	esac
}

# sql SERVER ARGUMENTS...
sql()
{
	local database=pool

	[ "$1" != reader ] || database=reader
	in_private psql -XqAt -v ON_ERROR_STOP=1 -p "$(port_of "$1")" -d $database "${@:2}"
}

start()
{
	local data=$work/$1

	quietly in_private initdb -D "$data" -U postgres -A trust -N --no-locale -E UTF8
	cat >>"$data/postgresql.conf" <<-END
		listen_addresses = ''
		unix_socket_directories = '$work'
		port = $(port_of "$1")
		max_connections = 100
		shared_buffers = 512MB
		max_wal_size = 8GB
		checkpoint_timeout = 1h
		wal_level = logical
	END
	quietly in_private pg_ctl -D "$data" -l "$work/$1.log" start
	in_private createdb -p "$(port_of "$1")" "$([ "$1" = reader ] && echo reader || echo pool)"
}

# add PROVIDER SERVER READY SOLD: a provider with so many accounts, all ids its own
first_id=100000000000
add()
{
	quietly sql reader -c "SELECT scale.place('$1', '$2')"
	quietly sql "$2" -c "SELECT awspool.grant_provider('$1', 'app')"
	sql "$2" <<-END
		INSERT INTO awspool.account (provider, account_id, marketplace, model, status, order_id, order_model,
		    claimed_at, claimed_by, closed_at, closed_by)
		  SELECT '$1', $first_id + i, 'MP-0000', 'SPAM', 'allocated', 'old-' || i, 'SPAM', now(), 'app', now(), 'app'
		  FROM generate_series(1, $4) i;
		INSERT INTO awspool.account (provider, account_id, marketplace, model)
		  SELECT '$1', $first_id + $4 + i, 'MP-0000', 'SPAM' FROM generate_series(1, $3) i;
		VACUUM ANALYZE awspool.account;
	END
	first_id=$((first_id + $3 + $4))
}

start_all()
{
	local server

	start reader
	quietly sql reader -f contrib/scale/reader.sql
	for server in s1 s2 s3; do
		start $server
		sql $server -c 'CREATE EXTENSION awspool' -c 'CREATE ROLE app LOGIN'
		sql $server -c "$(sql reader -c "SELECT scale.add_server('$server', '$work', $(port_of $server))")" >/dev/null
	done
	in_private tee "$work/pgbouncer.ini" >/dev/null <<-END
		[databases]
		%include $work/aliases.ini
		[pgbouncer]
		listen_addr =
		listen_port = 6432
		unix_socket_dir = $work
		auth_type = trust
		auth_file = $work/users
		pool_mode = transaction
		default_pool_size = 20
		max_client_conn = 200
		logfile = $work/pgbouncer.log
	END
	in_private tee "$work/users" >/dev/null <<<'"app" ""'
	settings+=(AWSPOOL_READER="host=$work port=$(port_of reader) dbname=reader"
		AWSPOOL_ALIASES="$work/aliases.ini"
		AWSPOOL_POOLER="host=$work port=6432 dbname=pgbouncer user=pgbouncer")
}

# A script of pgbench that claims from a provider; print its name.
claims_of()
{
	in_private tee "$work/$1.sql" >/dev/null <<-END
		\set order random(1, 1000000000000000)
		SELECT account_id FROM awspool.claim_account('$1', 'MP-0000', 'o' || :order);
	END
	echo "$work/$1.sql"
}

# claim PORT DATABASE PROVIDER CLIENTS: print claims in a second
claim()
{
	local tps

	tps=$(in_private pgbench -n -c "$4" -j 1 -T "$duration" -h "$work" -p "$1" -U app \
		-f "$(claims_of "$3")" "$2" | awk '/^tps/ { printf "%.0f\n", $3 }')
	[ "${tps:-0}" != 0 ] || give_up "nothing was claimed of $3 in $duration s"
	echo "$tps"
}

# claim_all PORTS...: by three providers at once, on these servers; print the sum
claim_all()
{
	local i provider pid ports=("$@") all=()

	for i in 0 1 2; do
		provider=one$i
		[ "${ports[i]}" = 5431 ] || provider=three$i
		claim "${ports[i]}" pool $provider 4 >"$work/sum.$i" &
		all+=($!)
	done
	for pid in "${all[@]}"; do wait "$pid"; done
	cat "$work"/sum.[012] | awk '{ sum += $1 } END { print sum }'
}

median()
{
	sort -g | awk '{ v[NR] = $1 } END { printf "%.2f", v[int((NR + 1) / 2)] }'
}

# check_stock SERVER SETTING: who finds none is faster.
check_stock()
{
	[ "$(sql "$1" -c 'SELECT bool_and(ready > 0) FROM awspool.pool_status')" = t ] ||
		give_up "a provider on $1 has sold all that it had: this takes larger $2"
}

compare_throughput()
{
	local round server a b c d e

	for ((round = 1; round <= rounds; round++)); do
		a=$(claim 5431 pool one0 8)
		b=$(claim 6432 one0 one0 8)
		c=$(claim_all 5431 5431 5431)
		d=$(claim_all 5431 5432 5433)
		sql s1 -c 'ALTER TABLE awspool.account REPLICA IDENTITY FULL'
		e=$(claim 5431 pool one0 8)
		sql s1 -c 'ALTER TABLE awspool.account REPLICA IDENTITY DEFAULT'
		echo "round $round: direct $a, by alias $b, on one server $c, on three $d, whole rows logged $e" >&2
		awk "BEGIN { print $e / $a }" >>"$work/full"
		awk "BEGIN { print $b / $a }" >>"$work/alias"
		awk "BEGIN { print $d / $c }" >>"$work/three"
	done
	for server in s1 s2 s3; do
		check_stock $server MAX_TPS
	done
	echo "| claims by the alias, of direct ones; 8 clients | $(median <"$work/alias") |"
	echo "| claims while REPLICA IDENTITY is FULL, of others; 8 clients | $(median <"$work/full") |"
	echo "| claims on three servers, of those on one; 3 providers, 12 clients | $(median <"$work/three") |"
}

# move_while_selling PROVIDER SERVER WHAT [--ahead]: a client whose call fails ends,
# and its error counts
move_while_selling()
{
	local said selling running=()

	in_private pgbench -n -c 4 -j 1 -T 1000 -R $claim_rate -h "$work" -p 6432 -U app \
		-f "$(claims_of "$1")" "$1" >"$work/errors" 2>&1 &
	selling=$!
	sleep 1
	said=$(in_private contrib/scale/move ${4-} "$1" "$2" | tee -a "$work/moves" | tail -n 1)
	note_children $selling
	kill $selling "${running[@]}" 2>/dev/null || true	# all clients may have ended
	wait $selling 2>/dev/null || true
	check_stock "$2" SIZES
	echo "| $3 | $(awk '{ print $1 }' <<<"$said") s | $(grep -o '[0-9.]* s$' <<<"$said") | $(grep -c ERROR "$work/errors") |"
}

# A table of the machine, one of throughput and one of moves.
report()
{
	echo "| | |"; echo "|---|---|"
	echo "| server | $(in_private postgres --version) |"
	echo "| cores, with fsync on one disk | $(nproc) |"
	echo "| rounds, seconds for each side | $rounds, $duration |"
	compare_throughput
	echo; echo "| a move, while 4 clients claim $claim_rate a second | in all | calls held up | calls that failed |"; echo "|---|---|---|---|"
	for size in $sizes; do
		add "size$size" s1 $((size / 2)) $((size / 2))
		in_private contrib/scale/aliases
		move_while_selling "size$size" s2 "$size accounts"
		move_while_selling "size$size" s3 "$size accounts, copied ahead" --ahead
	done
}

install_missing $(to_build) $(to_test)
make_private_place
in_private make -s "-j$(nproc)" install
start_all
each=$((duration * rounds * max_tps))
add one0 s1 $((4 * each)) 0	# of which all sides claim
add one1 s1 $each 0
add one2 s1 $each 0
add three1 s2 $each 0
add three2 s3 $each 0
in_private env AWSPOOL_POOLER= contrib/scale/aliases
trap end_children EXIT
in_private pgbouncer -q "$work/pgbouncer.ini" 2>/dev/null &
until in_private psql -XqAt -p 6432 -U pgbouncer -d pgbouncer -c 'SHOW VERSION' >/dev/null 2>&1; do sleep 0.1; done

report | tee "$work/report.md"
cat "$work/moves" >&2
if [ -n "${PUBLISH-}" ]; then
	publish doc/scale.md 'What was measured'
fi
