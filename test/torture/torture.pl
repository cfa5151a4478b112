# "Exactly one order for each account, whatever happens": 32 clients write down
# what they asked and what they were told, while the server is killed under
# them; then test/torture/Judge.pm reads that.
#
# Two short rounds, one of them with standbys that take over; one of the two, by
# chance, where a sample will do (test/t/Awspool.pm).  make torture runs as many as fit
# into its time (test/torture.sh), by these settings:
#
#	TORTURE_SECONDS   for how long
#	TORTURE_FAULTS    until so many faults have hit something
#	TORTURE_SEED      what everything random comes from, to repeat a run as
#	                  far as the scheduler does
#	TORTURE_ONLY      the faults of each round
#	TORTURE_WORK      what clients do more often than the rest
#	TORTURE_UNSAFE    the part of sessions that turn synchronous_commit off
#	TORTURE_REPORT    where the report goes

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin, "$FindBin::RealBin/../t";
use Fault qw(plan_faults);
use PostgreSQL::Test::Utils;
use Report;
use Round;
use Test::More;

use constant CLIENTS => 32;

my $seed = $ENV{TORTURE_SEED} || time % 1_000_000;
my $is_long = $ENV{TORTURE_SECONDS} || $ENV{TORTURE_FAULTS};
my $first = $ENV{SAMPLE} ? 1 + $seed % 2 : 1;
my $last = $ENV{SAMPLE} ? $first : 2;
my $report = Report->new(
	clients => CLIENTS,
	seed => $seed,
	server => `postgres --version`);
chomp $report->{server};

sub is_over
{
	return time - $report->{started} >= $ENV{TORTURE_SECONDS}
	  if $ENV{TORTURE_SECONDS};
	return $report->hits >= $ENV{TORTURE_FAULTS} if $ENV{TORTURE_FAULTS};
	return $report->{rounds} > $last - $first;
}

# A round; every other one has a standby, every fourth a subscriber.
sub run_round
{
	my ($number) = @_;

	srand $seed + $number;
	my $round = Round->new(
		number => $number,
		seed => $seed + $number,
		clients => CLIENTS,
		unsafe => $ENV{TORTURE_UNSAFE} || 0.3,
		faults => $ENV{TORTURE_ONLY}
		? [ split ' ', $ENV{TORTURE_ONLY} ]
		: [ plan_faults($number, !$is_long) ]);
	my @broken = $round->run;

	$report->add($round, @broken);
	diag sprintf 'round %d, %d s, %d faults so far', $number,
	  time - $report->{started}, $report->hits
	  if $ENV{TORTURE_REPORT};
	is(scalar @broken, 0, "round $number breaks no rule");
	diag $_ for some_of_each(@broken);
	return;
}

# Of what is broken, a few of each rule: one may break very often.
sub some_of_each
{
	my %shown;

	return grep { /^([^:]*)/ && $shown{$1}++ < 5 } @_;
}

diag "seed $seed";
do { run_round($first + $report->{rounds}) } until is_over();

append_to_file($ENV{TORTURE_REPORT}, $report->table) if $ENV{TORTURE_REPORT};
done_testing();
