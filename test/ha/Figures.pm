# What the rounds of test/ha.pl came to, as tables in Markdown.

package Figures;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use Outage qw(description);

our @EXPORT_OK = qw(figures);

# about: rows of what was tried; rounds: each [name, round, its Report].
sub figures
{
	my ($about, @rounds) = @_;
	my $round = $rounds[0][1];

	return table([ '', '' ], @$about) . "\n"
	  . table(
		[
			'what happened to the server in charge',
			"clients' longest silence",
			'another one in charge',
			'all three run again'
		],
		map { event_row($round, $_) } @{ $round->{events} })
	  . "\n"
	  . table([ '', map { $_->[0] } @rounds ], counts(map { $_->[2] } @rounds));
}

sub table
{
	my ($head, @rows) = @_;

	return join '', map { '| ' . join(' | ', @$_) . " |\n" } $head,
	  [ map { '---' } @$head ], @rows;
}

# Times are from the blow on; a silence may have begun before, with WAL that was
# held up.
sub event_row
{
	my ($round, $event) = @_;
	my ($silence) = $round->silence($event);

	return [
		description($event->{name}),
		seconds($silence),
		defined $event->{led} ? seconds($event->{led} - $event->{struck}) : 'none',
		seconds($event->{whole} - $event->{struck})
	];
}

sub seconds
{
	return sprintf '%.1f s', $_[0];
}

sub counts
{
	my (@reports) = @_;
	my @rows = (
		[ 'transactions' => sub { $_[0]{count}{transactions} } ],
		[ 'accounts granted to an order' => sub { $_[0]{count}{granted} } ],
		[ 'answers lost' => sub { $_[0]{count}{unknown} } ],
		[ 'calls asked again for a lost answer' => sub { $_[0]{count}{resolved} } ],
		[
			'**accounts in two orders**' =>
			  sub { $_[0]->broken_rules('once|one at a time') }
		],
		[
			'**grants or accounts lost**' =>
			  sub { $_[0]->broken_rules('kept|stock|drained') }
		],
		[ '**anything else that broke a rule**' => sub { $_[0]->others } ],);

	return map {
		my ($name, $count) = @$_;
		[ $name, map { $count->($_) // 0 } @reports ]
	} @rows;
}

1;
