# A backup is complete: what pg_dump writes and a restore reads back is the
# same pool, which claims on where it stopped, with the same grants.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use Awspool;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_pool('old');
my $dir = PostgreSQL::Test::Utils::tempdir;

my @granted = ('regress_awspool_seller', 'regress_awspool_all');
my @lost = ('regress_awspool_dropped', 'regress_awspool_renamed');

#
# The old pool: every status, in an order that is not the order of the ids;
# edits, deletions and grants, some of which count no more.
#

add_accounts($node, map { "90000000$_" }
	  '0090', '0010', '0050', '0080', '0020', '0030', '0070', '0040', '0060',
	'0100', '0110');
$node->safe_psql('postgres', <<'SQL');
SELECT awspool.add_account('acme', '900000000200', 'MP-0002', 'ECAM');
SELECT awspool.add_account('other', '900000000300', 'MP-0001', 'SPAM');

SELECT awspool.claim_account('acme', 'MP-0001', 'o-allocated');       -- 90
SELECT awspool.allocate_account('acme', '900000000090', 'o-allocated');
SELECT awspool.claim_account('acme', 'MP-0001', 'o-failed');          -- 10
SELECT awspool.fail_account('acme', '900000000010', E'no\\quota\n;\t"', 'o-failed');
SELECT awspool.claim_account('acme', 'MP-0001', 'o-invalid');         -- 50
SELECT awspool.invalidate_account('acme', '900000000050', 'closed by AWS');
SELECT awspool.claim_account('acme', 'MP-0001', 'o-running');         -- 80
SELECT awspool.claim_account('acme', 'MP-0001');                      -- 20
SELECT awspool.claim_account('acme', 'MP-0001', 'o-deleted');         -- 30
SELECT awspool.allocate_account('acme', '900000000030');
SELECT awspool.delete_account('acme', '900000000030');
SELECT awspool.invalidate_account('acme', '900000000070');
SELECT awspool.delete_account('acme', '900000000040');
SELECT awspool.edit_account('acme', '900000000200', 'MP-0001');
SELECT awspool.edit_account('acme', '900000000080', model => 'ECAM');
SELECT awspool.edit_account('acme', '900000000060', model => 'ECAM');

CREATE ROLE regress_awspool_seller;
CREATE ROLE regress_awspool_all;
CREATE ROLE regress_awspool_dropped;
CREATE ROLE regress_awspool_renamed;
CREATE ROLE regress_awspool_stranger LOGIN;
CREATE ROLE regress_awspool_reader LOGIN IN ROLE pg_read_all_data;
SELECT awspool.grant_provider('acme', 'regress_awspool_seller');
SELECT awspool.grant_provider('other', 'regress_awspool_seller');
SELECT awspool.grant_provider('*', 'regress_awspool_all');
SELECT awspool.grant_provider('acme', 'regress_awspool_dropped');
SELECT awspool.grant_provider('acme', 'regress_awspool_renamed');
DROP ROLE regress_awspool_dropped;
ALTER ROLE regress_awspool_renamed RENAME TO regress_awspool_newname;
SQL

# What is ready, oldest first: the edited account keeps its age in its new pool.
my @ready = map { "900000000$_" } '060', '100', '110', '200';
is( $node->safe_psql('postgres',
		"SELECT account_id FROM awspool.account WHERE provider = 'acme' AND status = 'ready' ORDER BY position"
	),
	join("\n", @ready),
	'the old pool has its order');
is( $node->safe_psql('postgres',
		'SELECT count(DISTINCT status) FROM awspool.account'),
	'5',
	'and every status');

#
# What a dump is, and that nothing in it changes on its way there and back.
#

# Run a program that has nothing to complain of.
sub run_silently
{
	my ($name, $on, @command) = @_;
	local $ENV{PGHOST} = $on->host;
	local $ENV{PGPORT} = $on->port;
	my ($stdout, $stderr) = run_command(\@command);

	is($stderr, '', "$name: no error and no warning");
	return $stdout;
}

