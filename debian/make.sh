#!/bin/bash
# make deb: the package postgresql-15-awspool, or that of SERVER=17, say, left in
# OUT or the top folder.  It is built in a private place, of a copy whose control
# file says that server; its tests are debian/tests, and make test-deb.

set -euo pipefail
cd "$(dirname "$0")/.."
. test/lib.sh

OUT=${OUT:-$top}
export SERVER

# Build in $work/$1: the same package, whatever that is called.
build()
{
	"${as_server[@]}" cp -a "$work/awspool" "$work/$1"
	in_private env -C "$work/$1" PG_SUPPORTED_VERSIONS="$SERVER" pg_buildext updatecontrol
	in_private env -C "$work/$1" PG_SUPPORTED_VERSIONS="$SERVER" PATH="$PATH" \
		DEB_BUILD_OPTIONS=nocheck dpkg-buildpackage -b -us -uc -Pnocheck
}

install_missing $(to_build) postgresql-server-dev-all debhelper dpkg-dev fakeroot
make_private_place
slowly "building the package for PostgreSQL $SERVER (a minute)" build package
for package in "$work"/*.deb; do
	[[ $package != *-dbgsym_* ]] || continue
	cp "$package" "$OUT"
	echo "$OUT/${package##*/}"
done
