#!/bin/bash
# Fuzz what import does with a file, from its bytes to the validated row, and
# end with "N passed, N failed": once in a UTF8 database, once in a SQL_ASCII
# one, half of the time in each.
#
#	make fuzz                       for a minute
#	make fuzz SECONDS=600           for ten
#	make fuzz INPUT=.fuzz/crash-... one file again, to see what it does
#
# What counts as a finding is told in test/fuzz/fuzz.c.  The file that makes it
# is left in .fuzz, and so is what was learned, for the next time.  Once it is
# mended, the file belongs into test/fuzz/seeds: every run begins with those,
# and with the ones in test/data.
#
# The server is one of our own: built from Debian's source, with assertions and
# AddressSanitizer, which it tells which memory may be touched.  Buffers and
# batches are made small, there and in our copy of the extension, so that small
# files cross their ends.  What guides libFuzzer is the code that coverage.txt
# names; all else is checked, but not looked at for new ways.  The server is
# kept in .fuzz, too; remove it to have it made anew.

set -euo pipefail
cd "$(dirname "$0")/.."
. test/lib.sh
. test/source.sh

budget=${1:-60}
input=${2:+$(realpath "$2")}
kept=$top/.fuzz

checked=(-O1 -gline-tables-only -fno-omit-frame-pointer -fsanitize=address
	-fno-strict-aliasing -fwrapv)

# Only to be used in the private place.
guiding()
{
	echo "-fsanitize=fuzzer-no-link -fsanitize-coverage-allowlist=$work/awspool/test/fuzz/coverage.txt"
}

# make_small FILE NAME VALUE: change a constant in what is in the private place.
make_small()
{
	in_private sed -i -E "s/^(#define $2\s+)[0-9]+/\1$3/" "$work/$1"
	grep -qE "^#define $2\s+$3\b" "$work/$1" ||
		{ echo "$1 does not define $2" >&2; return 1; }
}

# Build the server's program, PL/pgSQL and the headers, to be put in the places of
# those in the copy of Debian's server.
make_server()
{
	local library

	library=$(clang -print-resource-dir)/lib/linux/libclang_rt.fuzzer_no_main-$(uname -m).a

	quietly get_source || return
	make_small source/src/include/commands/copyfrom_internal.h RAW_BUF_SIZE 32 || return
	configure_source --enable-cassert CC=clang "CFLAGS=${checked[*]}" \
		CPPFLAGS="-DUSE_VALGRIND -I$work/awspool/test/fuzz" || return
	make_source -C src/backend generated-headers || return
	make_source -C src/port || return
	make_source -C src/common || return
	make_source -C src/backend all install-bin COPT="$(guiding)" \
		LDFLAGS_EX="-Wl,-u,LLVMFuzzerRunDriver $library -lstdc++" || return
	make_source -C src/pl/plpgsql/src all install-lib || return
	make_source -C src/include install
}

build()
{
	local options=(CC=clang with_llvm=no CPPFLAGS=-D_GNU_SOURCE)

	make_small awspool/src/batch.c FIRST_BATCH 3
	make_small awspool/src/batch.c MAX_BATCH 6
	make_small awspool/src/batch.c MIN_BATCH 4
	make_small awspool/src/batch.c MAX_ROWS 4
	make_small awspool/src/lookup.c MAX_STEPS 2
	make_small awspool/src/import.c STRETCH 8
	in_private make -s install "${options[@]}" CFLAGS="${checked[*]} $(guiding) \
		-fsanitize=undefined -fno-sanitize-recover=undefined"
	in_private make -s -C test/fuzz install "${options[@]}" CFLAGS="${checked[*]}"
}

# pg_ctl wants the server that it came with.
start_fuzzed_server()
{
	in_private env ASAN_OPTIONS=detect_leaks=0:detect_stack_use_after_return=0:quarantine_size_mb=8 \
		UBSAN_OPTIONS=print_stacktrace=1 \
		postgres -D "$work/data" -F -k "$work" -c listen_addresses= \
		-c restart_after_crash=off -c jit=off -c shared_buffers=16MB \
		-c max_wal_size=128MB -c plan_cache_mode=force_generic_plan \
		>"$work/server.log" 2>&1 &
	in_private timeout 60 bash -c 'until psql -Xqc "" 2>/dev/null; do sleep 0.1; done'
}

