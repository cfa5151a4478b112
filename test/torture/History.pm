# What clients asked and what they were told: a log that no database keeps.
#
# Each client appends to a file of its own, a line for each thing that it says
# or hears, and syncs it before a request is sent and after its answer came.
# So whatever dies afterwards, the log holds at least what was said.  A line is
#
#	time  transaction  kind  name=value ...
#
# separated by tabs, with the times of one clock for all clients.  The kinds:
#
#	begin   epoch= isolation= open=   a transaction, on the server of that
#	                      number; open, if it may have more than one call
#	call    name= ...     a function is called with these arguments
#	together calls=       the last of them are one call of claim_accounts
#	row     name= ...     of the answer
#	answer  rows= ...     the call has succeeded
#	error   state=        the call has failed; of these three, those of calls
#	                      together say which, from the last on: call=
#	undo    from=         that call and the later ones, by ROLLBACK TO
#	commit                is asked for
#	prepare gid=          so is PREPARE TRANSACTION
#	end     outcome=      committed, rolled_back, unknown, or will_commit or
#	                      will_roll_back, if it is prepared
#	deciding transaction=  what was prepared is about to be decided
#	decided transaction=  it is
#
# The director of a round has a log, too: "promoted", when another server took
# over, and "quiet", when every transaction but its own has ended.  And it says
# when a provider was "freezing" and "thawed", and in between what it had, twice:
# "frozen before= after=".
#
# read_history() makes transactions of these:
#
#	client, number, epoch, isolation, asked, ending, told, stale, outcome, calls
#
# "ending" is when it was asked to commit, or what was prepared was decided (and
# "is_prepared" if it was, for certain), and "told" when the transaction was over
# for certain; "stale" says that by then somebody was on a later server already.
# The calls of each have
#
#	name, args, asked, told, rows, answer, error, undone
#
# of which the last is the time of ROLLBACK TO.

package History;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use IO::Handle;
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);

our @EXPORT_OK = qw(read_history now);

sub now
{
	return clock_gettime(CLOCK_MONOTONIC);
}

sub new
{
	my ($class, $dir, $client) = @_;

	open my $file, '>>', "$dir/history.$client"
	  or die "cannot write a history: $!";
	return bless { file => $file, lines => '' }, $class;
}

# Adds a line, which goes out with the next one that is synced.
sub note
{
	my ($self, $transaction, $kind, %values) = @_;
	my @values =
	  map { "$_=$values{$_}" } grep { defined $values{$_} } sort keys %values;

	$self->{lines} .=
	  join("\t", sprintf('%.6f', now()), $transaction, $kind, @values) . "\n";
	return;
}

sub sync
{
	my ($self) = @_;
	my $written = syswrite $self->{file}, $self->{lines};

	die "cannot write a history: $!"
	  unless defined $written && $written == length $self->{lines};
	$self->{file}->sync or die "cannot sync a history: $!";
	$self->{lines} = '';
	return;
}

sub note_and_sync
{
	my ($self, @line) = @_;

	$self->note(@line);
	$self->sync;
	return;
}

# All transactions of all clients in a folder, by the time they were asked for,
# and what the director noted.
sub read_history
{
	my ($dir) = @_;
	my %history =
	  (promoted => [], quiet => undef, freezes => [], transactions => []);

	for my $name (glob "$dir/history.*")
	{
		my ($client) = $name =~ /\.(\w+)$/;
		my %transactions;

		open my $file, '<', $name or die "cannot read a history: $!";
		while (my $line = <$file>)
		{
			chomp $line;
			my ($time, $number, $kind, @values) = split /\t/, $line;
			my %values = map { split /=/, $_, 2 } @values;

			if ($kind eq 'quiet') { $history{quiet} = $time; }
			elsif ($kind eq 'promoted')
			{
				push @{ $history{promoted} }, $time;
			}
			elsif ($kind eq 'freezing')
			{
				push @{ $history{freezes} },
				  { provider => $values{provider}, asked => $time };
			}
			elsif ($kind =~ /^(?:frozen|thawed)$/)
			{
				my $freeze = $history{freezes}[-1];

				@$freeze{ keys %values } = values %values;
				$freeze->{thawed} = $time if $kind eq 'thawed';
			}
			else
			{
				$number = $values{transaction} if $kind =~ /^decid/;
				$transactions{$number} //=
				  { client => $client, number => $number, calls => [] };
				read_line($transactions{$number}, $time, $kind, \%values);
			}
		}
		push @{ $history{transactions} }, values %transactions;
	}

	$history{transactions} =
	  [ sort { $a->{asked} <=> $b->{asked} } @{ $history{transactions} } ];
	settle(\%history);
	return \%history;
}

