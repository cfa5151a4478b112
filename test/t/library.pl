# The library works the same whether it was preloaded or not, and shows
# nothing to other libraries but what it must.

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

# The functions that the library offers to SQL, and those that SQL uses
my ($library_dir) = run_command([ 'pg_config', '--pkglibdir' ]);
my $library = "$library_dir/awspool.so";
my %offered = map { $_ => 1 } slurp_file($library) =~ /\bpg_finfo_(\w+)/g;
$node->safe_psql('postgres', 'CREATE EXTENSION awspool');
my $used = $node->safe_psql('postgres',
	"SELECT DISTINCT prosrc COLLATE \"C\" FROM pg_proc JOIN pg_language l ON l.oid = prolang
	 WHERE lanname = 'c' AND pronamespace = 'awspool'::regnamespace ORDER BY 1"
);
is(join("\n", sort keys %offered),
	$used, 'SQL uses every function of the library, and no other');

# What is not static could be taken for another library's.
SKIP:
{
	my ($symbols, $stderr) =
	  run_command([ 'nm', '--dynamic', '--defined-only', $library ]);
	skip 'nm cannot read the library', 1 if $symbols eq '';

	my @foreign = grep {
		!/^(pg_finfo_)?awspool_/ && !/^(_PG_init|Pg_magic_func|_init|_fini)$/
	} $symbols =~ /(\w+)$/mg;
	is("@foreign", '', 'every symbol begins with awspool_');
}

$node->stop;
done_testing();
