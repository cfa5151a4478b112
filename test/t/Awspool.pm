# What the tests in this folder share: a server with a pool on it, and how to
# ask it.

package Awspool;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

our @EXPORT =
  qw(start_pool add_accounts claim claim_sql claim_buffers plan_again buffers_in sqlstate statuses sample server_version);

use constant EXPLAIN => 'EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF, SUMMARY OFF)';

# Start a server with the extension; the rest are lines of postgresql.conf.
sub start_pool
{
	my ($name, %params) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init(%{ $params{init} // {} });
	$node->append_conf('postgresql.conf', "autovacuum = off");
	$node->append_conf('postgresql.conf', $params{conf}) if $params{conf};
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION awspool');
	return $node;
}

# Add ready accounts to one pool, oldest first.
sub add_accounts
{
	my ($node, @ids) = @_;

	$node->safe_psql('postgres',
		join "\n",
		map { "SELECT FROM awspool.add_account('acme', '$_', 'MP-0001', 'SPAM');" }
		  @ids);
	return;
}

# Claim from that pool, for an order or for none, and return the account's id.
sub claim
{
	my ($node, $order, $dbname) = @_;

	return $node->safe_psql($dbname // 'postgres',
		claim_sql($order) . ';');
}

sub claim_sql
{
	my ($order) = @_;

	return "SELECT account_id FROM awspool.claim_account('acme', 'MP-0001'"
	  . (defined $order ? ", '$order')" : ')');
}

# Claim from that pool in a session, and return how many buffers that touched.
sub claim_buffers
{
	my ($session) = @_;

	return buffers_in($session->query_safe(EXPLAIN . " SELECT awspool.claim_account('acme', 'MP-0001')"));
}

# How a query is answered the second time in a session, whose caches are warm
# then: in a database, after what is to come before.
sub plan_again
{
	my ($node, $query, %params) = @_;
	my $explain = EXPLAIN . " $query;\n";
	my $said = $node->safe_psql($params{dbname} // 'postgres',
		($params{before} // '') . ";\n$explain\\echo again\n$explain");
	my ($plan) = $said =~ /^again\n(.*)/ms or die $said;

	return $plan;
}

# How many buffers the whole of a plan touched.
sub buffers_in
{
	my ($plan) = @_;
	my ($buffers) = $plan =~ /Buffers: (.*)/ or die $plan;
	my $sum = 0;

	$sum += $1 while $buffers =~ /(?:hit|read)=(\d+)/g;
	return $sum;
}

# The error code that a script ends with; empty if it succeeds.
sub sqlstate
{
	my ($node, $sql, $dbname) = @_;
	my ($ret, $stdout, $stderr) =
	  $node->psql($dbname // 'postgres', "\\set VERBOSITY sqlstate\n$sql");

	return $stderr =~ /ERROR:\s+(\w{5})$/m ? $1 : $stderr;
}

# The version of the server, as in its name: 15
sub server_version
{
	my ($version) = run_command([ 'pg_config', '--version' ]);

	return $version =~ /(\d+)/ ? $1 : die "no version in $version";
}

# Of what is tried by the thousand: all or, if SAMPLE is set in the environment,
# each $nth, others on each version of the server.  .ci/run tries all on one
# version, and samples on the rest.
sub sample
{
	my ($nth, @all) = @_;

	return @all unless $ENV{SAMPLE};
	return @all[ grep { ($_ + server_version()) % $nth == 0 } 0 .. $#all ];
}

# The accounts of all pools with their statuses, oldest first.
sub statuses
{
	my ($node, $dbname) = @_;

	return $node->safe_psql($dbname // 'postgres',
		'SELECT account_id, status, order_id FROM awspool.account ORDER BY position'
	);
}

1;
