# The rule that a claim gets the oldest account, over a ledger (Judge/Ledger.pm).
#
# An account was overtaken if a claim got a younger one of the same pool, or
# none, although that account was certainly there, ready, and touched by nobody
# from before the claim was asked until after it was told.  One client alone
# never overtakes.  With many, there are claims of which nobody knows what they
# had locked, since they failed or lost their answer: each that was in flight
# may hide one account.
#
# Claims are looked at by the time they were asked.  So an account comes into its
# pool when it is there, goes when it is no longer ready, and no claim looks at
# all that ever were: a history may be long.

package Judge::Age;

use strict;
use warnings FATAL => 'all';

use Judge::Ledger qw(is_write granted_by place);
use List::Util qw(min);

use constant NEVER => 9**9**9;

sub oldest_first
{
	my ($ledger) = @_;
	my $pools = pools($ledger);
	my @broken;

	$_ = {
		coming => [ sort { $a->{from} <=> $b->{from} } @$_ ],
		here => []
	  }
	  for values %$pools;
	for my $claim (grep { is_new_claim($ledger, $_) } @{ $ledger->{calls} })
	{
		my $args = $claim->{args};
		my $pool = $pools->{"$args->{provider} $args->{marketplace}"} or next;

		let_in($pool, $claim->{asked});
		my @overtaken = overtaken($ledger, $pool->{here}, $claim) or next;
		my @hidden =
		  grep { $_->[0] <= $claim->{told} && $_->[1] >= $claim->{asked} }
		  @{ $ledger->{hidden}{ $args->{provider} } // [] };

		push @broken,
		  sprintf
		  'account %s and %d more were overtaken, %d could have been hidden: %s',
		  $overtaken[0]{id}, $#overtaken, scalar @hidden, place($claim)
		  if @overtaken > @hidden;
	}
	return @broken;
}

# The accounts of each pool, oldest first, with the time in which they were
# certainly there and ready.
sub pools
{
	my ($ledger) = @_;
	my $accounts = $ledger->{state}{accounts};
	my %pools;

	for my $id (keys %$accounts)
	{
		my $row = $accounts->{$id};
		my @touched = @{ $ledger->{touched}{$id} // [] };

		push @{ $pools{"$row->{provider} $row->{marketplace}"} },
		  {
			id => $id,
			position => $row->{position},
			from => there_from(@touched),
			to => $row->{status} eq 'ready'
			? NEVER
			: ready_until($ledger, $id, @touched),
			touched => \@touched
		  };
	}
	$_ = [ sort { $a->{position} <=> $b->{position} } @$_ ] for values %pools;
	return \%pools;
}

sub took_effect
{
	my ($call) = @_;

	return
		 $call->{by}{outcome} ne 'rolled_back'
	  && !$call->{undone}
	  && !defined $call->{error};
}

# When all that stored it, or may have moved it here, was over.
sub there_from
{
	my $from = NEVER;

	for my $call (grep { took_effect($_) } map { $_->[2] } @_)
	{
		next unless is_write($call) && defined $call->{args}{marketplace};
		$from = $call->{by}{told}
		  if $from == NEVER || $from < $call->{by}{told};
	}
	return $from;
}

# When the first was asked for that may have made it something else.  If it
# was a claim without an answer, it is not known which.
sub ready_until
{
	my ($ledger, $id, @touched) = @_;
	my $until = NEVER;

	for my $call (grep { took_effect($_) } map { $_->[2] } @touched)
	{
		my $granted = (granted_by($call) // '') eq $id;

		next unless $granted || $call->{name} eq 'invalidate_account';
		my $asked = $granted ? first_asked($ledger, $call) : $call->{asked};
		$until = $asked if $asked < $until;
	}
	return $until == NEVER ? 0 : $until;
}

# When a claim may have been made first: it may repeat one whose answer was lost.
sub first_asked
{
	my ($ledger, $claim) = @_;

	return min($claim->{asked},
		map { $_->{asked} } grep { $_->{by}{outcome} eq 'unknown' }
		  @{ $ledger->{orders}{ $claim->{order} // '' } // [] });
}

# A claim that looked for an account, and did not find that its order holds one.
# On a server that was replaced and does not know, a claim waits for its standby
# forever, unless it finds nothing.
sub is_new_claim
{
	my ($ledger, $claim) = @_;

	return 0
	  unless $claim->{name} eq 'claim_account'
	  && $claim->{by}{outcome} eq 'committed';
	return !$claim->{by}{stale} unless @{ $claim->{rows} };
	for my $other (@{ $ledger->{orders}{ $claim->{order} } })
	{
		next if $other == $claim || $other->{asked} > $claim->{told};
		return 0
		  unless $other->{answer}
		  && !@{ $other->{rows} }
		  && $other->{by}{told} < $claim->{asked};
	}
	return 1;
}

# Those that are there by now take their place in the pool, which is near its end.
sub let_in
{
	my ($pool, $now) = @_;
	my ($coming, $here) = @$pool{qw(coming here)};

	while (@$coming && $coming->[0]{from} < $now)
	{
		my $account = shift @$coming;
		my $place = @$here;

		$place--
		  while $place && $here->[ $place - 1 ]{position} > $account->{position};
		splice @$here, $place, 0, $account;
	}
	return;
}

# The accounts that a claim overtook, of those that are there.  Who is no longer
# ready when it was asked can be forgotten.
sub overtaken
{
	my ($ledger, $here, $claim) = @_;
	my ($row) = @{ $claim->{rows} };
	my $got = $row && $ledger->{state}{accounts}{ $row->{account_id} };
	my $older = 0;
	my (@ready, @overtaken);

	return if $row && !$got;    # deleted since: nobody knows its age
	for my $account (@$here)
	{
		last if $got && $account->{position} >= $got->{position};
		$older++;
		next if $account->{to} <= $claim->{asked};
		push @ready, $account;
		push @overtaken, $account
		  if $account->{to} > $claim->{told}
		  && !grep { $_->[0] <= $claim->{told} && $_->[1] >= $claim->{asked} }
		  @{ $account->{touched} };
	}
	splice @$here, 0, $older, @ready;
	return @overtaken;
}

1;
