# The reference's recipe for pg_cron, word for word but for how often: an account
# that is overdue fails, one that is not goes on.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use Awspool;
use PostgreSQL::Test::Utils;
use Test::More;

my ($sharedir) = run_command([ 'pg_config', '--sharedir' ]);
-e "$sharedir/extension/pg_cron.control" or plan skip_all => 'pg_cron is not installed';

my ($schedule) = slurp_file("$FindBin::RealBin/../../doc/awspool.md") =~
  /^(SELECT cron\.schedule\(.*\);)$/m;
ok($schedule =~ s[\Q'*/5 * * * *'][ '* * * * *'], 'the reference has a recipe');

# Background workers need no password; else it connects as the role.
my $node = start_pool('cron', conf => <<'CONF');
shared_preload_libraries = 'pg_cron'
cron.use_background_workers = on
CONF
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pg_cron;
CREATE ROLE regress_awspool_acme LOGIN;
GRANT USAGE ON SCHEMA cron TO regress_awspool_acme;
SELECT awspool.grant_provider('acme', 'regress_awspool_acme');
SELECT awspool.configure_pool('acme', 'MP-0001', deadline => '4 hours');
INSERT INTO awspool.account (provider, account_id, marketplace, model, status, order_model, claimed_at, claimed_by)
SELECT 'acme', '90000000000' || i, 'MP-0001', 'SPAM', 'provisioning_in_progress', 'SPAM',
	now() - CASE i WHEN 1 THEN interval '5 hours' ELSE interval '1 hour' END, 'acme' FROM generate_series(1, 2) i;
SQL
$node->safe_psql('postgres', $schedule, extra_params => [ '-U', 'regress_awspool_acme' ]);

ok($node->poll_query_until('postgres',
		"SELECT bool_or(status = 'succeeded') FROM cron.job_run_details"),
	'within a minute it runs');
is(statuses($node), "900000000001|provisioning_failed|\n900000000002|provisioning_in_progress|",
	'and fails what is overdue');
is($node->safe_psql('postgres', 'SELECT DISTINCT closed_by FROM awspool.account WHERE closed_at IS NOT NULL'),
	'regress_awspool_acme', 'as the role that scheduled it');

done_testing();
