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

is_used()
{
	(: </dev/tcp/127.0.0.1/"$1") 2>/dev/null
}

# Ports where nobody listens: PORT or the first that is free, and the next free one.
find_ports()
{
	port=${PORT:-8080}
	while is_used $port; do
		[ -z "${PORT-}" ] || give_up "Something listens on port $port already."
		port=$((port + 1))
	done
	next_port=$((port + 1))
	while is_used $next_port; do next_port=$((next_port + 1)); done
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
	look_for_adminer
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

# recipe FROM TO: these lines of SECURITY.md, with the paths and the user of our place.
recipe()
{
	sed -n "/$1/,/$2/p" SECURITY.md |
		sed "s,www-data,$(in_private id -un),; s,/run/php,$work,; s,/srv/portal,$work/portal,; s,/var/lib/portal,$work/php,; s,db\.example\.org,$work,"
}

# What SECURITY.md says of php-fpm and nginx, with a certificate that nobody signed.
serve_recipe()
{
	in_private openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null
	{
		printf '[global]\nerror_log = %s/fpm.log\n' "$work"
		recipe '\/portal\.conf$' ^php_admin_flag
	} >"$work/fpm.conf"
	{
		echo "pid $work/nginx.pid; error_log $work/nginx.log; events {} http { include /etc/nginx/mime.types;"
		printf '%s_temp_path %s/nginx;\n' client_body "$work" proxy "$work" fastcgi "$work" uwsgi "$work" scgi "$work"
		echo "access_log off; server { listen 127.0.0.1:$next_port ssl;"
		echo "ssl_certificate $work/cert.pem; ssl_certificate_key $work/key.pem;"
		recipe 'in the server block' '^}' | sed 's,include ,&/etc/nginx/,'
		echo "} }"
	} >"$work/nginx.conf"
	in_private "$(ls /usr/sbin/php-fpm* | tail -1)" -F -y "$work/fpm.conf" >"$work/fpm.out" 2>&1 &
	in_private nginx -c "$work/nginx.conf" -g 'daemon off;' >"$work/nginx.out" 2>&1 &
}

# npm's settings are the caller's.
test_portal()
{
	local npm=

	command -v npm >/dev/null || npm=npm
	start_pool chromium nodejs $npm fonts-dejavu-core php-fpm nginx-light openssl
	mkdir -p "$work/npm"
	(cd "$work/npm" && slowly "fetching playwright-core (half a minute)" \
		npm install --no-save --no-audit --no-fund --cache "$work/npm/cache" playwright-core@1.65)
	chmod -R a+rX "$work/npm"
	serve PGHOST="$work" PGPORT=5432 PGDATABASE=pool >"$work/php.log" 2>&1 &
	serve_recipe
	add_up in_private env NODE_PATH="$work/npm/node_modules" PGDATABASE=pool \
		ADDRESS="http://127.0.0.1:$port/" RECIPE="https://127.0.0.1:$next_port/" PHP_LOG="$work/php.log" node test/portal.mjs
	if [ -n "${SCREENSHOTS-}" ]; then
		mkdir -p "$SCREENSHOTS"
		cp "$work"/*.png "$SCREENSHOTS"
	fi
	end_children
	finish
}

look_for_adminer
find_ports
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
