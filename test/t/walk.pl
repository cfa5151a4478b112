# What others do while a claim is on its walk along the index of ready accounts.
# A claim takes the oldest account all the same, and comes to an end whatever
# they do.  walk.c runs a command in the middle of a walk: after the index page
# was read, before the first row on it is looked at.  As in test/specs/head.spec,
# what is named in brackets is what the test before it fails without, in
# src/head.c unless said otherwise.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use Awspool;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_pool('walk');
my $library = PostgreSQL::Test::Utils::tempdir . '/walk.so';
my ($include) = run_command([ 'pg_config', '--includedir-server' ]);
my $claim = claim_sql() . ';';
my $last_id = 0;

system_or_bail('cc', '-shared', '-fPIC', "-I$include", '-o', $library,
	"$FindBin::RealBin/walk.c");
$node->safe_psql('postgres', <<"SQL");
CREATE FUNCTION during_walks(regclass, text, int) RETURNS void AS '$library' LANGUAGE C STRICT;
CREATE FUNCTION walks() RETURNS int AS '$library' LANGUAGE C;
CREATE FUNCTION count_as_1_0(regclass) RETURNS void AS '$library' LANGUAGE C STRICT;
SQL

# Add that many accounts to a pool, and return their ids, oldest first.
sub stock
{
	my ($count, $marketplace) = @_;
	my @ids = map { sprintf '9%011d', ++$last_id } 1 .. $count;
	my $rows = join ', ',
	  map { "('acme', '$_', '" . ($marketplace // 'MP-0001') . "', 'SPAM')" }
	  @ids;

	$node->safe_psql('postgres',
		"INSERT INTO awspool.accounts (provider, account_id, marketplace, model) VALUES $rows"
	);
	return @ids;
}

sub start_over
{
	$node->safe_psql('postgres',
		'TRUNCATE awspool.account, awspool.account_log, awspool.pool_start');
	return;
}

sub session
{
	return $node->background_psql('postgres', on_error_stop => 0);
}

# Claim that many times in a session.
sub claims
{
	my ($session, $count) = @_;

	return join ' ', map { $session->query_safe($claim) } 1 .. $count;
}

# Have somebody else run this during the next walks of a session.
sub meanwhile
{
	my ($session, $times, $sql) = @_;
	my $psql = 'psql -Xq -v ON_ERROR_STOP=1 -d "' . $node->connstr('postgres')
	  . "\" -c \"$sql\" >/dev/null";

	$session->query_safe(
		"SELECT during_walks('awspool.account_ready', \$\$$psql\$\$, $times)");
	return;
}

# Somebody inserts an account by hand, older than all others, and uses it up.
sub passing_by
{
	my ($provider, $marketplace) = @_;

	return 'WITH u AS (INSERT INTO awspool.account (provider, account_id, marketplace, model, added_by, position)'
	  . " SELECT '$provider', 700000000000 + coalesce(max(account_id::bigint) - 700000000000, 0) + 1, '$marketplace', 'SPAM', 'hand', -1"
	  . " FROM awspool.account WHERE account_id < '8')"
	  . " SELECT; UPDATE awspool.account SET status = 'invalid' WHERE account_id < '8' AND status = 'ready'";
}

# The page of the table that an account is on
sub page_of
{
	my ($id) = @_;

	return $node->safe_psql('postgres',
		"SELECT (ctid::text::point)[0] FROM awspool.account WHERE account_id = '$id'"
	);
}

my $warm = session();
my $old = session();
my @a = stock(1);

#
# An edit begins and ends within a walk.  It puts another version of the oldest
# account on another page, since no room is left on its own: an old snapshot
# keeps what is dead.
#

$old->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT');
start_over();
$old->query_safe('COMMIT; BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT');
@a = stock(200);
is(claims($warm, 1), $a[0], 'a session warms up');
my $page = page_of($a[1]);
meanwhile($warm, 1,
	"SELECT awspool.edit_account('acme', '$a[1]', model => 'ECAM')");
is(claims($warm, 1), $a[1],
	'the oldest account is edited meanwhile [walk: something_arrived]');
is($warm->query_safe('SELECT walks()'), '1', 'the edit was in the middle');
isnt(page_of($a[1]), $page, 'and moved the row');
is(claims($warm, 1), $a[2], 'the next is in order');

# The same in the walk of a session that is cold
my $cold = session();
meanwhile($cold, 1,
	"SELECT awspool.edit_account('acme', '$a[3]', model => 'ECAM')");
is(claims($cold, 2), "@a[3, 4]", 'so it is for a session that is cold');
$cold->quit;

#
# Accounts arrive during each walk: a claim does not wait for that to end.
#

start_over();
@a = stock(3);
is(claims($warm, 1), $a[0], 'a session warms up');
meanwhile($warm, 50, passing_by('acme', 'MP-0001'));
is(claims($warm, 1), $a[1], 'something arrives during each walk');
cmp_ok($warm->query_safe('SELECT walks()'),
	'<', 12, 'the claim walks a few times [walk: MAX_TRIES]');
is(claims($warm, 2), "$a[2] ", 'the pool runs empty');
meanwhile($warm, 50, passing_by('acme', 'MP-0001'));
is(claims($warm, 1), '', 'something arrives during each walk of an empty pool');
cmp_ok($warm->query_safe('SELECT walks()'),
	'<', 12, 'the claim walks a few times [awspool_reserve_oldest: MAX_TRIES]');

#
# What arrives in other pools is nobody's affair.
#

for my $pool ([ 'acme', 'MP-0002' ], [ 'globex', 'MP-0001' ])
{
	is(claims($warm, 1), '', 'a session warms up');
	meanwhile($warm, 50, passing_by(@$pool));
	is(claims($warm, 1), '', "something arrives in pool @$pool");
	cmp_ok($warm->query_safe('SELECT walks()'),
		'<', 4, 'the claim does not look again [arrival.c: the rows of pools]');
}

#
# The script of version 1.0 counts arrivals of all pools together, and sessions
# with its library do so under ours.
#

# A session is warm; then an account that is older than all others is moved into
# its pool, or comes by hand unnoticed.
sub warm_up
{
	my ($moved) = stock(1, 'MP-0009');

	@a = stock(4);
	is(claims($warm, 2), "@a[0 .. 1]", 'a session warms up');
	return $moved;
}

sub move
{
	my ($id) = @_;

	$node->safe_psql('postgres',
		"SELECT awspool.edit_account('acme', '$id', 'MP-0001')");
	return;
}

sub first_count
{
	return $node->safe_psql('postgres',
		"SELECT arrivals FROM awspool.arrival_count WHERE ctid = '(0,1)'");
}

$old->quit;
$node->safe_psql('postgres',
	"DROP EXTENSION awspool; CREATE EXTENSION awspool VERSION '1.0'");
my $moved = warm_up();
move($moved);
is(claims($warm, 3), "$moved @a[2 .. 3]",
	'an account is moved under the script of 1.0 [count_arrivals: all]');

# A long walk, past what an old snapshot keeps, is remembered there as well.
$old = session();
$old->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT');
stock(3000);
$node->safe_psql('postgres',
	"UPDATE awspool.account SET status = 'invalid' WHERE status = 'ready'");
@a = stock(2);
is(claim($node), $a[$_], 'a cold session claims') for 0, 1;
is( $node->safe_psql('postgres',
		'SELECT count(*) FROM awspool.pool_start WHERE arrivals >= 0'),
	'1',
	'and has kept where [awspool_arrivals: all]');
$old->quit;

# Other rows come, go and come again under the eyes of the session.
for my $sql (
	"BEGIN; ALTER EXTENSION awspool UPDATE TO '1.1'; ROLLBACK",
	'VACUUM awspool.arrival_count',
	"ALTER EXTENSION awspool UPDATE TO '1.1'")
{
	$moved = warm_up();
	$node->safe_psql('postgres', $sql);
	move($moved);
	is(claims($warm, 3), "$moved @a[2 .. 3]",
		"an account is moved after $sql [count_arrivals]");
}

$moved = warm_up();
my $before = first_count();
move($moved);
is(claims($warm, 3), "$moved @a[2 .. 3]", 'an account is moved');
is(first_count(), $before + 1,
	'which a session with the old library sees [count_arrivals: all]');

warm_up();
$node->safe_psql('postgres', <<'SQL');
BEGIN;
ALTER TABLE awspool.account DISABLE TRIGGER account_refuse_used;
INSERT INTO awspool.account (provider, account_id, marketplace, model, added_by, position)
VALUES ('acme', '800000000000', 'MP-0001', 'SPAM', 'hand', -1);
ALTER TABLE awspool.account ENABLE ALWAYS TRIGGER account_refuse_used;
SELECT count_as_1_0('awspool.arrival_count');
COMMIT;
SQL
is(claims($warm, 3), "800000000000 @a[2 .. 3]",
	'what such a session counts is seen by ours [awspool_arrivals: by_pool]');

$warm->quit;
$node->stop;
done_testing();
