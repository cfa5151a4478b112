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
# It is in TMPDIR, or in /tmp, and gone when the script ends, whichever way that
# is: see supervise.  SERVER, if not given, is the newest that is installed here
# or, with none, the one that this Debian release offers.

PATH=$PATH:/usr/sbin:/sbin
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=
bases=(${TMPDIR:+"$TMPDIR"} /tmp /var/tmp)
passed=0
failed=0
skipped=0

# What the superuser of our server is called: anything, to the tests.
superuser=postgres

# Whoever works in the private place; a prefix to a command.
as_server=()
if [ "$(id -u)" = 0 ]; then
	as_server=(setpriv --reuid=postgres --regid=postgres --init-groups)
fi

# Say what stops us, and end.
give_up()
{
	printf '%s\n' "$@" >&2
	exit 1
}

as_root()
{
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# Run the script, as a child that is named its place, and tidy up after it.
#
# A shell that runs a command hears of a signal when that has ended, and what is
# in the midst of tidying up must not be told to end.  So this one only waits.
# It ends the script when it is told to (QUIT, TERM), or its terminal is closed
# (HUP), which sends more than one signal, to all that ran in it: nothing that
# tidies up minds any.  ^C is the script's: it ends that, or a query in psql.
supervise()
{
	local script=$0 child status

	[[ $script = /* ]] || script=${OLDPWD:-$PWD}/$script
	{ : <&0; } 2>/dev/null || exec </dev/null
	export AWSPOOL_PLACE=$(mktemp -u awspool.XXXXXX)
	trap 'tidy_up; exit 1' HUP QUIT TERM
	env --default-signal=INT,QUIT bash "$script" "$@" <&0 &
	child=$!
	trap 'kill -INT $child 2>/dev/null || true' INT		# it may be gone
	while :; do
		status=0
		wait $child || status=$?
		kill -0 $child 2>/dev/null || break
	done
	tidy_up
	exit $status
}

# End what the script still has running, stop the servers in its place, tests'
# own included, and remove that.
tidy_up()
{
	local base

	trap '' HUP INT QUIT TERM PIPE
	set +e
	end_children
	for base in "${bases[@]}"; do
		work=$base/$AWSPOOL_PLACE
		rm -f "$work.log"
		[ -d "$work" ] || continue
		stop_servers
		remove_private_place || { sleep 3; remove_private_place; }	# one was still dying
	done
}

stop_servers()
{
	local pid_file

	find "$work" -name postmaster.pid | while read -r pid_file; do
		(cd "$work" && exec "${as_server[@]}" "$work"/usr/lib/postgresql/*/bin/pg_ctl \
			-s -D "${pid_file%/*}" -m immediate stop) 2>/dev/null	# it may be gone
	done
}

remove_private_place()
{
	if mountpoint -q "$work/small"; then
		as_root umount "$work/small" || return
	fi
	rm -rf "$work"
}

# End all processes that we began and those that they began, and wait for them:
# they may have to tidy up as well.
end_children()
{
	local running=() pid patience=600

	note_children $$
	for pid in "${running[@]}"; do
		kill "$pid" 2>/dev/null || true		# it may be gone
	done
	for pid in "${running[@]}"; do
		while is_running "$pid" && ((patience-- > 0)); do sleep 0.1; done
	done
}

# A process that has ended may still be listed, as Z: nobody asked how it ended.
is_running()
{
	local stat

	stat=$(cat "/proc/$1/stat" 2>/dev/null) && [[ $stat != *") Z "* ]]
}

note_children()
{
	local pid

	for pid in $(cat "/proc/$1/task/"*/children 2>/dev/null); do
		running+=("$pid")
		note_children "$pid"
	done
}

# ^C ends the script once what runs now has ended.
if [ -z "${AWSPOOL_PLACE-}" ]; then
	supervise "$@"
fi
place=$AWSPOOL_PLACE
unset AWSPOOL_PLACE
trap 'exit 1' INT

to_build()
{
	echo make gcc libc6-dev "postgresql-$SERVER" "postgresql-server-dev-$SERVER"
}

to_test()
{
	echo $(pgtap_and_cron) $(plproxy) libdbd-pg-perl libipc-run-perl \
		libtap-parser-sourcehandler-pgtap-perl \
		pgbouncer python3
}

# Nobody has built these for server 19 yet; see add_server_19.
pgtap_and_cron()
{
	[ "$SERVER" = 19 ] || echo "postgresql-$SERVER-pgtap postgresql-$SERVER-cron"
}

# What test/t/registry.pl asks a registry with; it does without elsewhere.
plproxy()
{
	[ "$SERVER" != 15 ] || echo "postgresql-$SERVER-plproxy"
}

can_be_root()
{
	[ "$(id -u)" = 0 ] || command -v sudo >/dev/null
}

# Run a command whose output matters only if it fails.
quietly()
{
	local output status=0

	output=$("$@" 2>&1 </dev/null) || status=$?
	[ $status = 0 ] || tail -n 50 <<<"$output" >&2
	return $status
}

# slowly WHAT COMMAND...: run a command that takes its time, quietly.  Says what
# is done and how long it takes as a rule, and then a dot every five seconds.
slowly()
{
	local start=$SECONDS status=0 dots

	echo -n "$1 "
	while sleep 5 >/dev/null 2>&1; do echo -n .; done &
	dots=$!
	quietly "${@:2}" || status=$?
	kill $dots
	wait $dots 2>/dev/null || true
	echo " $((SECONDS - start)) s"
	return $status
}

# A dpkg that is ended half-way leaves the machine's packages broken.
apt_get()
{
	as_root env --ignore-signal=TERM --ignore-signal=HUP \
		DEBIAN_FRONTEND=noninteractive apt-get -y -o DPkg::Lock::Timeout=300 "$@"
}

apt_install()
{
	apt_get --no-install-recommends install "$@"
}

# The newest server from 15 on that is installed, in Debian's place for it.
newest_installed()
{
	local program

	for program in /usr/lib/postgresql/*/bin/postgres; do
		program=${program#/usr/lib/postgresql/}
		[[ ! ${program%%/*} =~ ^(1[5-9]|[2-9][0-9])$ ]] || echo "${program%%/*}"
	done | sort -n | tail -n 1
}

# The server that this release's package "postgresql" stands for.
offered_server()
{
	apt-cache depends postgresql 2>/dev/null |
		sed -n 's/^ *Depends: postgresql-\([0-9]*\)$/\1/p' | tail -n 1
}

choose_server()
{
	SERVER=$(newest_installed)
	[ -n "$SERVER" ] || SERVER=$(offered_server)
	if [ -z "$SERVER" ] && command -v apt-get >/dev/null && can_be_root; then
		slowly "reading package lists (half a minute)" apt_get update || true
		SERVER=$(offered_server)
	fi
	[ -n "$SERVER" ] || give_up "No PostgreSQL server is installed, and apt-get offers none." \
		"This works on Debian 12 and 13; elsewhere use make and make install, see README.md."
}

[ -n "${SERVER-}" ] || choose_server

# What Debian starts when it is installed, and at each boot.  Not here.
started="pgbouncer nginx-light php-fpm"

install_stopped()
{
	local policy=/usr/sbin/policy-rc.d known service

	known=$(ls /etc/init.d)
	(
		trap "as_root rm -f $policy; [ ! -e $policy.awspool ] ||
			as_root mv $policy.awspool $policy" EXIT
		[ ! -e $policy ] || as_root mv $policy $policy.awspool
		as_root install -m 755 /dev/stdin $policy <<<$'#!/bin/sh\nexit 101'
		apt_install "$@"
	) || return
	for service in $(ls /etc/init.d | grep -vxF "$known"); do
		as_root update-rc.d "$service" disable
	done
}

# Install the Debian packages that are not there yet.
install_missing()
{
	local package missing=()

	for package; do
		dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null |
			grep -qx installed || missing+=("$package")
	done
	[ ${#missing[@]} != 0 ] || return 0

	can_be_root || give_up "These packages are missing, and there is no sudo here to install them:" \
		"  ${missing[*]}" "As root: apt-get install ${missing[*]}"
	echo "installing ${missing[*]}"
	slowly "  reading package lists (half a minute)" apt_get update ||
		echo "  going on with the old ones"
	slowly "  fetching and unpacking (a minute or two)" install_packages "${missing[@]}" ||
		give_up "Packages could not be installed, see above.  What is missing:" "  ${missing[*]}"
}

install_packages()
{
	local conf=/etc/postgresql-common/createcluster.conf package

	for package in $started; do
		[[ " $* " != *" $package "* ]] || install_stopped "$package" || return
	done
	if [[ " $* " != *" postgresql-$SERVER "* ]]; then
		apt_install "$@"
		return
	fi

	# With a new server version Debian starts a server on port 5432.  Not here.
	apt_install postgresql-common || return
	as_root sed -i.awspool '$ a create_main_cluster = false' $conf || return
	(trap "as_root mv $conf.awspool $conf" EXIT; apt_install "$@")
}

# Make $work, in the first folder that serves.
make_place()
{
	local base why

	for base in "${bases[@]}"; do
		why=$(why_not "$base")
		if [ -z "$why" ]; then
			work=$base/$place
			"${as_server[@]}" mkdir -m 700 "$work"
			return
		fi
		echo "not working in $base: $why" >&2
	done
	give_up "No folder to work in: set TMPDIR to one."
}

# Say why a server cannot work in a folder, if so.  The path of a socket has 107
# bytes at most, of which tests with servers of their own need 46.
why_not()
{
	if [[ ! $1 =~ ^/[A-Za-z0-9/._+-]*$ ]]; then
		echo "it is relative, or has characters in it that make does not like"
	elif [ ${#1} -gt 60 ]; then
		echo "too long for the path of a socket"
	elif ! "${as_server[@]}" test -w "$1" -a -x "$1"; then
		echo "${as_server[*]:+user postgres }cannot write there"
	elif ! "${as_server[@]}" env TMPDIR="$1" bash -c 'file=$(mktemp) || exit
		trap "rm $file" EXIT
		cp /bin/true $file && chmod 700 $file && $file' 2>/dev/null; then
		echo "it is full, or mounted noexec: no program runs from there"
	fi
}

make_private_place()
{
	local pg_config=/usr/lib/postgresql/$SERVER/bin/pg_config

	make_place
	copy_project | "${as_server[@]}" tar -x --one-top-level="$work/awspool"
	"${as_server[@]}" cp -R --parents -t "$work" "$($pg_config --bindir)" \
		"$($pg_config --pkglibdir)" "$($pg_config --sharedir)" "$($pg_config --pkgincludedir)"
}

# The project as a tar stream: what git tracks or would, ignored files left out.
# So is .gitignore copied, for copies of the copy: who took tmp_check along from
# there would stop the servers of the tests that run (stop_servers).
copy_project()
{
	tar -C "$top" -c --exclude=.git --exclude-vcs-ignores .
}

# Put the release before this one into a folder: the state before the commit
# with which the control file named another version.
unpack_before()
{
	local commit

	commit=$(project_git log -n 1 --format=%H -S"default_version = '1.0'" -- awspool.control)
	[ -n "$commit" ] || give_up "the release before is not in the history of this checkout"
	project_git archive "$commit^" | "${as_server[@]}" tar -x --one-top-level="$1"
}

# Whoever owns the checkout.
project_git()
{
	git -C "$top" -c safe.directory="$top" "$@"
}

# Run a command in the private copy, and know nothing of the caller's settings
# but those in "settings": how many calls test/t/memory.pl shall make, how many
# queries test/t/read.pl, and from which seed, how many accounts of others
# test/t/explain.pl, and whether a sample of what is tried by the thousand will do
# (test/t/Awspool.pm).
settings=(${CALLS:+CALLS="$CALLS"} ${QUERIES:+QUERIES="$QUERIES"} ${SEED:+SEED="$SEED"}
	${OTHERS:+OTHERS="$OTHERS"} ${SAMPLE:+SAMPLE="$SAMPLE"})

in_private()
{
	(cd "$work/awspool" && exec "${as_server[@]}" env -i "${settings[@]}" \
		HOME="$work" TMPDIR="$work" LANG=C.UTF-8 TERM="${TERM:-dumb}" \
		PATH="$work/usr/lib/postgresql/$SERVER/bin:$PATH" PGHOST="$work" \
		PGUSER="$superuser" PGDATABASE=postgres "$@")
}

# Start a server that may lose its data in a power cut, but has no network port;
# "$@" are more options of it.
start_server()
{
	quietly in_private initdb -D "$work/data" -U "$superuser" -A trust -N --no-locale -E UTF8
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

# Make $root for server $SERVER, the folder of the Debian release that has it.  It
# is kept under .servers; remove it, as root, to have it made anew.  A complete
# one says which packages it was made with.  Returns $not_to_be_had if a server
# that is in no release yet is not there, or not for this release as it is today;
# anything else is a failure.
not_to_be_had=77

make_root()
{
	local packages release

	case $SERVER in
		15) release=bookworm ;;
		17) release=trixie ;;
		18) release=sid ;;
		19) release=experimental ;;
		*) give_up "no Debian release is known for server $SERVER" ;;
	esac
	root=$top/.servers/$release

	packages=$(echo $(to_build) $(to_test) | tr ' ' ,)
	if [ "$(cat "$root/packages" 2>/dev/null)" = "$packages" ]; then
		return
	fi

	if [ "$SERVER" = 19 ]; then
		SERVER=18 make_root || return
		root=$top/.servers/$release
	fi
	install_missing debootstrap
	mkdir -p .servers
	# A debootstrap that was killed leaves these mounted.
	as_root umount "$root/proc" "$root/sys" 2>/dev/null || true
	as_root rm -rf --one-file-system "$root"
	if [ "$SERVER" = 19 ]; then
		slowly "making $root (two minutes)" add_server_19
	else
		slowly "making $root (some minutes)" as_root debootstrap \
			--variant=minbase --include="$packages" "$release" "$root"
	fi || return
	as_root chmod 1777 "$root/dev/shm"
	as_root tee "$root/packages" >/dev/null <<<"$packages"
}

# Server 19 is in experimental, which comes on top of sid: make $root a copy of
# sid's and add the server to it, and no other package from there but what it
# was built with.  Of pgTAP, which is SQL alone, it takes that of 18.
add_server_19()
{
	local sid=$top/.servers/sid share=$root/usr/share/postgresql

	as_root cp -a --one-file-system "$sid" "$root" || return
	as_root rm "$root/packages"
	sed -n 's/ sid / experimental /p' "$sid/etc/apt/sources.list" |
		as_root tee "$root/etc/apt/sources.list.d/experimental.list" |
		grep experimental || return
	as_root tee "$root/etc/apt/preferences.d/experimental" <<-END || return
		Package: src:postgresql-19
		Pin: release a=experimental
		Pin-Priority: 990
	END
	# A mirror may be behind, which debootstrap does not mind either.
	as_root chroot "$root" apt-get -o Acquire::Check-Valid-Until=false update ||
		return $not_to_be_had
	as_root chroot "$root" apt-get -y --no-install-recommends --download-only install \
		"postgresql-$SERVER" "postgresql-server-dev-$SERVER" || return $not_to_be_had
	as_root tee -a "$root/etc/postgresql-common/createcluster.conf" \
		<<<'create_main_cluster = false' || return
	as_root chroot "$root" env DEBIAN_FRONTEND=noninteractive apt-get -y \
		--no-install-recommends install $(to_build) $(to_test) || return
	as_root bash -c "cp $share/18/extension/pgtap* $share/19/extension"
}

# Run a script of the project in there.
in_root()
{
	as_root rm -rf "$root/awspool"
	copy_project | as_root tar -x --no-same-owner --one-top-level="$root/awspool"
	as_root chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin SERVER="$SERVER" \
		REGRESS="${REGRESS-}" ISOLATION="${ISOLATION-}" PROVE_TESTS="${PROVE_TESTS-}" \
		PGTAP="${PGTAP-}" OLD_SERVERS="${OLD_SERVERS-}" "${settings[@]}" \
		bash "/awspool/$1" "${@:2}"
}

# Run tests that end as "finish" does, and add what they count to ours.
add_up()
{
	local log good bad left_out ok=yes

	log=/tmp/$place.log
	"$@" 2>&1 | tee "$log" || ok=no
	read -r good _ bad _ left_out _ <<<"$(grep -xE \
		'[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?' "$log" | tail -n 1)"
	rm "$log"

	if [ $ok = no ] && [ "${bad:-0}" = 0 ]; then
		bad=1
	fi
	passed=$((passed + ${good:-0}))
	failed=$((failed + ${bad:-0}))
	skipped=$((skipped + ${left_out:-0}))
}

# The last line: "N passed, N failed" and, if any were, "N skipped".
finish()
{
	local counts="$passed passed, $failed failed"

	((skipped == 0)) || counts+=", $skipped skipped"
	echo "$counts"
	exit $((failed > 0))
}
