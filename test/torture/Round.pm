# A round: a server and a pooler, perhaps with a subscriber, or a primary and its
# synchronous standby; clients that work; faults; a rest, in which everybody asks
# again for what was lost; the clients taking turns until nothing is left; and the
# judgement.

package Round;

use strict;
use warnings FATAL => 'all';

use Crew;
use DBI;
use File::Basename qw(basename);
use History qw(read_history);
use Judge qw(judge judge_log);
use Fault qw(fault needs_standby needs_subscriber);
use Pooler;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils ();
use Statement qw(all_of);
use Time::HiRes qw(sleep);
use Work::Chance qw(marketplaces deadline_of);

my $CONF = <<'CONF';
max_connections = 80
max_prepared_transactions = 100
shared_buffers = 32MB
restart_after_crash = on
autovacuum = on
autovacuum_naptime = 1s
deadlock_timeout = 100ms
wal_retrieve_retry_interval = 100ms
log_statement = none
log_lock_waits = off

# What a commit does not flush, nobody flushes for it.
wal_writer_delay = 10s
CONF

my $SETUP = <<'SQL';
CREATE EXTENSION awspool;
CREATE ROLE regress_awspool_p0 LOGIN NOINHERIT;
CREATE ROLE regress_awspool_p1 LOGIN NOINHERIT;
SELECT awspool.grant_provider('p0', 'regress_awspool_p0'),
	awspool.grant_provider('p1', 'regress_awspool_p1');

-- Who may only look; clients of the provider take that role at times.
CREATE ROLE regress_awspool_v0;
CREATE ROLE regress_awspool_v1;
CREATE ROLE regress_awspool_both;
GRANT regress_awspool_v0, regress_awspool_both TO regress_awspool_p0;
GRANT regress_awspool_v1, regress_awspool_both TO regress_awspool_p1;
SELECT awspool.grant_viewer('p0', 'regress_awspool_v0'),
	awspool.grant_viewer('p1', 'regress_awspool_v1'),
	awspool.grant_viewer('p0', 'regress_awspool_both'),
	awspool.grant_viewer('p1', 'regress_awspool_both');
SQL

# number, seed: of the round; clients: how many; unsafe: see Client.pm; faults:
# which, in this order.
sub new
{
	my ($class, %params) = @_;
	my $self = bless {
		%params,
		dir => PostgreSQL::Test::Utils::tempdir(),
		killed => [],
		hit => {},
		former => [],
		different => [],
	}, $class;

	srand $self->{seed};
	$self->{history} = History->new($self->{dir}, 'director');
	$self->start_servers;
	return $self;
}

sub start_servers
{
	my ($self) = @_;
	my $name = "torture_$self->{number}";
	my $primary = PostgreSQL::Test::Cluster->new($name);

	$primary->init(allows_streaming => 'logical');
	$primary->append_conf('postgresql.conf', $CONF);
	$primary->start;
	$primary->safe_psql('postgres', setup());
	$self->{primary} = $primary;
	if (needs_standby(@{ $self->{faults} })) { $self->start_standby; }
	else { $self->start_pooler; }
	$self->start_subscriber if needs_subscriber(@{ $self->{faults} });
	$self->tell_server;
	return;
}

# Makes the pools and the roles of clients.
sub setup
{
	my $sql = $SETUP;

	for my $marketplace (grep { defined deadline_of($_) } marketplaces())
	{
		$sql .= sprintf "SELECT awspool.configure_pool('%s', '%s',"
		  . " deadline => '%d seconds');\n", $_, $marketplace,
		  deadline_of($marketplace)
		  for qw(p0 p1);
	}
	return $sql;
}

sub start_standby
{
	my ($self) = @_;
	my $primary = $self->{primary};
	my $name = $primary->name . '_standby';
	my $standby = PostgreSQL::Test::Cluster->new($name);

	$primary->backup('base');
	$standby->init_from_backup($primary, 'base', has_streaming => 1);
	$standby->start;
	$primary->append_conf('postgresql.conf',
		"synchronous_standby_names = '$name'");
	$primary->reload;
	# The checkpointer decides; it reads its signals before it works.
	$primary->poll_query_until('postgres',
		"SELECT sync_state = 'sync' FROM pg_stat_replication");
	$primary->safe_psql('postgres', 'CHECKPOINT');
	$self->{standby} = $standby;
	return;
}