# A dump as text, without what differs each time, nor the oids of roles.
sub dump_text
{
	my ($name, $on, $dbname) = @_;
	my $text = run_silently("dump of $name", $on, 'pg_dump', '-d', $dbname);

	$text =~ s/^\\(un)?restrict .*\n//mg;
	$text =~ s/^(\S+\tregress_awspool_\w+)\t\d+$/$1/mg;
	return $text;
}

my $text = dump_text('the old pool', $node, 'postgres');
like($text, qr/^COPY awspool\.$_ /m, "the dump has the rows of $_")
  for 'account', 'account_log', 'provider_role';
unlike($text, qr/$_/, "the dump does not have the grant of $_") for @lost;
my %statements =
  map { $_ => 1 } $text =~ /^((?:CREATE|ALTER|GRANT|REVOKE|DROP) \w+)/mg;
is( join(', ', sort keys %statements),
	'ALTER SCHEMA, CREATE EXTENSION, CREATE SCHEMA',
	'the dump makes the extension, and none of its objects by itself');

#
# A restored pool is the old one.
#

sub check_pool
{
	my ($name, $on, $dbname) = @_;

	is(dump_text($name, $on, $dbname), $text, "$name: dumps as the old one");
	is(statuses($on, $dbname), statuses($node),
		"$name: the same accounts in the same order");
	is( $on->safe_psql($dbname,
			'SELECT last_value, is_called FROM awspool.account_position'),
		$node->safe_psql('postgres',
			'SELECT last_value, is_called FROM awspool.account_position'),
		"$name: the next position is the same");
	my $history =
	  "SELECT a, h.* FROM generate_series(10, 110, 10) a, awspool.account_history('acme', '900000000' || lpad(a::text, 3, '0')) h";
	is( $on->safe_psql($dbname, $history),
		$node->safe_psql('postgres', $history),
		"$name: the same histories");
	return;
}

# Use it up.
sub check_claims
{
	my ($name, $on, $dbname) = @_;

	is(claim($on, 'o-running', $dbname),
		'900000000080', "$name: an order still holds its account");
	is( sqlstate(
			$on,
			"SELECT awspool.add_account('acme', '900000000030', 'MP-0001', 'SPAM');",
			$dbname),
		'WS005',
		"$name: a used id that was deleted is still refused");
	is( sqlstate(
			$on,
			"UPDATE awspool.account SET status = 'ready' WHERE status <> 'ready';",
			$dbname),
		'WS001',
		"$name: the transitions are guarded");
	is( sqlstate(
			$on,
			"SELECT awspool.add_account('acme', '900000000040', 'MP-0001', 'SPAM');
			 SELECT awspool.delete_account('acme', '900000000040');
			 SELECT awspool.add_account('acme', '900000000040', 'MP-0001', 'SPAM');",
			$dbname),
		'',
		"$name: an id that was never used comes and goes");
	for my $account (@ready, '900000000040')
	{
		is(claim($on, undef, $dbname), $account,
			"$name: claims go on with $account");
	}
	is(claim($on, undef, $dbname), '', "$name: and then there is none");
	return;
}

# Which roles act for somebody: those that were granted, and nobody who has
# taken the name of one that is gone.
sub check_grants
{
	my ($name, $on, $dbname) = @_;
	my $providers =
	  "SELECT count(DISTINCT provider) FROM awspool.accounts;";

	for my $role (@granted)
	{
		is($on->safe_psql($dbname, "SET ROLE $role; $providers"),
			'2', "$name: $role acts for its providers");
	}
	for my $role (@lost)
	{
		$on->safe_psql('postgres', "CREATE ROLE $role");
		is($on->safe_psql($dbname, "SET ROLE $role; $providers"),
			'0', "$name: whoever is $role now has nothing");
		$on->safe_psql('postgres', "DROP ROLE $role");
	}
	return;
}

# Another server, where the roles have other oids
my $new = PostgreSQL::Test::Cluster->new('new');
$new->init;
$new->start;
$new->safe_psql('postgres', join ' ',
	map { "CREATE ROLE $_;" } 'regress_awspool_first', reverse @granted);
isnt(
	$new->safe_psql('postgres', "SELECT '$granted[0]'::regrole::oid"),
	$node->safe_psql('postgres', "SELECT '$granted[0]'::regrole::oid"),
	'the roles of the new server have other oids');

