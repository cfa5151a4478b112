# Ids that are unique over several servers: a function that is named survives a
# dump; and, where PL/Proxy is installed, two servers and the registry that
# contrib/scale has.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use Awspool;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use constant SHARED => 500;    # ids that two providers want at once

my $scripts = "$FindBin::RealBin/../../contrib/scale";
my $one = start_pool('one', conf => "max_prepared_transactions = 5");

#
# A dump has the names of the functions, and the functions are the database's.
#

$one->safe_psql('postgres', <<'SQL');
CREATE DATABASE dumped;
\c dumped
CREATE EXTENSION awspool;
CREATE SCHEMA "Odd name";
CREATE FUNCTION "Odd name"."Reserve"(provider text, account_ids text[]) RETURNS SETOF text LANGUAGE sql
  AS $$ SELECT u FROM pg_catalog.unnest(account_ids) u WHERE u LIKE '91%' $$;
SELECT awspool.use_registry('"Odd name"."Reserve"(text,text[])');
SQL
my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump';
command_ok([ 'pg_dump', '-Fc', '-f', $dump, '-d', $one->connstr('dumped') ], 'a dump');
$one->safe_psql('postgres', 'CREATE DATABASE restored');
command_ok([ 'pg_restore', '--exit-on-error', '-d', $one->connstr('restored'), $dump ], 'and its restore');
is(add($one, 'acme', '910000000001', 'restored'), '23505', 'the restored database asks the same function');
is(add($one, 'acme', '920000000001', 'restored'), '', 'and adds what it does not say');
$one->safe_psql('restored', 'DROP SCHEMA "Odd name" CASCADE');
is(add($one, 'acme', '920000000002', 'restored'), 'WS009', 'without the function nothing is added');
is( $one->safe_psql('restored', "SELECT severity FROM awspool.lint() WHERE object LIKE 'function %'"),
	'error', 'and lint() tells');

# A session hears at once that another one has named a function, or none.
my $session = $one->background_psql('restored', on_error_stop => 0);
my $taken = "SELECT awspool.add_account('acme', '910000000003', 'MP-0001', 'SPAM')";
is($session->query($taken), '', 'a session adds nothing either');
$one->safe_psql('restored', 'SELECT awspool.use_registry(NULL)');
like($session->query($taken), qr/910000000003/, 'until it hears that nobody is asked any more');
$session->quit;

# As an ordinary role that owns the extension
$one->safe_psql('postgres', <<'SQL');
CREATE ROLE regress_awspool_owner LOGIN;
CREATE DATABASE owned OWNER regress_awspool_owner;
\c owned
CREATE EXTENSION awspool;
CREATE SCHEMA mine AUTHORIZATION regress_awspool_owner;
CREATE FUNCTION mine.supers(text, text[]) RETURNS SETOF text LANGUAGE sql AS $$ SELECT current_user::text $$;
DO $$
DECLARE o record;
BEGIN
  FOR o IN SELECT oid::regclass AS name, relkind FROM pg_class WHERE relnamespace = 'awspool'::regnamespace AND relkind IN ('r', 'v')
  LOOP EXECUTE format('ALTER TABLE %s OWNER TO regress_awspool_owner', o.name); END LOOP;
  FOR o IN SELECT oid::regprocedure AS name FROM pg_proc WHERE pronamespace = 'awspool'::regnamespace
  LOOP EXECUTE format('ALTER FUNCTION %s OWNER TO regress_awspool_owner', o.name); END LOOP;
  ALTER SEQUENCE awspool.account_position OWNER TO regress_awspool_owner;
  ALTER SCHEMA awspool OWNER TO regress_awspool_owner;
END $$;
SELECT awspool.use_registry('mine.supers(text,text[])');
SQL
like( ($one->psql('owned', "SELECT awspool.add_account('acme', '900000000001', 'MP-0001', 'SPAM')"))[2],
	qr/it answered with "regress_awspool_owner"/,
	"a superuser's function runs as the owner");
$one->safe_psql('owned', 'REVOKE EXECUTE ON FUNCTION mine.supers FROM PUBLIC');
is(add($one, 'acme', '900000000001', 'owned'), 'WS009', 'who has to be able to call it');
$one->safe_psql('postgres', "DROP DATABASE $_") for 'owned', 'dumped', 'restored';

SKIP: {
	my ($sharedir) = run_command([ 'pg_config', '--sharedir' ]);

	skip 'PL/Proxy is not installed: on Debian, postgresql-' . server_version() . '-plproxy', 1
	  unless -e "$sharedir/extension/plproxy.control";
	two_servers();
}

