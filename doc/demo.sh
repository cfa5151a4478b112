#!/bin/bash
# make demo: build awspool, start a throw-away server and show the life of an
# account on it (doc/demo.sql).  make demo-psql then leaves you in psql there;
# the server goes when you do.

set -euo pipefail
cd "$(dirname "$0")/.."
. test/lib.sh

install_missing $(to_build)
echo "building awspool for PostgreSQL $SERVER, and a server to show it on"
make_private_place
quietly in_private make install
start_server
in_private psql -Xq -d postgres -f doc/demo.sql

if [ "${1-}" = psql ]; then
	echo 'The pool is yours: \df awspool.* lists the functions, \q ends and removes it all.'
	trap : INT	# ^C is for a query in psql
	in_private psql -X -d postgres
fi
