# pg_upgrade takes a pool with it: test/upgrade.sh has the servers, of which
# OLD_SERVERS has the old ones.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/t";
use Awspool;
use PostgreSQL::Test::Utils;
use Test::More;

my $old_servers = $ENV{OLD_SERVERS};
my @versions = sort { $a <=> $b } map { m{/(\d+)$} } glob "$old_servers/*";
push @versions, `pg_config --version` =~ /(\d+)/;

# The programs of an old server find the libraries that it came with.
$ENV{LD_LIBRARY_PATH} = join ':', map { "$old_servers/$_/lib" } @versions[ 0 .. $#versions - 1 ];

sub new_server
{
	my ($version, $name) = @_;
	my $node = PostgreSQL::Test::Cluster->new(
		$name // "v$version",
		$version == $versions[-1]
		? ()
		: (install_path => "$old_servers/$version"));

	$node->init(
		extra => $version < 18 ? [] : ['--no-data-checksums']);
	is($node->pg_version->major, $version, "there is a server $version");
	return $node;
}

# All that the extension stores, and what it is to the server.  Whether the types
# of tables are members of an extension is the server's affair.
sub contents
{
	my ($node) = @_;

	return $node->safe_psql('postgres', <<'SQL');
SELECT * FROM awspool.account ORDER BY position;
SELECT * FROM awspool.account_log ORDER BY log_id;
SELECT * FROM awspool.provider_role ORDER BY provider, role;
SELECT last_value, is_called FROM awspool.account_position;
SELECT last_value, is_called FROM awspool.account_log_log_id_seq;
SELECT extversion, extconfig::regclass[], extcondition FROM pg_extension WHERE extname = 'awspool';
SELECT pg_describe_object(classid, objid, objsubid) COLLATE "C" FROM pg_depend
WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
	AND classid <> 'pg_type'::regclass
	AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'awspool') ORDER BY 1;
SQL
}

# Run pg_upgrade on two servers that are stopped, and return what it says.
sub pg_upgrade
{
	my ($old, $new) = @_;
	my $dir = PostgreSQL::Test::Utils::tempdir;

	chdir $dir or die $!;
	return run_command(
		[
			$new->config_data('--bindir') . '/pg_upgrade',
			'--old-datadir', $old->data_dir,
			'--new-datadir', $new->data_dir,
			'--old-bindir', $old->config_data('--bindir'),
			'--new-bindir', $new->config_data('--bindir'),
			'--socketdir', $new->host,
			'--old-port', $old->port,
			'--new-port', $new->port
		]);
}

# Whether the servers of two versions, as they were packed, upgrade anything at
# all: one table, without the extension.  A minor release may know more than an
# older one of the next version: 17.12 gives every column an option "pg_attver",
# which 18.6 refuses.
sub versions_fit
{
	my ($from, $to) = @_;
	my ($old, $new) = map { new_server($_, "plain_${from}_$_") } $from, $to;

	$old->start;
	$old->safe_psql('postgres', 'CREATE TABLE plain (i int)');
	$old->stop;
	my ($stdout) = pg_upgrade($old, $new);

	return $stdout =~ /Upgrade Complete/;
}

# Returns whether that went well; if not, the old server goes on.
sub upgrade
{
	my ($old, $new) = @_;
	my $before = contents($old);

	$old->stop;
	my ($stdout, $stderr) = pg_upgrade($old, $new);
	if (!like($stdout, qr/Upgrade Complete/,
			'pg_upgrade from ' . $old->name . ' to ' . $new->name))
	{
		diag($stderr,
			map { grep { /error:/ } split /^/, slurp_file($_) }
			  glob($new->data_dir . '/pg_upgrade_output.d/*/log/*.log'));
		$old->start;
		return 0;
	}
	is($stderr, '', 'without a warning');
	ok(!-e 'update_extensions.sql', 'no extension waits for an update');
	$new->start;
	is(contents($new), $before, $new->name . ': all is as it was');
	return 1;
}

