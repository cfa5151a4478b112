# A history, entered by account and by order, for Judge.pm: who was granted
# what, what was seen of each account, who touched it and when.

package Judge::Ledger;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';

our @EXPORT_OK = qw(ledger step is_claim is_stock is_write is_reading ids_of
  granted_by was_first order_of place claim_in_database last_status);

my %STEPS = (
	ready => 0,
	provisioning_in_progress => 1,
	allocated => 2,
	provisioning_failed => 2,
	invalid => 2);

# How far a status is on an account's way.
sub step
{
	return $STEPS{ $_[0] };
}

# What gives an account to an order.  A line of a list does, too.
sub is_claim
{
	my ($call) = @_;

	return $call->{name} =~ /^(?:claim_account|replace_account|reconcile)$/;
}

# What stores accounts: also a line of a list that says what is needed for that,
# unless the answer is that it did not.
sub is_stock
{
	my ($call) = @_;

	return 1 if $call->{name} =~ /^(?:add_account|copy|import_csv)$/;
	return
		 $call->{name} eq 'reconcile'
	  && defined $call->{args}{model}
	  && ( !@{ $call->{rows} }
		|| $call->{rows}[0]{outcome} eq 'added');
}

# What says of which marketplace and model an account is: also a line of a list
# that marked it, which edits it if it was ready.
sub is_write
{
	my ($call) = @_;

	return
		 is_stock($call)
	  || $call->{name} eq 'edit_account'
	  || $call->{name} eq 'reconcile'
	  && (!@{ $call->{rows} } || defined granted_by($call));
}

sub is_reading
{
	my ($call) = @_;

	return $call->{name} =~ /^(?:look|read|sums)$/;
}

# The account that a call has given to an order; undef if none.
sub granted_by
{
	my ($call) = @_;

	return is_claim($call) && @{ $call->{rows} }
	  ? $call->{rows}[0]{account_id}
	  : undef;
}

# The accounts that a call names.
sub ids_of
{
	my ($call) = @_;
	my $args = $call->{args};

	return
	  map { sprintf '%012d', $args->{first} + $_ } 0 .. $args->{count} - 1
	  if defined $args->{first};
	return split /,/, $args->{ids} if defined $args->{ids};
	return defined $args->{account_id} ? $args->{account_id} : ();
}

# For a message: where it is in the history.
sub place
{
	my ($call) = @_;

	return sprintf '%s by client %s in its transaction %s, told at %.3f',
	  $call->{name}, $call->{by}{client}, $call->{by}{number}, $call->{told};
}

# Enters a history and the state of the database at its end:
#
#	calls     all that may have had an effect, by the time they were asked
#	grants    of each account: to which order, by which call
#	orders    of each order: all claims for it
#	seen      of each account: its status, when, by whom
#	touched   of each account: by whom it may have been locked, from when to when
#	hidden    of each pool: claims of who knows what
#	sweeps    of each provider: likewise, who failed overdue accounts
#
# The state is { accounts => { id => row }, log => { id => [rows] } }.
sub ledger
{
	my ($history, $state) = @_;
	my %ledger = map { $_ => {} } qw(grants orders seen touched hidden sweeps);

	@ledger{qw(history state calls)} = ($history, $state, []);
	for my $transaction (@{ $history->{transactions} })
	{
		for my $call (@{ $transaction->{calls} })
		{
			$call->{by} = $transaction;
			enter_touches(\%ledger, $call);
			next
			  if $transaction->{outcome} eq 'rolled_back'
			  || $call->{undone}
			  || defined $call->{error}
			  || had_no_effect($call);
			push @{ $ledger{calls} }, $call;
			enter_order(\%ledger, $call) if is_claim($call);
			enter_rows(\%ledger, $call)
			  if $transaction->{outcome} eq 'committed';
		}
	}
	$ledger{calls} =
	  [ sort { $a->{asked} <=> $b->{asked} } @{ $ledger{calls} } ];
	return \%ledger;
}

