# Logical replication carries the pool into another server: the accounts of
# every status, their order, the log and the grants.  Once the subscription
# ends, the subscriber claims on.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use Awspool;
use PostgreSQL::Test::Utils;
use Test::More;

my %logical = (init => { allows_streaming => 'logical' });
my $publisher = start_pool('publisher', %logical);
my $subscriber = start_pool('subscriber', %logical);

# The roles have other oids there.
$publisher->safe_psql('postgres',
	'CREATE ROLE regress_awspool_seller; CREATE ROLE regress_awspool_late');
$subscriber->safe_psql('postgres',
	'CREATE ROLE regress_awspool_first; CREATE ROLE regress_awspool_late; CREATE ROLE regress_awspool_seller'
);

# What is there before the subscription begins, and what is done while it runs
add_accounts($publisher, map { "90000000000$_" } 9, 3, 5, 1, 7);
$publisher->safe_psql('postgres', <<'SQL');
SELECT awspool.grant_provider('acme', 'regress_awspool_seller');
SELECT awspool.claim_account('acme', 'MP-0001', 'order-1');        -- 9
SELECT awspool.allocate_account('acme', '900000000009', 'order-1');
SELECT awspool.delete_account('acme', '900000000009');
SELECT awspool.claim_account('acme', 'MP-0001', 'order-2');        -- 3
SELECT awspool.edit_account('acme', '900000000003', model => 'ECAM');
SQL

$publisher->safe_psql('postgres',
	'CREATE PUBLICATION pool FOR TABLES IN SCHEMA awspool');
$subscriber->safe_psql('postgres',
	"CREATE SUBSCRIPTION pool CONNECTION '"
	  . $publisher->connstr
	  . " dbname=postgres' PUBLICATION pool");
$subscriber->wait_for_subscription_sync($publisher, 'pool');

# Every table whole, but for the oids of roles
sub check_same
{
	my ($when) = @_;
	my %rows = (
		account => 'SELECT * FROM awspool.account ORDER BY position',
		account_log => 'SELECT * FROM awspool.account_log ORDER BY log_id',
		provider_role =>
		  'SELECT provider, role FROM awspool.provider_role ORDER BY 1, 2',
		provider_viewer =>
		  'SELECT provider, role FROM awspool.provider_viewer ORDER BY 1, 2');

	for my $table (sort keys %rows)
	{
		is( $subscriber->safe_psql('postgres', $rows{$table}),
			$publisher->safe_psql('postgres', $rows{$table}),
			"$when: the same rows of $table");
	}
	return;
}

check_same('after the first copy');

$publisher->safe_psql('postgres', <<'SQL');
SELECT awspool.claim_account('acme', 'MP-0001', 'order-3');        -- 5
SELECT awspool.fail_account('acme', '900000000005', 'no quota', 'order-3');
SELECT awspool.add_account('acme', '900000000002', 'MP-0001', 'SPAM');
SELECT awspool.add_account('acme', '900000000004', 'MP-0002', 'SPAM');
SELECT awspool.add_account('acme', '900000000006', 'MP-0001', 'SPAM');
SELECT awspool.add_account('acme', '900000000008', 'MP-0001', 'SPAM');
SELECT awspool.edit_account('acme', '900000000004', 'MP-0001');
SELECT awspool.invalidate_account('acme', '900000000006', 'closed by AWS');
SELECT awspool.claim_account('acme', 'MP-0001', 'order-4');        -- 1
SELECT awspool.allocate_account('acme', '900000000001', 'order-4');
SELECT awspool.claim_account('acme', 'MP-0001', 'order-5');        -- 7
SELECT awspool.invalidate_account('acme', '900000000007');
SELECT awspool.delete_account('acme', '900000000007');
SELECT awspool.delete_account('acme', '900000000008');
SELECT awspool.grant_provider('*', 'regress_awspool_late');
SQL
$publisher->wait_for_catchup('pool');
check_same('after changes');
is( $subscriber->safe_psql('postgres', 'SELECT count(DISTINCT status) FROM awspool.account'),
	'5', 'every status is there');
is($subscriber->safe_psql('postgres', 'SELECT object, problem FROM awspool.verify()'),
	'', 'verify() has nothing against a subscriber, whose table of arrivals has the rows of both');

for my $role ('regress_awspool_seller', 'regress_awspool_late')
{
	is( $subscriber->safe_psql('postgres',
			"SET ROLE $role; SELECT count(*) FROM awspool.accounts"),
		$publisher->safe_psql('postgres', 'SELECT count(*) FROM awspool.account'),
		"$role acts for its provider on the subscriber");
}
$publisher->safe_psql('postgres',
	"SELECT awspool.revoke_provider('*', 'regress_awspool_late')");
