# A round of the torture (Round.pm) on servers under Patroni: the clients, what
# they do, the rest, the turns and the judgement are the same.  What is other:
# the servers are there already, what happens to them is in Outage.pm, and the
# clients find the one in charge by themselves.

package HaRound;

use strict;
use warnings FATAL => 'all';

use parent 'Round';

use History qw(read_history);
use Judge qw(judge judge_log);
use Judge::Ledger qw(is_reading);
use Outage qw(outage);
use PostgreSQL::Test::Utils ();
use Time::HiRes qw(sleep);

# Of a program that hides warnings from itself, nothing has to be changed but
# this.
my $HEEDLESS = <<'SQL';
ALTER ROLE regress_awspool_p0 SET client_min_messages = error;
ALTER ROLE regress_awspool_p1 SET client_min_messages = error;
SQL

# As Round.pm has it, with outages for faults, and: cluster, of Patroni.pm;
# synchronous: whether commits wait for a standby; heedless: whether clients
# take the WARNING of a cancelled wait for an answer.
sub start_servers
{
	my ($self) = @_;
	my ($cluster, $synchronous) = @$self{qw(cluster synchronous)};

	$cluster->set_synchronous($synchronous);
	$self->{primary} = $cluster->wait_until_whole($synchronous);
	$cluster->new_logs;
	$self->{events} = [];
	$self->{promotions} = 0;
	$self->make_pool;
	$self->note_promotions;
	$self->tell_server;
	return;
}

# The lint is what it has to say of standbys.
sub make_pool
{
	my ($self) = @_;
	my $secret = $self->{cluster}{secret};

	$self->dbh->do('DROP EXTENSION IF EXISTS awspool CASCADE');
	$self->dbh->do(
		'DROP ROLE IF EXISTS ' . join ', ',
		map { "regress_awspool_$_" } qw(p0 p1 v0 v1 both));
	$self->dbh->do(Round::setup());
	$self->dbh->do("ALTER ROLE regress_awspool_$_ PASSWORD '$secret'")
	  for qw(p0 p1);
	$self->dbh->do($HEEDLESS) if $self->{heedless};
	@$self{qw(standby_names lint)} = $self->dbh->selectrow_array(<<'SQL');
SELECT current_setting('synchronous_standby_names'),
	(SELECT string_agg(problem, ', ') FROM awspool.lint()
	 WHERE object = 'server' AND problem ~ 'standby')
SQL
	return;
}

# A server's epoch, to a client, is how many promotions were before (Client.pm),
# and those before this round count as well.
sub note_promotions
{
	my ($self) = @_;
	my ($timeline) = $self->dbh->selectrow_array(
		"SELECT ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int"
	);

	$self->{history}->note_and_sync(0, 'promoted')
	  while $self->{promotions}++ < $timeline - 1;
	$self->{promotions} = $timeline - 1;
	return;
}

# Another server is in charge, to Patroni, and is just being promoted; the old one
# may be there, too.
sub follow
{
	my ($self, $member) = @_;

	eval { $self->{dbh}->disconnect };
	delete $self->{dbh};
	$self->{primary} = $member;
	Patroni::wait_for(
		'the end of recovery',
		sub {
			return ($self->dbh->selectrow_array(
					'SELECT NOT pg_is_in_recovery()'))[0];
		});
	$self->note_promotions;
	return;
}

sub tell_server
{
	my ($self) = @_;

	PostgreSQL::Test::Utils::append_to_file("$self->{dir}/server",
		$self->{cluster}->dsn . "\t\n");
	return;
}

sub make_trouble
{
	my ($self) = @_;

	for my $name (@{ $self->{faults} })
	{
		sleep 2;
		push @{ $self->{events} }, outage($self, $name);
		$self->compare_counts;
	}
	sleep 2;
	return;
}

sub judge_it
{
	my ($self) = @_;

	$self->{judged} = read_history($self->{dir});
	my @broken = (
		judge($self->{judged}, $self->state),
		@{ $self->{different} },
		$self->verify($self->{primary}));

	$self->{dbh}->disconnect;
	return (@broken, map { judge_log($_) } $self->{cluster}->new_logs);
}

# The servers stay.
sub nodes
{
	return;
}

# When clients were told of a change, in order.
sub told
{
	my ($self) = @_;

	return sort { $a <=> $b }
	  map { $_->{told} }
	  grep {
			 $_->{outcome} eq 'committed'
		  && !defined $_->{gid}
		  && grep { @{ $_->{rows} } && !is_reading($_) } @{ $_->{calls} }
	  } @{ $self->{judged}{transactions} };
}

# The longest time in which no client was told of a change, between an event and
# the moment when all was well again; and how many were told after that.
sub silence
{
	my ($self, $event) = @_;
	my $longest = 0;
	my ($last, @told) = grep { $_ > $event->{began} - 1 } $self->told;

	for my $told (grep { defined $last } @told)
	{
		last if $last > $event->{whole};
		$longest = $told - $last if $told - $last > $longest;
		$last = $told;
	}
	return ($longest, scalar grep { $_ > $event->{whole} } @told);
}

1;