# A statement on view accounts that found no row.
sub had_no_effect
{
	my ($call) = @_;

	return $call->{args}{via} && $call->{answer} && !@{ $call->{rows} };
}

# An account that a call named, or got, is not free until its transaction is
# over, or the call was undone.  Which one a claim without an answer may have
# locked, nobody knows.
sub enter_touches
{
	my ($ledger, $call) = @_;
	my $until = $call->{undone} // $call->{by}{told};
	my %ids = map { $_ => 1 } ids_of($call);

	return if is_reading($call);
	$ids{ $_->{account_id} } = 1
	  for grep { defined $_->{account_id} } @{ $call->{rows} };
	push @{ $ledger->{touched}{$_} }, [ $call->{asked}, $until, $call ]
	  for keys %ids;

	return if $call->{answer} || defined $call->{args}{expect};
	push @{ $ledger->{hidden}{ $call->{args}{provider} } },
	  [ $call->{asked}, $until, $call ]
	  if is_claim($call) && $call->{name} ne 'reconcile';
	push @{ $ledger->{sweeps}{ $call->{args}{provider} } },
	  [ $call->{asked}, $until, $call ]
	  if $call->{name} eq 'fail_overdue';
	return;
}

# A claim without an order is an order of its own.
sub order_of
{
	my ($call) = @_;
	my $args = $call->{args};
	my $order =
	  defined granted_by($call)
	  ? $call->{rows}[0]{order_id}
	  : $args->{order_id};

	return
	  defined $order
	  ? "order $order of $args->{provider}"
	  : "nobody by name, $call->{by}{client}.$call->{by}{number} at $call->{asked}";
}

# An order does not hold what a list says has failed or is invalid.
sub enter_order
{
	my ($ledger, $call) = @_;

	$call->{order} = order_of($call);
	push @{ $ledger->{orders}{ $call->{order} } }, $call
	  unless ($call->{args}{status} // '') =~ /^(?:provisioning_failed|invalid)$/;
	return;
}

# Whether a call gave its order an account that it had not before, for certain.
sub was_first
{
	my ($ledger, $claim) = @_;
	my $id = granted_by($claim);

	return 0 unless defined $id;
	for my $other (@{ $ledger->{orders}{ order_of($claim) } // [] })
	{
		next if $other == $claim || $other->{asked} > $claim->{told};
		return 0
		  unless $other->{answer} && (granted_by($other) // '') ne $id;
	}
	return 1;
}

sub enter_rows
{
	my ($ledger, $call) = @_;

	for my $row (@{ $call->{rows} })
	{
		next
		  unless defined $row->{status} && $call->{name} ne 'delete_account';
		push @{ $ledger->{seen}{ $row->{account_id} } },
		  [ $row->{status}, $call ];
	}
	return unless defined granted_by($call);
	push @{ $ledger->{grants}{ granted_by($call) } }, $call;
	push @{ $ledger->{seen}{ $call->{args}{account_id} } },
	  [ 'provisioning_failed', $call ]
	  if $call->{name} eq 'replace_account';
	return;
}

# The order of an account, as the database tells, and whether it was claimed.
sub claim_in_database
{
	my ($state, $id) = @_;
	my $row = $state->{accounts}{$id};

	return ($row->{claimed}, $row->{order_id}) if $row;
	for my $event (reverse @{ $state->{log}{$id} // [] })
	{
		next unless $event->{event} eq 'claimed';
		return (1, $event->{detail} =~ /^for order "(.*)", as/ ? $1 : undef);
	}
	return (0, undef);
}

# Its last status, as the database tells, also if it is deleted; undef if
# there is nothing of it, or only that it was deleted while ready.
sub last_status
{
	my ($state, $id) = @_;
	my $row = $state->{accounts}{$id};

	return $row->{status} if $row;
	for my $event (@{ $state->{log}{$id} // [] })
	{
		return $1 if $event->{used} && $event->{detail} =~ /^(\w+),/;
	}
	return undef;
}

1;