# What happens to a pool; at each stop an order claims, and another account is
# added, edited, used and deleted.
sub use_pool
{
	my ($node, $version, $oldest) = @_;
	my $name = $node->name;
	my $as_seller = 'SET ROLE regress_awspool_seller; ';
	my $id = '9100000000' . $version;

	is(sqlstate($node, 'ANALYZE; SELECT * FROM awspool.pool_status;'), '',
		"$name: statistics");
	is($node->safe_psql('postgres', $as_seller . claim_sql('held')),
		'900000000080', "$name: an order holds its account");
	is($node->safe_psql('postgres', $as_seller . claim_sql('allocated')),
		'900000000090', "$name: also one that is allocated");
	is($node->safe_psql('postgres', $as_seller . claim_sql("order-$version")),
		$oldest, "$name: the oldest account is next");
	is( sqlstate(
			$node,
			"SELECT awspool.add_account('acme', '900000000030', 'MP-0001', 'SPAM');"
		),
		'WS005',
		"$name: a used id is refused");
	is( sqlstate(
			$node,
			"UPDATE awspool.account SET status = 'ready' WHERE status <> 'ready';"
		),
		'WS001',
		"$name: the transitions are guarded");
	is( sqlstate(
			$node,
			"SET ROLE regress_awspool_stranger; " . claim_sql() . ';'),
		'42501',
		"$name: a stranger stays one");
	is( sqlstate(
			$node,
			"$as_seller SELECT awspool.add_account('acme', '$id', 'MP-0001', 'SPAM');
			 SELECT awspool.edit_account('acme', '$id', model => 'ECAM');"),
		'',
		"$name: an account is added");
	is( $node->safe_psql('postgres',
			"SELECT account_id FROM awspool.account WHERE status = 'ready' ORDER BY position DESC LIMIT 1"
		),
		$id,
		"$name: it is the youngest");
	is( $node->safe_psql('postgres',
			"SELECT string_agg(event, ' ' ORDER BY at, event) FROM awspool.account_history('acme', '900000000030')"
		),
		'added claimed allocated deleted',
		"$name: a deleted account has its history");
	return;
}

#
# Every status; positions that are not in the order of the ids; edits, used ids
# that were deleted, and grants, one of them of a role that is gone.
#

my $node = new_server($versions[0]);
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION awspool');
add_accounts($node, map { "9000000000$_" } 90, 10, 50, 30, 80, 70, 20, 60, 40, 99);
$node->safe_psql('postgres', <<'SQL');
SELECT awspool.claim_account('acme', 'MP-0001', 'allocated');
SELECT awspool.allocate_account('acme', '900000000090', 'allocated');
SELECT awspool.claim_account('acme', 'MP-0001', 'failed');
SELECT awspool.fail_account('acme', '900000000010', 'no quota', 'failed');
SELECT awspool.claim_account('acme', 'MP-0001', 'invalid');
SELECT awspool.invalidate_account('acme', '900000000050', 'closed by AWS');
SELECT awspool.claim_account('acme', 'MP-0001', 'deleted');
SELECT awspool.allocate_account('acme', '900000000030', 'deleted');
SELECT awspool.delete_account('acme', '900000000030');
SELECT awspool.claim_account('acme', 'MP-0001', 'held');
SELECT awspool.edit_account('acme', '900000000080', model => 'ECAM');
SELECT awspool.edit_account('acme', '900000000070', 'MP-0002');
SELECT awspool.edit_account('acme', '900000000070', 'MP-0001');
SELECT awspool.delete_account('acme', '900000000020');
CREATE ROLE regress_awspool_seller;
CREATE ROLE regress_awspool_stranger;
CREATE ROLE regress_awspool_gone;
SELECT awspool.grant_provider('acme', 'regress_awspool_seller');
SELECT awspool.grant_provider('*', 'regress_awspool_gone');
DROP ROLE regress_awspool_gone;
SQL
is( $node->safe_psql('postgres',
		'SELECT count(DISTINCT status) FROM awspool.account'),
	'5',
	'the pool has every status');
my @ready = map { "9000000000$_" } 70, 60, 40, 99;
use_pool($node, $versions[0], $ready[0]);

for my $i (1 .. $#versions)
{
	my ($from, $to) = @versions[ $i - 1, $i ];

  SKIP:
	{
		skip "pg_upgrade from $from to $to fails for any table, as these servers are packed"
		  unless $node->pg_version->major == $from && versions_fit($from, $to);
		my $next = new_server($to);

		upgrade($node, $next) or last;
		$node = $next;
		use_pool($node, $to, $ready[$i]);
	}
}

# The accounts that were added on the way are the youngest, in their order.
my $claimed = join ' ', map { claim($node) } 0 .. @ready + @versions;
my $added = join ' ', map { "9100000000$_" }
  grep { $_ <= $node->pg_version->major } @versions;
like($claimed, qr/^(9000000000\d\d )*$added +$/, 'claims go on to the end');

$node->stop;
done_testing();
