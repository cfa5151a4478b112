# What make torture, test-ha, test-scale and bench-scale have in common: a test
# that says how it goes, and a report that a page of doc/ shows.  To be sourced
# after lib.sh.

# run_and_report SCRIPT FOLDER SETTINGS...: run a test that leaves its report in
# $work/report.md, show that, and count what passed and failed.  If something
# failed, the histories and the servers' logs are left in the folder.
run_and_report()
{
	local broken

	in_private env "${@:3}" make -s prove_installcheck PROVE_FLAGS=--verbose \
		PROVE_TESTS="$1" 2>&1 |
		tee "$work/said" | grep --line-buffered -E '^ *(not )?ok |^#' || failed=1
	passed=$(grep -c '^ok ' "$work/said") || true
	broken=$(grep -c '^not ok ' "$work/said") || true
	[ "$broken" = 0 ] || failed=$broken
	[ "$passed" != 0 ] || failed=$((failed > 0 ? failed : 1))
	if [ "$failed" != 0 ]; then
		rm -rf "$2"
		cp -R "$work/awspool/tmp_check/log" "$2" || true
		tail -n 20 "$work/said"
	fi
	cat "$work/report.md" || true
}

# publish DOCUMENT HEADING: put the report in place of the tables under a heading,
# those from the first on between which there is no text.
publish()
{
	awk -v report="$work/report.md" -v heading="## $2" '
		/^## / { under = $0 == heading }
		under && /^\|/ && !inside {
			while ((getline line <report) > 0) print line
			inside = 1
		}
		inside && /^(\||$)/ { next }
		inside {
			print ""
			inside = under = 0
		}
		{ print }' "$1" >"$work/published.md"
	cp "$work/published.md" "$1"
}
