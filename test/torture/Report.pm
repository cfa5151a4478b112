# What a number of rounds came to, as a table in Markdown.

package Report;

use strict;
use warnings FATAL => 'all';

use Fault qw(description);

sub new
{
	my ($class, %params) = @_;

	return bless {
		%params,
		started => time,
		rounds => 0,
		count => {},
		faults => {},
		errors => {},
		broken => []
	}, $class;
}

# Adds a round that was run, and what it broke.
sub add
{
	my ($self, $round, @broken) = @_;
	my $count = $self->{count};
	my %granted;

	$self->{rounds}++;
	push @{ $self->{broken} }, map { "round $round->{number}: $_" } @broken;
	$count->{resolved} += $round->{resolved} // 0;
	$self->{faults}{$_} += $round->{hit}{$_} for keys %{ $round->{hit} };

	for my $transaction (@{ $round->{judged}{transactions} // [] })
	{
		$count->{transactions}++;
		$count->{ $transaction->{outcome} }++;
		$count->{prepared}++ if defined $transaction->{gid};
		for my $call (@{ $transaction->{calls} })
		{
			my $error = $call->{error};

			$count->{calls}++;
			$count->{ $call->{name} }++
			  if $call->{answer} && $transaction->{outcome} eq 'committed';
			$count->{overdue} += @{ $call->{rows} }
			  if $call->{name} eq 'fail_overdue';
			$self->{errors}{$error}++ if defined $error;
			$count->{bad}++
			  if defined $error && $error eq ($call->{args}{expect} // '');
			$granted{ $call->{rows}[0]{account_id} } = 1
			  if $transaction->{outcome} eq 'committed'
			  && $call->{name} =~ /^(?:claim|replace)_account$/
			  && @{ $call->{rows} };
		}
	}
	$count->{granted} += keys %granted;
	return;
}

sub hits
{
	my ($self) = @_;
	my $hits = 0;

	$hits += $_ for values %{ $self->{faults} };
	return $hits;
}

sub broken_rules
{
	my ($self, $rules) = @_;

	return scalar grep { /^round \d+: (?:$rules): / } @{ $self->{broken} };
}

sub errors
{
	my ($self, @states) = @_;
	my $errors = 0;

	$errors += $self->{errors}{$_} // 0 for @states;
	return $errors;
}

sub table
{
	my ($self) = @_;
	my $count = $self->{count};
	my @rows = (
		[ 'server', $self->{server} ],
		[ 'seed', $self->{seed} ],
		[
			'rounds, seconds', "$self->{rounds}, " . (time - $self->{started})
		],
		[ 'clients', $self->{clients} ],
		[ 'transactions', $count->{transactions} ],
		[ 'accounts granted to an order', $count->{granted} ],
		[ 'transactions prepared', $count->{prepared} ],
		(   map { [ description($_), $self->{faults}{$_} ] }
			sort keys %{ $self->{faults} }),
		[ 'deadlocks', $self->errors('40P01') ],
		[ 'serialization failures', $self->errors('40001') ],
		[
			'timeouts and cancelled statements',
			$self->errors('55P03', '57014', '25P03')
		],
		[ 'bad inputs, refused', $count->{bad} ],
		[ 'pools closed for a while', $count->{pause_pool} ],
		[ 'claims refused meanwhile', $self->errors('WS007') ],
		[ 'changes refused by freezes', $self->errors('WS008') ],
		[ 'accounts that failed for being overdue', $count->{overdue} ],
		[ 'lines of lists reconciled', $count->{reconcile} ],
		[ 'queries judged by the log', $count->{read} ],
		[ 'counts compared with the accounts', $count->{sums} ],
		[ 'answers lost', $count->{unknown} ],
		[ 'calls asked again for a lost answer', $count->{resolved} ],
		[
			'**accounts in two orders**',
			$self->broken_rules('once|one at a time')
		],
		[
			'**grants or accounts lost**',
			$self->broken_rules('kept|stock|drained')
		],
		[ '**anything else that broke a rule**', $self->others ],);

	return join '', "| | |\n|---|---|\n",
	  map { "| $_->[0] | " . ($_->[1] // 0) . " |\n" } @rows;
}

sub others
{
	my ($self) = @_;

	return @{ $self->{broken} } -
	  $self->broken_rules('once|one at a time|kept|stock|drained');
}

1;
