# Rules over a ledger (Judge/Ledger.pm): what clients were told in answer.

package Judge::Answer;

use strict;
use warnings FATAL => 'all';

use Judge::Ledger qw(place);

# What any call may be told instead of an answer: that it was in a deadlock, took
# too long, or has lost its server (which is 22000, if DBD::Pg says so); or that
# the provider is frozen, of which Judge::Pools knows more.
my $LOST =
  qr/^(?:40P01|55P03|57014|57P0[123]|25P0[23]|25006|08...|22000|WS008)$/;

# And what its own reasons are.  A claim is never too late for an account, nor
# does the primary key object to it, or the index of orders.
my %REASONS = (
	claim_account => qr/^WS00[27]$/,
	replace_account => qr/^WS00[1237]$/,
	allocate_account => qr/^WS00[123]$/,
	fail_account => qr/^WS00[123]$/,
	invalidate_account => qr/^WS00[13]$/,
	add_account => qr/^(?:23505|WS005)$/,
	import_csv => qr/^(?:40001|23505|WS00[56])$/,
	copy => qr/^(?:40001|23505|WS005)$/,
	edit_account => qr/^WS00[34]$/,
	delete_account => qr/^WS00[34]$/,
	reconcile => qr/^40001$/);

# Through view accounts, too, that somebody has changed the account meanwhile; or
# that it is closed already, for another reason.
my $OF_VIEW = qr/^(?:40001|22023)$/;

# What an answer must say of the account, by the name of the call.
my %ANSWERS = (
	claim_account => qr/^(?:provisioning_in_progress|allocated)$/,
	replace_account => qr/^(?:provisioning_in_progress|allocated)$/,
	allocate_account => qr/^allocated$/,
	fail_account => qr/^provisioning_failed$/,
	invalidate_account => qr/^invalid$/,
	add_account => qr/^ready$/,
	edit_account => qr/./,
	delete_account => qr/^(?!provisioning_in_progress)/,
	look => qr/./);

my %OUTCOMES = map { $_ => 1 } qw(marked present added unknown conflict);

# An answer fits what was asked.
sub fits
{
	my ($ledger) = @_;
	my @broken;

	for my $call (grep { $ANSWERS{ $_->{name} } } @{ $ledger->{calls} })
	{
		my ($row, @more) = @{ $call->{rows} };
		my %args = %{ $call->{args} };

		push @broken, 'more than one row: ' . place($call) if @more;
		push @broken, 'no row: ' . place($call)
		  if !$row
		  && $call->{answer}
		  && !$args{via}
		  && $call->{name} !~ /^(?:claim_account|replace_account|look)$/;
		next unless $row;
		delete @args{qw(reason via)};

		# The next account, not the one that failed.
		my $failed =
		  $call->{name} eq 'replace_account' ? delete $args{account_id} : '';
		push @broken,
		  "account $row->{account_id}, $row->{status}, is no answer: "
		  . place($call)
		  if $row->{status} !~ $ANSWERS{ $call->{name} }
		  || $row->{account_id} eq $failed
		  || grep { ($row->{$_} // '') ne $args{$_} } keys %args;
	}
	return @broken;
}

# A call fails for a reason that clients are told of, and what is wrong fails
# for its own.
sub errors_are_known
{
	my ($ledger) = @_;
	my @broken;

	for my $call (map { @{ $_->{calls} } }
		@{ $ledger->{history}{transactions} })
	{
		my ($error, $expected) = ($call->{error}, $call->{args}{expect});

		push @broken, "error $error: " . place($call)
		  if defined $error && !may_fail_so($call, $error);
		push @broken, "no error $expected, but an answer: " . place($call)
		  if defined $expected && $call->{answer};
	}
	return @broken;
}

# A list is reported line by line, and nothing is done for a line that is wrong.
sub lists_are_reported
{
	my ($ledger) = @_;
	my @broken;

	for my $call (grep { $_->{name} eq 'reconcile' && $_->{answer} }
		@{ $ledger->{calls} })
	{
		my ($row, @more) = @{ $call->{rows} };
		my $args = $call->{args};

		if (!$row || @more)
		{
			push @broken, @{ $call->{rows} } . ' reports of one line: ' . place($call);
			next;
		}
		my $fits =
		  $args->{wrong}
		  ? $row->{outcome} eq 'rejected'
		  : $OUTCOMES{ $row->{outcome} };

		push @broken,
		  "account $row->{named}, $row->{outcome}, is no report of $args->{account_id}: "
		  . place($call)
		  unless $fits && $row->{named} eq $args->{account_id};
	}
	return @broken;
}

sub may_fail_so
{
	my ($call, $error) = @_;
	my $reasons = $REASONS{ $call->{name} };

	return $error =~ $LOST
	  || ($reasons && $error =~ $reasons)
	  || ($call->{args}{via} && $error =~ $OF_VIEW)
	  || $error eq ($call->{args}{expect} // '')
	  || ($error eq '40001' && $call->{by}{isolation});
}

1;
