#!/bin/bash
# make dist: awspool-1.1.0.zip, which "pgxn install" takes, of what git has, and
# try it with Debian's pgxnclient in a private place: install, use, uninstall.
# What only we need (.gitattributes) is not in it.

set -euo pipefail
cd "$(dirname "$0")/.."
. test/lib.sh

version=$(sed -n 's/^   "version": "\(.*\)",$/\1/p' META.json)
zip=$top/awspool-$version.zip

install_missing $(to_build) git pgxnclient
project_git archive --format=zip --prefix="awspool-$version/" -o "$zip" HEAD
make_private_place
"${as_server[@]}" cp "$zip" "$work"
start_server
config=$(in_private which pg_config)
in_private mkdir -p "$("$config" --libdir)"	# it wants to be able to write there

pgxn()
{
	in_private env MAKEFLAGS="-j$(nproc) -- with_llvm=no" pgxn "$1" --yes \
		--pg_config="$config" "${@:2}" "$work/${zip##*/}"
}

slowly "pgxn install (half a minute)" pgxn install --nosudo
quietly pgxn load -d postgres
in_private psql -XqAt -c "SELECT awspool.add_account('acme', '123456789012', 'MP-0000', 'SPAM')" \
	-c "SELECT account_id FROM awspool.claim_account('acme', 'MP-0000')" | grep -qx 123456789012
quietly pgxn unload -d postgres
quietly pgxn uninstall --nosudo
[ -z "$(find "$work/usr" -name '*awspool*')" ] || give_up "something stays behind: $(find "$work/usr" -name '*awspool*')"
echo "$zip"
