# The statements that the reference has for operators, word for word, on a pool of
# 100,000 ready accounts behind as many that were sold: each is answered, and
# looks at no more of the pool than it returns or changes.  So is what monitoring
# asks (contrib/monitoring), also with times that are infinite.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use Awspool;
use PostgreSQL::Test::Utils;
use Test::More;

# The statements of a chapter: those in its blocks, and those between backquotes
# in its text.  What a block shows after a statement is its answer.
sub statements_of
{
	my ($chapter) = @_;
	my ($text) = slurp_file("$FindBin::RealBin/../../doc/awspool.md") =~
	  /^## \Q$chapter\E\n(.*?)^## /ms;
	my $blocks = join '', $text =~ /^```(?:sql)?\n(.*?)^```$/msg;
	my $prose = $text =~ s/^```.*?^```$//msgr;
	my @statements = $blocks =~ /^(?:SELECT|UPDATE|DELETE|INSERT)\b.*?;$/msg;

	push @statements, grep { !/…/ } $prose =~ /`((?:SELECT|UPDATE|DELETE)\b[^`]*)`/g;
	return @statements;
}

my $node = start_pool('playbook', conf => 'jit = off');
$node->safe_psql('postgres', <<'SQL');
CREATE ROLE regress_awspool_acme LOGIN;
SELECT awspool.grant_provider('acme', 'regress_awspool_acme');
INSERT INTO awspool.account (provider, account_id, marketplace, model, status, order_id, order_model, claimed_at, claimed_by, closed_at, closed_by)
SELECT 'acme', (200000000000 + i)::text, 'MP-0000', 'SPAM', 'allocated', 'old-' || i, 'SPAM', now(), 'acme_app', now(), 'acme_app'
FROM generate_series(1, 100000) i;
INSERT INTO awspool.account (provider, account_id, marketplace, model)
SELECT 'acme', (300000000000 + i * 7919 % 100000)::text, 'MP-000' || i % 2, 'SPAM' FROM generate_series(1, 100000) i;
SELECT awspool.claim_account('acme', 'MP-0000', 'order-7');
VACUUM ANALYZE awspool.account;
SQL

# How many buffers a statement touches, the second time in a session.
sub buffers_of
{
	my ($statement) = @_;
	my $explain = "EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF, SUMMARY OFF) $statement";
	my $plan = $node->safe_psql('postgres',
		"BEGIN; $explain; ROLLBACK; BEGIN; \\echo again\n$explain; ROLLBACK;",
		extra_params => [ '-U', 'regress_awspool_acme' ]);
	my ($again) = $plan =~ /again\n(.*)/s;
	my $most = 0;

	while ($again =~ /\bshared hit=(\d+)(?: read=(\d+))?/g)
	{
		my $buffers = $1 + ($2 // 0);
		$most = $buffers if $buffers > $most;
	}
	note "$most buffers: $statement";
	cmp_ok($most, '>', 0, 'a plan is shown');
	return $most;
}

my %seen;
for my $statement (map { statements_of($_) } 'Reading', 'Monitoring', 'Playbook')
{
	my ($words) = $statement =~ /^(.{1,50})/;
	my $as_owner = $statement =~ /provider_role/;

	$statement =~ s/;\z//;
	is( sqlstate(
			$node,
			($as_owner ? '' : 'SET ROLE regress_awspool_acme; ') . "BEGIN; $statement; ROLLBACK;"),
		'',
		"$words ...");
	$seen{$1}++ if $statement =~ /^(\w+)/;
	next if $as_owner || $statement =~ /pool_status|pg_stat|pg_prepared|added_at/;
	cmp_ok(buffers_of($statement), '<', 1000, 'looks at a small part of the pool');
}
cmp_ok($seen{SELECT} // 0, '>', 3, 'there are queries');
ok($seen{UPDATE} && $seen{DELETE}, 'and changes');

# The oldest ten are moved, and the playbook's limit may be a thousand.
my ($move) = grep { /^UPDATE/ } statements_of('Playbook');
for my $n (10, 1000)
{
	my $statement = $move =~ s/LIMIT 10\b/LIMIT $n/r;
	my $oldest = "SELECT string_agg(account_id, ' ' ORDER BY position) FROM
		(SELECT * FROM awspool.account WHERE status = 'ready' AND marketplace = 'MP-0000' ORDER BY position LIMIT $n) a";

	is( $node->safe_psql('postgres', "
			BEGIN;
			CREATE TEMP TABLE oldest AS $oldest;
			GRANT SELECT ON oldest TO PUBLIC;
			CREATE TEMP TABLE ready AS SELECT account_id FROM awspool.account WHERE marketplace = 'MP-0000' AND status = 'ready';
			SET ROLE regress_awspool_acme;
			$statement;
			RESET ROLE;
			SELECT string_agg(a.account_id, ' ' ORDER BY a.position) = (SELECT string_agg FROM oldest), count(*)
			FROM awspool.account a JOIN ready USING (account_id) WHERE a.marketplace <> 'MP-0000';
			ROLLBACK;"),
		"t|$n",
		"the oldest $n move");
	cmp_ok(buffers_of($statement), '<', 70 * $n + 1000, 'at the cost of what moves');
}

# ANALYZE takes a sample, which may have met none that is ready among millions.
# The pool is not read once for each account that moves.
$node->safe_psql('postgres', q{UPDATE pg_class SET reltuples = 0 WHERE oid = 'awspool.account_ready'::regclass});
cmp_ok(buffers_of($move =~ s/LIMIT 10\b/LIMIT 100/r), '<', 500_000, 'nor when the server believes that none is ready');

# As a role that may look.
my $monitoring = "$FindBin::RealBin/../../contrib/monitoring";
my %asks = slurp_file("$monitoring/queries.yaml") =~ /^(\w+):\n  query: \|\n((?:    .*\n)+)/mg;
my @commands = slurp_file("$monitoring/psqlrc") =~ /^\\set (\w+) /mg;

$node->safe_psql('postgres', <<'SQL');
CREATE ROLE regress_awspool_monitor LOGIN;
SELECT awspool.grant_viewer('*', 'regress_awspool_monitor');
SELECT awspool.configure_pool('acme', 'MP-0009', low_water => 9, deadline => '1 hour');
SELECT awspool.configure_pool('acme', 'MP-0008', low_water => 9, deadline => '1 hour');
INSERT INTO awspool.account (provider, account_id, marketplace, model, added_at) VALUES ('acme', '400000000001', 'MP-0009', 'SPAM', '-infinity');
INSERT INTO awspool.account (provider, account_id, marketplace, model, status, order_model, claimed_at, claimed_by)
VALUES ('acme', '400000000002', 'MP-0009', 'SPAM', 'provisioning_in_progress', 'SPAM', '-infinity', 'somebody'),
	('acme', '400000000003', 'MP-0008', 'SPAM', 'provisioning_in_progress', 'SPAM', 'infinity', 'somebody');
SQL
cmp_ok(keys %asks, '>=', 4, 'there are queries for Prometheus');
cmp_ok(@commands, '>=', 5, 'and commands for psql');

sub monitor
{
	my ($sql) = @_;
	my ($ret, $out, $err) = $node->psql('postgres', $sql, extra_params => [ '-U', 'regress_awspool_monitor' ]);

	is("$ret$err", '0', 'is answered: ' . substr($sql, -50));
	return $out;
}

monitor($asks{$_}) for sort keys %asks;
monitor("\\i $monitoring/psqlrc\n:$_") for @commands;
is( monitor("SELECT marketplace, oldest_ready_seconds, oldest_in_progress_seconds FROM ($asks{awspool_pool}) q WHERE marketplace >= 'MP-0008' ORDER BY 1"),
	"MP-0008||\nMP-0009|Infinity|Infinity", 'what is so for ever is so for ever');
is( monitor("SELECT alert, marketplace, oldest_seconds FROM ($asks{awspool_alert}) q WHERE marketplace = 'MP-0009' AND alert = 'overdue'"),
	'overdue|MP-0009|Infinity', 'and longer than its deadline');

done_testing();
