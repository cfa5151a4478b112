#!/bin/bash
# make demo: build awspool, start a throw-away server and show the life of an
# account on it, and what needs a person (doc/demo.sql).  make demo-psql then leaves you in psql there, as
# the provider's role; the server goes when you do.

set -euo pipefail
cd "$(dirname "$0")/.."
. test/lib.sh

install_missing $(to_build)
make_private_place
slowly "building awspool for PostgreSQL $SERVER (half a minute)" \
	in_private make "-j$(nproc)" install with_llvm=no
slowly "starting a server in $work (a few seconds)" start_server -c max_prepared_transactions=5
in_private psql -Xq -f doc/demo.sql

if [ "${1-}" = psql ]; then
	in_private psql -Xq -P pager=off -f doc/functions.sql
	cat <<-END
		The pool is yours.  You are acme_app, who acts for provider acme; the superuser
		is there with \\connect - postgres, and that list again with \\i doc/functions.sql.
		\\q ends, and removes it all.
	END
	trap : INT	# ^C is for a query in psql
	in_private psql -X -U acme_app
fi
