#!/bin/bash
# make test-deb: the Debian packages as people meet them, for each of the server
# versions named, in the Debian release that has it.  Ends with "N passed, N
# failed"; a server 19 that cannot be had is "1 skipped".
#
# The package is built twice, at other places and hours of the world: it has to be
# the same.  That is done on this machine if it is of the release, or else in the
# folder of test/servers.sh.  Then it is installed in another folder, made for
# that, which has neither the sources nor a compiler: there debian/tests/use runs,
# a pool of 1.0 is updated, and the package removed.  At last autopkgtest does what
# debian/tests says, in the same folder.  With SAMPLE=yes it is built once, and
# what debian/tests/use does is all that runs of debian/tests.

set -euo pipefail
cd "$(dirname "$0")/.."
SERVER=${SERVER:-$1}
. test/lib.sh

check()
{
	if "${@:2}"; then
		passed=$((passed + 1))
		echo "ok - $1"
	else
		failed=$((failed + 1))
		echo "not ok - $1"
	fi
}

# Where the server is: the package, in $1/a, and what lintian says of it.
build_package()
{
	mkdir -p "$1/a"
	OUT=$1/a bash debian/make.sh || return
	[ -n "${SAMPLE-}" ] || check "the same package when built elsewhere" same_elsewhere "$1"
	install_missing lintian
	check "lintian has nothing to say" [ -z "$(lintian --allow-root "$1"/a/*.deb | tee /dev/stderr)" ]
	check "links in its documents lead somewhere" links_resolve "$1"
}

same_elsewhere()
{
	mkdir "$1/b"
	(umask 077; TMPDIR=/var/tmp TZ=Pacific/Apia OUT=$1/b bash debian/make.sh) || return
	[ "$(cd "$1/a" && sha256sum *.deb)" = "$(cd "$1/b" && sha256sum *.deb)" ]
}

