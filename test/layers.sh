#!/bin/bash
# Calls run one way: of object files that are named from the ground up, each
# refers only to symbols of those before it (make lint).

set -euo pipefail

# Each file comes after the one before it, and after those that it refers to.
pairs()
{
	local below=

	for object; do
		[ -z "$below" ] || echo "$below $object"
		below=$object
	done
	nm -A -P "$@" | sed 's/\[[^]]*\]//; s/: / /' | awk '
		$2 !~ /^awspool_/ { next }
		$3 == "U"         { uses[$1 " " $2] = 1; next }
		$3 ~ /^[A-Z]$/    { home[$2] = $1 }
		END {
			for (use in uses) {
				split(use, part, " ")
				if (part[2] in home)
					print home[part[2]], part[1]
			}
		}'
}

loops=$(pairs "$@" | tsort 2>&1 >/dev/null) || {
	echo "a call goes up; these form a circle:" >&2
	sed -n '2,$ { /loop:$/ q; s/^tsort: //; p }' <<<"$loops" >&2
	exit 1
}
