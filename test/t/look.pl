# Who looks for a row while somebody moves it: the scan has read a page of the
# index, the row is replaced and the replacement committed, and only then does
# the scan look at the row that it has the entry of.  src/relation.c explains
# why nobody misses it.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use Awspool;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_pool('look', conf => 'deadlock_timeout = 100ms');

my $library = PostgreSQL::Test::Utils::tempdir . '/pause.so';
my ($include) = run_command([ 'pg_config', '--includedir-server' ]);
system_or_bail('cc', '-shared', '-fPIC', "-I$include", '-o', $library,
	"$FindBin::RealBin/pause.c");
$node->safe_psql('postgres', <<"SQL");
CREATE FUNCTION pause_scan(index regclass) RETURNS void AS '$library' LANGUAGE C STRICT;

-- Edits an account through the view until its row has come to another page.
CREATE PROCEDURE move(id text) LANGUAGE plpgsql AS \$\$
DECLARE
	page text := split_part(ctid::text, ',', 1) FROM awspool.account WHERE account_id = id;
BEGIN
	FOR i IN 1 .. 1000 LOOP
		EXIT WHEN page <> (SELECT split_part(ctid::text, ',', 1) FROM awspool.account WHERE account_id = id);
		UPDATE awspool.accounts SET model = CASE model WHEN 'SPAM' THEN 'ECAM' ELSE 'SPAM' END
		WHERE account_id = id;
		COMMIT;
	END LOOP;
END \$\$;
SQL
my ($looker, $other, $gate) =
  map { $node->background_psql('postgres', on_error_stop => 0) } 1 .. 3;

# A session begins a statement, and stops in its next scan of an index.
sub begin_and_pause
{
	my ($session, $index, $sql) = @_;

	$gate->query_safe('SELECT FROM pg_advisory_lock(17)');
	$session->query_safe("SELECT FROM pause_scan('awspool.$index')");
	begin($session, $sql);
	return;
}

# A session begins a statement that has to wait.
sub begin
{
	my ($session, $sql) = @_;
	my $waiting = $node->safe_psql('postgres',
		'SELECT 1 + count(*) FROM pg_locks WHERE NOT granted');

	$session->query_until(qr/^begun$/m, "\\echo begun\n$sql;\n");
	$node->poll_query_until('postgres',
		'SELECT count(*) FROM pg_locks WHERE NOT granted', $waiting)
	  or die "it does not wait: $sql";
	return;
}

sub go_on
{
	$gate->query_safe('SELECT FROM pg_advisory_unlock(17)');
	return;
}

# What the statement that a session has begun came to.
sub answer
{
	my ($session) = @_;
	my $answer = $session->query('') . $session->{stderr};

	$session->{stderr} = '';
	return $answer;
}

my @ids = map { sprintf '1000000000%02d', $_ } 1 .. 40;
add_accounts($node, @ids);
$_->query_safe(claim_sql("warm") . ';') for $looker, $other;

# The order's account is allocated by hand, so its row gets new entries.
is(claim($node, 'X'), $ids[1], 'an order holds an account');
begin_and_pause($looker, 'account_order', claim_sql('X'));
$node->safe_psql('postgres',
	"UPDATE awspool.account SET status = 'allocated' WHERE account_id = '$ids[1]'");
go_on();
is(answer($looker), $ids[1],
	'a repeated claim finds the account that is allocated meanwhile');

# The same by an edit, which does not lock the order of a closed account.
begin_and_pause($looker, 'account_order', claim_sql('X'));
$node->safe_psql('postgres', "CALL move('$ids[1]')");
go_on();
is(answer($looker), $ids[1],
	'a repeated claim finds the account that is edited meanwhile');

# The same while somebody goes on editing: it waits for them, and has nothing
# that they might wait for.
begin_and_pause($looker, 'account_order', claim_sql('X'));
$node->safe_psql('postgres', "CALL move('$ids[1]')");
$other->query_safe(
	"BEGIN; UPDATE awspool.accounts SET model = CASE model WHEN 'SPAM' THEN 'ECAM' ELSE 'SPAM' END WHERE account_id = '$ids[1]'"
);
go_on();
$node->poll_query_until('postgres',
	"SELECT count(*) = 1 FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"
);
is( $other->query(
		"UPDATE awspool.accounts SET model = 'ECAM' WHERE account_id = '$ids[2]'; COMMIT"
	) . $other->{stderr},
	'',
	'who is editing has nothing to wait for');
$other->{stderr} = '';
is(answer($looker), $ids[1],
	'a repeated claim waits for who is editing its account, and nobody for it');