stop_fuzzed_server()
{
	in_private pg_ctl -s -D "$work/data" -m fast stop 2>/dev/null || true
	wait
}

# What libFuzzer is told.  It shall not check for leaks, which is for programs
# that end, nor watch the memory, which takes a thread; and most signals are the
# server's.
arguments()
{
	echo "-artifact_prefix=$work/found/ -detect_leaks=0 -rss_limit_mb=0 -malloc_limit_mb=0"
	echo "-timeout=60 -handle_int=0 -handle_term=0 -handle_usr1=0 -handle_usr2=0"
	if [ -n "$input" ]; then
		echo "$work/input"
	else
		echo "-max_total_time=$(((budget + 1) / 2)) -max_len=1024 -print_final_stats=1"
		echo "-dict=$work/awspool/test/fuzz/csv.dict $work/corpus/$1"
		echo "$work/awspool/test/data $work/awspool/test/fuzz/seeds"
	fi
}

# fuzz_in ENCODING: fuzz in a database of its own, and tell what came of it.
fuzz_in()
{
	local corpus=$work/corpus/$1 learned=$kept/corpus/$1 ok=yes

	in_private mkdir -p "$corpus"
	[ ! -d "$learned" ] || tar -C "$learned" -c . | "${as_server[@]}" tar -x -C "$corpus"

	start_fuzzed_server
	in_private psql -Xq -c "CREATE DATABASE \"$1\" ENCODING '$1' TEMPLATE template0"
	in_private psql -Xq -d "$1" -v ON_ERROR_STOP=1 -o "$work/psql.log" -f test/fuzz/fuzz.sql
	in_private psql -Xq -d "$1" -c 'SET ROLE distributor' -c "SET awspool.provider = 'acme'" \
		-c "CALL fuzz('$(arguments "$1" | tr '\n' ' ')')" >"$work/psql.log" 2>&1 || true
	stop_fuzzed_server

	grep -E '^(Done|Executed) ' "$work/server.log" || ok=no
	grep -oE 'cov: [0-9]+ ft: [0-9]+ corp: [0-9]+' "$work/server.log" | tail -n 1
	if [ -z "$input" ]; then
		mkdir -p "$learned"
		cp -R "$corpus/." "$learned"
	fi
	[ $ok = no ] || return 0

	grep -vE '^#[0-9]+[[:space:]]|^0x|^stat:' "$work/server.log" |
		sed -n '/^TopMemoryContext:\|^FINDING:\|^TRAP:\|runtime error:\|ERROR: /,$p' | head -n 100
	cat "$work/psql.log"
	find "$work/found" -type f -printf '%f\n' | while read -r file; do
		cp "$work/found/$file" "$kept/$file"
		echo "the file is $kept/$file"
	done
	return 1
}

install_missing $(to_build) clang llvm libclang-rt-dev bzip2
make_private_place

made_with=$({
	$installed --version
	clang --version
	sed -n '/^checked=/,/^build()/p' test/fuzz.sh
	cat test/source.sh test/fuzz/coverage.txt test/fuzz/valgrind/memcheck.h
} | sha256sum)
keep_server "$kept/server" "$made_with" make_server

# The cluster is made by the server that Debian built, initdb's own.
quietly in_private initdb -D "$work/data" -U postgres -A trust -N --no-locale -E UTF8
in_private postgres --single -D "$work/data" -c log_checkpoints=off postgres >/dev/null \
	<<<'CREATE ROLE distributor IN ROLE pg_read_server_files'
use_server "$kept/server"
build

in_private mkdir "$work/found"
[ -z "$input" ] || "${as_server[@]}" tee "$work/input" <"$input" >/dev/null
for encoding in UTF8 SQL_ASCII; do
	echo "== fuzz in $encoding"
	if fuzz_in "$encoding"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
	fi
done
finish
