# A session that dies in the middle of a claim: the account is ready again, in
# its old place, and its order waits for nobody.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use Awspool;
use Test::More;

my $node = start_pool('crash', conf => "restart_after_crash = on\n");

# Begin a transaction that claims, and leave it open.
sub begin_claim
{
	my ($order) = @_;
	my $session = $node->background_psql('postgres');
	my $pid = $session->query_safe('SELECT pg_backend_pid()');

	$session->query_safe('BEGIN');
	my $account = $session->query_safe(claim_sql($order));
	return ($session, $pid, $account);
}

sub claim_for_order_now
{
	my ($order) = @_;

	return $node->safe_psql('postgres',
		"SET lock_timeout = '10ms'; " . claim_sql($order) . ';');
}

# psql ends with its connection.
sub reap
{
	my ($session) = @_;

	eval { $session->quit };
	return;
}

add_accounts($node, map { "90000000000$_" } 1 .. 5);
is(claim($node, 'sold'), '900000000001', 'one account is sold');

# The backend is ended by an administrator.
my ($session, $pid, $account) = begin_claim('order-2');
is($account, '900000000002', 'a claim in an open transaction');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
$node->poll_query_until('postgres',
	"SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $pid)");
reap($session);
is(claim_for_order_now('order-3'), '900000000002',
	'after pg_terminate_backend another order gets that account');

# The backend is killed, and the server starts afresh.
($session, $pid, $account) = begin_claim('order-4');
is($account, '900000000003', 'another claim in an open transaction');
my $offset = -s $node->logfile;
kill 'KILL', $pid;
$node->wait_for_log(qr/database system is ready to accept connections/,
	$offset);
$node->poll_query_until('postgres', 'SELECT true');
reap($session);
is( $node->safe_psql('postgres',
		"SELECT status FROM awspool.accounts WHERE account_id = '900000000003'"),
	'ready',
	'after kill -9 the account is ready');
is(claim_for_order_now('order-5'), '900000000003',
	'and it is the next to be claimed');
is(claim($node, 'sold'), '900000000001', 'what was sold stays sold');

# The whole server dies.
($session, $pid, $account) = begin_claim('order-4');
is($account, '900000000004', 'a third claim in an open transaction');
$node->stop('immediate');
reap($session);
$node->start;
is(claim_for_order_now('order-4'), '900000000004',
	'after an immediate stop the same order gets the same account');
is( statuses($node), join("\n",
		'900000000001|provisioning_in_progress|sold',
		'900000000002|provisioning_in_progress|order-3',
		'900000000003|provisioning_in_progress|order-5',
		'900000000004|provisioning_in_progress|order-4',
		'900000000005|ready|'),
	'no account is lost, none is sold twice');

$node->stop;
done_testing();
