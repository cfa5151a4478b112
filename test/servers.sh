#!/bin/bash
# Run every test on each of the server versions named, and end with "N passed,
# N failed" over all of them.  What test/run.sh knows (REGRESS=...) goes on to it.

set -euo pipefail
cd "$(dirname "$0")/.."
. test/lib.sh

for SERVER; do
	if make_root; then
		add_up in_root test/run.sh
	else
		echo "$root cannot be made: no mirror, or the release does not fit together today; see above"
		failed=$((failed + 1))
	fi
done
finish
