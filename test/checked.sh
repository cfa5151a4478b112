#!/bin/bash
# Run the tests on a server that checks what it does, and end with "N passed,
# N failed".  What test/run.sh knows (REGRESS=...) works here, too.
#
#	make asserts     assertions, freed memory overwritten: every test
#	make asan        the same, and AddressSanitizer and UndefinedBehaviorSanitizer
#	make valgrind    under Valgrind; of the TAP tests those that start no crowd,
#	                 it is slow: name others
#	make discard     with every cache thrown away whenever it may be; a few tests
#	                 of each kind, slower still: name others
#	make sqlsmith    no tests, but queries that nobody thought of, with
#	                 assertions: test/sqlsmith.sh
#
# The server is one of our own, built from Debian's source, and tells Valgrind,
# or AddressSanitizer, which bytes of its memory contexts may be touched.  The
# extension is built with its flags.  The server is kept in .servers; remove the
# folder to have it made anew.

set -euo pipefail
cd "$(dirname "$0")/.."
. test/lib.sh
. test/suite.sh
. test/source.sh

mode=$1
kept=$top/.servers/asserts-$SERVER
flags=(-O1 -g1 -fno-omit-frame-pointer)
cpp_flags=-DUSE_VALGRIND
packages=(bzip2 libicu-dev pkg-config valgrind)
options=()
case $mode in
	asserts) ;;
	sqlsmith) packages+=(sqlsmith) ;;
	asan)
		kept=$top/.servers/asan-$SERVER
		flags+=(-fsanitize=address,undefined -fno-sanitize-recover=all)
		settings+=(ASAN_OPTIONS=detect_leaks=0:abort_on_error=1:detect_stack_use_after_return=0
			UBSAN_OPTIONS=abort_on_error=1:print_stacktrace=1)
		;;
	valgrind)
		settings+=(PGCTLTIMEOUT=600 PG_TEST_TIMEOUT_DEFAULT=1800)
		if [ -z "$named" ]; then
			PROVE_TESTS=$(echo test/t/{async_standby,crash,dump,durability,library,prepared,replication,standby}.pl)
		fi
		;;
	discard)
		options=(-c debug_discard_caches=1)
		if [ -z "$named" ]; then
			REGRESS="install history lifecycle order read stock"
			ISOLATION="add claim close delete edit order read replace"
		fi
		;;
	*) echo "no such mode: $mode" >&2; exit 1 ;;
esac

make_server()
{
	if [ "$mode" = asan ]; then
		cpp_flags+=" -I$work/awspool/test/fuzz"
	fi

	quietly get_source || return
	configure_source --enable-cassert --enable-tap-tests --with-icu CC=gcc \
		"CFLAGS=${flags[*]}" "CPPFLAGS=$cpp_flags" || return
	make_source -C src install || return
	in_private cp ../source/src/tools/valgrind.supp "$work/server"

	# Debian's own place for headers, which PGXS has to ask for.
	in_private sed -i 's/^\(includedir_server\) = .*/\1 := $(shell $(PG_CONFIG) --includedir-server)/' \
		"$work/server$($installed --pkglibdir)/pgxs/src/Makefile.global"
}

# Have Valgrind run every server that is started; initdb's own are not ours.
use_valgrind()
{
	local program=$work/usr/lib/postgresql/$SERVER/bin/postgres

	"${as_server[@]}" tee "$work/valgrind.supp" <"$kept/valgrind.supp" >/dev/null
	in_private mkdir "$work/valgrind"
	in_private mv "$program" "$program.bin"
	in_private tee "$program" >/dev/null <<-END
		#!/bin/sh
		[ "\$1" = -D ] || exec "\$0.bin" "\$@"
		exec valgrind --quiet --leak-check=no --gen-suppressions=all \\
			--suppressions=$work/valgrind.supp --time-stamp=yes \\
			--log-file=$work/valgrind/%p "\$0.bin" "\$@"
	END
	in_private chmod +x "$program"
}

# Valgrind writes a file for each process, which stays empty if all is well.
look_for_findings()
{
	local findings

	findings=$(find "$work/valgrind" -type f -size +0)
	if [ -n "$findings" ]; then
		head -v -n 60 $findings
		failed=$((failed + 1))
	elif [ -z "$(find "$work/valgrind" -type f)" ]; then
		echo "nothing ran under Valgrind"
		failed=$((failed + 1))
	fi
}

install_missing $(to_build) $(to_test) "${packages[@]}"
make_private_place

made_with=$({
	$installed --version
	gcc --version
	sed -n '/^kept=/,/^}/p' test/checked.sh
	cat test/source.sh test/fuzz/valgrind/memcheck.h
} | sha256sum)
keep_server "$kept" "$made_with" make_server
use_server "$kept"

build_extension COPT=-Werror
[ $mode != valgrind ] || use_valgrind
start_server "${options[@]}"
if [ $mode = sqlsmith ]; then
	. test/sqlsmith.sh
	smith_server || { failed=1; finish; }
	smith shop "${2:-600}"
	smith "$superuser" "${2:-600}"
	finish
fi
run_regress
run_isolation
if [ $mode != discard ]; then
	run_tap
	run_pgtap
fi
if [ $mode = valgrind ]; then
	in_private pg_ctl -s -D "$work/data" -m fast stop
	look_for_findings
fi
look_for_crashes
finish