# A server to which all is replicated logically.
sub start_subscriber
{
	my ($self) = @_;
	my $primary = $self->{primary};
	my $subscriber =
	  PostgreSQL::Test::Cluster->new($primary->name . '_subscriber');

	$subscriber->init;
	$subscriber->append_conf('postgresql.conf',
		"shared_buffers = 32MB\nwal_retrieve_retry_interval = 100ms");
	$subscriber->start;
	$subscriber->safe_psql('postgres', 'CREATE EXTENSION awspool');
	$primary->safe_psql('postgres',
		'CREATE PUBLICATION pool FOR TABLES IN SCHEMA awspool');
	$subscriber->safe_psql('postgres',
		"CREATE SUBSCRIPTION pool CONNECTION '"
		  . $primary->connstr
		  . " dbname=postgres' PUBLICATION pool");
	$subscriber->wait_for_subscription_sync($primary, 'pool');
	$self->{subscriber} = $subscriber;
	return;
}

# Its databases are one, named by what synchronous_commit is there.
sub start_pooler
{
	my ($self) = @_;
	my $primary = $self->{primary};
	my $server =
	  'host=' . $primary->host . ' port=' . $primary->port . ' dbname=postgres';

	$self->{pooler} = Pooler->new(
		users => [qw(regress_awspool_p0 regress_awspool_p1)],
		servers => 3,
		databases => {
			map {
				$_ => "$server connect_query='SET lock_timeout = ''3s'';"
				  . " SET synchronous_commit = $_'"
			} qw(on off)
		});
	return;
}

# Tells the clients where the server is, and the pooler.
sub tell_server
{
	my ($self) = @_;
	my $file = "$self->{dir}/server";

	PostgreSQL::Test::Utils::append_to_file(
		"$file.new",
		join("\t",
			$self->{primary}->connstr('postgres'),
			$self->{pooler} ? $self->{pooler}->connstr : '')
		  . "\n");
	rename "$file.new", $file or die "cannot rename $file.new: $!";
	return;
}

# The director's session; a new one, if the last has died.
sub dbh
{
	my ($self) = @_;

	until ($self->is_connected)
	{
		$self->{dbh} =
		  DBI->connect('dbi:Pg:' . $self->{primary}->connstr('postgres'),
			'', '',
			{ PrintError => 0, PrintWarn => 0, AutoInactiveDestroy => 1 });
		sleep 0.02 unless $self->{dbh};
	}
	$self->{dbh}{RaiseError} = 1;
	return $self->{dbh};
}

sub is_connected
{
	my ($self) = @_;

	return $self->{dbh} && eval { $self->{dbh}->do('SELECT 1') };
}

sub start
{
	my ($self) = @_;

	$self->{primary}->start;
	$self->dbh;
	return;
}

sub kill9
{
	my ($self, $pid) = @_;

	push @{ $self->{killed} }, $pid;
	kill 'KILL', $pid;
	return;
}

# The standby takes over from a primary that is gone.
sub promote
{
	my ($self) = @_;
	my ($old, $new) = @$self{qw(primary standby)};

	$new->promote;
	@$self{qw(primary standby)} = ($new, undef);
	push @{ $self->{former} }, $old;
	$new->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()');
	$self->{history}->note_and_sync(0, 'promoted');
	$self->tell_server;
	return;
}

# Returns what is broken.
sub run
{
	my ($self) = @_;

	local $SIG{PIPE} = 'IGNORE';
	my $crew = $self->{crew} =
	  Crew->new(map { $_ => $self->{$_} } qw(clients seed dir unsafe));
	my $ok = eval {
		$crew->ask_all('stock');
		$crew->say_to_all('work');
		$self->make_trouble;
		$self->{resolved} = $crew->ask_all('rest');
		$self->calm_down;
		$crew->ask_all('stock');
		$crew->ask($_, 'sweep') for 0, 1;    # one of each provider
		$self->drain_pools;
		$self->compare_subscriber;
		1;
	};
	my $failure = $@;

	kill 'KILL', @{ $crew->{pids} } unless $ok;
	$crew->dismiss;
	my @broken = $self->judge_it;
	unshift @broken, "round: $failure" unless $ok;
	$self->clean_up(@broken);
	return @broken;
}

# One fault after the other, with some work in between.
sub make_trouble
{
	my ($self) = @_;

	for my $fault (@{ $self->{faults} })
	{
		sleep 0.5 + rand 1;
		next if needs_standby($fault) && !$self->{standby};
		$self->{hit}{$fault} += fault($self, $fault);
		$self->compare_counts;
	}
	sleep 0.5 + rand 1;
	return;
}

