#!/bin/bash
# Have the real exporter and the real Prometheus watch a pool that runs dry, a
# stuck order and an old prepared transaction, see that contrib/monitoring tells
# of each, and no more once it is over; and end with "N passed, N failed".
#
# Debian's packages are unpacked in the private place, not installed: that would
# start both on this machine.  They get a folder there: what dpkg-deb unpacks over
# the copy of the server would be root's, and the server's user could not install.

set -euo pipefail
cd "$(dirname "$0")/.."
. test/lib.sh

folder=contrib/monitoring

fetch_programs()
{
	(cd "$work" && apt-get -qq download prometheus prometheus-postgres-exporter &&
		for package in *.deb; do dpkg-deb -x "$package" "$programs" || exit; done)
}

free_port()
{
	python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}

sql()
{
	in_private psql -XqAt -v ON_ERROR_STOP=1 -c "$1" >/dev/null
}

# check NAME COMMAND...
check()
{
	if "${@:2}"; then
		echo "ok: $1"
		passed=$((passed + 1))
	else
		echo "not ok: $1"
		failed=$((failed + 1))
	fi
}

check_quietly()
{
	check "$1" quietly in_private "${@:2}"
}

# Print what an address of ours says.
get()
{
	python3 -c 'import sys, urllib.request
print(urllib.request.urlopen(sys.argv[1], timeout=10).read().decode())' "$1" 2>/dev/null
}

firing()
{
	get "http://127.0.0.1:$prometheus_port/api/v1/alerts" | python3 -c 'import json, sys
for alert in json.load(sys.stdin)["data"]["alerts"]:
    if alert["state"] == "firing":
        print(alert["labels"]["alertname"], alert["labels"].get("marketplace", ""))' | sort -u
}

# eventually CONDITION...: wait for it, a minute at most.
eventually()
{
	local patience=120

	until "$@"; do
		((patience-- > 0)) || return 1
		sleep 0.5
	done
}

is_firing()
{
	[ "$(firing)" = "$1" ]
}

has_metric()
{
	get "http://127.0.0.1:$exporter_port/metrics" >"$work/metrics" &&
		grep -qF "$1" "$work/metrics"
}

# The same rules in a hurry: nothing has to last, and seconds stand for minutes.
hurry()
{
	sed -E 's/^( +for:) .*/\1 0s/; s/> 300$/> 5/' "$folder/rules.yaml"
}

start_exporter()
{
	in_private env DATA_SOURCE_NAME="host=$work user=awspool_monitor dbname=postgres sslmode=disable" \
		"$programs/usr/bin/prometheus-postgres-exporter" \
		--web.listen-address="127.0.0.1:$exporter_port" --disable-default-metrics \
		--disable-settings-metrics --extend.query-path="$folder/queries.yaml" \
		>"$work/exporter.log" 2>&1 &
}

start_prometheus()
{
	hurry | "${as_server[@]}" tee "$work/rules.yaml" >/dev/null
	"${as_server[@]}" tee "$work/prometheus.yaml" >/dev/null <<-END
		global: {scrape_interval: 1s, evaluation_interval: 1s}
		rule_files: [rules.yaml]
		scrape_configs:
		- job_name: awspool
		  static_configs: [{targets: ['127.0.0.1:$exporter_port']}]
	END
	in_private "$programs/usr/bin/prometheus" --config.file="$work/prometheus.yaml" \
		--storage.tsdb.path="$work/tsdb" --web.listen-address="127.0.0.1:$prometheus_port" \
		>"$work/prometheus.log" 2>&1 &
}

install_missing $(to_build) python3
make_private_place
programs=$work/programs
quietly fetch_programs || give_up "the packages could not be fetched"
in_private make -s install
start_server -c max_prepared_transactions=2
exporter_port=$(free_port)
prometheus_port=$(free_port)

sql "CREATE EXTENSION awspool"
sql "CREATE ROLE awspool_monitor LOGIN; GRANT pg_read_all_stats TO awspool_monitor"
sql "SELECT awspool.grant_viewer('*', 'awspool_monitor')"
for i in 1 2 3 4; do
	sql "SELECT awspool.add_account('acme', '00000000000$i', 'MP-000$i', 'SPAM')"
	sql "SELECT awspool.configure_pool('acme', 'MP-000$i', low_water => 1, deadline => '1 hour')"
done

check_quietly "the rules are well-formed" \
	"$programs/usr/bin/promtool" check rules "$folder/rules.yaml"
check_quietly "the alerts fire and resolve when they should" \
	"$programs/usr/bin/promtool" test rules "$folder/rules-test.yaml"

start_exporter
start_prometheus
check "the exporter sees the pools, as a role that may look" \
	eventually has_metric 'awspool_pool_ready{marketplace="MP-0001",provider="acme"'
check "and has no trouble" grep -q '^pg_exporter_last_scrape_error 0$' "$work/metrics"
check "nothing is wrong with a pool where nothing is" eventually is_firing ""

sql "SELECT awspool.claim_account('acme', 'MP-0001', 'order-1');
	SELECT awspool.allocate_account('acme', '000000000001')"
check "a pool runs dry, which is below its low-water mark, too" \
	eventually is_firing "AwspoolDry MP-0001"$'\n'"AwspoolLow MP-0001"
sql "SELECT awspool.add_account('acme', '000000000011', 'MP-0001', 'SPAM')"
check "and is filled" eventually is_firing ""

sql "SELECT awspool.add_account('acme', '000000000012', 'MP-0002', 'SPAM')"
sql "SELECT awspool.configure_pool('acme', 'MP-0002', deadline => '1 second');
	SELECT awspool.claim_account('acme', 'MP-0002', 'order-2')"
check "an order is stuck" eventually is_firing "AwspoolOverdue MP-0002"
sql "SELECT awspool.fail_account('acme', '000000000002', 'gave up')"
check "and ends" eventually is_firing ""

sql "BEGIN; SELECT awspool.claim_account('acme', 'MP-0003', 'order-3'); PREPARE TRANSACTION 'forgotten'"
check "a prepared transaction is old, and holds an account" \
	eventually is_firing "AwspoolBlocked MP-0003"$'\n'"AwspoolPreparedOld "
sql "ROLLBACK PREPARED 'forgotten'"
check "and is decided" eventually is_firing ""

sql "INSERT INTO awspool.account (provider, account_id, marketplace, model, status, order_model, claimed_at, claimed_by)
	VALUES ('acme', '000000000013', 'MP-0004', 'SPAM', 'provisioning_in_progress', 'SPAM', '-infinity', 'somebody')"
check "an order is stuck since for ever" eventually is_firing "AwspoolOverdue MP-0004"
sql "SELECT awspool.fail_overdue('acme')"
check "and ends" eventually is_firing ""

# To whom nothing was granted nothing is shown, which is no error.
sql "SELECT awspool.revoke_viewer('*', 'awspool_monitor')"
check "the role may not look any more" eventually is_firing "AwspoolUnknown "
sql "SELECT awspool.grant_viewer('*', 'awspool_monitor')"
check "and may again" eventually is_firing ""

in_private pg_ctl -s -D "$work/data" -m fast stop
check "the database is gone" eventually is_firing "AwspoolUnknown "
end_children
finish
