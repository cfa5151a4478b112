#!/bin/bash
# Run every test on each of the server versions named, and end with "N passed,
# N failed" over all of them.  What test/run.sh knows (REGRESS=...) goes on to it.
#
# A version lives in the Debian release that has it, in a folder under .servers
# that is made once and kept.  Remove the folder, as root, to have it made anew.

set -euo pipefail
cd "$(dirname "$0")/.."
. test/lib.sh

# A complete folder says which packages it was made with.
make_root()
{
	local packages

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

test_in_root()
{
	as_root rm -rf "$root/awspool"
	copy_project | as_root tar -x --no-same-owner --one-top-level="$root/awspool"
	as_root chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin SERVER="$SERVER" \
		REGRESS="${REGRESS-}" ISOLATION="${ISOLATION-}" \
		PROVE_TESTS="${PROVE_TESTS-}" PGTAP="${PGTAP-}" bash /awspool/test/run.sh
}

for SERVER; do
	case $SERVER in
		15) release=bookworm ;;
		17) release=trixie ;;
		18) release=sid ;;
		*) echo "no Debian release is known for server $SERVER" >&2; exit 1 ;;
	esac
	root=$top/.servers/$release

	if make_root; then
		add_up test_in_root
	else
		echo "cannot make $root: no mirror, or $release does not fit together today; see above"
		failed=$((failed + 1))
	fi
done
finish
