# What EXPLAIN tells of the accounts of others: nothing.  The same query has the
# same plan, and passes over as many rows, beside none as beside very many; and
# it reads as many pages, but for those by which an index is higher, and those
# that happen to have entries of two providers.  OTHERS says how many they are.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use Awspool;
use Test::More;

use constant OTHERS => $ENV{OTHERS} || 100_000;

# How large the table is decides between joins, as everybody may know.
my $node = start_pool('explain', conf => "jit = off\nenable_hashjoin = off\nenable_mergejoin = off");

$node->safe_psql('postgres', <<'SQL');
CREATE ROLE regress_awspool_acme;
CREATE ROLE regress_awspool_nobody;
SELECT awspool.grant_provider('acme', 'regress_awspool_acme');
INSERT INTO awspool.accounts (provider, account_id, marketplace, model)
SELECT 'acme', (900000000000 + i)::text, 'MP-000' || i % 2, 'SPAM' FROM generate_series(1, 300) i;
SELECT awspool.claim_account('acme', 'MP-0001', 'order-' || i) FROM generate_series(1, 60) i;
SELECT awspool.allocate_account(provider, account_id) FROM awspool.accounts WHERE position % 5 = 0 AND order_id IS NOT NULL;
SELECT awspool.fail_account(provider, account_id) FROM awspool.accounts WHERE position % 5 = 1 AND order_id IS NOT NULL;
CREATE TABLE orders AS SELECT 'order-' || i AS order_id, (800000000000 + i)::text AS foreign_id FROM generate_series(1, 20) i;
GRANT SELECT ON orders TO PUBLIC;
ANALYZE orders;
SQL

# With how many look-ups each is answered, at most.
my @queries = (
	[ 1, "SELECT * FROM awspool.accounts WHERE account_id = '900000000007'" ],
	[ 1, "SELECT * FROM awspool.accounts WHERE account_id = '800000000007'" ],
	[ 1, "SELECT * FROM awspool.accounts WHERE account_id = '777777777777'" ],
	[ 2, "SELECT * FROM awspool.accounts WHERE order_id = 'order-7'" ],
	[ 2, "SELECT * FROM awspool.accounts WHERE order_id = 'their-order-7'" ],
	[ 3, "SELECT * FROM awspool.accounts WHERE account_id = '800000000007' OR order_id = 'their-order-7'" ],
	[ 2, "SELECT * FROM awspool.accounts WHERE provider = 'zzz' AND order_id = 'their-order-7'" ],
	[ 1, "SELECT * FROM awspool.accounts WHERE status = 'ready' AND marketplace = 'MP-0001' ORDER BY position LIMIT 5" ],
	[ 1, "SELECT * FROM awspool.accounts WHERE status = 'ready' AND marketplace = 'MP-7777' ORDER BY position LIMIT 5" ],
	[ 1, "SELECT * FROM awspool.accounts WHERE status = 'ready'" ],
	[ 1, "SELECT * FROM awspool.accounts WHERE status = 'provisioning_in_progress' AND claimed_at < now() ORDER BY claimed_at" ],
	[ 1, "SELECT * FROM awspool.accounts WHERE status = 'provisioning_failed'" ],
	[ 1, "SELECT * FROM awspool.accounts ORDER BY position LIMIT 5" ],
	[ 1, "SELECT * FROM awspool.accounts ORDER BY position DESC NULLS LAST LIMIT 5" ],
	[ 1, "SELECT * FROM awspool.accounts WHERE position > 290 ORDER BY position" ],
	[ 1, "SELECT * FROM awspool.accounts WHERE reason LIKE '%why%'" ],
	[ 1, "SELECT count(*) FROM awspool.accounts" ],
	[ 20, "SELECT o.foreign_id, a.status FROM orders o LEFT JOIN awspool.accounts a ON a.account_id = o.foreign_id" ]);

