#!/bin/bash
# Have spin look at everything that the model of a claim can do, with each of its
# safeguards and without (test/model/claim.pml, runs), and end with "N passed,
# N failed".  A run that is to hold passes if the search was complete and found
# nothing; one that is to fail, if it found a violation.
#
# Works in a folder of its own, which it removes, on as many runs at a time as
# there are processors.  MODEL names some runs alone:
#
#	MODEL="claims no_retry" make model

SERVER=none					# there is none

set -euo pipefail
cd "$(dirname "$0")/.."
. test/lib.sh

# search SWITCH...: build the search and let it run, at most ten minutes and
# within two gigabytes.
search()
{
	local reverse=

	[[ " $* " != *" -DREVERSE=1 "* ]] || reverse=-DREVERSE
	spin -a "$@" "$top/test/model/claim.pml" &&
		gcc -O2 $reverse -DSAFETY -DCOLLAPSE -DMEMLIM=2000 -o pan pan.c &&
		timeout 600 ./pan -m100000 -w22
}

# The comment of head.c names the switches that something breaks with, and no
# others.
check_names()
{
	diff <(sed -n '/claim\.pml/,/^ \*---/p' src/head.c | grep -oE '[A-Z]+(_[A-Z]+)+' | sort -u) \
		<(awk '$2 == "fails"' test/model/runs | grep -oE -- '-D[A-Z_]+( |$)' |
			tr -d ' ' | cut -c 3- | sort -u) ||
		give_up "src/head.c (<) and test/model/runs (>) name different switches."
}

# judge EXPECTED LOG: whether the search ended as it was to.
judge()
{
	case $1 in
		holds) grep -q 'errors: 0$' "$2" && ! grep -q 'Search not completed' "$2" &&
			! grep -q 'max search depth too small' "$2" ;;
		fails) grep -q '^pan:1: assertion violated' "$2" ;;
	esac
}

# run NAME EXPECTED SWITCH...: search, and say what came of it.
run()
{
	local folder=$work/$1 start=$SECONDS result=ok

	mkdir "$folder"
	(cd "$folder" && search "${@:3}") >"$folder.log" 2>&1 || true
	judge "$2" "$folder.log" || result="not ok"
	printf '%-24s %-6s %12s states %4d s  %s\n' "$1" "$2" \
		"$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' "$folder.log")" \
		$((SECONDS - start)) "$result" | tee -a "$work/results"
	[ "$result" = ok ] || tail -n 40 "$folder.log"
	rm -r "$folder"
}

check_names
install_missing spin gcc libc6-dev
work=/tmp/$place
mkdir -m 700 "$work"
running=0
while read -r name expected switches; do
	[[ -z $name || $name = \#* ]] && continue
	[[ -z ${MODEL-} || " $MODEL " = *" $name "* ]] || continue
	if ((++running > $(nproc))); then
		wait -n
	fi
	run "$name" "$expected" $switches &
done <test/model/runs
wait
[ -e "$work/results" ] || give_up "No run is called ${MODEL-}."
passed=$(grep -vc ' not ok$' "$work/results" || true)
failed=$(grep -c ' not ok$' "$work/results" || true)
finish
