# What was acknowledged is durable, whatever the client's synchronous_commit:
# it is in the local WAL on disk, and at the synchronous standby.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use Awspool;
use Test::More;

# Nothing flushes WAL but who has to: the WAL writer is going to be stopped,
# the background writer and the checkpointer have no reason.
my $node = start_pool(
	'durability',
	init => { allows_streaming => 1 },
	conf => <<'CONF');
restart_after_crash = on
bgwriter_lru_maxpages = 0
checkpoint_timeout = 1h
max_prepared_transactions = 10
max_connections = 30
CONF

add_accounts($node, map { sprintf '9%011d', $_ } 1 .. 40);
$node->safe_psql('postgres',
	"CREATE TABLE plain (note text); CREATE ROLE regress_awspool_seller");
$node->safe_psql('postgres', 'CHECKPOINT');

#
# The local disk.  A stopped WAL writer makes what is left unflushed stay so,
# and a crash then loses it.
#

my $wal_writer = $node->safe_psql('postgres',
	"SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'");
kill 'STOP', $wal_writer;

my $session = $node->background_psql('postgres');
$session->query_safe('SET synchronous_commit = off');

# Run a transaction, and tell whether its WAL was flushed when it ended.
sub flushes
{
	my ($sql) = @_;
	my $before = $session->query_safe('SELECT pg_current_wal_insert_lsn()');

	$session->query_safe($sql);
	return $session->query_safe(
		"SELECT pg_current_wal_flush_lsn() > '$before'") eq 't';
}

my $plain = "INSERT INTO plain VALUES ('lost')";
ok(!flushes($plain), 'a plain change is acknowledged before it is flushed');

my @calls = (
	"claim_account('acme', 'MP-0001')",
	"claim_account('acme', 'MP-0001', 'order-2')",
	"claim_account('acme', 'MP-0001', 'order-2')",
	"claim_accounts('acme', 'MP-0001', '{order-2}')",
	"allocate_account('acme', '900000000001')",
	"allocate_account('acme', '900000000001')",
	"fail_account('acme', '900000000002', 'broken', 'order-2')",
	"fail_account('acme', '900000000002', 'broken', 'order-2')",
	"replace_account('acme', '900000000002', 'broken', 'order-2')",
	"replace_account('acme', '900000000002', 'broken', 'order-2')",
	"invalidate_account('acme', '900000000004')",
	"add_account('acme', '900000000041', 'MP-0001', 'SPAM')",
	"edit_account('acme', '900000000041', 'MP-0002', 'ECAM')",
	"delete_account('acme', '900000000004')",
	"delete_accounts('acme', '{900000000001}')",
	"import_csv('acme', '900000000042;MP-0001;SPAM')",
	"grant_provider('acme', 'regress_awspool_seller')",
	"revoke_provider('acme', 'regress_awspool_seller')",);
for my $call (@calls)
{
	ok(flushes("SELECT FROM awspool.$call"), "flushed: $call");
}

my $view = 'awspool.accounts';
ok( flushes(
		"INSERT INTO $view (provider, account_id, marketplace, model) VALUES ('acme', '900000000043', 'MP-0001', 'SPAM')"
	),
	'flushed: INSERT into the view');
ok( flushes("UPDATE $view SET status = 'allocated' WHERE order_id = 'order-2' AND status <> 'provisioning_failed'"),
	'flushed: UPDATE of the view');
ok(flushes("DELETE FROM $view WHERE account_id = '900000000043'"),
	'flushed: DELETE from the view');
ok( flushes(
		"INSERT INTO awspool.import VALUES ('acme', '900000000044', 'MP-0001', 'SPAM')"
	),
	'flushed: INSERT into awspool.import');

# However the client wraps it
my $claim = "SELECT FROM awspool.claim_account('acme', 'MP-0001')";
ok( flushes("BEGIN; $claim; SET LOCAL synchronous_commit = off; COMMIT;"),
	'flushed: a claim before the setting');
ok(flushes("BEGIN; SAVEPOINT s; $claim; RELEASE s; $plain; COMMIT;"),
	'flushed: a claim in a savepoint');
ok(flushes("DO 'BEGIN PERFORM awspool.claim_account(''acme'', ''MP-0001''); END'"),
	'flushed: a claim in PL/pgSQL');
is($session->query_safe('SHOW synchronous_commit'),
	'off', 'the client finds its setting as it was');
ok(!flushes($plain), 'and it still holds for other changes');

my $last = $session->query_safe(claim_sql('last'));
$session->query_safe($plain);

# The crash
my $offset = -s $node->logfile;
kill 'KILL', $wal_writer;
$node->wait_for_log(qr/database system is ready to accept connections/,
	$offset);
$node->poll_query_until('postgres', 'SELECT true');
eval { $session->quit };

