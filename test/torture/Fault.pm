# What goes wrong, by name.  Each fault gets the round (Round.pm), returns when
# the server is in charge again, and says how many it hit.
#
# To kill -9 is not to cut the power: what a dead process had written is still
# in the memory of the operating system.  That a flush reaches the disk is
# PostgreSQL's promise, and not looked at here.

package Fault;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use List::Util;
use PostgreSQL::Test::Utils ();
use Statement qw(all_of);
use Time::HiRes qw(sleep);

our @EXPORT_OK =
  qw(fault plan_faults needs_standby needs_subscriber description);

# What each is called in the report, and what it does.
my %FAULTS = (
	'terminate' => [ 'sessions terminated', \&terminate ],
	'cancel' => [ 'statements cancelled', \&cancel ],
	'kill-backend' => [ 'backends killed with -9', \&kill_backend ],
	'kill-postmaster' =>
	  [ 'postmasters killed with -9', sub { kill_and_start($_[0], 0) } ],
	'kill-all' =>
	  [
		'servers of which every process was killed with -9',
		sub { kill_and_start($_[0], 1) }
	  ],
	'stop' =>
	  [ 'servers stopped immediately', sub { restart($_[0], 'immediate') } ],
	'restart' => [ 'servers restarted', sub { restart($_[0], 'fast') } ],
	'freeze' => [ 'providers frozen for a while', \&freeze ],

	# With a standby
	'cancel-waits' => [ 'waits for the standby cancelled', \&cancel_waits ],
	'kill-promote' =>
	  [ 'standbys promoted, the primary killed with -9', \&kill_and_promote ],
	'stop-promote' =>
	  [ 'standbys promoted, the primary stopped', \&stop_and_promote ],
	'new-standby' => [ 'standbys made for a server that took over',
		sub { $_[0]->start_standby; 1 } ],

	# With a subscriber
	'kill-subscriber' => [
		'subscribers of which every process was killed with -9',
		\&kill_subscriber
	],);

