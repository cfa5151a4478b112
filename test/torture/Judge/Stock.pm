# Rules over a ledger (Judge/Ledger.pm): what became of the accounts that clients
# stored, edited and deleted.

package Judge::Stock;

use strict;
use warnings FATAL => 'all';

use Judge::Ledger qw(is_stock is_write was_first ids_of place);

sub is_known
{
	my ($state, $id) = @_;

	return $state->{accounts}{$id} || $state->{log}{$id};
}

# What was stored is there, or was deleted since; and there is nothing else.
sub is_there
{
	my ($ledger) = @_;
	my $state = $ledger->{state};
	my %stored;
	my @broken;

	for my $call (grep { is_stock($_) } @{ $ledger->{calls} })
	{
		my @ids = ids_of($call);
		my @missing = grep { !is_known($state, $_) } @ids;

		@stored{@ids} = ();
		next unless $call->{by}{outcome} eq 'committed';
		push @broken,
			"account $missing[0] and "
		  . $#missing
		  . ' more are not there: '
		  . place($call)
		  if @missing;

		my %count = map { $_->{outcome} => $_->{count} }
		  grep { defined $_->{outcome} } @{ $call->{rows} };
		my $told = ($count{added} // 0) + ($count{present} // 0);

		push @broken,
		  "$told of " . @ids . ' rows were reported: ' . place($call)
		  if $call->{name} eq 'import_csv' && $told != @ids;
	}
	push @broken, map { "account $_ was stored by nobody" }
	  grep { !exists $stored{$_} } sort keys %{ $state->{accounts} };
	return @broken;
}

# A file that failed left nothing, and one whose answer was lost all or nothing.
sub imports_are_whole
{
	my ($ledger) = @_;
	my %times;
	my @broken;
	my @stock = grep { is_stock($_) }
	  map { @{ $_->{calls} } } @{ $ledger->{history}{transactions} };

	for my $call (@stock)
	{
		$times{$_}++ for ids_of($call);
	}
	for my $call (@stock)
	{
		my $failed =
			 $call->{by}{outcome} eq 'rolled_back'
		  || $call->{undone}
		  || defined $call->{error};
		my @ids = grep { $times{$_} == 1 } ids_of($call);
		my @there = grep { is_known($ledger->{state}, $_) } @ids;

		push @broken,
		  @there . ' of ' . @ids . ' accounts are there: ' . place($call)
		  if @there
		  && ($failed || $call->{by}{outcome} eq 'unknown' && @there < @ids);
	}
	return @broken;
}

# The ids that a call has deleted.
sub deleted_by
{
	my ($call) = @_;

	return map { $_->{account_id} } @{ $call->{rows} }
	  if $call->{name} eq 'delete_account';
	return map { $_->{account_id} }
	  grep { $_->{outcome} eq 'deleted' } @{ $call->{rows} }
	  if $call->{name} eq 'delete_accounts';
	return;
}

# What was deleted is gone, unless somebody stored it again.
sub deleted_is_gone
{
	my ($ledger) = @_;
	my $state = $ledger->{state};
	my @broken;

	for my $call (grep { $_->{by}{outcome} eq 'committed' }
		@{ $ledger->{calls} })
	{
		for my $id (deleted_by($call))
		{
			my $again = grep {
					 is_stock($_->[2])
				  && $_->[2]{by}{outcome} ne 'rolled_back'
				  && $_->[2]{by}{told} > $call->{asked}
			} @{ $ledger->{touched}{$id} };

			push @broken, "account $id is there again: " . place($call)
			  if $state->{accounts}{$id} && !$again;
			push @broken, "no log tells of account $id: " . place($call)
			  unless $state->{log}{$id};
		}
	}
	return @broken;
}

# Whether a call wrote what it says of an account, for certain.  A file leaves
# alone what is there already; so does a list, if the account was in progress for
# its order.
sub has_written
{
	my ($ledger, $call) = @_;

	return 0
	  if $call->{by}{outcome} ne 'committed' || defined $call->{args}{first};
	return $call->{name} ne 'reconcile' || was_first($ledger, $call);
}

# Of each account: what its marketplace and model may be in the end.  That is
# whatever was written and not certainly overwritten later.
sub edits_are_kept
{
	my ($ledger) = @_;
	my %writes;
	my @broken;

	for my $call (grep { is_write($_) } @{ $ledger->{calls} })
	{
		push @{ $writes{$_} }, $call for ids_of($call);
	}
	for my $id (sort keys %{ $ledger->{state}{accounts} })
	{
		for my $column ('marketplace', 'model')
		{
			my @all =
			  grep { defined $_->{args}{$column} } @{ $writes{$id} // [] };
			my @certain = grep { has_written($ledger, $_) } @all;
			my @last = grep {
				my $told = $_->{by}{told};
				!grep { $_->{asked} > $told } @certain
			} @all;
			my $value = $ledger->{state}{accounts}{$id}{$column};

			push @broken,
			  "$column of account $id is $value: " . place($last[-1])
			  if @last && !grep { $_->{args}{$column} eq $value } @last;
		}
	}
	return @broken;
}

# Those who claimed to the last account left none behind.
sub is_drained
{
	my ($ledger) = @_;
	my $accounts = $ledger->{state}{accounts};

	return map { "account $_ is still ready" }
	  grep { $accounts->{$_}{status} eq 'ready' } sort keys %$accounts;
}

1;
