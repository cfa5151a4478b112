# What the scripts behind the goals of the Makefile share.  To be sourced.
#
# A server does not run as root, its installation is not ours to write to, and
# the checkout may be closed to the user who can run a server.  So all work is
# done in a private place, as user postgres if we are root:
#
#	$work/awspool    a copy of the project
#	$work/usr/...    a copy of the server, which finds its files relative to
#	                 its programs, and so will find our extension there
#	$work/data       a cluster whose only socket is in $work
#	$work/small      a small disk, for test/t/full_disk.pl
#
# The place is gone when the script ends, whichever way that is.

SERVER=${SERVER:-15}
PATH=$PATH:/usr/sbin:/sbin
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
passed=0
failed=0

# Whoever works in the private place; a prefix to a command.
as_server=()
if [ "$(id -u)" = 0 ]; then
	as_server=(setpriv --reuid=postgres --regid=postgres --init-groups)
fi

# A signal ends the script, and so tidies up, once what runs now has ended.
trap 'exit 1' HUP INT TERM

to_build()
{
	echo make gcc libc6-dev "postgresql-$SERVER" "postgresql-server-dev-$SERVER"
}

to_test()
{
	echo "postgresql-$SERVER-pgtap" libdbd-pg-perl libipc-run-perl \
		libtap-parser-sourcehandler-pgtap-perl pgbouncer python3
}