# The counts of all pools and hours against the accounts and the log, in one
# snapshot, while everybody goes on.
sub compare_counts
{
	my ($self) = @_;

	push @{ $self->{different} },
	  map { "counts: @$_" } @{ $self->dbh->selectall_arrayref(
		'SELECT provider, marketplace, problem FROM awspool.recounted()') };
	return;
}

# Whatever is still prepared is decided, and then nobody does anything.
sub calm_down
{
	my ($self) = @_;
	my $gids =
	  $self->dbh->selectcol_arrayref('SELECT gid FROM pg_prepared_xacts');

	for my $gid (@$gids)
	{
		my $sql = $gid =~ /^will_commit/ ? 'COMMIT' : 'ROLLBACK';
		$self->dbh->do("$sql PREPARED '$gid'");
	}
	$self->{history}->note_and_sync(0, 'quiet');
	$self->compare_subscriber;
	return;
}

# The clients take turns, each of them alone, until each has found its pools
# empty.  They know where the heads of the pools were.
sub drain_pools
{
	my ($self) = @_;

	for my $marketplace (marketplaces())
	{
		my @clients = $self->{crew}->numbers;

		while (@clients)
		{
			my $number = shift @clients;

			push @clients, $number
			  if $self->{crew}->ask($number, "turn $marketplace");
		}
	}
	return;
}

sub judge_it
{
	my ($self) = @_;

	$self->{judged} = read_history($self->{dir});
	my @broken =
	  (judge($self->{judged}, $self->state),
		@{ $self->{different} }, $self->verify($self->{primary}));

	$self->{dbh}->disconnect;
	$self->{pooler}->stop if $self->{pooler};
	$_->stop for grep { defined } @$self{qw(primary standby subscriber)};
	push @broken,
	  judge_log(PostgreSQL::Test::Utils::slurp_file($_->logfile),
		@{ $self->{killed} })
	  for $self->nodes;
	return @broken;
}

# What verify() has against the data of a server, now that nobody changes them.
sub verify
{
	my ($self, $node) = @_;

	return map { "verify: $_" } split /\n/, $node->safe_psql('postgres',
		'SELECT severity, object, problem FROM awspool.verify()');
}

# The subscriber has what the publisher has, now that nobody changes it, and has
# counted it.
sub compare_subscriber
{
	my ($self) = @_;
	my ($primary, $subscriber) = @$self{qw(primary subscriber)};

	return unless $subscriber;
	$primary->safe_psql('postgres', 'CHECKPOINT');    # all WAL is on disk
	$primary->wait_for_catchup('pool');
	for my $provider ('p0', 'p1')
	{
		my ($here, $there) =
		  map { $_->safe_psql('postgres', all_of($provider)) }
		  $primary, $subscriber;

		push @{ $self->{different} }, "replica: it has something else of $provider"
		  if $here ne $there;
	}
	push @{ $self->{different} },
	  map { "replica: $_" } $self->verify($subscriber);
	return;
}

sub nodes
{
	my ($self) = @_;

	return grep { defined } @$self{qw(primary standby subscriber)},
	  @{ $self->{former} };
}

# Of a round that broke a rule, the history and the servers' logs stay.
sub clean_up
{
	my ($self, @broken) = @_;

	for my $file (glob "$self->{dir}/{history,errors}.*")
	{
		rename $file,
		  "$PostgreSQL::Test::Utils::log_path/round_$self->{number}."
		  . basename($file)
		  if @broken;
	}
	for my $node ($self->nodes)
	{
		unlink $node->logfile unless @broken;
		$node->clean_node;
	}
	return;
}

# What the database says, in the end.
sub state
{
	my ($self) = @_;
	my %state = (accounts => {}, log => {});
	my $accounts = $self->dbh->selectall_arrayref(<<'SQL', { Slice => {} });
SELECT provider, account_id, marketplace, model, status, order_id, position,
	reason, (claimed_at IS NOT NULL)::int AS claimed
FROM awspool.account
SQL
	my $log = $self->dbh->selectall_arrayref(<<'SQL', { Slice => {} });
SELECT provider, account_id, event, detail, used::int AS used
FROM awspool.account_log ORDER BY log_id
SQL

	$state{accounts}{ $_->{account_id} } = $_ for @$accounts;
	push @{ $state{log}{ $_->{account_id} } }, $_ for @$log;
	return \%state;
}

1;
