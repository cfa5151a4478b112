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

# lint() tells beforehand, as long as no commit waits for a standby.
my $lint =
  "SELECT severity, object, problem FROM awspool.lint() WHERE problem ~ 'standby'";
is( $primary->safe_psql('postgres', $lint),
	'warning|server|it has standbys and waits for none: after a failover, what was sold can be ready again',
	'lint() tells that no commit waits');
$primary->safe_psql('postgres',
	"ALTER SYSTEM SET synchronous_standby_names = 'standby'");
$primary->reload;
$primary->poll_query_until('postgres',
	"SELECT sync_state = 'sync' FROM pg_stat_replication");
is($primary->safe_psql('postgres', $lint),
	'', 'and has nothing to tell of a synchronous standby');
$primary->safe_psql('postgres',
	'ALTER SYSTEM RESET synchronous_standby_names');
$primary->reload;
$primary->poll_query_until('postgres',
	"SELECT sync_state = 'async' FROM pg_stat_replication");

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
