# A hot standby shows the pool and changes nothing; once promoted, it claims
# on where the primary stopped.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use Awspool;
use Test::More;

my $primary = start_pool('primary', init => { allows_streaming => 1 },
	conf => 'max_prepared_transactions = 1');

$primary->safe_psql('postgres', 'CREATE ROLE regress_awspool_seller');
$primary->safe_psql('postgres',
	"SELECT awspool.grant_provider('acme', 'regress_awspool_seller')");
add_accounts($primary, map { "90000000000$_" } 1 .. 6);
claim($primary, 'order-1');

$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
$primary->append_conf('postgresql.conf',
	"synchronous_standby_names = 'standby'");
$primary->reload;
$primary->poll_query_until('postgres',
	"SELECT sync_state = 'sync' FROM pg_stat_replication");

# What the primary acknowledged, the standby has: it may still have to replay.
my $acknowledged = $primary->safe_psql('postgres',
	'SET synchronous_commit = off; ' . claim_sql('order-2') . ';');
is($acknowledged, '900000000002', 'the primary claims');
$primary->wait_for_catchup($standby);

# Reading
is(statuses($standby), statuses($primary), 'the standby shows the accounts');
for my $view ('accounts', 'pool_status', 'pool_settings', 'alerts')
{
	my $rows =
	  "SET ROLE regress_awspool_seller; SELECT * FROM awspool.$view v ORDER BY v::text";

	is( $standby->safe_psql('postgres', $rows),
		$primary->safe_psql('postgres', $rows),
		"the provider's role reads awspool.$view");
}
is( $standby->safe_psql('postgres',
		"SELECT event, detail FROM awspool.account_history('acme', '900000000002')"
	),
	qq(added|\nclaimed|for order "order-2", as SPAM),
	'account_history works');
is( $standby->safe_psql('postgres',
		"SELECT account_id, outcome FROM awspool.check_csv('acme', E'900000000001;MP-0001;SPAM\n900000000009;MP-0001;SPAM')"
	),
	"900000000001|present\n900000000009|added",
	'check_csv works');
is($standby->safe_psql('postgres', 'SELECT * FROM awspool.verify()'),
	'', 'verify finds nothing');
is( $standby->safe_psql('postgres',
		"SELECT account_id, verdict FROM awspool.explain_claim('acme', 'MP-0001')"
	),
	$standby->safe_psql('postgres',
		"SELECT account_id, CASE row_number() OVER (ORDER BY position) WHEN 1 THEN 'next' ELSE 'ready' END FROM awspool.accounts WHERE marketplace = 'MP-0001' AND status = 'ready' ORDER BY position"
	),
	'explain_claim works');

# Who holds an account is known on the primary alone.
my $blocked = "SELECT account_id FROM awspool.alerts WHERE alert = 'blocked'";

$primary->safe_psql('postgres', 'BEGIN; ' . claim_sql('held') . "; PREPARE TRANSACTION 'held'");
$primary->wait_for_catchup($standby);
is($primary->safe_psql('postgres', $blocked), '900000000003', 'an account is blocked');
is($standby->safe_psql('postgres', $blocked), '', 'which the standby does not tell');
$primary->safe_psql('postgres', "ROLLBACK PREPARED 'held'");

# Writing.  A read-only transaction on the primary is refused alike.
my @calls = (
	"SELECT awspool.add_account('acme', '900000000009', 'MP-0001', 'SPAM')",
	"SELECT awspool.edit_account('acme', '900000000003', model => 'ECAM')",
	"SELECT awspool.delete_account('acme', '900000000003')",
	"SELECT awspool.delete_accounts('acme', '{900000000003}')",
	"SELECT awspool.import_csv('acme', '900000000009;MP-0001;SPAM')",
	"SELECT awspool.claim_account('acme', 'MP-0001')",
	"SELECT awspool.claim_account('acme', 'MP-0001', 'order-1')",
	"SELECT awspool.claim_account('acme', 'MP-0001', 'order-3')",
	"SELECT awspool.claim_account('acme', 'MP-9999')",
	"SELECT awspool.claim_accounts('acme', 'MP-0001', '{order-1,order-3}')",
	"SELECT awspool.claim_accounts('acme', 'MP-0001', '{}')",
	"SELECT awspool.allocate_account('acme', '900000000001')",
	"SELECT awspool.fail_account('acme', '900000000001')",
	"SELECT awspool.invalidate_account('acme', '900000000003')",
	"SELECT awspool.replace_account('acme', '900000000001', NULL)",
	"SELECT awspool.configure_pool('acme', 'MP-0001', 5)",
	"SELECT awspool.pause_pool('acme')",
	"SELECT awspool.resume_pool('acme')",
	"SELECT awspool.fail_overdue('acme')",
	"SELECT awspool.grant_provider('acme', 'postgres')",
	"SELECT awspool.revoke_provider('acme', 'postgres')",
	"INSERT INTO awspool.accounts (provider, account_id, marketplace, model) VALUES ('acme', '900000000009', 'MP-0001', 'SPAM')",
	"UPDATE awspool.accounts SET model = 'ECAM'",
	"DELETE FROM awspool.accounts",
	"INSERT INTO awspool.import VALUES ('acme', '900000000009', 'MP-0001', 'SPAM')",
);
for my $call (@calls)
{
	is(sqlstate($standby, "$call;"), '25006', "on the standby: $call");
	is(sqlstate($primary, "BEGIN READ ONLY; $call;"),
		'25006', "in a read-only transaction: $call");
}

# Failover
$primary->stop('immediate');
$standby->promote;
is(claim($standby, 'order-2'), $acknowledged,
	'after promotion the order holds its account');
is(claim($standby, 'order-3'), '900000000003',
	'and the next order gets the next account');
is( sqlstate(
		$standby, "SELECT awspool.allocate_account('acme', '900000000001');"),
	'',
	'a claim of the old primary is completed');
add_accounts($standby, '900000000007');
$standby->safe_psql('postgres',
	"SELECT awspool.delete_account('acme', '900000000001')");
is( statuses($standby), join("\n",
		'900000000002|provisioning_in_progress|order-2',
		'900000000003|provisioning_in_progress|order-3',
		'900000000004|ready|',
		'900000000005|ready|',
		'900000000006|ready|',
		'900000000007|ready|'),
	'the pool goes on');

$standby->stop;
done_testing();
