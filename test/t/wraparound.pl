# The transaction counter runs over its 32 bits while sessions remember
# transactions from before: claims go on, in order, and nothing that was said
# before is unsaid.  What a session remembers of transactions is in src/head.c.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use Awspool;
use PostgreSQL::Test::Utils;
use Test::More;

use constant {
	TWO_TO_30 => 1 << 30,    # as far as it may go from one VACUUM to the next
	WRAP => 1 << 32,
	CLOG_PAGE => 32768,    # transactions
	SUBTRANS_PAGE => 2048,
};

my $node = start_pool(
	'wraparound',
	conf => <<'CONF');
max_prepared_transactions = 10
autovacuum_freeze_max_age = 2000000000
CONF
my $claim = claim_sql() . ';';
my $last_id = 0;

my $library = PostgreSQL::Test::Utils::tempdir . '/jump.so';
my ($include) = run_command([ 'pg_config', '--includedir-server' ]);
my $variables =
  $node->pg_version < 17 ? 'ShmemVariableCache' : 'TransamVariables';
system_or_bail('cc', '-shared', '-fPIC', "-I$include",
	"-DVARIABLES=$variables", '-o', $library, "$FindBin::RealBin/jump.c");
$node->safe_psql('postgres', <<"SQL");
CREATE FUNCTION jump(bigint) RETURNS void AS '$library' LANGUAGE C STRICT;
ALTER DATABASE template0 ALLOW_CONNECTIONS true;
SQL

# Let some transaction be about the next to get this id.
sub jump_to
{
	my ($xid) = @_;

	for my $page (CLOG_PAGE, SUBTRANS_PAGE, 1)
	{
		my $first = $xid - $xid % $page;

		next if next_xid() >= $first;
		$node->safe_psql('postgres', "SELECT jump($first)");
		next_xid();
	}
	return;
}

# The id that the next transaction gets, of 64 bits; this one takes one.
sub next_xid
{
	return $node->safe_psql('postgres', 'SELECT pg_current_xact_id()') + 1;
}

sub freeze
{
	$node->command_ok(
		[
			'vacuumdb', '--all', '--freeze', '--quiet',
			'--maintenance-db', $node->connstr('postgres')
		],
		'everything is frozen');
	return;
}

# Add that many accounts, and return their ids, oldest first.
sub stock
{
	my ($count) = @_;
	my @ids = map { sprintf '9%011d', ++$last_id } 1 .. $count;

	add_accounts($node, @ids);
	return @ids;
}

# Add many accounts that are used up at once.  A transaction that lasts keeps
# the dead entries: who walks past them remembers what is before.
sub fill
{
	my $first = $last_id + 1;

	$last_id += 3000;
	$node->safe_psql('postgres', <<"SQL");
INSERT INTO awspool.import
SELECT 'acme', 900000000000 + i, 'MP-0001', 'SPAM' FROM generate_series($first, $last_id) i;
UPDATE awspool.account SET status = 'invalid'
WHERE account_id::bigint >= 900000000000 + $first;
SQL
	return;
}

sub session
{
	return $node->background_psql('postgres');
}

# Claim that many times in a session.
sub claims
{
	my ($session, $count) = @_;

	return join ' ', map { $session->query_safe($claim) } 1 .. $count;
}

# Start a transaction that claims that many accounts.
sub begin_claims
{
	my ($count) = @_;
	my $session = session();

	$session->query_safe('BEGIN');
	return ($session, claims($session, $count));
}

#
# A session that remembers a transaction, and then does nothing, until half of
# all ids were used.
#

my ($warm, $idle) = (session(), session());
my @a = stock(2);
my ($doomed, $taken) = begin_claims(2);
is($taken, "@a", 'a transaction claims');
fill();
my @b = stock(8);
is(claims($idle, 2), "@b[0 .. 1]", 'a session remembers what is in doubt');
is(claims($warm, 2), "@b[2 .. 3]", 'so does another');
$doomed->query_safe('ROLLBACK');

my $sold = claim($node, 'sold');
is($sold, $a[0], 'what was in doubt is ready again');
$node->safe_psql('postgres',
	"SELECT awspool.allocate_account('acme', '$sold', 'sold')");
is(claims($warm, 1), $a[1], 'for a session, too, that remembers it');
$doomed->query_safe('BEGIN');
@a = stock(2);
is(claims($doomed, 2), "@b[4 .. 5]", 'a transaction claims again');
fill();
is(claims($idle, 1), $b[6], 'a session remembers what is in doubt');
$doomed->query_safe('ROLLBACK');

for my $times (1 .. 3)
{
	jump_to($times * TWO_TO_30);
	is(claim($node, 'sold'), $sold, "after $times * 2^30: a retry");
	freeze();
}
is(claims($idle, 2), "@b[4 .. 5]",
	'the session finds what was ready all the while');
is(claims($warm, 1), $b[7], 'the other goes on');
is(claims($idle, 2), "@a", 'and so do both');

#
# The wrap.  On the one side of it are transactions that still run on the
# other.
#

jump_to(WRAP - 40);
@a = stock(6);
is(claim($node, 'before'), $a[0], 'an order claims before the wrap');
is(claims($warm, 1), $a[1], 'so does a session');
my ($rolled_back, $first) = begin_claims(1);
my ($committed, $second) = begin_claims(1);
is("$first $second", "@a[2 .. 3]", 'and two transactions that last');
$node->safe_psql('postgres',
	'BEGIN; ' . claim_sql('prepared') . "; PREPARE TRANSACTION 'claim'");
is(claims($warm, 1), $a[5], 'and one that is prepared');
cmp_ok(next_xid(), '<', WRAP, 'all that was before the wrap');
next_xid() for 1 .. 40;
cmp_ok(next_xid(), '>', WRAP, 'now it is over');

fill();
@b = stock(6);
is(claim($node, 'before'), $a[0], 'a retry after the wrap');
is(claims($idle, 1), $b[0], 'claims step over what still lasts');
is(claims($warm, 1), $b[1], 'in each session');
$rolled_back->query_safe('ROLLBACK');
is(claims($warm, 2), "$a[2] $b[2]", 'one is rolled back');
$committed->query_safe('COMMIT');
is(claims($warm, 1), $b[3], 'one is committed');
$node->safe_psql('postgres', "ROLLBACK PREPARED 'claim'");
is(claims($idle, 2), "$a[4] $b[4]", 'the prepared one is rolled back');
is(claim($node, 'after'), $b[5], 'a new session claims');

$_->quit for $warm, $idle, $doomed, $rolled_back, $committed;
freeze();
$node->restart;
is(claim($node, 'before'), $a[0], 'a retry after a restart');
is(claim($node, 'sold'), $sold, 'and of what was sold long before');
is(claim($node), '', 'every account was claimed');
is( $node->safe_psql('postgres',
		"SELECT count(*), count(DISTINCT account_id) FROM awspool.accounts WHERE status = 'ready'"
	),
	'0|0',
	'none is lost');
is( sqlstate(
		$node, "SELECT awspool.delete_account('acme', '$sold');
			SELECT awspool.add_account('acme', '$sold', 'MP-0001', 'SPAM');"),
	'WS005',
	'and none comes back');

$node->stop;
done_testing();
