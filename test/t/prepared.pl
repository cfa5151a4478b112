# A claim that is decided later, by PREPARE TRANSACTION: meanwhile nobody else
# gets the account, its order waits, and a restart changes neither.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use Awspool;
use Test::More;

my $node =
  start_pool('prepared', conf => "max_prepared_transactions = 10\n");

# A lock_timeout tells whether a statement waits for a lock at all.
my $impatient = "SET lock_timeout = '10ms';";

sub prepare
{
	my ($name, $sql) = @_;

	$node->safe_psql('postgres',
		"BEGIN; $sql; PREPARE TRANSACTION '$name';");
	return;
}

# Underneath, the unique index would make an order wait as well.
sub order_locks
{
	return $node->safe_psql('postgres',
		"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid IS NULL"
	);
}

sub claim_waits
{
	my ($order) = @_;

	return sqlstate($node, $impatient . claim_sql($order) . ';') eq
	  '55P03';
}

add_accounts($node, map { "90000000000$_" } 1 .. 7);

# The claim is prepared: it holds its account and its order.
prepare('one', claim_sql('order-1'));
prepare('two', claim_sql('order-2'));
prepare('three', claim_sql(undef));
is(order_locks(), '2', 'the orders of prepared claims are locked');
is($node->safe_psql('postgres', "$impatient " . claim_sql(undef) . ';'),
	'900000000004', 'a claim steps over accounts of prepared transactions');
is( $node->safe_psql('postgres',
		"$impatient " . claim_sql('order-4') . ';'),
	'900000000005',
	'another order does not wait for a prepared one');
ok(claim_waits('order-1'), 'the same order waits for its prepared claim');
is( sqlstate(
		$node,
		"$impatient SELECT FROM awspool.invalidate_account('acme', '900000000001');"
	),
	'55P03',
	'so does who wants to change the account');

# Decided by another session
$node->safe_psql('postgres', "COMMIT PREPARED 'one'");
is(claim($node, 'order-1'), '900000000001',
	'once committed, the order holds the account');

# The server goes away and comes back, once cleanly and once not.
for my $mode ('fast', 'immediate')
{
	$node->stop($mode);
	$node->start;
	is(order_locks(), '1', "the order is locked after a $mode restart");
	ok(claim_waits('order-2'), "the order still waits after a $mode restart");
	is( $node->safe_psql('postgres',
			"$impatient BEGIN; " . claim_sql(undef) . "; ROLLBACK;"),
		'900000000006',
		"the accounts are still stepped over after a $mode restart");
}

$node->safe_psql('postgres', "ROLLBACK PREPARED 'two'");
ok(!claim_waits('order-2'), 'once rolled back, the order waits no more');
is( $node->safe_psql('postgres',
		"SELECT account_id FROM awspool.accounts WHERE order_id = 'order-2'"),
	'900000000002',
	'and gets the account that is ready again, in its old place');
$node->safe_psql('postgres', "COMMIT PREPARED 'three'");
is(claim($node), '900000000006', 'a committed claim stays one');

# A stock that is prepared is not for sale, and then in its own place.
prepare('stock',
	"SELECT awspool.add_account('acme', '900000000100', 'MP-0002', 'SPAM')");
$node->safe_psql('postgres',
	"SELECT awspool.add_account('acme', '900000000101', 'MP-0002', 'SPAM')");
my $claim_2 = "SELECT account_id FROM awspool.claim_account('acme', 'MP-0002')";
is($node->safe_psql('postgres', "$impatient BEGIN; $claim_2; ROLLBACK;"),
	'900000000101', 'an account is not claimed before it is committed');
$node->restart;
$node->safe_psql('postgres', "COMMIT PREPARED 'stock'");
is($node->safe_psql('postgres', $claim_2),
	'900000000100', 'and then is the oldest');

# A completion that is prepared
prepare('done',
	"SELECT awspool.allocate_account('acme', '900000000001', 'order-1')");
is( sqlstate(
		$node,
		"$impatient SELECT awspool.fail_account('acme', '900000000001', 'late', 'order-1');"
	),
	'55P03',
	'who would fail it waits for a prepared completion');
$node->restart;
$node->safe_psql('postgres', "COMMIT PREPARED 'done'");
is( sqlstate(
		$node,
		"SELECT awspool.fail_account('acme', '900000000001', 'late', 'order-1');"),
	'WS001',
	'and then learns that the order completed');

is( statuses($node), join("\n",
		'900000000001|allocated|order-1',
		'900000000002|provisioning_in_progress|order-2',
		'900000000003|provisioning_in_progress|',
		'900000000004|provisioning_in_progress|',
		'900000000005|provisioning_in_progress|order-4',
		'900000000006|provisioning_in_progress|',
		'900000000007|ready|',
		'900000000100|provisioning_in_progress|',
		'900000000101|ready|'),
	'every account is where it should be');
is(order_locks(), '0', 'no lock of an order is left');

# A freeze waits for a prepared change, also after a restart, and is itself one
# that may be prepared.
prepare('change', claim_sql(undef));
my $freeze = "SELECT awspool.freeze_provider('acme');";
for my $mode ('', 'fast', 'immediate')
{
	if ($mode)
	{
		$node->stop($mode);
		$node->start;
	}
	is(sqlstate($node, "$impatient $freeze"),
		'55P03', "a freeze waits for a prepared change $mode");
	is(sqlstate($node, 'BEGIN; ' . claim_sql(undef) . '; ROLLBACK;'),
		'', 'and a wait that was given up freezes nothing');
}
$node->safe_psql('postgres', "COMMIT PREPARED 'change'");
prepare('freeze', $freeze =~ s/;$//r);
for my $mode ('', 'fast', 'immediate')
{
	if ($mode)
	{
		$node->stop($mode);
		$node->start;
	}
	is(sqlstate($node, claim_sql(undef) . ';'),
		'WS008', "a prepared freeze holds $mode");
}
$node->safe_psql('postgres', "ROLLBACK PREPARED 'freeze'");
is(sqlstate($node, 'BEGIN; ' . claim_sql(undef) . '; ROLLBACK;'),
	'', 'until it is rolled back');

$node->stop;
done_testing();
