# The clients of a pool on several servers: those of test/torture/Crew.pm, each
# of which is a Trader and acts for one of the providers.

package Traders;

use strict;
use warnings FATAL => 'all';

use Crew;
use IO::Handle;
use IO::Select;
use POSIX ();
use Socket;
use Trader qw(work);
use Work::Alone qw(take_turn);
use Work::Chance qw(marketplaces);
use Work::Stock qw(import_file);

our @ISA = ('Crew');

# providers: how many; pooler: see Trader.pm.
sub start_client
{
	my ($self, $number) = @_;
	my $provider = 'p' . $number % $self->{providers};

	socketpair my $ours, my $theirs, AF_UNIX, SOCK_STREAM, PF_UNSPEC
	  or die "no socket: $!";
	my $pid = fork // die "no process: $!";
	if ($pid == 0)
	{
		# Whatever the parent does at its end is not ours to do.
		close $_ for $ours, @{ $self->{sockets} };
		open STDERR, '>', "$self->{dir}/errors.$number";
		STDERR->autoflush;
		srand $self->{seed} * 1000 + $number;
		my $ok = eval {
			serve(
				$theirs,
				Trader->new(
					number => $number,
					provider => $provider,
					role => "regress_awspool_$provider",
					pooled => 1,
					map { $_ => $self->{$_} }
					  qw(clients dir unsafe pooler)));
			1;
		};
		print STDERR $@ unless $ok;
		POSIX::_exit($ok ? 0 : 1);
	}
	$ours->autoflush;
	push @{ $self->{sockets} }, $ours;
	push @{ $self->{pids} }, $pid;
	return;
}

# As in Crew.pm, but for what they work.
sub serve
{
	my ($socket, $client) = @_;
	my $select = IO::Select->new($socket);
	my $is_working = 0;

	$socket->autoflush;
	while (1)
	{
		if ($is_working && !$select->can_read(0))
		{
			work($client);
			next;
		}
		my ($command, @args) = split ' ', readline($socket) // 'leave';
		my $answer = 0;

		$is_working = $command eq 'work';
		if ($command eq 'stock')
		{
			import_file($client, 'import_csv', $_, 20) for marketplaces();
		}
		elsif ($command eq 'rest')
		{
			$client->resolve;
			$answer = $client->{resolved} // 0;
		}
		elsif ($command eq 'turn') { $answer = take_turn($client, @args); }
		last if $command eq 'leave';
		print $socket "$answer\n" unless $is_working;
	}
	return;
}

1;