sub read_line
{
	my ($transaction, $time, $kind, $values) = @_;
	my $calls = $transaction->{calls};
	my $call =
	  $kind =~ /^(?:row|answer|error)$/
	  ? $calls->[ delete $values->{call} // -1 ]
	  : undef;

	if ($kind eq 'begin')
	{
		@$transaction{qw(asked epoch isolation open)} =
		  ($time, @$values{qw(epoch isolation open)});
	}
	elsif ($kind eq 'call')
	{
		push @$calls,
		  {
			name => delete $values->{name},
			args => $values,
			asked => $time,
			rows => []
		  };
	}
	elsif ($kind eq 'together')
	{
		$calls->[-1]{together} = $values->{calls};
	}
	elsif ($kind eq 'row') { push @{ $call->{rows} }, $values; }
	elsif ($kind eq 'answer')
	{
		@$call{qw(told answer)} = ($time, $values);
	}
	elsif ($kind eq 'error')
	{
		@$call{qw(told error)} = ($time, $values->{state});
	}
	elsif ($kind eq 'undo')
	{
		$_->{undone} = $time for @$calls[ $values->{from} .. $#$calls ];
	}
	elsif ($kind =~ /^(?:commit|deciding)$/)
	{
		$transaction->{ending} //= $time;
	}
	elsif ($kind eq 'prepare') { $transaction->{gid} = $values->{gid}; }
	elsif ($kind eq 'end')
	{
		@$transaction{qw(told outcome)} = ($time, $values->{outcome});
	}
	elsif ($kind eq 'decided') { $transaction->{decided} = $time; }
	return;
}

# Says of every transaction what came of it, and when it was over.
#
# What nobody was told may be undone by a promotion, and until then the old
# server may show it; so such a transaction lasts as long as its server.  If its
# last call ended with an error, that was the end of the session, and tells
# nothing of the call: it may have been committed before.
sub settle
{
	my ($history) = @_;
	my $end = $history->{quiet} // now();
	my @begun;    # of each epoch, and those after it

	for my $transaction (@{ $history->{transactions} })
	{
		$begun[$_] //= $transaction->{asked} for 0 .. $transaction->{epoch};
	}
	for my $transaction (@{ $history->{transactions} })
	{
		my $outcome = $transaction->{outcome} // 'unknown';

		if (defined $transaction->{gid} && $outcome ne 'rolled_back')
		{
			$transaction->{told} = $transaction->{decided} // $end;
			$transaction->{is_prepared} = $outcome =~ /^will_/;
			$outcome = 'committed' if $outcome eq 'will_commit';
			$outcome = 'rolled_back' if $outcome eq 'will_roll_back';
		}
		elsif ($outcome eq 'unknown')
		{
			$transaction->{told} =
			  $history->{promoted}[ $transaction->{epoch} ]
			  // $transaction->{told} // $end;
			my @calls = @{ $transaction->{calls} };
			delete $_->{error}
			  for @calls ? splice @calls, -($calls[-1]{together} // 1) : ();
		}
		my $next = $begun[ $transaction->{epoch} + 1 ];
		$transaction->{stale} = defined $next && $next < $transaction->{told};
		$transaction->{outcome} = $outcome;
		$_->{told} //= $transaction->{told} for @{ $transaction->{calls} };
	}
	return;
}

1;
