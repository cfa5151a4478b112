# check_csv and import_csv against another reader of CSV files: Python's.  What
# the files are, and what is to be expected of them, is in
# test/differential.py.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use Awspool;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

use constant {
	SEED => server_version(),    # cases that no other version has
	CASES => $ENV{SAMPLE} ? 5_000 : 100_000,
	IMPORT_EVERY => 10,
	SESSIONS => 2,
};

my $script = "$FindBin::RealBin/../differential.py";
my $node = start_pool('pool',
	init => { extra => [ '--encoding=UTF8', '--no-locale' ] });

note 'seed ' . SEED;
my ($pool, $errors) = run_command([ 'python3', $script, 'pool' ]);
is($errors, '', 'python3 runs');
$node->safe_psql('postgres', "BEGIN; $pool\nCOMMIT;");

$node->safe_psql('postgres', <<'SQL');
CREATE TABLE cases (number int PRIMARY KEY, csv text, expected jsonb);
CREATE TABLE checks (number int, report jsonb);
CREATE TABLE imports (number int, skipping jsonb, stored jsonb, strict jsonb);

-- A role like an application's: acme is its only provider.
CREATE ROLE regress_awspool_app;
SELECT awspool.grant_provider('acme', 'regress_awspool_app');
GRANT SELECT ON cases TO regress_awspool_app;
GRANT INSERT ON checks, imports TO regress_awspool_app;

-- A report, or the code of the error
CREATE FUNCTION check_csv(csv text) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
	RETURN (SELECT coalesce(jsonb_agg(jsonb_build_array(line, account_id, marketplace, model, outcome, detail)), '[]')
			FROM awspool.check_csv('acme', csv));
EXCEPTION WHEN OTHERS THEN
	RETURN to_jsonb(SQLSTATE);
END $$;

-- The same for import_csv, and what it stored, oldest first; undone afterwards
CREATE FUNCTION import_csv(csv text, skip_rejected boolean, OUT report jsonb, OUT stored jsonb)
LANGUAGE plpgsql AS $$
BEGIN
	report := (SELECT coalesce(jsonb_agg(jsonb_build_array(line, account_id, marketplace, model, outcome, detail)), '[]')
			   FROM awspool.import_csv('acme', csv, skip_rejected));
	stored := new_accounts();
	RAISE SQLSTATE 'UNDO0';
EXCEPTION
	WHEN SQLSTATE 'UNDO0' THEN
		NULL;
	WHEN OTHERS THEN
		report := to_jsonb(SQLSTATE);
END $$;

CREATE FUNCTION new_accounts() RETURNS jsonb
LANGUAGE sql SECURITY DEFINER AS $$
	SELECT jsonb_agg(jsonb_build_array(account_id, marketplace, model) ORDER BY position)
	FROM awspool.account
	WHERE provider = 'acme' AND status = 'ready' AND added_at >= transaction_timestamp()
$$;

-- What a report says was stored
CREATE FUNCTION added(report jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
	SELECT jsonb_agg(jsonb_build_array(r -> 1, r -> 2, r -> 3) ORDER BY n)
	FROM jsonb_path_query(report, 'strict $[*] ? (@[4] == "added")', silent => true)
		WITH ORDINALITY q (r, n)
$$;
SQL

# Start a session that goes through some of the cases.
sub start_cases
{
	my ($first, $last) = @_;
	my @statements = (
		"COPY cases FROM PROGRAM 'python3 \"$script\" ${\SEED} $first $last'",
		'SET ROLE regress_awspool_app',
		"INSERT INTO checks SELECT number, check_csv(csv) FROM cases
		 WHERE number BETWEEN $first AND $last",
		"INSERT INTO imports SELECT number, s.report, s.stored, a.report
		 FROM cases, import_csv(csv, true) s, import_csv(csv, false) a
		 WHERE number BETWEEN $first AND $last AND number % ${\IMPORT_EVERY} = 0"
	);

	return IPC::Run::start(
		[
			'psql', '-Xq', '-v', 'ON_ERROR_STOP=1',
			'-d', $node->connstr('postgres'),
			map { ('-c', $_) } @statements
		]);
}

my $share = CASES / SESSIONS;
my @sessions =
  map { start_cases(($_ - 1) * $share + 1, $_ * $share) } 1 .. SESSIONS;
ok($_->finish, 'a session goes through its cases') for @sessions;

# All cases are in a table, and have the result that is expected.  Of those
# that have not, show the shortest.
sub compare
{
	my ($what, $count, $table, $actual, $expected) = @_;
	my $from = "$table JOIN cases USING (number)";

	is($node->safe_psql('postgres', "SELECT count(*) FROM $from"),
		$count, "$what: $count cases");
	is( $node->safe_psql('postgres', <<"SQL"), '', "$what: as expected");
SELECT format(E'case ${\SEED} %s, one of %s: %s\\n  is       %s\\n  expected %s',
	number, count(*) OVER (), left(to_jsonb(csv)::text, 1000),
	left(($actual)::text, 1000), left(($expected)::text, 1000))
FROM $from
WHERE ($actual) IS DISTINCT FROM ($expected)
ORDER BY length(csv), number LIMIT 5
SQL
	return;
}

my $imports = CASES / IMPORT_EVERY;
compare('check_csv', CASES, 'checks', 'report', 'expected');
compare('import_csv, skipping what is rejected',
	$imports, 'imports', 'skipping', 'expected');
compare('what it stored, in order',
	$imports, 'imports', 'stored', 'added(expected)');
compare('import_csv', $imports, 'imports', 'strict', <<'SQL');
CASE WHEN jsonb_path_exists(expected, '$[*][4] ? (@ == "rejected")')
	THEN '"WS006"' ELSE expected END
SQL

# The cases are many of each kind.
for my $kind ('22P04', 'added', 'present', 'rejected')
{
	cmp_ok(
		$node->safe_psql('postgres',
			"SELECT count(*) FROM cases WHERE expected \@? '\$.** ? (\@ == \"$kind\")'"
		),
		'>', CASES / 20, "cases with $kind");
}

is($node->safe_psql('postgres',
		"SELECT count(*) FROM awspool.account WHERE account_id < '9'"),
	'0', 'the imports were undone');

$node->stop;
done_testing();
