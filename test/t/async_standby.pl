# A standby that nobody waits for may lack what the primary acknowledged.  Who
# promotes it loses that: the documentation says so, and this is what it means.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use Awspool;
use Test::More;

my $primary = start_pool('primary', init => { allows_streaming => 1 });

add_accounts($primary, map { "90000000000$_" } 1 .. 4);
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;

is(claim($primary, 'order-1'), '900000000001', 'an order claims');
$primary->wait_for_catchup($standby);

# The standby receives nothing more.
$standby->safe_psql('postgres', "ALTER SYSTEM SET primary_conninfo = ''");
$standby->reload;
$standby->poll_query_until('postgres',
	'SELECT NOT EXISTS (SELECT FROM pg_stat_wal_receiver)');
is(claim($primary, 'order-2'), '900000000002',
	'an order claims that the standby never hears of');
is( $primary->safe_psql('postgres',
		"SELECT status FROM awspool.allocate_account('acme', '900000000001', 'order-1')"
	),
	'allocated',
	'another completes');
$primary->stop('immediate');
$standby->promote;

is( statuses($standby), join("\n",
		'900000000001|provisioning_in_progress|order-1',
		'900000000002|ready|',
		'900000000003|ready|',
		'900000000004|ready|'),
	'after promotion neither has happened');
is(claim($standby, 'order-3'), '900000000002',
	'the account is given away once more');
is(claim($standby, 'order-2'), '900000000003',
	'and its order gets another one');

$standby->stop;
done_testing();
