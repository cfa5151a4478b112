#!/bin/bash
# Run the programs in test/clients, one for each driver and object mapper, and
# end with "N passed, N failed".  Each finds a database of its own, with what is
# in setup.sql, and logs in as a role that acts for one provider.
#
#	make test-clients                       all of them
#	make test-clients CLIENTS="drizzle.js Jdbc.java"
#
# What Debian has comes from there: its SQLAlchemy and Django are of a time
# before psycopg 3, and use psycopg2.  What is for Node.js comes from npm, of the
# versions in package.json; where npm reaches no registry, or one that refuses us
# or takes minutes, those are skipped.

set -euo pipefail
cd "$(dirname "$0")/.."
. test/lib.sh

CLIENTS=${CLIENTS:-$(cd test/clients && ls *.py *.js *.java)}

# The packages that the programs of a kind need.
packages_for()
{
	case $1 in
		psycopg3.py) echo python3-psycopg ;;
		sqlalchemy_orm.py) echo python3-sqlalchemy python3-psycopg2 ;;
		django_orm.py) echo python3-django python3-psycopg2 ;;
		*.js) echo nodejs $(command -v npm >/dev/null || echo npm) ;;
		*.java) echo default-jdk-headless libpostgresql-jdbc-java ;;
	esac
}

# No network port but for who knows nothing else, and one that is free.
free_port()
{
	in_private /usr/bin/python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}

# As whoever runs us, who knows the way to the registry.
as_caller()
{
	(cd "$work/awspool/test/clients" && "$@")
}

# Returns $not_to_be_had if it is the registry, or the way there, that fails us.
install_for_node()
{
	local log=$work/npm.log status=0
	local refused='code (E(AI_AGAIN|NOTFOUND|CONN[A-Z]+|TIMEDOUT|(HOST|NET)UNREACH|[45][0-9]{2})|.*(TIMEOUT|CERT|SSL|TLS|PROXY))'

	as_caller timeout 300 npm install --no-audit --no-fund --fetch-timeout=60000 \
		--fetch-retry-maxtimeout=10000 >"$log" 2>&1 || status=$?
	[ $status = 0 ] || cat "$log"
	if [ $status = 124 ] || { [ $status != 0 ] && grep -qE "$refused" "$log"; }; then
		status=$not_to_be_had
	fi
	return $status
}

run_client()
{
	local command=(/usr/bin/python3)

	case $1 in
		*.js) command=(node) ;;
		*.java) command=(java -cp /usr/share/java/postgresql.jar) ;;
	esac
	in_private createdb -T template0 "$1" &&
		in_private psql -Xq -v ON_ERROR_STOP=1 -o /dev/null -d "$1" \
			-f test/clients/setup.sql &&
		in_private env -C test/clients PGUSER=shop PGDATABASE="$1" PGPORT="$port" \
			"${command[@]}" "$1"
}

skip_javascript()
{
	local client rest=()

	for client in $CLIENTS; do
		if [[ $client == *.js ]]; then
			echo "skipped $client: npm has it from no registry, see above"
			skipped=$((skipped + 1))
		else
			rest+=("$client")
		fi
	done
	CLIENTS=${rest[*]}
}

# Java cannot be installed where Debian came without the folder for its manuals.
if [[ $CLIENTS == *.java* ]] && [ ! -d /usr/share/man/man1 ] && can_be_root; then
	as_root mkdir -p /usr/share/man/man1
fi
install_missing $(to_build) python3 $(for client in $CLIENTS; do packages_for "$client"; done)
make_private_place
if [[ $CLIENTS == *.js* ]]; then
	fetched=0
	slowly "fetching what is for Node.js (half a minute)" install_for_node || fetched=$?
	case $fetched in
		0) ;;
		"$not_to_be_had") skip_javascript ;;
		*) failed=1; finish ;;
	esac
fi
in_private make -s "-j$(nproc)" install COPT=-Werror
port=$(free_port)
start_server -c listen_addresses=127.0.0.1 -c port="$port"
settings+=(PGPORT="$port")
in_private psql -Xq -c 'CREATE ROLE shop LOGIN'

for client in $CLIENTS; do
	if run_client "$client"; then
		echo "ok      $client"
		passed=$((passed + 1))
	else
		echo "FAILED  $client"
		failed=$((failed + 1))
	fi
done
finish
