# Runs contrib/scale/move, and kills it, or something else, when it has said so
# many lines.

package Mover;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use FindBin;
use POSIX ();
use Time::HiRes qw(sleep);

our @EXPORT_OK = qw(run_move);

use constant PATIENCE => 60;    # runs of one move

# env: the settings of the script; args: of the first run; after: the number of
# lines after which "strike" is called, with the process; then: the arguments of
# further runs, until one succeeds.  Returns how many runs there were, the lines
# of all, and how long calls were held up, if one run did that alone.
sub run_move
{
	my (%params) = @_;
	my @args = @{ $params{args} };
	my ($runs, @lines) = (0);

	while (1)
	{
		my ($ok, @said) = run_once(\%params, @args);

		push @lines, @said;
		$runs++;
		last if $ok;
		delete $params{strike};
		@args = @{ $params{then} };
		die "a move does not end: @args\n" . join '', @lines
		  if $runs > PATIENCE;
		sleep 0.1;
	}
	my ($held_up) = join('', @lines) =~ /held up for ([\d.]+) s/;
	return ($runs, \@lines, $held_up);
}

sub run_once
{
	my ($params, @args) = @_;
	my @lines;
	my $pid = open(my $output, '-|') // die "no process: $!";

	if ($pid == 0)
	{
		@ENV{ keys %{ $params->{env} } } = values %{ $params->{env} };
		open STDERR, '>>', $params->{log} or die "cannot write a log: $!";
		{ exec "$FindBin::RealBin/../../contrib/scale/move", @args; }
		POSIX::_exit(127);
	}
	while (1)
	{
		if ($params->{strike} && @lines == $params->{after})
		{
			delete($params->{strike})->($pid);
		}
		my $line = readline($output) // last;
		push @lines, $line;
	}
	close $output;
	return ($? == 0, @lines);
}

1;