# A document may have no links, all of them together have some.
links_resolve()
{
	local folder=$1/content file link ok=no

	dpkg-deb -x "$1"/a/*.deb "$folder"
	while IFS=: read -r file link; do
		ok=yes
		[ -e "${file%/*}/$link" ] || { echo "$file: $link"; return 1; }
	done < <(grep -roE --include='*.md' '\]\([^):#]+[)#]' "$folder/usr/share/doc" |
		sed 's/:\](/:/; s/[)#]$//')
	[ $ok = yes ]
}

# In the bare folder, as root.
use_it()
{
	check "a newcomer's first steps" bash /use
	check "a pool of 1.0 is updated" pg_virtualenv -v "$SERVER" bash -e <<-'END'
		psql -XqAt -v ON_ERROR_STOP=1 -d postgres >/tmp/out <<-'SQL'
			CREATE EXTENSION awspool VERSION '1.0';
			SELECT awspool.grant_provider('acme', current_user);
			INSERT INTO awspool.accounts (provider, account_id, marketplace, model)
			  SELECT 'acme', to_char(i, 'FM000000000000'), 'MP-0000', 'SPAM' FROM generate_series(1, 1000) i;
			SELECT count(*) FROM generate_series(1, 10) i, awspool.claim_account('acme', 'MP-0000', 'order-' || i);
			ALTER EXTENSION awspool UPDATE;
			SELECT extversion FROM pg_extension WHERE extname = 'awspool';
			SELECT ready, provisioning_in_progress FROM awspool.pool_status;
			SELECT account_id FROM awspool.claim_account('acme', 'MP-0000', 'order-3');
			SELECT account_id FROM awspool.claim_account('acme', 'MP-0000', 'order-11');
		SQL
		diff <(tail -n 4 /tmp/out) <(printf '%s\n' 1.1 '990|10' 000000000003 000000000011)
	END
	check "it is removed" quietly apt-get -y purge "postgresql-$SERVER-awspool"
	check "and nothing stays" [ -z "$(find /etc /usr /var/lib -name '*awspool*')" ]
}

case ${1-} in
	build_package | use_it)
		"$@"
		finish
		;;
esac

debootstrap_suite()
{
	case $SERVER in 15) echo bookworm ;; 17) echo trixie ;; *) echo sid ;; esac
}

# Leave $packages, a folder with the package in a; returns what make_root does.
build_it()
{
	if [ "$(. /etc/os-release; echo "$VERSION_CODENAME")" = "$(debootstrap_suite)" ]; then
		root=
		[ -n "$work" ] || make_place
		packages=$work/packages
		as_root rm -rf "$packages"
		add_up env SERVER="$SERVER" bash test/deb.sh build_package "$packages"
	else
		make_root || return
		packages=$root/packages-made
		as_root rm -rf "$packages"
		add_up in_root test/deb.sh build_package /packages-made
	fi
}

# Make $bare, a folder with nothing but the release, and install the package.  As
# on every Debian, its security updates are at hand: what was built with a newer
# server than the one to be had is not installed.
install_it()
{
	install_missing debootstrap
	bare=$top/.servers/bare-$SERVER
	as_root umount "$bare/proc" 2>/dev/null || true		# of a run that was killed
	as_root rm -rf --one-file-system "$bare"
	as_root mkdir -p "$bare"
	quietly as_root debootstrap --variant=minbase "$(debootstrap_suite)" "$bare" || return
	if [ "$SERVER" = 19 ]; then
		as_root cp -a "$root/etc/apt/sources.list.d" "$root/etc/apt/preferences.d" "$bare/etc/apt/"
	elif [ "$(debootstrap_suite)" != sid ]; then
		sed 's,/debian \([a-z]*\) main,/debian-security \1-security main,' "$bare/etc/apt/sources.list" |
			as_root tee "$bare/etc/apt/sources.list.d/security.list" >/dev/null
	fi
	as_root cp "$packages"/a/*.deb debian/tests/use test/deb.sh test/lib.sh "$bare/"
	as_root mkdir "$bare/test"
	as_root mv "$bare/deb.sh" "$bare/lib.sh" "$bare/test/"
	as_root mkdir -p "$bare/etc/postgresql-common"
	as_root tee "$bare/etc/postgresql-common/createcluster.conf" >/dev/null <<<'create_main_cluster = false'
	quietly in_bare apt-get -o Acquire::Check-Valid-Until=false update || return
	quietly in_bare apt-get -y --no-install-recommends -o Dpkg::Options::=--force-confold \
		install "/${package##*/}"
}

in_bare()
{
	as_root chroot "$bare" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin SERVER="$SERVER" \
		DEBIAN_FRONTEND=noninteractive "$@"
}

# What debian/tests says, as Debian's own machines do it: with the sources, and
# the package alone instead of what they make.
autopkgtest()
{
	quietly in_bare apt-get -y --no-install-recommends install autopkgtest || return
	copy_project | as_root tar -x --no-same-owner --one-top-level="$bare/awspool"
	quietly in_bare env -C /awspool autopkgtest --env=PG_SUPPORTED_VERSIONS="$SERVER" \
		--no-built-binaries "/${package##*/}" . -- null
}

for SERVER; do
	if ! build_it; then
		if [ "$SERVER" = 19 ]; then
			echo "skipped: server 19 cannot be had, which is in no Debian release yet; see above"
			skipped=$((skipped + 1))
		else
			check "the folder for server $SERVER is made" false
		fi
		continue
	fi
	package=$(echo "$packages"/a/*.deb)
	was_failed=$failed
	check "installed on a bare $(debootstrap_suite)" install_it
	if [ "$failed" = "$was_failed" ]; then
		as_root mount --bind /proc "$bare/proc"
		add_up in_bare bash /test/deb.sh use_it
		[ -n "${SAMPLE-}" ] || check "autopkgtest" autopkgtest
		as_root umount "$bare/proc"
	fi
	as_root rm -rf --one-file-system "$bare" "$packages"
done
finish