is( $node->safe_psql('postgres',
		"SELECT account_id, status FROM awspool.accounts WHERE order_id = 'last'"
	),
	"$last|provisioning_in_progress",
	'the last acknowledged claim survives the crash');
is($node->safe_psql('postgres', 'SELECT count(*) FROM plain'),
	'3', 'the plain change acknowledged after it does not');
my $held = claim($node);
isnt($held, $last, 'so the account is not sold again');

#
# The synchronous standby.  None is connected, so whoever waits for it waits
# until the setting is taken back.
#

# Make the name of the standby known to every process.
sub set_standby
{
	my ($name) = @_;

	$node->safe_psql('postgres',
		"ALTER SYSTEM SET synchronous_standby_names = '$name'");
	$node->reload;
	$node->poll_query_until('postgres',
		"SELECT current_setting('synchronous_standby_names') = '$name'");
	# The checkpointer decides; it reads its signals before it works.
	$node->safe_psql('postgres', 'CHECKPOINT');
	return;
}

# Start a transaction in a session of its own, see whether it waits for the
# standby, and return the session and its backend.
sub start_waiting
{
	my ($what, @statements) = @_;
	my $waiting = $node->background_psql('postgres');
	my $pid = $waiting->query_safe('SELECT pg_backend_pid()');
	my $last_statement = pop @statements;

	$waiting->query_safe($_) for @statements;
	$waiting->query_until(qr/^begun$/m, "\\echo begun\n$last_statement;\n");
	ok( $node->poll_query_until('postgres',
			"SELECT wait_event = 'SyncRep' FROM pg_stat_activity WHERE pid = $pid"
		),
		"waits for the standby: $what");
	return ($waiting, $pid);
}

my $off = 'SET synchronous_commit = off';

$node->safe_psql('postgres',
	"SELECT awspool.grant_provider('acme', 'regress_awspool_seller')");
set_standby('nobody');
is(sqlstate($node, "$off; $plain;"), '',
	'a plain change of a client that does not want to wait does not');

my @waiting;
push @waiting, start_waiting('a claim', $off, $claim);
push @waiting,
  start_waiting('a claim, then the setting', 'BEGIN', $claim, $off, 'COMMIT');
push @waiting,
  start_waiting('a claim, then the setting for the transaction',
	'BEGIN', $claim, 'SET LOCAL synchronous_commit = local', 'COMMIT');
push @waiting,
  start_waiting('a prepared claim',
	'BEGIN', $claim, $off, "PREPARE TRANSACTION 'claim'");
push @waiting,
  start_waiting('a deferred constraint trigger that turns it off',
	'BEGIN', $claim, 'CREATE TEMP TABLE t (i int)',
	"CREATE FUNCTION pg_temp.lower() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN SET LOCAL synchronous_commit = off; RETURN NULL; END'",
	'CREATE CONSTRAINT TRIGGER lower AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION pg_temp.lower()',
	'INSERT INTO t VALUES (1)', 'COMMIT');

# Somebody who cancels the wait has a commit that only this server knows.  To
# ask again must not make it look safe.
my %asked = (
	'a claim for an order' => claim_sql('order-5'),
	'a completion' => "SELECT FROM awspool.allocate_account('acme', '$last')",
	'a failure' => "SELECT FROM awspool.fail_account('acme', '$held', 'broken')",
	'an import' => "SELECT FROM awspool.import_csv('acme', '900000000051;MP-0001;SPAM')",
	# for another provider, or it would wait for the one above
	'an import through the view' =>
	  "INSERT INTO awspool.import VALUES ('bolt', '900000000052', 'MP-0001', 'SPAM')",
	'a deletion' => "SELECT FROM awspool.delete_accounts('acme', '{900000000040}')",
	'a revocation' => "SELECT awspool.revoke_provider('acme', 'regress_awspool_seller')"
);
for my $what (sort keys %asked)
{
	my ($cancelled, $pid) = start_waiting($what, $off, $asked{$what});

	$node->safe_psql('postgres', "SELECT pg_cancel_backend($pid)");
	$cancelled->query('SELECT 1');
	like(
		$cancelled->{stderr},
		qr/canceling wait for synchronous replication/,
		"$what: the wait is cancelled");
	$cancelled->{stderr} = '';
	$cancelled->quit;
	push @waiting, start_waiting("$what, asked again", $off, $asked{$what});
}

# The standby is given up: everybody gets their answer.
set_standby('');
while (my ($waiting) = splice @waiting, 0, 2)
{
	$waiting->query('SELECT 1');
	is($waiting->{stderr}, '', 'a wait has ended well');
	$waiting->quit;
}
$node->safe_psql('postgres', "COMMIT PREPARED 'claim'");

$node->stop;
done_testing();
