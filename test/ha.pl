# Three servers under Patroni, as "Standbys" in doc/awspool.md has them: whatever
# happens to the one in charge, another one takes over, clients go on, and nothing
# that they were told is lost or sold twice.
#
# Then the same has to be found broken where it is broken: with clients that take
# the WARNING of a cancelled wait for an answer, and where no commit waits for a
# standby.
#
# test/ha.sh has Patroni and etcd ready, and runs this.  HA_OUTAGES names some
# outages alone.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib map { "$FindBin::RealBin/$_" } qw(ha torture t);
use Figures qw(figures);
use HaRound;
use Outage qw(description);
use Patroni;
use PostgreSQL::Test::Utils;
use Report;
use Test::More;

use constant CLIENTS => 8;

my @OUTAGES = split ' ', $ENV{HA_OUTAGES}
  || 'kill-postmaster switchover kill-server stop-senders restart-patroni'
  . ' cancel-waits kill-node kill-patroni';

my $started = time;
my $cluster;
my $number = 0;

END
{
	my $status = $?;

	$cluster->stop if $cluster;
	$? = $status;
}

# A round, and what came of it.
sub run_round
{
	my ($name, %params) = @_;
	my $round = HaRound->new(
		number => ++$number,
		seed => $number,
		clients => CLIENTS,
		unsafe => 0.3,
		cluster => $cluster,
		%params);
	my $report = Report->new(clients => CLIENTS);
	my @broken = $round->run;

	$report->add($round, @broken);
	diag sprintf '%s: %d s, %d transactions, %d broken', $name,
	  time - $report->{started}, $report->{count}{transactions},
	  scalar @broken;
	diag $_ for @broken > 10 ? @broken[ 0 .. 9 ] : @broken;
	is(scalar @{ $round->{events} }, scalar @{ $params{faults} },
		"$name: all happened that should");
	return [ $name, $round, $report, @broken ];
}

# Claims or accounts that clients were told of and that are no more, or of which
# others were told, too.
sub lost
{
	my (undef, undef, $report) = @{ $_[0] };

	return $report->broken_rules('once|one at a time|kept|stock|forward');
}

chomp(my $bindir = `pg_config --bindir`);
$cluster =
  Patroni->new(programs => $ENV{HA_PROGRAMS}, bindir => $bindir);

my $synchronous = run_round(
	'synchronous',
	synchronous => 1,
	faults => \@OUTAGES);
my (undef, $round, undef, @broken) = @$synchronous;

is(scalar @broken, 0, 'nothing that clients were told is lost or sold twice');
like($round->{standby_names}, qr/^"?n[123]"?$/,
	'Patroni has commits wait for a standby');
is($round->{lint}, undef, 'and lint() has nothing against that');
for my $event (@{ $round->{events} })
{
	my ($silence, $told) = $round->silence($event);
	my $description = description($event->{name});

	if ($event->{name} eq 'restart-patroni')
	{
		is($event->{to}, $event->{from}, "$description: nobody takes over");
	}
	else
	{
		isnt($event->{to}, $event->{from}, "$description: another takes over");
	}
	cmp_ok($told, '>', 0, 'and clients go on');
}

my $heedless = run_round(
	'clients that ignore the WARNING',
	synchronous => 1,
	heedless => 1,
	faults => ['cancel-waits']);
cmp_ok(lost($heedless), '>', 0, 'who ignores the WARNING sells twice');

my $asynchronous = run_round(
	'asynchronous',
	synchronous => 0,
	faults => ['stop-senders']);
cmp_ok(lost($asynchronous), '>', 0, 'who waits for no standby sells twice');
is( $asynchronous->[1]{lint},
	'it has standbys and waits for none: after a failover, what was sold can be ready again',
	'and lint() tells of it');

chomp(my $server = `postgres --version`);
chomp(my ($etcd) = `$ENV{HA_PROGRAMS}/usr/bin/etcd --version`);
append_to_file(
	$ENV{HA_REPORT},
	figures(
		[
			[ 'server' => $server ],
			[
				'Patroni, etcd' => join ', ',
				$cluster->leader->status->{patroni}{version},
				$etcd =~ /([\d.]+)/
			],
			[ 'ttl of Patroni' => Patroni::TTL . ' s' ],
			[ 'clients' => CLIENTS ],
			[ 'seconds, with the controls' => time - $started ],
		],
		$synchronous, $heedless, $asynchronous)) if $ENV{HA_REPORT};
done_testing();
