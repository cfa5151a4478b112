#!/bin/bash
# Run every test on each of the server versions named, and end with "N passed,
# N failed" over all of them.  What test/run.sh knows (REGRESS=...) goes on to it.
# A server 19 that is not to be had is "1 skipped".

set -euo pipefail
cd "$(dirname "$0")/.."
SERVER=$1
. test/lib.sh

for SERVER; do
	made=0
	make_root || made=$?
	if [ $made = 0 ]; then
		add_up in_root test/run.sh
	elif [ $made = $not_to_be_had ]; then
		echo "skipped: server $SERVER is not to be had, which is in no Debian release yet; see above"
		skipped=$((skipped + 1))
	else
		echo "$root cannot be made: no mirror, or the release does not fit together today; see above"
		failed=$((failed + 1))
	fi
done
finish
