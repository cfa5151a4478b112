# The stage of test/scale/scale.pl: three servers, one more with the reading
# database and the registry, and PgBouncer; clients of three providers that sell
# through its aliases; and moves, in which something is killed.

package Stage;

use strict;
use warnings FATAL => 'all';

use Fault qw(fault);
use File::Basename qw(basename);
use FindBin;
use History qw(read_history);
use Judge qw(judge);
use Mover qw(run_move);
use Pooler;
use PostgreSQL::Test::Utils ();
use Server;
use Time::HiRes qw(sleep time);
use Traders;
use Work::Chance qw(marketplaces);

use constant PROVIDERS => Traders::PROVIDERS;

my $CONTRIB = "$FindBin::RealBin/../../contrib/scale";
my $ROLES = <<'SQL';
CREATE ROLE regress_awspool_p0 LOGIN;
CREATE ROLE regress_awspool_p1 LOGIN;
CREATE ROLE regress_awspool_p2 LOGIN;
CREATE ROLE regress_awspool_all LOGIN;
CREATE ROLE regress_awspool_stranger LOGIN;
SQL

# A role's settings go with it through the pooler.
my $SETTINGS = <<'SQL';
ALTER ROLE regress_awspool_p0 SET lock_timeout = '3s';
ALTER ROLE regress_awspool_p1 SET lock_timeout = '3s';
ALTER ROLE regress_awspool_p1 SET synchronous_commit = off;
ALTER ROLE regress_awspool_p2 SET lock_timeout = '3s';
CREATE EXTENSION awspool;
SELECT awspool.grant_viewer('*', 'regress_awspool_all');
SQL

# seed; clients: how many
sub new
{
	my ($class, %params) = @_;
	my $self = bless {
		%params,
		dir => PostgreSQL::Test::Utils::tempdir(),
		moves => [],
		hit => {},
		broken => [],
	}, $class;

	srand $self->{seed};
	$self->{history} = History->new($self->{dir}, 'director');
	$self->start_servers;
	$self->start_pooler;
	return $self;
}

sub providers { return map { "p$_" } 0 .. PROVIDERS - 1; }

sub servers { my ($self) = @_; return @{ $self->{servers} }{qw(s1 s2 s3)}; }

sub start_servers
{
	my ($self) = @_;
	my $reader = Server->new('reader');

	$reader->sql($ROLES);
	for my $database (qw(reader registry))
	{
		$reader->sql("CREATE DATABASE $database");
		run_file($reader, $database, "$database.sql");
	}
	$self->{reader} = $reader;
	for my $name (qw(s1 s2 s3))
	{
		my $server = Server->new($name);
		my ($host, $port) = ($server->{primary}->host, $server->{primary}->port);

		$server->sql($ROLES . $SETTINGS);
		$server->sql(
			$reader->sql(
				"SELECT scale.add_server('$name', '$host', $port, 'postgres')",
				'reader'));
		$reader->sql("CREATE ROLE server_$name LOGIN IN ROLE awspool_registry");
		run_file($server, 'postgres', 'registry-shard.sql', '-v',
			'registry=' . $reader->address('registry'), '-v', "user=server_$name");
		$self->{servers}{$name} = $server;
	}
	$reader->sql("SELECT scale.map_role(r) FROM unnest('{regress_awspool_p0,regress_awspool_all}'::text[]) r", 'reader');
	for my $provider (providers())
	{
		my $name = 's' . (1 + substr $provider, 1);

		$reader->sql("SELECT scale.place('$provider', '$name')", 'reader');
		$self->{servers}{$name}->sql(
			"SELECT awspool.grant_provider('$provider', 'regress_awspool_$provider'), awspool.configure_pool('$provider', 'MP-0000', low_water => 5)");
	}
	return;
}

sub run_file
{
	my ($server, $database, $file, @settings) = @_;

	PostgreSQL::Test::Utils::system_or_bail('psql', '-XqAt', '-d', $server->address($database),
		@settings, '-f', "$CONTRIB/$file");
	return;
}