$one->stop;
done_testing();

# The error code of an addition; empty if it was stored.
sub add
{
	my ($node, $provider, $id, $dbname) = @_;

	return sqlstate($node, "SELECT awspool.add_account('$provider', '$id', 'MP-0001', 'SPAM');", $dbname);
}

# A session that stays, and one that is told to do something and not waited for:
# what it says is in its stdout once it has quit.
sub open_session
{
	my ($node, @sql) = @_;
	my $session = $node->background_psql('postgres', on_error_stop => 0);

	$session->query_safe($_) for @sql;
	return $session;
}

sub begin_query
{
	my ($session, $sql) = @_;

	$session->query_until(qr/begun/, "\\echo begun\n$sql;\n");
	return;
}

sub run_script
{
	my ($node, $script, $dbname, %variables) = @_;
	my ($out, $err);

	my $ok = IPC::Run::run(
		[
			'psql', '-XAtq', '-d', $node->connstr($dbname),
			(map { ('-v', "$_=$variables{$_}") } sort keys %variables),
			'-f', "$scripts/$script"
		],
		'>', \$out, '2>', \$err);
	ok($ok, "$script") or diag($err);
	$out =~ s/\A\s+|\s+\z//g;
	return $out;
}

sub two_servers
{
	my $two = start_pool('two');
	my $registry = PostgreSQL::Test::Cluster->new('registry');

	$registry->init;
	$registry->start;
	my $where = 'host=' . $registry->host . ' port=' . $registry->port . ' dbname=';
	my $at = sub { $registry->safe_psql('registry', $_[0]) };

	$registry->safe_psql('postgres', 'CREATE DATABASE registry');
	run_script($registry, 'registry.sql', 'registry') for 1, 2;
	$registry->safe_psql('postgres', "CREATE ROLE server_$_ LOGIN IN ROLE awspool_registry") for 1, 2;

	#
	# Setting up: what is stored already is reserved, and what is on two servers is
	# told.
	#

	for my $node ($one, $two)
	{
		my ($name, $provider) = $node == $one ? ('1', 'acme') : ('2', 'globex');

		$node->safe_psql('postgres', <<"SQL");
CREATE ROLE regress_awspool_$provider LOGIN;
SELECT awspool.grant_provider('$provider', 'regress_awspool_$provider');
SELECT awspool.add_account('$provider', '90000000000' || i, 'MP-0001', 'SPAM') FROM generate_series(1, 3) i WHERE i IN ($name, 3);
SELECT awspool.add_account('$provider', '90000000010$name', 'MP-0001', 'SPAM');
SELECT awspool.invalidate_account('$provider', '90000000010$name'), awspool.delete_account('$provider', '90000000010$name');
SQL
		is( run_script($node, 'registry-shard.sql', 'postgres', registry => "${where}registry", user => "server_$name"),
			$node == $one ? '' : 'globex|900000000003',
			"what server $name has, and another as well");
		is($node->safe_psql('postgres', "SELECT * FROM awspool.lint() WHERE object LIKE 'function %'"), '', 'lint() has nothing against it');
	}
	is( $at->('SELECT account_id, provider, closing FROM registry.id ORDER BY 1'),
		"900000000001|acme|f\n900000000002|globex|f\n900000000003|acme|f\n900000000101|acme|f\n900000000102|globex|f",
		'what is stored or used up is reserved');
	$two->safe_psql('postgres', "SELECT awspool.delete_account('globex', '900000000003')");
	is($two->safe_psql('postgres', 'SELECT * FROM registry.enroll()'), '', 'until one of them is gone');
	is(add($two, 'globex', '900000000003'), '23505', 'an id of the other server is taken');
	is(add($two, 'globex', '900000000101'), '23505', 'so is one that was used up there');
	is(add($two, 'globex', '900000000004'), '', 'a new one is not');
	is(add($one, 'acme', '900000000004'), '23505', 'and is taken then');
	is( $one->safe_psql('postgres', "SELECT outcome FROM awspool.check_csv('acme', E'900000000004;MP-0001;SPAM\n900000000005;MP-0001;SPAM')"),
		"rejected\nadded", 'which who checks knows');
	is(add($two, 'globex', '900000000005'), '', 'and does not reserve');

	# Nobody but the owner gets at it.
	for my $statement ("SELECT registry.reserve('globex', '{900000000006}')", "SELECT registry.release('acme', '{900000000001}')",
		"SELECT registry.settle_ids('acme', '{900000000001}', '{f}')", 'SELECT * FROM pg_user_mappings WHERE umoptions IS NOT NULL AND srvname = $$registry$$; SELECT 1/0',
		'CREATE USER MAPPING FOR regress_awspool_acme SERVER registry')
	{
		my $state = sqlstate($one, "SET ROLE regress_awspool_acme;\n$statement;");
		like($state, qr/^(42501|22012)$/, "as a provider's role: $statement");
	}
	is( $registry->safe_psql('registry', 'SET ROLE server_1; SELECT has_table_privilege($$registry.id$$, $$SELECT$$), has_function_privilege($$registry.release(text, text[])$$, $$EXECUTE$$)'),
		'f|f', 'a server cannot read the table, or release what it has not looked for');
	is($one->safe_psql('postgres', "SET ROLE regress_awspool_acme; SELECT status FROM awspool.add_account('acme', '900000000007', 'MP-0001', 'SPAM')"),
		'ready', "a provider's role adds all the same");

	#
	# The same ids by two providers on two servers, in opposite order, one
	# transaction each; then as files.
	#

	for my $way ('add_account', 'import_csv')
	{
		my $base = $way eq 'add_account' ? 910000000000 : 920000000000;
		my @sessions = map { open_session($_) } $one, $two;
		my @sql = map {
			my ($provider, $direction) = @$_;
			$way eq 'add_account'
			  ? "DO \$\$ DECLARE i bigint; BEGIN
				FOR i IN SELECT n FROM generate_series(1, @{[SHARED]}) n ORDER BY n $direction LOOP
				  BEGIN PERFORM awspool.add_account('$provider', ($base + i)::text, 'MP-0001', 'SPAM');
				  EXCEPTION WHEN unique_violation THEN NULL; END;
				END LOOP; END \$\$"
			  : "SELECT count(*) FROM awspool.import_csv('$provider',
				(SELECT string_agg(($base + n) || ';MP-0001;SPAM', E'\\n' ORDER BY n $direction) FROM generate_series(1, @{[SHARED]}) n), true)"
		} [ 'acme', 'ASC' ], [ 'globex', 'DESC' ];

		begin_query($sessions[$_], $sql[$_]) for 0, 1;
		$_->quit for @sessions;
		my @stored = map { [ split /\n/, $_->safe_psql('postgres', "SELECT account_id FROM awspool.account WHERE account_id LIKE '" . substr($base, 0, 2) . "%' ORDER BY 1") ] } $one, $two;
		my %seen;
		$seen{$_}++ for map { @$_ } @stored;
		is(scalar(keys %seen), SHARED, "$way: each of the ids is stored");
		is(scalar(grep { $_ > 1 } values %seen), 0, 'and none on both');
		note "$way: ", join ' + ', map { scalar @$_ } @stored;
	}

	#
	# Between the two commits.
	#

	# the server dies
	my $session = open_session($one, 'BEGIN', "SELECT awspool.add_account('acme', '930000000001', 'MP-0001', 'SPAM')");
	$one->stop('immediate');
	$session->quit;
	$one->start;
	is($at->("SELECT provider FROM registry.id WHERE account_id = '930000000001'"), 'acme', 'a crash leaves the reservation');
	is($one->safe_psql('postgres', "SELECT count(*) FROM awspool.account WHERE account_id = '930000000001'"), '0', 'and no account');
	is(add($two, 'globex', '930000000001'), '23505', 'the id is taken to others');
	is(add($one, 'acme', '930000000001'), '', 'and the same provider may add it');

	# the registry dies after it has answered
	$session = open_session($one, 'BEGIN', "SELECT awspool.add_account('acme', '930000000002', 'MP-0001', 'SPAM')");
	$registry->stop('immediate');
	$registry->start;
	$session->query_safe('COMMIT');
	$session->quit;
	is(add($two, 'globex', '930000000002'), '23505', 'what was told to be free is reserved after a crash of the registry');

	# the transaction is rolled back: given back, it is free
	is(sqlstate($one, "BEGIN; SELECT awspool.add_account('acme', '930000000003', 'MP-0001', 'SPAM'); ROLLBACK;"), '', 'an addition is rolled back');
	is(add($two, 'globex', '930000000003'), '23505', 'and taken to others');
	is($one->safe_psql('postgres', "SELECT registry.orphans('acme')"), '930000000003', 'it is an orphan');
	is( $one->safe_psql('postgres', "SELECT * FROM registry.release('acme', '{930000000003,930000000002,900000000101,900000000002,990000000000}')"),
		"930000000003|released\n930000000002|kept\n900000000101|kept\n900000000002|not_reserved\n990000000000|not_reserved",
		'which is released, and nothing else');
	is(add($two, 'globex', '930000000003'), '', 'and free then');
	is($one->safe_psql('postgres', "SELECT count(*) FROM registry.orphans('acme')"), '0', 'no orphan is left');
	is(add($one, 'acme', '930000000002'), '23505', 'what was kept is as before');
	is($at->('SELECT count(*) FROM registry.id WHERE closing'), '0', 'and nothing is closed');

	# deleted while it was ready
	is(add($one, 'acme', '930000000004'), '', 'an account');
	$one->safe_psql('postgres', "SELECT awspool.delete_account('acme', '930000000004')");
	is(add($two, 'globex', '930000000004'), '23505', 'that is deleted stays its provider\'s');
	is(add($one, 'acme', '930000000004'), '', 'who may add it again');

	# release waits for who may be storing it, committed or not, or prepared
	for my $end ('commit', 'rollback', 'prepare')
	{
		my $id = { commit => '930000000011', rollback => '930000000012', prepare => '930000000013' }->{$end};
		my ($adds, $releases) = map { open_session($one) } 1, 2;

		$adds->query_safe('BEGIN');
		$adds->query_safe("SELECT awspool.add_account('acme', '$id', 'MP-0001', 'SPAM')");
		$adds->query_safe("PREPARE TRANSACTION 'adds'") if $end eq 'prepare';
		begin_query($releases, "SELECT outcome FROM registry.release('acme', '{$id}')");
		$registry->poll_query_until('registry', "SELECT closing FROM registry.id WHERE account_id = '$id'") or die 'not closed';
		is(add($one, 'acme', $id =~ s/1(.)$/2$1/r), '', 'others go on');
		is( sqlstate($one, "SET statement_timeout = '5s'; SELECT awspool.add_account('acme', '$id', 'MP-0001', 'SPAM');"),
			'23505', 'what is being released is taken to the provider, too');
		is( $one->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%registry.release%' AND pid <> pg_backend_pid()"),
			'1', "release waits: $end");
		$adds->query_safe($end eq 'prepare' ? "COMMIT PREPARED 'adds'" : $end);
		$_->quit for $adds, $releases;
		like($releases->{stdout}, $end eq 'rollback' ? qr/released/ : qr/kept/, "and then sees: $end");
	}

	# release ends half-way
	{
		my $adds = open_session($one, 'BEGIN', "SELECT awspool.add_account('acme', '930000000031', 'MP-0001', 'SPAM')");

		is( sqlstate($one, "SET statement_timeout = '1s'; SELECT registry.release('acme', '{930000000031}');"),
			'57014', 'a release gives up');
		$adds->query_safe('ROLLBACK');
		$adds->quit;
		is(add($one, 'acme', '930000000031'), '23505', 'what it closed stays closed');
		is($one->safe_psql('postgres', "SELECT outcome FROM registry.release('acme', '{930000000031}')"), 'released', 'until it is run again');
		is(add($two, 'globex', '930000000031'), '', 'and free then');
	}

	# Where the provider is not, and where that would see what is not committed
	is(sqlstate($two, "SELECT registry.release('acme', '{930000000001}');"), '55000', 'a provider that is elsewhere is refused');
	is(sqlstate($two, "SELECT registry.orphans('acme');"), '55000', 'also for its orphans');
	$one->safe_psql('postgres', "SELECT awspool.freeze_provider('acme')");
	is(sqlstate($one, "SELECT registry.release('acme', '{930000000001}');"), '55000', 'so is one that is frozen');
	$one->safe_psql('postgres', "SELECT awspool.thaw_provider('acme')");
	is(sqlstate($one, "BEGIN; SELECT awspool.delete_account('acme', '930000000001'); SELECT registry.release('acme', '{930000000001}'); ROLLBACK;"),
		'55000', 'so is a transaction that has changed something');
	is(sqlstate($one, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT registry.release('acme', '{930000000001}'); ROLLBACK;"),
		'55000', 'or that would look at the past');
	is($at->("SELECT closing FROM registry.id WHERE account_id = '930000000001'"), 'f', 'and nothing is closed by that');

	#
	# The registry is down.
	#

	$registry->stop;
	is(add($one, 'acme', '940000000001'), 'WS009', 'without the registry nothing is added');
	is(sqlstate($one, "SELECT awspool.import_csv('acme', '940000000001;MP-0001;SPAM');"), 'WS009', 'or imported');
	is(sqlstate($one, "SELECT awspool.check_csv('acme', '940000000001;MP-0001;SPAM');"), 'WS009', 'or checked');
	is(sqlstate($one, claim_sql('O-1') . ';'), '', 'and claims go on');
	unlike(($one->psql('postgres', "SET ROLE regress_awspool_acme; SELECT awspool.add_account('acme', '940000000001', 'MP-0001', 'SPAM')"))[2],
		qr/host|port|connect|server_1/, "a provider's role is not told where it would be");
	$registry->start;
	is(add($one, 'acme', '940000000001'), '', 'when it is back, so are additions');

	# a session that was connected before goes on, at the second try at the latest
	$session = open_session($one, "SELECT awspool.add_account('acme', '940000000002', 'MP-0001', 'SPAM')");
	$registry->restart;
	note 'the first call after a restart: ', $session->query("SELECT status FROM awspool.add_account('acme', '940000000003', 'MP-0001', 'SPAM')");
	is( $session->query("SELECT status FROM awspool.add_account('acme', '940000000004', 'MP-0001', 'SPAM')"),
		'ready', 'a session reconnects to a registry that was restarted');
	$session->quit;

	#
	# Spread over two databases, as the reference says.
	#

	for my $n (0, 1)
	{
		$registry->safe_psql('postgres', "CREATE DATABASE registry$n");
		run_script($registry, 'registry.sql', "registry$n");
	}
	$registry->safe_psql('registry', <<"SQL");
BEGIN;
LOCK TABLE registry.id;
@{[ join "\n", map { "\\copy (SELECT * FROM registry.id WHERE right(account_id, 6)::int % 2 = $_) TO '$dump$_'" } 0, 1 ]}
ALTER TABLE registry.id RENAME TO id_before;
COMMIT;
SQL
	$registry->safe_psql("registry$_", "\\copy registry.id FROM '$dump$_'") for 0, 1;
	is(add($one, 'acme', '950000000001'), 'WS009', 'meanwhile nothing is added');
	for my $node ($one, $two)
	{
		is( run_script($node, 'registry-shard.sql', 'postgres', registry => "${where}registry0 | ${where}registry1",
				user => $node == $one ? 'server_1' : 'server_2'),
			'', 'and then all is as before');
	}
	is(join(' ', map { add($two, 'globex', $_) } '900000000001', '930000000002'), '23505 23505', 'ids of either are taken');
	is( $one->safe_psql('postgres', "SELECT outcome, count(*) FROM awspool.import_csv('acme', (SELECT string_agg((950000000000 + i) || ';MP-0001;SPAM', E'\\n') FROM generate_series(1, 1000) i)) GROUP BY 1"),
		'added|1000', 'a file goes into both');
	is( $registry->safe_psql("registry$_", "SELECT count(*), count(*) FILTER (WHERE right(account_id, 6)::int % 2 <> $_) FROM registry.id WHERE account_id LIKE '95%'"),
		'500|0', "half of it to registry$_") for 0, 1;
	is( $two->safe_psql('postgres', "SELECT count(*) FROM awspool.check_csv('globex', (SELECT string_agg((950000000000 + i) || ';MP-0001;SPAM', E'\\n') FROM generate_series(1, 1000) i)) WHERE outcome = 'rejected'"),
		'1000', 'and all of it is taken');
	is(sqlstate($one, "BEGIN; SELECT awspool.add_account('acme', '96000000000' || i, 'MP-0001', 'SPAM') FROM generate_series(1, 4) i; ROLLBACK;"), '', 'orphans in both');
	is( $one->safe_psql('postgres', "SELECT * FROM registry.release('acme', ARRAY(SELECT registry.orphans('acme')) || '{950000000001,950000000002}')"),
		join("\n", (map { "96000000000$_|released" } 1 .. 4), '950000000001|kept', '950000000002|kept'),
		'are released from both');

	# Made anew from what the servers have
	$registry->safe_psql("registry$_", 'TRUNCATE registry.id') for 0, 1;
	is($_->safe_psql('postgres', 'SELECT * FROM registry.enroll()'), '', 'a registry that was lost is made anew') for $one, $two;
	is(join('', map { add($two, 'globex', $_) } '900000000001', '930000000002', '900000000101'), '23505' x 3, 'and knows all');

	$_->stop for $two, $registry;
	return;
}
