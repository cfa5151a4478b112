# The library works the same whether it was preloaded or not, shows nothing to
# other libraries but what it must, and bears with the script of another version.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use Awspool;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('library');
$node->init;
$node->start;

# An empty database, and everything that a session may do first in it
sub use_pool
{
	my ($how) = @_;

	$node->safe_psql('postgres', 'CREATE DATABASE pool TEMPLATE template0');
	$node->safe_psql('pool', 'CREATE EXTENSION awspool');

	is( sqlstate(
			$node,
			"SET awspool.provider = 'acme';
			 INSERT INTO awspool.import (account_id, marketplace_id, account_model)
			 VALUES ('900000000001', 'MP-0001', 'SPAM');",
			'pool'),
		'',
		"$how: the setting may be set before anything else");
	is($node->safe_psql('pool', 'SELECT provider FROM awspool.accounts'),
		'acme', "$how: and counts");
	is($node->safe_psql('pool', 'SELECT ready FROM awspool.pool_status'),
		'1', "$how: a session may begin with a view");
	is(claim($node, 'order-1', 'pool'),
		'900000000001', "$how: a session may begin with a claim");
	is( sqlstate(
			$node,
			"UPDATE awspool.account SET status = 'ready';",
			'pool'),
		'WS001',
		"$how: a session may begin with the base table");
	is( $node->safe_psql('pool',
			'SELECT awspool.my_providers(); SHOW awspool.provider'),
		'{}' . "\n",
		"$how: the setting is empty");
	is( sqlstate(
			$node,
			"SELECT awspool.my_providers(); SET awspool.nonsense = 1;", 'pool'),
		'42602',
		"$how: no other setting is known");

	# The setting can be stored by a role for itself, for its database, and in a
	# function, once the library is loaded; by a superuser always.
	$node->safe_psql('pool',
		"CREATE ROLE regress_awspool_acme LOGIN;
		 ALTER DATABASE pool OWNER TO regress_awspool_acme");
	for my $store (
		"ALTER ROLE regress_awspool_acme SET awspool.provider = 'acme'",
		'ALTER ROLE regress_awspool_acme RESET awspool.provider',
		"ALTER DATABASE pool SET awspool.provider = 'acme'",
		'ALTER DATABASE pool RESET awspool.provider',
		"CREATE FUNCTION f() RETURNS text LANGUAGE sql SET awspool.provider = 'acme' AS 'SELECT current_setting(''awspool.provider'')'",
		'ALTER FUNCTION f() RESET awspool.provider',
		'DROP FUNCTION f()')
	{
		my %outcome = map {
			my $first = $_;
			my ($ret, $stdout, $stderr) = $node->psql(
				'pool',
				"\\set VERBOSITY sqlstate\n$first; $store;",
				extra_params => [ '-U', 'regress_awspool_acme' ]);
			$first => $stderr =~ /ERROR:\s+(\w{5})$/m ? $1 : $stderr;
		} ($how =~ /nothing/ && $store !~ /DROP/ ? 'SELECT 1' : ()),
		  'SELECT awspool.my_providers()';

		is($outcome{'SELECT 1'} // '42501',
			'42501', "$how: before the library is loaded: $store");
		is($outcome{'SELECT awspool.my_providers()'},
			'', "$how: after it is loaded: $store");
	}
	if ($how !~ /nothing/)
	{
		is( $node->psql(
				'pool',
				"ALTER ROLE regress_awspool_acme SET awspool.provider = 'acme'",
				extra_params => [ '-U', 'regress_awspool_acme' ]),
			0,
			"$how: a role stores the setting before anything else");
	}
	$node->safe_psql('pool',
		"ALTER ROLE regress_awspool_acme SET awspool.provider = 'other'");
	my ($shown) = run_command(
		[
			'psql', '-XAt', '-U', 'regress_awspool_acme',
			'-d', $node->connstr('pool'),
			'-c', 'SHOW awspool.provider'
		]);
	is( $shown,
		'other',
		"$how: a superuser stores it for a role, whose sessions begin with it");
	{
		local $ENV{PGOPTIONS} = '-c awspool.provider=third';
		is( $node->safe_psql(
				'pool', 'SELECT awspool.my_providers(); SHOW awspool.provider'
			),
			"{}\nthird",
			"$how: so do those that connect with it");
	}
	$node->safe_psql('postgres',
		'ALTER DATABASE pool OWNER TO CURRENT_USER; DROP ROLE regress_awspool_acme');

	# The extension may go and come back under a session's feet.
	my $session = $node->background_psql('pool');
	for my $time ('first', 'second')
	{
		$session->query_safe(
			"DO 'BEGIN
			   PERFORM awspool.add_account(''acme'', ''900000000002'', ''MP-0001'', ''SPAM'');
			   PERFORM awspool.claim_account(''acme'', ''MP-0001'', ''order-2'');
			   PERFORM awspool.allocate_account(''acme'', ''900000000002'');
			   PERFORM awspool.delete_account(''acme'', ''900000000002'');
			 END'");
		is( $session->query_safe(
				"SELECT count(*) FROM awspool.account_history('acme', '900000000002')"
			),
			'4',
			"$how: the extension is used for the $time time");
		$session->query_safe('DROP EXTENSION awspool');
		$session->query_safe('CREATE EXTENSION awspool');
	}
	$session->quit;
	$node->safe_psql('postgres', 'DROP DATABASE pool');
	return;
}

use_pool('nothing preloaded');
for my $setting ('session_preload_libraries', 'shared_preload_libraries')
{
	$node->append_conf('postgresql.conf', "$setting = 'awspool'");
	$node->restart;
	use_pool($setting);
}

# Where it is preloaded, it may not take for the extension's what somebody else
# made under its names.
$node->safe_psql('postgres',
	'CREATE ROLE regress_awspool_acme LOGIN; CREATE DATABASE pool OWNER regress_awspool_acme');
is( $node->safe_psql(
		'pool', <<'SQL', extra_params => [ '-U', 'regress_awspool_acme' ]),
CREATE SCHEMA awspool;
CREATE TABLE awspool.account (provider int, position int, account_id int,
  CONSTRAINT account_pkey PRIMARY KEY (account_id));
CREATE INDEX account_provider ON awspool.account (provider, position);
INSERT INTO awspool.account VALUES (1, 2, 3);
CREATE TYPE awspool.account_row AS (provider text, account_id text);
CREATE FUNCTION awspool.visible_accounts() RETURNS SETOF awspool.account_row
LANGUAGE plpgsql AS $$ BEGIN RETURN NEXT ('theirs'::text, '1'::text); END $$;
SELECT provider FROM awspool.visible_accounts() WHERE account_id = '1';
SQL
	'theirs',
	'a function of that name without the extension is what it is');
$node->safe_psql('postgres',
	'DROP DATABASE pool; DROP ROLE regress_awspool_acme');

# The functions that the library offers to SQL, and those that SQL uses: with the
# script of today, or with an old one that was not updated yet
my ($library_dir) = run_command([ 'pg_config', '--pkglibdir' ]);
my $library = "$library_dir/awspool.so";
my %offered = map { $_ => 1 } slurp_file($library) =~ /\bpg_finfo_(\w+)/g;
my %used;
$node->safe_psql('postgres', 'CREATE DATABASE old TEMPLATE template0');
$node->safe_psql('old', "CREATE EXTENSION awspool VERSION '1.0'");
$node->safe_psql('postgres', 'CREATE EXTENSION awspool');
for my $dbname ('postgres', 'old')
{
	$used{$_} = 1 for split "\n", $node->safe_psql($dbname, <<'SQL');
SELECT DISTINCT prosrc FROM pg_proc JOIN pg_language l ON l.oid = prolang
WHERE lanname = 'c' AND pronamespace = 'awspool'::regnamespace
SQL
}
is(join("\n", sort keys %offered),
	join("\n", sort keys %used),
	'SQL uses every function of the library, and no other');

# A parallel worker loads the library, too.
like(
	$node->safe_psql('postgres', <<'END'), qr/Workers Launched: 1/, 'a parallel worker uses the library');
CREATE TABLE many AS SELECT n FROM generate_series(1, 1000) n;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 1;
EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off)
  SELECT count(*) FROM many WHERE awspool.is_well_formed('acme', '900000000001', 'MP-0001', 'SPAM', n::text);
END

# What is not static could be taken for another library's.
SKIP:
{
	my ($symbols, $stderr) =
	  run_command([ 'nm', '--dynamic', '--defined-only', $library ]);
	skip 'nm cannot read the library', 1 if $symbols eq '';
	skip 'the compiler added its own', 1 if $symbols =~ /__(gcov|odr_asan)/;

	my @foreign = grep {
		!/^(pg_finfo_)?awspool_/ && !/^(_PG_init|Pg_magic_func|_init|_fini)$/
	} $symbols =~ /(\w+)$/mg;
	is("@foreign", '', 'every symbol begins with awspool_');
}

#
# The script of another version, to which a function may return other rows: the
# library refuses, and does not crash.  Functions with a column more, a column
# less, and one of another type stand for those.
#

my %arguments = (
	add_account => "'acme', '900000000002', 'MP-0001', 'SPAM'",
	edit_account => "'acme', '900000000001', NULL, 'ECAM'",
	delete_account => "'acme', '900000000003'",
	delete_accounts => "'acme', '{900000000003}'",
	claim_account => "'acme', 'MP-0001', 'order-1'",
	claim_accounts => "'acme', 'MP-0001', '{order-1}'",
	explain_claim => "'acme', 'MP-0001'",
	allocate_account => "'acme', '900000000001', 'order-1'",
	fail_account => "'acme', '900000000001', 'failed', 'order-1'",
	invalidate_account => "'acme', '900000000001', 'invalid'",
	replace_account => "'acme', '900000000001', 'failed', 'order-1'",
	import_csv => "'acme', '900000000002;MP-0001;SPAM', false",
	check_csv => "'acme', '900000000002;MP-0001;SPAM'",
	reconcile_csv => "'acme', '900000000002;order-9'",
	check_reconcile_csv => "'acme', '900000000002;order-9'",
	passed_over => "'acme'",
	account_history => "'acme', '900000000001'",
	fail_overdue => "'acme', 100",
	overdue_accounts => "'acme'",
	blocked_accounts => "'acme'",
	visible_settings => '',
	read_activity => '',
	verify_indexes => '',
	verify_pool_starts => '',
	read_pools => '',
	visible_accounts => '');

add_accounts($node, '900000000001', '900000000003');
claim($node, 'order-1');
my $before = statuses($node);
my @functions = split "\n", $node->safe_psql('postgres', <<'SQL');
SELECT proname, oidvectortypes(proargtypes),
	coalesce((SELECT string_agg(format('%I %s', attname, atttypid::regtype), ', ' ORDER BY attnum)
			  FROM pg_attribute JOIN pg_type t ON typrelid = attrelid
			  WHERE t.oid = prorettype AND attnum > 0),
		substring(pg_get_function_result(p.oid) FROM '^TABLE\((.*)\)$'))
FROM pg_proc p JOIN pg_language l ON l.oid = prolang
WHERE lanname = 'c' AND proretset AND pronamespace = 'awspool'::regnamespace
ORDER BY proname
SQL
is( join(' ', sort keys %arguments),
	join(' ', map { /^(\w+)/ } @functions),
	'all functions that return rows');

for (@functions)
{
	my ($function, $types, $columns) = split /\|/;
	# The accounts of version 1.0 have one column less.
	my @other = (
		"$columns, more text",
		$columns =~ s/(,[^,]+){2}$//r,
		$columns =~ s/ text$/ integer/r =~ s/ (bigint|interval|timestamp with time zone)$/ text/r);
	my ($ret, $stdout, $stderr) = $node->psql(
		'postgres',
		join("\n",
			'\set VERBOSITY sqlstate',
			map {
			"BEGIN;
			 CREATE FUNCTION pg_temp.other($types) RETURNS TABLE ($_)
			 AS '\$libdir/awspool', 'awspool_$function' LANGUAGE C;
			 SELECT * FROM pg_temp.other($arguments{$function});
			 ROLLBACK;"
			} @other),
		on_error_stop => 0);

	is(join(' ', $stderr =~ /^\S+ ERROR:\s+(.+)$/mg),
		'42804 42804 42804', "$function with other rows is refused")
	  or diag($stderr);
}
is(statuses($node), $before, 'and has done nothing');

# A script with a function that the library does not have yet
is( sqlstate(
		$node,
		"CREATE FUNCTION pg_temp.later() RETURNS text AS '\$libdir/awspool', 'awspool_later' LANGUAGE C;"
	),
	'42883',
	'a function of a later library');

# A script without a function that the library has
$node->safe_psql('postgres', <<'SQL');
ALTER EXTENSION awspool DROP FUNCTION awspool.replace_account;
DROP FUNCTION awspool.replace_account;
SQL
is(claim($node, 'order-2'), '900000000003', 'an earlier script claims on');

$node->stop;
done_testing();
