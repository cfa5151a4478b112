#!/bin/bash
# Take a pool from server 15 to 17, 18 and 19 with pg_upgrade, and end with "N
# passed, N failed"; with ", 1 skipped" if 19 is not to be had.
#
# pg_upgrade needs the programs of both versions.  So the old servers, with the
# extension, are put beside the newest into the folder of the release that has
# it, each with the libraries that this release does not have.  There
# test/upgrade.pl does the rest.

set -euo pipefail
cd "$(dirname "$0")/.."
SERVER=${SERVER:-15}
. test/lib.sh

# Write an old server and all libraries that it needs to the standard output.
# Without its JIT compiler, which is optional, these are few.
pack()
{
	local lib

	{
		install_missing $(to_build)
		make_private_place
		in_private make -s install with_llvm=no
		lib=$(in_private pg_config --pkglibdir)
		in_private bash -c "rm -f $lib/llvmjit*"
		in_private bash -c "ldd $lib/../bin/* $lib/*.so 2>&1 || true" |
			awk '$2 == "=>" && $3 ~ /^\// { print $3 }' | sort -u |
			in_private xargs cp --dereference --target-directory="$lib"
	} >&2
	tar -C "$work" -c usr/lib usr/share
}

# Put it into the newest release, and leave out what that has itself.
unpack()
{
	local lib=$newest/servers/usr/lib/postgresql/$SERVER/lib name

	as_root mkdir -p "$newest/servers"
	as_root tar -x --no-same-owner -C "$newest/servers"
	as_root chroot "$newest" /sbin/ldconfig -p |
		awk '$2 ~ /^\(/ { print $1 }' | sort -u |
		while read -r name; do as_root rm -f "$lib/$name"; done
}

if [ "${1-}" = pack ]; then
	pack
	exit
fi

old=(17 18)
for SERVER in 17 18; do
	make_root || { echo "$root cannot be made; see above"; failed=1; finish; }
done
SERVER=19
made=0
make_root || made=$?
if [ $made != 0 ]; then
	[ $made = $not_to_be_had ] || { echo "$root cannot be made; see above"; failed=1; finish; }
	echo "skipped: server 19 is not to be had, which is in no Debian release yet; see above"
	skipped=1
	old=(17)
	SERVER=18
	make_root
fi
newest=$root
newest_server=$SERVER
as_root rm -rf "$newest/servers"

SERVER=15 bash test/upgrade.sh pack | SERVER=15 unpack
for SERVER in "${old[@]}"; do
	make_root
	in_root test/upgrade.sh pack | unpack
done

SERVER=$newest_server
make_root
export PROVE_TESTS=test/upgrade.pl OLD_SERVERS=/servers/usr/lib/postgresql
add_up in_root test/run.sh
finish
