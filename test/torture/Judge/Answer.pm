# Rules over a ledger (Judge/Ledger.pm): what clients were told in answer.

package Judge::Answer;

use strict;
use warnings FATAL => 'all';

use Judge::Ledger qw(place);

# What a client may be told instead of an answer.
my %KNOWN_ERRORS = map { $_ => 1 } qw(
  WS001 WS002 WS003 WS004 WS005 WS006 23505 40001 40P01 55P03 57014
  57P01 57P02 57P03 25P02 25P03 25006 08000 08003 08006 08P01 S1000 22000);

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
		  && $call->{name} !~ /^(?:claim_account|replace_account|look)$/;
		next unless $row;
		delete $args{reason};

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
		my $known = defined $error && $KNOWN_ERRORS{$error};

		# The primary key may object to stock, the index of orders never.
		$known = 0
		  if defined $error
		  && $error eq '23505'
		  && $call->{name} !~ /^(?:add_account|copy|import_csv)$/;

		push @broken, "error $error: " . place($call)
		  if defined $error && !$known && $error ne ($expected // '');
		push @broken, "no error $expected, but an answer: " . place($call)
		  if defined $expected && $call->{answer};
	}
	return @broken;
}

1;
