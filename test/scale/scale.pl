# Three servers, a registry, a reading database and PgBouncer.  32 clients of
# three providers sell through PgBouncer's aliases while the providers move from
# server to server, servers are killed, and the mover is killed after each line
# that it says.  Then the torture's judge reads what the clients were told, over
# all servers: each account once, none lost, no id on two servers.
#
# make test-scale installs what is needed and runs this (test/scale.sh):
#
#	SCALE_SEED     what everything random comes from
#	SCALE_MOVES    so many moves of those that are planned, by chance
#	SCALE_SECONDS  after which no move begins
#	SCALE_REPORT   where the report goes

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin, "$FindBin::RealBin/../torture", "$FindBin::RealBin/../t";
use PostgreSQL::Test::Utils;
use Stage;
use Test::More;
use Tour qw(tour);

use constant CLIENTS => 32;

my $seed = $ENV{SCALE_SEED} || time % 1_000_000;
my $started = time;

diag "seed $seed";
my $stage = Stage->new(seed => $seed, clients => CLIENTS);

# Lines of a move that says all that it can: plain, and ahead.
my %lines = (plain => 15, ahead => 16);

# The mover is killed after each line; then servers are, in one way and another,
# and the pooler; some moves are given up, and some are left in peace.
sub plan_moves
{
	my @ways = qw(kill-all stop kill-postmaster restart);
	my @plan;

	for my $ahead (0, 1)
	{
		my $lines = $lines{ $ahead ? 'ahead' : 'plain' };

		push @plan, map {
			{ ahead => $ahead, victim => 'mover', how => 'kill', after => $_ }
		} 0 .. $lines - 1;
		push @plan, map {
			{
				ahead => $ahead,
				victim => $_,
				how => $ways[ rand @ways ],
				after => int rand $lines
			}
		} qw(from to reader to);
		push @plan,
		  {
			ahead => $ahead,
			victim => 'pooler',
			how => 'kill',
			after => int rand $lines
		  };
		push @plan, map {
			{ ahead => $ahead, victim => 'mover', how => 'kill', after => $_, back => 1 }
		} 1 + int rand 3, 4 + int rand 3;
		push @plan, { ahead => $ahead }, { ahead => $ahead };
	}
	@plan = sort { $a->{order} <=> $b->{order} } map { { %$_, order => rand } } @plan;
	return @plan[ 0 .. ($ENV{SCALE_MOVES} || @plan) - 1 ];
}

sub run_moves
{
	my @troubles = qw(terminate cancel kill-backend kill-postmaster stop);

	for my $plan (plan_moves())
	{
		last if $ENV{SCALE_SECONDS} && time - $started > $ENV{SCALE_SECONDS};
		$stage->move(%$plan);
		note $stage->last_move;
		$stage->trouble($troubles[ rand @troubles ]) if rand() < 0.2;
	}
	return;
}

local $SIG{PIPE} = 'IGNORE';
$stage->begin_work;
my $ok = eval { run_moves(); $stage->end_work; 1 };
is($@, '', 'all moves end');
kill 'KILL', @{ $stage->{crew}{pids} } unless $ok;
tour($stage);
my @broken = $stage->judge_it;
is(scalar @broken, 0, 'no rule is broken');
diag $_ for @broken > 20 ? @broken[ 0 .. 19 ] : @broken;

#
# The report.
#

sub broken
{
	my ($rules) = @_;

	return scalar grep { /^(?:$rules): / } @broken;
}

sub median
{
	my @values = sort { $a <=> $b } @_;

	return @values ? sprintf '%.2f s', $values[ $#values / 2 ] : 'none';
}

sub held_up
{
	my ($ahead) = @_;
	my @held = map { $_->{held_up} }
	  grep { $_->{ahead} == $ahead && defined $_->{held_up} } @{ $stage->{moves} };

	return median(@held);
}

sub table
{
	my (%count, %granted, %errors);

	for my $transaction (@{ $stage->{judged}{transactions} })
	{
		$count{transactions}++;
		$count{ $transaction->{outcome} }++;
		for my $call (@{ $transaction->{calls} })
		{
			$errors{ $call->{error} }++ if defined $call->{error};
			$granted{ $call->{rows}[0]{account_id} } = 1
			  if $transaction->{outcome} eq 'committed'
			  && $call->{name} =~ /^(?:claim|replace)_account$/
			  && @{ $call->{rows} };
		}
	}
	my $moves = $stage->{moves};
	my $hit = $stage->{hit};
	my ($server) = `postgres --version` =~ /(.*)/;
	my @rows = (
		[ 'server', $server ],
		[ 'seed', $seed ],
		[ 'seconds', time - $started ],
		[ 'clients, providers, servers', CLIENTS . ', ' . Stage::PROVIDERS . ', 3' ],
		[ 'transactions', $count{transactions} ],
		[ 'accounts granted to an order', scalar keys %granted ],
		[ 'moves', scalar @$moves ],
		[ 'of these ahead, by logical replication', scalar grep { $_->{ahead} } @$moves ],
		[ 'given up', scalar grep { $_->{gone_back} } @$moves ],
		(map { [ "killed or stopped: $_", $hit->{$_} ] } sort keys %$hit),
		[ 'runs of the mover', eval { my $n = 0; $n += $_->{runs} for @$moves; $n } ],
		[ 'ids refused, somebody else has them', $errors{23505} ],
		[ 'calls refused since the provider was frozen', $errors{WS008} ],
		[ 'calls refused since the registry did not answer', $errors{WS009} ],
		[ 'answers lost', $count{unknown} ],
		[ 'calls asked again for a lost answer', $stage->{resolved} ],
		[ 'calls held up by an undisturbed move, median', held_up(0) ],
		[ 'the same, copied ahead', held_up(1) ],
		[ '**accounts sold twice**', broken('once|one at a time') ],
		[ '**accounts or grants lost**', broken('kept|stock|drained') ],
		[ '**ids on two servers**', broken('unique|place|acts') ],);

	push @rows, [ '**anything else that broke a rule**',
		@broken - broken('once|one at a time|kept|stock|drained|unique|place|acts') ];
	return join '', "| | |\n|---|---|\n", map { "| $_->[0] | " . ($_->[1] // 0) . " |\n" } @rows;
}

append_to_file($ENV{SCALE_REPORT}, table()) if $ENV{SCALE_REPORT};
done_testing();