# The list of aliases has to be there when the pooler begins.
sub start_pooler
{
	my ($self) = @_;
	my $aliases = "$self->{dir}/aliases.ini";

	$self->{env} = {
		AWSPOOL_READER => $self->{reader}->address('reader'),
		AWSPOOL_ALIASES => $aliases,
		AWSPOOL_POOLER => '',
	};
	{
		local @ENV{ keys %{ $self->{env} } } = values %{ $self->{env} };
		PostgreSQL::Test::Utils::system_or_bail("$CONTRIB/aliases");
	}
	$self->{pooler} = Pooler->new(
		users => [ map { "regress_awspool_$_" } providers() ],
		servers => 8,
		include => $aliases);
	$self->{env}{AWSPOOL_POOLER} =
	  $self->{pooler}->connstr . ' dbname=pgbouncer user=pgbouncer';
	return;
}

# Where a provider sells.
sub server_of
{
	my ($self, $provider) = @_;

	return $self->{reader}->sql(
		"SELECT server FROM scale.placement WHERE provider = '$provider'",
		'reader');
}

#
# Work, and moves.
#

sub begin_work
{
	my ($self) = @_;

	$self->{crew} = Traders->new(
		pooler => $self->{pooler}->connstr,
		unsafe => 0,
		map { $_ => $self->{$_} } qw(clients seed dir));
	$self->{crew}->ask_all('stock');
	$self->{crew}->say_to_all('work');
	return;
}

# Moves a provider to some other server.  ahead: by logical replication; after so
# many lines something happens to the victim: mover, from, to, reader or pooler,
# in the way that "how" says; back: it is given up then, if it can be.  As long as
# that lasts, and no longer, clients may be told that the provider is frozen.
sub move
{
	my ($self, %plan) = @_;
	my $provider = 'p' . (scalar(@{ $self->{moves} }) % PROVIDERS);
	my $from = $self->server_of($provider);
	my $to = (grep { $_ ne $from } qw(s1 s2 s3))[ rand 2 ];
	my $began = time;

	$self->{history}->note_and_sync(0, freezing => (provider => $provider));
	my ($runs, $lines, $held_up) = run_move(
		env => $self->{env},
		log => "$PostgreSQL::Test::Utils::log_path/mover.log",
		args => [ $plan{ahead} ? '--ahead' : (), $provider, $to ],
		then => $plan{back} ? [ '--back', $provider ] : [ $provider, $to ],
		after => $plan{after} // 0,
		strike => $plan{victim} && sub {
			sleep rand 0.05;
			$self->strike($_[0], \%plan, $from, $to);
		});
	$self->{history}->note_and_sync(0, 'thawed');

	my $gone_back = $self->server_of($provider) eq $from;
	push @{ $self->{moves} },
	  {
		%plan,
		provider => $provider,
		runs => $runs,
		held_up => $runs == 1 ? $held_up : undef,
		gone_back => $gone_back,
		took => time - $began,
		lines => $lines,
	  };
	push @{ $self->{broken} }, "move: $provider is still on $from"
	  if $gone_back && !$plan{back};
	return;
}

# In a line, for who reads along.
sub last_move
{
	my ($self) = @_;
	my $move = $self->{moves}[-1];

	return join ' ', $move->{provider}, $move->{ahead} ? 'ahead' : 'plain',
	  $move->{victim} ? "$move->{victim} $move->{how} after line $move->{after}" : 'in peace',
	  $move->{gone_back} ? 'given up' : 'moved', "$move->{runs} runs", sprintf("%.1f s\n", $move->{took}), @{ $move->{lines} };
}