$publisher->wait_for_catchup('pool');
is( $subscriber->safe_psql('postgres',
		'SET ROLE regress_awspool_late; SELECT count(*) FROM awspool.accounts'),
	'0',
	'a revocation arrives, too');

# Viewers as well
$publisher->safe_psql('postgres',
	"SELECT awspool.grant_viewer('acme', 'regress_awspool_late')");
$publisher->wait_for_catchup('pool');
check_same('after a viewer was granted');
is( $subscriber->safe_psql('postgres',
		'SET ROLE regress_awspool_late; SELECT count(*) FROM awspool.accounts'),
	$publisher->safe_psql('postgres', 'SELECT count(*) FROM awspool.account'),
	'a viewer sees on the subscriber what it sees here');
is( sqlstate(
		$subscriber,
		"SET ROLE regress_awspool_late; SELECT awspool.claim_account('acme', 'MP-0001');"),
	'42501',
	'and changes nothing');
$publisher->safe_psql('postgres',
	"SELECT awspool.revoke_viewer('acme', 'regress_awspool_late')");
$publisher->wait_for_catchup('pool');
is( $subscriber->safe_psql('postgres',
		'SET ROLE regress_awspool_late; SELECT count(*) FROM awspool.accounts'),
	'0',
	'until it is revoked');

is( $publisher->safe_psql('postgres',
		"SELECT object, problem FROM awspool.lint() WHERE object ~ 'publi' OR problem ~ 'standby'"
	),
	'',
	'lint() has nothing against a publication of the schema, nor takes a subscriber for a standby'
);

# The subscriber takes over.
$subscriber->safe_psql('postgres', 'DROP SUBSCRIPTION pool');
is(claim($subscriber, 'order-2'), '900000000003',
	'an order still holds its account');
is(claim($subscriber, 'order-6'), '900000000002',
	'claims go on with the oldest');
is( sqlstate(
		$subscriber,
		"SELECT awspool.add_account('acme', '$_', 'MP-0001', 'SPAM');"),
	'WS005',
	"the used id $_ is refused")
  for '900000000009', '900000000007';

# Logical replication carries no sequences; these follow the rows.
is( sqlstate(
		$subscriber,
		"SELECT awspool.delete_account('acme', '900000000001');"),
	'',
	'the log goes on');
add_accounts($subscriber, '900000000008');
is(claim($subscriber), '900000000004', 'what was there is older');
is(claim($subscriber), '900000000008', 'than what is added now');

# Where several apply at once, and others draw meanwhile, a sequence never falls
# behind what one of them has stored or drawn.
my $script = PostgreSQL::Test::Utils::tempdir . '/apply.sql';

append_to_file($script, <<'SQL');
SELECT nextval('regress_awspool_rows') AS id \gset
INSERT INTO awspool.account_log (log_id, provider, account_id, at, actor, event) OVERRIDING SYSTEM VALUE
VALUES (:id, 'acme', '900000000001', now(), 'nobody', 'edited');
SELECT 1 / (last_value >= :id)::int FROM awspool.account_log_log_id_seq;
INSERT INTO awspool.account (provider, account_id, marketplace, model, position)
SELECT 'acme', lpad(:id::text, 12, '0'), 'MP-0001', 'SPAM', last_value + 2 FROM awspool.account_position;
INSERT INTO regress_awspool_drawn SELECT nextval('awspool.account_position') FROM generate_series(1, 5);
SQL
$subscriber->safe_psql('postgres',
	'CREATE SEQUENCE regress_awspool_rows START 1000000;
	 CREATE TABLE regress_awspool_drawn (position bigint UNIQUE)');
{
	local $ENV{PGOPTIONS} = '-c session_replication_role=replica';

	$subscriber->command_ok(
		[
			'pgbench', '--no-vacuum', '--file', $script, '--client', 8,
			'--jobs', 2, '--transactions', 1000, 'postgres'
		],
		'many sessions apply at once, and draw [awspool_raise_sequence: last_drawn under the lock]'
	);
}

# A sequence that followed has done so for good.  The numbers are such that what
# nextval() logs in advance differs in another byte.
my $far = $subscriber->safe_psql('postgres', <<'SQL');
SELECT FROM awspool.account_position, setval('awspool.account_position', (last_value | 255) - 15);
SELECT FROM nextval('awspool.account_position');
INSERT INTO awspool.account (provider, account_id, marketplace, model, position)
SELECT 'acme', '900000000099', 'MP-0001', 'SPAM', last_value + 512 FROM awspool.account_position
RETURNING position
SQL
$far =~ s/\s//g;
$subscriber->stop('immediate');
$subscriber->start;
is( $subscriber->safe_psql('postgres',
		"SELECT nextval('awspool.account_position') > $far"),
	't',
	'also over a crash [awspool_raise_sequence: GENERIC_XLOG_FULL_IMAGE]');

$publisher->stop;
$subscriber->stop;
done_testing();
