#!/bin/bash
# make portal: the portal on the pool of a throw-away server (contrib/portal.sql)
# or, with PGHOST, on the one that PGHOST, PGPORT and PGDATABASE name, which is
# not changed.  PORT=8080 is where it listens, for this machine alone.
#
# make test-portal: use it as a person would, in a browser without a screen
# (test/portal.mjs), and end with "N passed, N failed".  With SCREENSHOTS=folder
# it leaves pictures there.

set -euo pipefail
cd "$(dirname "$0")/.."
[ -z "${PGHOST-}" ] || SERVER=${SERVER:-15}	# none is needed
. test/lib.sh

packages="adminer php-cgi php-cli php-pgsql"

# Debian 13 has Adminer 5, whose hooks are others.  Where nothing is known of the
# package yet, its installation will tell.
look_for_adminer()
{
	local version

	version=$(apt-cache policy adminer 2>/dev/null | awk '$1 == "Candidate:" && $2 != "(none)" { print $2 }') || true
	[ -z "$version" ] || [[ $version == 4.8.* ]] ||
		give_up "The portal needs Adminer 4.8 of Debian 12, and this release has $version." \
			"On Debian 12 it also works for a server elsewhere: PGHOST=... make portal"
}

# The first free port.
find_port()
{
	port=${PORT:-8080}
	while (: </dev/tcp/127.0.0.1/$port) 2>/dev/null; do
		[ -z "${PORT-}" ] || give_up "Something listens on port $port already."
		port=$((port + 1))
	done
}

# Serve the portal, and nothing else that is in its folder; PGHOST and friends are
# arguments.  Several processes: one that imports keeps nobody else waiting.
serve()
{
	"${as_server[@]}" mkdir -p "$work/portal" "$work/php"
	tar -C contrib/portal -c . | "${as_server[@]}" tar -x -C "$work/portal"
	(cd "$work/portal" && exec "${as_server[@]}" env -i PATH="$PATH" LANG=C.UTF-8 \
		PHP_CLI_SERVER_WORKERS=4 "$@" php -S "127.0.0.1:$port" -t "$work/portal" \
		-d session.save_path="$work/php" -d upload_tmp_dir="$work/php" -d max_input_vars=5000 \
		-d upload_max_filesize=64M -d post_max_size=65M -d memory_limit=1G \
		-d display_errors=0 -d log_errors=1)
}

# A server that asks everybody but its superuser for a password.
start_pool()
{
	install_missing $(to_build) $packages "$@"
	make_private_place
	slowly "building awspool for PostgreSQL $SERVER (half a minute)" \
		in_private make "-j$(nproc)" install with_llvm=no
	slowly "starting a server in $work (a few seconds)" start_server
	in_private tee "$work/data/pg_hba.conf" >/dev/null <<-END
		local all $superuser trust
		local all all scram-sha-256
	END
	quietly in_private pg_ctl -D "$work/data" reload
	quietly in_private createdb pool
	quietly in_private psql -Xq -d pool -f contrib/portal.sql
}

# npm's settings are the caller's.
test_portal()
{
	local npm=

	command -v npm >/dev/null || npm=npm
	start_pool chromium nodejs $npm fonts-dejavu-core
	mkdir -p "$work/npm"
	(cd "$work/npm" && slowly "fetching playwright-core (half a minute)" \
		npm install --no-save --no-audit --no-fund --cache "$work/npm/cache" playwright-core@1.65)
	chmod -R a+rX "$work/npm"
	serve PGHOST="$work" PGPORT=5432 PGDATABASE=pool >"$work/php.log" 2>&1 &
	add_up in_private env NODE_PATH="$work/npm/node_modules" PGDATABASE=pool \
		ADDRESS="http://127.0.0.1:$port/" PHP_LOG="$work/php.log" node test/portal.mjs
	if [ -n "${SCREENSHOTS-}" ]; then
		mkdir -p "$SCREENSHOTS"
		cp "$work"/*.png "$SCREENSHOTS"
	fi
	end_children
	finish
}

look_for_adminer
find_port
if [ "${1-}" = test ]; then
	test_portal
elif [ -n "${PGHOST-}" ]; then
	[ "$(id -u)" != 0 ] || as_server=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
	install_missing $packages
	look_for_adminer
	make_place
	echo "http://127.0.0.1:$port/ is the portal on the server at $PGHOST; ^C ends it."
	serve PGHOST="$PGHOST" PGPORT="${PGPORT:-5432}" PGDATABASE="${PGDATABASE:-postgres}" \
		${PGSSLMODE:+PGSSLMODE="$PGSSLMODE"} ${PGSSLROOTCERT:+PGSSLROOTCERT="$PGSSLROOTCERT"} 2>/dev/null
else
	start_pool
	cat <<-END
		http://127.0.0.1:$port/ is the portal, for roles acme_app, globex_app, both_app and
		viewer_app with passwords acme, globex, both and viewer.  ^C ends it, and removes it all.
	END
	serve PGHOST="$work" PGPORT=5432 PGDATABASE=pool 2>/dev/null
fi