as_root()
{
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# Run a command whose output matters only if it fails.
quietly()
{
	local output

	output=$("$@" 2>&1 </dev/null) || { tail -n 50 <<<"$output" >&2; return 1; }
}

apt_install()
{
	quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get -y \
		--no-install-recommends -o DPkg::Lock::Timeout=300 install "$@"
}

# Debian starts a pooler on port 6432 when it is installed, and at each boot.  Not
# here.
install_pooler()
{
	local policy=/usr/sbin/policy-rc.d

	(
		trap "as_root rm -f $policy; [ ! -e $policy.awspool ] ||
			as_root mv $policy.awspool $policy" EXIT
		[ ! -e $policy ] || as_root mv $policy $policy.awspool
		as_root install -m 755 /dev/stdin $policy <<<$'#!/bin/sh\nexit 101'
		apt_install pgbouncer
	)
	as_root update-rc.d pgbouncer disable
}

# Install the Debian packages that are not there yet.
install_missing()
{
	local package missing=() conf=/etc/postgresql-common/createcluster.conf

	for package; do
		dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null |
			grep -qx installed || missing+=("$package")
	done
	[ ${#missing[@]} != 0 ] || return 0

	echo "installing ${missing[*]}"
	quietly as_root apt-get update || echo "going on with the old package lists"
	if [[ " ${missing[*]} " == *" pgbouncer "* ]]; then
		install_pooler
	fi
	if [[ " ${missing[*]} " != *" postgresql-$SERVER "* ]]; then
		apt_install "${missing[@]}"
		return
	fi

	# With a new server version Debian starts a server on port 5432.  Not here.
	apt_install postgresql-common
	as_root sed -i.awspool '$ a create_main_cluster = false' $conf
	(trap "as_root mv $conf.awspool $conf" EXIT; apt_install "${missing[@]}")
}

make_private_place()
{
	local pg_config=/usr/lib/postgresql/$SERVER/bin/pg_config

	work=$("${as_server[@]}" mktemp -d /tmp/awspool.XXXXXX)
	trap clean_up EXIT

	copy_project | "${as_server[@]}" tar -x --one-top-level="$work/awspool"
	"${as_server[@]}" cp -R --parents -t "$work" "$($pg_config --bindir)" \
		"$($pg_config --pkglibdir)" "$($pg_config --sharedir)" "$($pg_config --pkgincludedir)"
}

# The project as a tar stream: what git tracks or would, ignored files left out.
copy_project()
{
	tar -C "$top" -c --exclude-vcs --exclude-vcs-ignores .
}

# Run a command in the private copy, and know nothing of the caller's settings
# but those in "settings", and how many calls test/t/memory.pl shall make.
settings=(${CALLS:+CALLS="$CALLS"})

in_private()
{
	(cd "$work/awspool" && exec "${as_server[@]}" env -i "${settings[@]}" \
		HOME="$work" TMPDIR="$work" LANG=C.UTF-8 TERM="${TERM:-dumb}" \
		PATH="$work/usr/lib/postgresql/$SERVER/bin:$PATH" PGHOST="$work" PGUSER=postgres "$@")
}

# Start a server that may lose its data in a power cut, but has no network port;
# "$@" are more options of it.
start_server()
{
	quietly in_private initdb -D "$work/data" -U postgres -A trust -N --no-locale -E UTF8
	quietly in_private pg_ctl -D "$work/data" -l "$work/server.log" \
		-o "-F -k $work -c listen_addresses= $*" start
}

# Mount a disk that is soon full.  Who may not do so goes without.
make_small_disk()
{
	"${as_server[@]}" mkdir "$work/small"
	as_root mount -t tmpfs -o "size=32m,mode=700,uid=$("${as_server[@]}" id -u)" \
		tmpfs "$work/small"
}

# Stop what runs in the private place, tests' own servers included.
clean_up()
{
	local pid_file

	find "$work" -name postmaster.pid | while read -r pid_file; do
		in_private pg_ctl -s -D "${pid_file%/*}" -m immediate stop
	done || true
	remove_private_place || { sleep 3; remove_private_place; }	# one was still dying
}

remove_private_place()
{
	if mountpoint -q "$work/small"; then
		as_root umount "$work/small" || return
	fi
	rm -rf "$work"
}

# Make $root for server $SERVER, the folder of the Debian release that has it.  It
# is kept under .servers; remove it, as root, to have it made anew.  A complete
# one says which packages it was made with.
make_root()
{
	local packages release

	case $SERVER in
		15) release=bookworm ;;
		17) release=trixie ;;
		18) release=sid ;;
		*) echo "no Debian release is known for server $SERVER" >&2; exit 1 ;;
	esac
	root=$top/.servers/$release

	packages=$(echo $(to_build) $(to_test) | tr ' ' ,)
	if [ "$(cat "$root/packages" 2>/dev/null)" = "$packages" ]; then
		return
	fi

	install_missing debootstrap
	echo "making $root, which takes some minutes"
	mkdir -p .servers
	# A debootstrap that was killed leaves these mounted.
	as_root umount "$root/proc" "$root/sys" 2>/dev/null || true
	as_root rm -rf --one-file-system "$root"
	quietly as_root debootstrap --variant=minbase --include="$packages" \
		"$release" "$root" || return
	as_root chmod 1777 "$root/dev/shm"
	as_root tee "$root/packages" >/dev/null <<<"$packages"
}

# Run a script of the project in there.
in_root()
{
	as_root rm -rf "$root/awspool"
	copy_project | as_root tar -x --no-same-owner --one-top-level="$root/awspool"
	as_root chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin SERVER="$SERVER" \
		REGRESS="${REGRESS-}" ISOLATION="${ISOLATION-}" PROVE_TESTS="${PROVE_TESTS-}" \
		PGTAP="${PGTAP-}" OLD_SERVERS="${OLD_SERVERS-}" bash "/awspool/$1" "${@:2}"
}

# Run tests that end with "N passed, N failed", and add these to ours.
add_up()
{
	local good bad ok=yes

	log=$(mktemp)
	trap 'rm -f "$log"' EXIT
	"$@" 2>&1 | tee "$log" || ok=no
	read -r good _ bad _ <<<"$(grep -xE '[0-9]+ passed, [0-9]+ failed' "$log" | tail -n 1)"
	rm "$log"

	if [ $ok = no ] && [ "${bad:-0}" = 0 ]; then
		bad=1
	fi
	passed=$((passed + ${good:-0}))
	failed=$((failed + ${bad:-0}))
}

finish()
{
	echo "$passed passed, $failed failed"
	exit $((failed > 0))
}
