# A server of the pool, with what test/torture/Fault.pm wants of one.

package Server;

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils ();
use Round;

our @ISA = ('Round');

my $CONF = <<'CONF';
max_connections = 100
max_prepared_transactions = 5
shared_buffers = 32MB
restart_after_crash = on
autovacuum = on
autovacuum_naptime = 1s
deadlock_timeout = 100ms
wal_retrieve_retry_interval = 100ms
log_statement = none

# What a commit does not flush, nobody flushes for it.
wal_writer_delay = 10s
CONF

sub new
{
	my ($class, $name) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init(allows_streaming => 'logical');
	$node->append_conf('postgresql.conf', $CONF);
	$node->start;
	return bless { name => $name, primary => $node, killed => [] }, $class;
}

sub sql
{
	my ($self, $sql, $database) = @_;

	return $self->{primary}->safe_psql($database // 'postgres', $sql);
}

sub address
{
	my ($self, $database) = @_;

	return $self->{primary}->connstr($database);
}

# What breaks a rule on this server alone, now that nobody changes anything; to
# be called once, as it ends the server.
sub judge_alone
{
	my ($self) = @_;
	my @broken = split /\n/, $self->sql(<<'SQL');
SELECT 'verify: ' || concat_ws(' ', severity, object, problem) FROM awspool.verify()
UNION ALL
SELECT 'lint: ' || concat_ws(' ', object, problem) FROM awspool.lint()
WHERE object ~ 'provider|publication|subscription|replica|account'
UNION ALL
SELECT 'left behind: ' || slot_name::text FROM pg_replication_slots
UNION ALL
SELECT 'left behind: ' || pubname::text FROM pg_publication
UNION ALL
SELECT 'left behind: ' || subname::text FROM pg_subscription
UNION ALL
SELECT 'left behind: replica identity ' || relreplident::text FROM pg_class
WHERE oid = 'awspool.account'::regclass AND relreplident <> 'd'
SQL

	$self->{dbh}->disconnect if $self->{dbh};
	$self->{primary}->stop;
	push @broken,
	  Judge::judge_log(
		PostgreSQL::Test::Utils::slurp_file($self->{primary}->logfile),
		@{ $self->{killed} });
	return map { "$self->{name}: $_" } @broken;
}

1;