sub strike
{
	my ($self, $mover, $plan, $from, $to) = @_;
	my $victim = $plan->{victim};

	if ($victim eq 'mover') { kill 'KILL', $mover; }
	elsif ($victim eq 'pooler')
	{
		$self->{pooler}->stop('KILL');
		$self->{pooler}->start;
	}
	else
	{
		my %servers = (%{ $self->{servers} }, reader => $self->{reader});
		my $name = { from => $from, to => $to }->{$victim} // $victim;

		fault($servers{$name}, $plan->{how});
	}
	$self->{hit}{"$victim $plan->{how}"}++;
	$self->look_who_acts;
	return;
}

# Never may two servers have accounts of a provider and be open for it.
sub look_who_acts
{
	my ($self) = @_;

	for my $provider (providers())
	{
		my @open = grep {
			$self->{servers}{$_}->sql(<<"SQL") eq 't' } qw(s1 s2 s3);
SELECT EXISTS (SELECT FROM awspool.account WHERE provider = '$provider')
	AND NOT EXISTS (SELECT FROM awspool.provider_state WHERE provider = '$provider')
SQL
		push @{ $self->{broken} }, "acts: $provider is open on @open"
		  if @open > 1;
	}
	return;
}

# A fault of a server that has nothing to do with a move.
sub trouble
{
	my ($self, $how) = @_;
	my $name = 's' . (1 + int rand 3);

	$self->{hit}{"server $how"} += fault($self->{servers}{$name}, $how);
	return;
}

#
# The end.
#

# Everybody asks again for what was lost; then the clients take turns until all
# is sold.
sub end_work
{
	my ($self) = @_;
	my $crew = $self->{crew};

	$self->{resolved} = $crew->ask_all('rest');
	$self->{history}->note_and_sync(0, 'quiet');
	for my $marketplace (marketplaces())
	{
		my @clients = $crew->numbers;

		while (@clients)
		{
			my $number = shift @clients;

			push @clients, $number
			  if $crew->ask($number, "turn $marketplace");
		}
	}
	$crew->dismiss;
	$self->{state} = $self->state;
	return;
}

# What all servers have, as test/torture/Judge.pm wants it.
sub state
{
	my ($self) = @_;
	my %all = (accounts => {}, log => {});
	my %where;

	for my $server ($self->servers)
	{
		my $state = $server->state;
		my %ids = (%{ $state->{accounts} }, %{ $state->{log} });

		push @{ $where{$_} }, $server->{name} for keys %ids;
		$all{accounts}{$_} = $state->{accounts}{$_}
		  for keys %{ $state->{accounts} };
		push @{ $all{log}{$_} }, @{ $state->{log}{$_} }
		  for keys %{ $state->{log} };
		my %here = map { $_->{provider} => 1 } values %{ $state->{accounts} };
		push @{ $self->{broken} },
		  map { "place: $_ has accounts on $server->{name}" }
		  grep { $self->server_of($_) ne $server->{name} } sort keys %here;
	}
	push @{ $self->{broken} },
	  map { "unique: id $_ is on @{ $where{$_} }" }
	  grep { @{ $where{$_} } > 1 } sort keys %where;
	return \%all;
}

# Returns what is broken, in the state in which the clients left it or, if they did
# not come to an end, that of now.  That the registry of ids does not answer may be
# said at any time; how often is in the report.
sub judge_it
{
	my ($self) = @_;

	$self->{judged} = read_history($self->{dir});
	my $state = $self->{state} // $self->state;
	my @broken =
	  grep { !/^error: error WS009: / } judge($self->{judged}, $state);
	$self->{pooler}->stop;
	push @broken, @{ $self->{broken} }, map { $_->judge_alone } $self->servers;
	$self->{reader}{primary}->stop;
	$self->keep_histories if @broken;
	return @broken;
}

# What the clients were told, beside the logs.
sub keep_histories
{
	my ($self) = @_;

	for my $file (glob "$self->{dir}/{history,errors}.*")
	{
		rename $file, "$PostgreSQL::Test::Utils::log_path/" . basename($file);
	}
	return;
}

1;