run_silently('custom format', $node,
	'pg_dump', '-Fc', '-f', "$dir/custom", '-d', 'postgres');
run_silently('directory format', $node,
	'pg_dump', '-Fd', '-j2', '-f', "$dir/directory", '-d', 'postgres');
run_silently('plain format', $node,
	'pg_dump', '-f', "$dir/plain.sql", '-d', 'postgres');
run_silently('plain inserts', $node,
	'pg_dump', '--column-inserts', '-f', "$dir/inserts.sql", '-d', 'postgres');
run_silently('plain format that cleans', $node,
	'pg_dump', '--clean', '-f', "$dir/clean.sql", '-d', 'postgres');
run_silently('data only', $node,
	'pg_dump', '--data-only', '-f', "$dir/data.sql", '-d', 'postgres');

my @psql = ('psql', '-XqAt', '-o', '/dev/null', '-v', 'ON_ERROR_STOP=1');
my @restores = (
	[ 'custom', 'pg_restore', "$dir/custom" ],
	[ 'single', 'pg_restore', '--single-transaction', "$dir/custom" ],
	[ 'directory', 'pg_restore', '-j2', "$dir/directory" ],
	[ 'plain', @psql, '-f', "$dir/plain.sql" ],
	[ 'inserts', @psql, '-f', "$dir/inserts.sql" ],
	[ 'data_only', @psql, '-f', "$dir/data.sql" ]);

for my $on ($node, $new)
{
	for my $restore (@restores)
	{
		my ($dbname, @command) = @$restore;
		my $name = "$dbname on the " . $on->name . ' server';

		$on->safe_psql('postgres',
			"CREATE DATABASE $dbname TEMPLATE template0");
		$on->safe_psql($dbname, 'CREATE EXTENSION awspool')
		  if $dbname eq 'data_only';
		run_silently($name, $on, @command, '-d', $dbname);
		check_pool($name, $on, $dbname);
	}
}

# Grants and claims change the pool, so they come last.
check_grants('the old pool', $node, 'postgres');
check_grants('on the new server', $new, 'custom');
check_grants('restored beside the old one', $node, 'custom');
check_claims($_, $new, $_) for map { $_->[0] } @restores;

# On top of pools that have gone on meanwhile
for my $restore (
	[ 'custom', 'pg_restore', '--clean', "$dir/custom" ],
	[ 'inserts', 'pg_restore', '--clean', '--if-exists', "$dir/custom" ],
	[ 'single', 'pg_restore', '--clean', '--single-transaction', "$dir/custom" ],
	[ 'directory', 'pg_restore', '--clean', '-j2', "$dir/directory" ],
	[ 'plain', @psql, '-f', "$dir/clean.sql" ])
{
	my ($dbname, @command) = @$restore;
	my $name = "clean $dbname";

	run_silently($name, $new, @command, '-d', $dbname);
	check_pool($name, $new, $dbname);
	check_claims($name, $new, $dbname);
}

#
# Who may not read the pool cannot dump it.
#

# Run pg_dump as a role and return what it wrote and what it complained of.
sub dump_by
{
	my @options = @_;
	local $ENV{PGHOST} = $node->host;
	local $ENV{PGPORT} = $node->port;

	return run_command([ 'pg_dump', '-d', 'postgres', '-U', @options ]);
}

my $secrets = qr/9000000|acme|regress_awspool/;
my ($stdout, $stderr) = dump_by('regress_awspool_stranger');
like(
	$stderr,
	qr/permission denied for|lack SELECT privilege/,
	'a stranger cannot dump the pool');
unlike($stdout, $secrets, 'and gets nothing of it');

($stdout, $stderr) = dump_by('regress_awspool_reader');
like($stderr, qr/affected by row-level security/,
	'neither can who may read all data');
unlike($stdout, $secrets, 'who gets nothing of it');

($stdout, $stderr) =
  dump_by('regress_awspool_reader', '--enable-row-security');
unlike($stdout, $secrets, 'nor by leaving out what is not theirs');

$node->stop;
$new->stop;
done_testing();
