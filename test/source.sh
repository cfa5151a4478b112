# A server of our own, built from Debian's source: for test/fuzz.sh and
# test/checked.sh.  To be sourced after lib.sh.
#
# It is built in $work/source, installed in $work/server, and what it was made
# with tells whether the one that was kept is the same.

installed=/usr/lib/postgresql/$SERVER/bin/pg_config

# Fetch the server's source, from where this machine has its packages: of the
# version that is installed or, once that is gone there, of another minor one.
get_source()
{
	local package=postgresql-$SERVER apt=$work/apt file version options

	options=(-qq -o "Dir::State=$apt" -o "Dir::Cache=$apt"
		-o Dir::Etc::SourceList=/dev/null -o "Dir::Etc::SourceParts=$apt")
	in_private mkdir -p "$apt/lists/partial" "$apt/archives/partial" "$work/source"
	for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
		[ ! -e "$file" ] || sed -n 's/^deb /deb-src /p' "$file"
	done | "${as_server[@]}" tee "$apt/source.list" >/dev/null
	for file in /etc/apt/sources.list.d/*.sources; do
		[ ! -e "$file" ] || { sed 's/^Types:.*/Types: deb-src/' "$file"; echo; }
	done | "${as_server[@]}" tee "$apt/source.sources" >/dev/null

	cd "$work"
	"${as_server[@]}" apt-get "${options[@]}" update || true
	for version in $(apt-cache "${options[@]}" madison "$package" |
		awk '$NF == "Sources" { print $3 }'); do
		"${as_server[@]}" apt-get "${options[@]}" --download-only source \
			"$package=$version" && break
	done
	cd "$top"
	in_private tar -x -C "$work/source" --strip-components=1 \
		-f "$work/$package"_*.orig.tar.*
}

in_source()
{
	quietly in_private env -C "$work/source" ASAN_OPTIONS=detect_leaks=0 "$@"
}

# Put everything where Debian puts it.
configure_source()
{
	in_source ./configure --without-readline --without-zlib \
		--with-system-tzdata=/usr/share/zoneinfo \
		"--bindir=$($installed --bindir)" "--datadir=$($installed --sharedir)" \
		"--libdir=$($installed --libdir)" "--includedir=$($installed --includedir)" "$@"
}

make_source()
{
	in_source make -s "-j$(nproc)" "DESTDIR=$work/server" \
		"includedir_server=$($installed --includedir-server)" \
		"pkglibdir=$($installed --pkglibdir)" "$@"
}

# keep_server FOLDER MADE_WITH COMMAND: unless the folder has a server that was
# made with the same, have the command make one, and keep it there.
keep_server()
{
	[ "$(cat "$1/made_with" 2>/dev/null)" != "$2" ] || return 0

	echo "building a server in $1, which takes some minutes"
	"$3" || { echo "cannot build it; see above"; failed=1; finish; }
	rm -rf "$1"
	mkdir -p "${1%/*}"
	cp -R "$work/server" "$1"
	echo "$2" >"$1/made_with"
	in_private rm -rf "$work/source" "$work/server"
}

# Put a server that was kept over the copy of Debian's, whose just-in-time
# compiler is not made for it.
use_server()
{
	tar -C "$1" -c usr | "${as_server[@]}" tar -x -C "$work" --overwrite
	in_private rm -f "$work$($installed --pkglibdir)/llvmjit.so"
}
