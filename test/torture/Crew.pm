# The clients of a round: processes of ours, told by a line what to do, each on
# a socket of its own:
#
#	stock                    import a few accounts
#	work                     until there is another line (Work.pm)
#	rest                     ask again for what was lost, decide what is prepared
#	sweep                    end what is overdue, while all others wait
#	turn MARKETPLACE         claim some, while all others wait (Work/Alone.pm)
#	leave
#
# To "rest" they answer how much they had to ask again, to "turn" whether there
# were accounts enough, to "stock" and "sweep" anything.

package Crew;

use strict;
use warnings FATAL => 'all';

use Client;
use IO::Handle;
use IO::Select;
use POSIX ();
use Socket;
use Work;
use Work::Chance qw(marketplaces);
use Work::Alone qw(take_turn sweep);
use Work::Stock qw(import_file);

use constant PATIENCE => 120;    # seconds for an answer

# How many providers they act for, and how much they store at first.
use constant { PROVIDERS => 2, STOCK => 5 };

# clients: how many; seed, dir, unsafe: see Client.pm.
sub new
{
	my ($class, %params) = @_;
	my $self = bless { %params, sockets => [] }, $class;

	$self->start_client($_) for $self->numbers;
	return $self;
}

sub numbers
{
	my ($self) = @_;

	return 0 .. $self->{clients} - 1;
}

# A client, of which what is the same for all is known; and a piece of its work.
sub new_client
{
	my ($self, %params) = @_;

	return Client->new(%params, pooled => $params{number} & 2);
}

sub work
{
	my ($self, $client) = @_;

	return Work::work($client);
}

sub start_client
{
	my ($self, $number) = @_;
	my $provider = 'p' . $number % $self->PROVIDERS;

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
			$self->serve(
				$theirs,
				$self->new_client(
					number => $number,
					provider => $provider,
					role => "regress_awspool_$provider",
					map { $_ => $self->{$_} } qw(clients dir unsafe)));
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

# What a client does: work, until there is a line that says otherwise.
sub serve
{
	my ($self, $socket, $client) = @_;
	my $select = IO::Select->new($socket);
	my $is_working = 0;

	$socket->autoflush;
	while (1)
	{
		if ($is_working && !$select->can_read(0))
		{
			$self->work($client);
			next;
		}
		my ($command, @args) = split ' ', readline($socket) // 'leave';
		my $answer = 0;

		$is_working = $command eq 'work';
		if ($command eq 'stock')
		{
			import_file($client, 'import_csv', $_, $self->STOCK) for marketplaces();
		}
		elsif ($command eq 'rest')
		{
			$client->resolve;
			$client->decide while @{ $client->{prepared} };
			$answer = $client->{resolved} // 0;
		}
		elsif ($command eq 'sweep') { sweep($client); }
		elsif ($command eq 'turn') { $answer = take_turn($client, @args); }
		last if $command eq 'leave';
		print $socket "$answer\n" unless $is_working;
	}
	return;
}

# Tells one client something.
sub say_to
{
	my ($self, $number, $line) = @_;

	print { $self->{sockets}[$number] } "$line\n";
	return;
}

# The answer of a client; dies if there is none.
sub answer_of
{
	my ($self, $number) = @_;
	my $socket = $self->{sockets}[$number];
	my $line =
	  IO::Select->new($socket)->can_read(PATIENCE) ? readline $socket : undef;

	die "client $number does not answer, see its errors\n"
	  unless defined $line;
	chomp $line;
	return $line;
}

sub ask
{
	my ($self, $number, $line) = @_;

	$self->say_to($number, $line);
	return $self->answer_of($number);
}

sub say_to_all
{
	my ($self, $line) = @_;

	$self->say_to($_, $line) for $self->numbers;
	return;
}

# Returns the sum of their answers.
sub ask_all
{
	my ($self, $line) = @_;
	my $sum = 0;

	$self->say_to_all($line);
	$sum += $self->answer_of($_) for $self->numbers;
	return $sum;
}

# Sends them all home.
sub dismiss
{
	my ($self) = @_;

	$self->say_to_all('leave');
	close $_ for @{ $self->{sockets} };
	waitpid $_, 0 for @{ $self->{pids} };
	return;
}

1;