# The account fails meanwhile: there is nothing to be found.
is(claim($node, 'Y'), $ids[2], 'another order holds an account');
begin_and_pause($looker, 'account_order', claim_sql('Y'));
$node->safe_psql('postgres',
	"UPDATE awspool.account SET status = 'provisioning_failed' WHERE account_id = '$ids[2]'");
go_on();
is(answer($looker), $ids[3],
	'an order whose account fails meanwhile gets the next one');

# By functions alone: who allocates a ready account, and waits for its claim, has
# not locked the order that it gets meanwhile.
$gate->query_safe('BEGIN; ' . claim_sql('Z') . ';');
begin($other, "SELECT account_id FROM awspool.allocate_account('acme', '$ids[4]')");
$looker->query_safe("SELECT FROM pause_scan('awspool.account_order')");
begin($looker, claim_sql('Z'));
$gate->query_safe('SELECT FROM pg_advisory_lock(17); COMMIT;');
$node->poll_query_until('postgres',
	"SELECT count(*) = 1 FROM pg_locks WHERE NOT granted AND (classid, objid, objsubid) = (0, 17, 1)");
# Here it either has allocated the account, or waits for the order.
$node->poll_query_until('postgres',
	"SELECT status = 'allocated' OR EXISTS (SELECT FROM pg_locks WHERE NOT granted AND (locktype, objid) <> ('advisory', 17)) FROM awspool.account WHERE account_id = '$ids[4]'");
go_on();
is(answer($looker), $ids[4], 'a claim that waited finds what the order holds');
is(answer($other), $ids[4], 'and who waited for its account allocates it');

# Another provider's account is moved, and is then being edited: who wants to
# add its id is refused, and does not wait.
$node->safe_psql('postgres',
	"SELECT FROM awspool.add_account('other', '200000000001', 'MP-0001', 'SPAM')");
begin_and_pause($looker, 'account_pkey',
	"SET lock_timeout = '30s'; SELECT FROM awspool.add_account('acme', '200000000001', 'MP-0001', 'SPAM')");
$node->safe_psql('postgres',
	"SELECT FROM awspool.edit_account('other', '200000000001', 'MP-0002')");
$other->query_safe(
	"BEGIN; SELECT FROM awspool.edit_account('other', '200000000001', 'MP-0003')");
go_on();
like(answer($looker), qr/account id "200000000001" is taken/,
	"an id is another's also while its account is moved");
$other->query_safe('COMMIT');

# The note of where a pool starts is moved: a session to come starts there all the
# same, and does not walk from the very start.
$other->query_safe(
	'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM awspool.account');
$node->safe_psql('postgres', <<'SQL');
INSERT INTO awspool.accounts (provider, account_id, marketplace, model)
SELECT 'acme', 300000000000 + i, 'MP-0009', 'SPAM' FROM generate_series(1, 3010) i;
UPDATE awspool.account SET status = 'invalid' WHERE account_id BETWEEN '300000000001' AND '300000003000';
SELECT FROM awspool.claim_account('acme', 'MP-0009');	-- too soon to know where to start
SQL

# How many pages the first claim of a session reads, which knows other pools; in
# the middle of it, the note may be moved.
sub pages_read
{
	my ($move) = @_;
	my $cold = $node->background_psql('postgres', on_error_stop => 0);
	my $claim =
	  "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, SUMMARY OFF) SELECT awspool.claim_account('acme', 'MP-0009')";
	my $plan;

	$cold->query_safe("SELECT FROM awspool.claim_account('acme', 'MP-0001')");
	if ($move)
	{
		begin_and_pause($cold, 'pool_start_pkey', $claim);
		$node->safe_psql('postgres', $move);
		go_on();
		$plan = answer($cold);
	}
	else
	{
		$plan = $cold->query($claim);
	}
	$cold->quit;
	$plan =~ /shared hit=(\d+)/ or die $plan;
	return $1;
}
my $walk = pages_read();
my $start = pages_read();
cmp_ok($start, '<', $walk / 2, 'a note saves a walk');
$node->safe_psql('postgres', <<'SQL');
INSERT INTO awspool.pool_start (position, arrivals, provider, marketplace)
SELECT 0, -1, 'full', 'MP-' || lpad(i::text, 4, '0') FROM generate_series(1, 300) i;
SQL
cmp_ok(
	pages_read(
		"UPDATE awspool.pool_start SET position = position WHERE provider = 'acme' AND marketplace = 'MP-0009'"
	),
	'<',
	$walk / 2,
	'also if it is moved meanwhile');
$other->query_safe('COMMIT');

$_->quit for $looker, $other, $gate;
$node->stop;
done_testing();
