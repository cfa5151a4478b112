# What reading costs, in pages, with a thousand accounts and with two hundred
# thousand: the planner's own choice is right for both, also where it was made
# once for every value, and where statistics are of when the pool was small.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use Awspool;
use Test::More;

my $node = start_pool('plans');
$node->safe_psql('postgres', <<'SQL');
CREATE ROLE regress_awspool_acme;
SELECT awspool.grant_provider('acme', 'regress_awspool_acme');
SELECT awspool.grant_provider('globex', 'regress_awspool_acme');
CREATE TABLE orders AS SELECT i, 'sold-' || 7919 * i % 900 + 1 AS order_id,
	(200000000000 + 7919 * i % 900 + 1)::text AS account_id FROM generate_series(1, 1000) i;
GRANT SELECT ON orders TO PUBLIC;
ANALYZE orders;
SQL

# Closed accounts; then the few that are ready, in progress or overdue.
sub fill
{
	my ($from, $to) = @_;
	my $closed = "INSERT INTO awspool.account (provider, account_id, marketplace, model, status,
			order_id, order_model, claimed_at, claimed_by, closed_at, closed_by)
		SELECT (ARRAY['acme', 'globex'])[1 + i % 2], (200000000000 + i)::text, 'MP-000' || i % 2, 'SPAM',
			CASE WHEN i % 20 = 0 THEN 'provisioning_failed' ELSE 'allocated' END,
			'sold-' || i, 'SPAM', now(), 'app', now(), 'app'
		FROM generate_series($from, $to) i";

	$node->safe_psql('postgres', $closed);
}

fill(1, 900);
$node->safe_psql('postgres', <<'SQL');
INSERT INTO awspool.account (provider, account_id, marketplace, model)
SELECT 'acme', (300000000000 + i)::text, 'MP-000' || i % 2, 'SPAM' FROM generate_series(1, 100) i;
INSERT INTO awspool.account (provider, account_id, marketplace, model, status, order_id, order_model, claimed_at, claimed_by)
SELECT 'acme', (400000000000 + i)::text, 'MP-0001', 'SPAM', 'provisioning_in_progress', 'open-' || i, 'SPAM',
	now() - interval '1 day' * CASE WHEN i <= 10 THEN 31 ELSE 0 END, 'app'
FROM generate_series(1, 20) i;
VACUUM ANALYZE awspool.account;
SQL

my @queries = (
	[ 8, 1, "SELECT * FROM awspool.accounts WHERE account_id = '200000000007'" ],
	[ 8, 1, "SELECT * FROM awspool.accounts WHERE provider = 'acme' AND order_id = 'open-7'" ],
	[ 8, 1, "SELECT * FROM awspool.accounts WHERE provider = 'acme' AND order_id = 'sold-20'" ],
	[ 16, 1, "SELECT * FROM awspool.accounts WHERE order_id = 'sold-20'" ],
	[ 8000, 1000, "SELECT * FROM orders o JOIN awspool.accounts a USING (account_id)" ],
	[ 8000, 1000, "SELECT * FROM orders o JOIN awspool.accounts a ON a.provider = (ARRAY['acme', 'globex'])[1 + (7919 * o.i + 1) % 900 % 2] AND a.order_id = o.order_id" ],
	[ 8000, 200, "SELECT * FROM orders o JOIN awspool.accounts a USING (order_id) WHERE o.i <= 200" ],
	[ 12, 20, "SELECT * FROM awspool.accounts ORDER BY position LIMIT 20" ],
	[ 12, 20, "SELECT * FROM awspool.accounts ORDER BY position DESC LIMIT 20" ],
	[ 12, 20, "SELECT * FROM awspool.accounts WHERE position < 500 ORDER BY position DESC LIMIT 20" ],
	[ 12, 20, "SELECT * FROM awspool.accounts WHERE provider = 'acme' AND marketplace = 'MP-0000' AND status = 'ready' ORDER BY position LIMIT 20" ],
	[ 30, 10, "SELECT * FROM awspool.accounts WHERE status = 'provisioning_in_progress' AND claimed_at < now() - interval '1 day'" ]);

# How many rows a query returns and how many pages it touches, the second time in
# a session, with the plan for that value or the one for all.
sub costs
{
	my ($query, $mode) = @_;
	my $plan = plan_again($node, 'EXECUTE q',
		before => "SET ROLE regress_awspool_acme; SET plan_cache_mode = $mode; PREPARE q AS $query");
	my ($rows) = $plan =~ /rows=(\d+)/;

	return ($rows, buffers_in($plan), $plan);
}

sub try
{
	my ($when) = @_;

	for (@queries)
	{
		my ($most, $expected, $query) = @$_;

		for my $mode ('force_custom_plan', 'force_generic_plan')
		{
			my ($rows, $pages, $plan) = costs($query, $mode);

			is($rows, $expected, "$when, $mode: $query");
			cmp_ok($pages, '<=', $most, 'touches no more pages than it may') or diag $plan;
		}
	}
}

try('a thousand accounts');
fill(901, 199_900);
$node->safe_psql('postgres', 'VACUUM awspool.account');
try('200,000, and the statistics are of a thousand');
$node->safe_psql('postgres', 'VACUUM ANALYZE awspool.account');
try('200,000');

done_testing();