# The faults of a round, in an order of chance: all that a server alone can have;
# in every other round some of them and what a standby adds, which takes over,
# and so does the next one; in every fourth also what a subscriber adds.  A round
# that is to be short has two less.
sub plan_faults
{
	my ($number, $is_short) = @_;
	my @alone = List::Util::shuffle(
		grep { !/promote|waits|standby|subscriber/ } sort keys %FAULTS);

	splice @alone, -2 if $is_short;
	return (@alone[ 0 .. 2 ], 'kill-subscriber', @alone[ 3 .. $#alone ])
	  if $number % 4 == 1;
	return @alone if $number % 2;

	my ($first, $second, $third, @more) = @alone[ 3 .. $#alone ];
	return (
		@more,
		'cancel-waits', $first, some_promotion(), 'new-standby',
		'cancel-waits', $second, some_promotion(), $third);
}

sub some_promotion
{
	return rand() < 0.6 ? 'kill-promote' : 'stop-promote';
}

sub needs_standby
{
	return grep { /promote|waits/ } @_;
}

sub needs_subscriber
{
	return grep { /subscriber/ } @_;
}

sub description
{
	return $FAULTS{ $_[0] }[0];
}

sub fault
{
	my ($round, $name) = @_;

	return $FAULTS{$name}[1]->($round);
}

# The backends of some clients.
sub some_backends
{
	my ($round, $count, $condition) = @_;

	return @{ $round->dbh->selectcol_arrayref(<<"SQL") };
SELECT pid FROM pg_stat_activity
WHERE usename LIKE 'regress_awspool_%' AND $condition
ORDER BY md5(pid || '@{[ rand ]}') LIMIT $count
SQL
}

sub terminate
{
	my ($round) = @_;
	my @pids = some_backends($round, 4, 'true');

	$round->dbh->do('SELECT pg_terminate_backend(?)', undef, $_) for @pids;
	return scalar @pids;
}

sub cancel
{
	my ($round) = @_;
	my @pids = some_backends($round, 8, "state = 'active'");

	$round->dbh->do('SELECT pg_cancel_backend(?)', undef, $_) for @pids;
	return scalar @pids;
}

# The server restarts by itself.  It is over when the director's own session
# is, and a new one can be had.
sub kill_backend
{
	my ($round) = @_;
	my ($pid) = some_backends($round, 1, "state <> 'idle'") or return 0;

	$round->kill9($pid);
	for (1 .. 500)
	{
		last unless $round->is_connected;
		sleep 0.01;
	}
	return 0 if $round->is_connected;    # it was just ending
	$round->dbh;
	return 1;
}

sub kill_and_start
{
	my ($round, $with_children) = @_;

	kill_server($round->{primary}, $with_children);
	$round->start;
	return 1;
}

# First the postmaster, or it would end the others in a more orderly way.  Left
# alone they see that it is gone, and end themselves.
sub kill_server
{
	my ($node, $with_children) = @_;
	my ($postmaster) = split /\n/,
	  PostgreSQL::Test::Utils::slurp_file($node->data_dir . '/postmaster.pid');
	my @children = children($postmaster);

	$node->kill9;
	kill 'KILL', @children if $with_children;
	wait_until_gone($postmaster, @children);
	return;
}

# A process that is dead stays until its parent, or init, has taken note; as long
# as the postmaster does, no other one starts.
sub wait_until_gone
{
	my @pids = @_;

	for (1 .. 6000)
	{
		return unless grep { kill 0, $_ } @pids;
		sleep 0.01;
	}
	die 'processes that were killed are still there';
}

sub children
{
	my ($parent) = @_;
	my @children;

	for my $file (glob '/proc/[0-9]*/stat')
	{
		open my $stat, '<', $file or next;
		my $line = <$stat> // next;
		my ($pid, $ppid) = $line =~ /^(\d+) \(.*\) \w (\d+) /s;
		push @children, $pid if $ppid == $parent;
	}
	return @children;
}

sub restart
{
	my ($round, $mode) = @_;

	$round->{primary}->stop($mode);
	$round->start;
	return 1;
}

# What a provider has stays as it is.  It cannot be had as long as somebody has
# prepared a change.
sub freeze
{
	my ($round) = @_;
	my $provider = 'p' . int rand 2;
	my $history = $round->{history};
	my $dbh = $round->dbh;
	my $frozen;

	$dbh->do(q(SET lock_timeout = '200ms'));
	for (1 .. 25)
	{
		$history->note_and_sync(0, freezing => (provider => $provider));
		$frozen =
		  eval { $dbh->do('SELECT awspool.freeze_provider(?)', undef, $provider) };
		last if $frozen;
		$history->note_and_sync(0, 'thawed');
	}
	$dbh->do('RESET lock_timeout');
	return 0 unless $frozen;

	my $before = $dbh->selectrow_array(all_of($provider));
	sleep 0.3;
	$history->note(0, frozen =>
		(before => $before, after => $dbh->selectrow_array(all_of($provider))));
	$dbh->do('SELECT awspool.thaw_provider(?)', undef, $provider);
	$history->note_and_sync(0, 'thawed');
	return 1;
}

# From now on nothing reaches the standby; wait until some clients wait for it.
sub hold_up_standby
{
	my ($round) = @_;
	my ($sender, @waiting);

	for (1 .. 250)
	{
		($sender) = $round->dbh->selectrow_array(
			"SELECT pid FROM pg_stat_replication WHERE sync_state = 'sync'");
		last if defined $sender;
		sleep 0.02;
	}
	return unless defined $sender;
	kill 'STOP', $sender;
	for (1 .. 100)
	{
		@waiting = some_backends($round, 16, "wait_event = 'SyncRep'");
		last if @waiting >= 4;
		sleep 0.02;
	}
	return ($sender, @waiting);
}

# Who is cancelled has a commit that the standby may never get, and asks again.
sub cancel_waits
{
	my ($round) = @_;
	my ($sender, @waiting) = hold_up_standby($round);

	return 0 unless defined $sender;
	for my $pid (@waiting)
	{
		my $how = rand() < 0.7 ? 'cancel' : 'terminate';
		$round->dbh->do("SELECT pg_${how}_backend(?)", undef, $pid);
	}
	sleep 0.2;
	kill 'CONT', $sender;
	return scalar @waiting;
}

sub kill_and_promote
{
	my ($round) = @_;
	my ($sender, @waiting) = hold_up_standby($round);

	# Some have cancelled their wait, and are just asking again.
	$round->dbh->do('SELECT pg_cancel_backend(?)', undef, $_)
	  for splice @waiting, 0, 4;
	sleep 0.1;
	kill_server($round->{primary}, 1);
	$round->promote;
	return 1;
}

sub kill_subscriber
{
	my ($round) = @_;

	kill_server($round->{subscriber}, 1);
	$round->{subscriber}->start;
	return 1;
}

sub stop_and_promote
{
	my ($round) = @_;

	$round->{primary}->stop(rand() < 0.5 ? 'immediate' : 'fast');
	$round->promote;
	return 1;
}

1;
