# What happens to three servers under Patroni, by name.  Each gets the round
# (HaRound.pm), and strikes who is in charge.  outage() waits until another one
# is, and all three run again, and tells when that was.

package Outage;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use Fault;
use History qw(now);
use Time::HiRes qw(sleep);

our @EXPORT_OK = qw(outage description);

# What each is called in the report, what it does, and who starts Patroni again,
# if it was killed: whoever watches it, at once, or a person, after another
# server took over.
my %OUTAGES = (
	'kill-postmaster' => [
		'the postmaster killed with -9',
		sub { Fault::kill_server($_[0]{primary}, 0) }
	],
	'kill-server' => [
		'every process of the server killed with -9',
		sub { Fault::kill_server($_[0]{primary}, 1) }
	],
	'kill-node' =>
	  [ 'Patroni and its server killed with -9', \&kill_node, 'person' ],
	'kill-patroni' => [
		'Patroni killed with -9; its server goes on, and does not know',
		\&kill_patroni, 'person'
	],
	'restart-patroni' => [
		'Patroni killed with -9 and started again within a second',
		\&kill_patroni, 'watcher'
	],
	'switchover' => [ 'switchover', \&switch_over ],
	'stop-senders' => [
		'all that send WAL stopped; then the server killed with -9',
		\&stop_senders
	],
	'cancel-waits' => [
		'all that send WAL stopped, the commits that wait cancelled; then the server killed with -9',
		\&cancel_waits
	],);

sub description
{
	return $OUTAGES{ $_[0] }[0];
}

# Returns what happened: name, from, to, count of what was cancelled, and at
# what time it began, it struck, another one was in charge ("led"), and all
# three ran again ("whole").
sub outage
{
	my ($round, $name) = @_;
	my ($cluster, $synchronous) = @$round{qw(cluster synchronous)};
	my (undef, $strike, $who) = @{ $OUTAGES{$name} };
	my $old = $cluster->wait_until_whole($synchronous);

	# On a machine that is slow for once, another one may have taken over before.
	$round->follow($old) if $old != $round->{primary};
	my %event = (name => $name, from => $old->name, began => now());

	$event{count} = $strike->($round, \%event);
	$event{struck} //= $event{began};
	if (($who // '') eq 'watcher')
	{
		sleep 0.7;
		$cluster->start_patroni($old);
	}
	else
	{
		my $new = $cluster->wait_for_leader($old);

		$round->follow($new);
		$event{led} = now();
		sleep 2 if $name eq 'kill-patroni';    # both servers take clients
		$cluster->start_patroni($old) if $who;
	}
	$event{to} = $cluster->wait_until_whole($synchronous)->name;
	$event{whole} = now();
	return \%event;
}

sub kill_patroni
{
	my ($round) = @_;

	$round->{cluster}->kill_patroni($round->{primary});
	return 1;
}

sub kill_node
{
	my ($round) = @_;

	kill_patroni($round);
	Fault::kill_server($round->{primary}, 1);
	return 1;
}

# Patroni answers when it is over, a second later or two.  We see it ourselves.
sub switch_over
{
	my ($round) = @_;
	my $leader = $round->{primary};

	my ($status, $content) =
	  $leader->ask(POST => '/switchover', { leader => $leader->name }, 0.5);
	die "switchover: $content\n" if $status != 200 && $status != 599;
	return 1;
}

# To stop the receivers would not do: what was sent to them would reach them.
sub hold_up_standbys
{
	my ($round) = @_;

	kill 'STOP',
	  @{ $round->dbh->selectcol_arrayref('SELECT pid FROM pg_stat_replication')
	  };
	return;
}

# The clients' sessions that wait for a standby.
sub waiting
{
	my ($round) = @_;

	return Fault::some_backends($round, 100, "wait_event = 'SyncRep'");
}

# Clients wait for a standby; or, where none does, 100 kB of what they were told
# have not been sent.
sub stop_senders
{
	my ($round, $event) = @_;
	my $sql = <<'SQL';
SELECT pg_current_wal_flush_lsn() - max(sent_lsn) > 100000
FROM pg_stat_replication
SQL

	hold_up_standbys($round);
	Patroni::wait_for(
		'something that no standby has',
		sub {
			return waiting($round) >= 3 if $round->{synchronous};
			return ($round->dbh->selectrow_array($sql))[0];
		});
	strike($round, $event);
	return 1;
}

# Somebody cancels the wait of whoever waits, again and again.  Who takes that
# for an answer goes on to the next order.
sub cancel_waits
{
	my ($round, $event) = @_;
	my $count = 0;

	hold_up_standbys($round);
	Patroni::wait_for(
		'clients that wait',
		sub {
			my @waiting = waiting($round);

			$round->dbh->do('SELECT pg_cancel_backend(?)', undef, $_)
			  for @waiting;
			$count += @waiting;
			return $count >= 40;
		});
	strike($round, $event);
	return $count;
}

sub strike
{
	my ($round, $event) = @_;

	$event->{struck} = now();
	Fault::kill_server($round->{primary}, 1);
	return;
}

1;