# How each is answered, without what planning reads: the text, and how many pages.
# All of them twice, so that caches are warm.
sub plan_of
{
	my ($sql, $role) = @_;
	my $asked =
	  "EXPLAIN (ANALYZE, BUFFERS, VERBOSE, TIMING OFF, COSTS OFF, SUMMARY OFF) $sql;\n";
	my $script = "SET ROLE $role;\n$asked\\echo again\n$asked";
	my ($plan) = $node->safe_psql('postgres', $script) =~ /^again\n(.*)/ms;

	$plan =~ s/^Planning:\n(  .*\n?)*//m;
	my ($pages) = $plan =~ /Buffers: shared hit=(\d+)/;
	$plan =~ s/^ *Buffers:.*\n?//mg;
	return ($plan, $pages // 0);
}

$node->safe_psql('postgres', 'VACUUM ANALYZE awspool.account');
my %alone;
for my $role ('regress_awspool_acme', 'regress_awspool_nobody')
{
	$alone{$role} = [ map { [ plan_of($_->[1], $role) ] } @queries ];
}

# Before and behind the caller's in every index, some of them with ids and
# orders that are asked for.
$node->safe_psql('postgres', <<"SQL");
INSERT INTO awspool.account (provider, account_id, marketplace, model, status,
	order_id, order_model, claimed_at, claimed_by, closed_at, closed_by, position)
SELECT CASE i % 2 WHEN 0 THEN 'aaa' ELSE 'zzz' END, (800000000000 + i)::text, 'MP-000' || i % 2, 'SPAM', s.status,
	CASE WHEN s.n > 0 THEN 'their-order-' || i END, CASE WHEN s.n > 0 THEN 'SPAM' END,
	CASE WHEN s.n > 0 THEN now() END, CASE WHEN s.n > 0 THEN 'somebody' END,
	CASE WHEN s.n > 1 THEN now() END, CASE WHEN s.n > 1 THEN 'somebody' END,
	i - @{[OTHERS]} / 2
FROM generate_series(1, @{[OTHERS]}) i,
	LATERAL (SELECT i % 4 AS n, (ARRAY['ready', 'provisioning_in_progress', 'allocated', 'provisioning_failed'])[1 + i % 4] AS status) s;
VACUUM ANALYZE awspool.account;
SQL

for my $n (0 .. $#queries)
{
	my ($lookups, $sql) = @{ $queries[$n] };
	my ($plan, $pages) = plan_of($sql, 'regress_awspool_acme');
	my ($plan_alone, $pages_alone) = @{ $alone{regress_awspool_acme}[$n] };

	is($plan, $plan_alone, "the same plan beside @{[OTHERS]} others: $sql");
	cmp_ok($pages, '<=', $pages_alone + 3 * $lookups, 'and hardly more pages')
	  or diag "$pages_alone pages without them";

	# Who may act for nobody reads nothing, whatever there is.
	is_deeply([ plan_of($sql, 'regress_awspool_nobody') ],
		$alone{regress_awspool_nobody}[$n], 'and the same pages for who has none');
}

# What is estimated is the same for what others have very much of as for what nobody has.
my @estimated = (
	[ "provider = '%s'", 'zzz', 'nnn' ],
	[ "provider = '%s' AND status = 'ready' AND marketplace = 'MP-0001' ORDER BY position", 'zzz', 'nnn' ],
	[ "account_id = '%s'", '800000000007', '777777777777' ],
	[ "order_id = '%s'", 'their-order-7', 'no-orders-007' ],
	[ "marketplace = '%s'", 'MP-0001', 'MP-7777' ],
	[ "status = 'ready' AND marketplace = '%s'", 'MP-0001', 'MP-7777' ],
	[ "status = 'provisioning_in_progress' AND claimed_at < '%s'", '2999-01-01', '1999-01-01' ],
	[ "added_at > '%s'", '2999-01-01', '1999-01-01' ],
	[ 'position > %s', '40000', '999999' ],
	[ "added_by LIKE '%s%%'", 'post', 'none' ],
	[ "model = '%s'", 'SPAM', 'ECAM' ]);

for (@estimated)
{
	my ($condition, @values) = @$_;
	my ($there, $nowhere) = map {
		my $value = $_;
		$node->safe_psql('postgres', 'SET ROLE regress_awspool_acme; EXPLAIN SELECT * FROM awspool.accounts WHERE '
			. sprintf($condition, $value)) =~ s/'?$value/VALUE/gr
	} @values;

	is($there, $nowhere, "the same estimates: $condition");
	like($there, qr/rows=\d/, 'which are shown');
}

$node->stop;
done_testing();
