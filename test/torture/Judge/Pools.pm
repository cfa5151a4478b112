# Rules over a ledger (Judge/Ledger.pm): pools that are closed, providers that are
# frozen, and accounts that are in progress for too long.

package Judge::Pools;

use strict;
use warnings FATAL => 'all';

use Judge::Ledger qw(granted_by was_first place);
use List::Util qw(max min);
use Work::Chance qw(deadline_of);

use constant NEVER => 9**9**9;

# The clock of histories is not that of the server.
use constant SLACK => 0.01;

sub all_calls
{
	my ($ledger) = @_;

	return map { @{ $_->{calls} } } @{ $ledger->{history}{transactions} };
}

# Whether a claim took an account for its order, for certain.
sub took_new
{
	my ($ledger, $claim) = @_;

	return $claim->{name} ne 'reconcile' && was_first($ledger, $claim);
}

# Until when the transaction of a call was open, at least: then it was asked to
# commit, or to do something else, and did.  What was undone, or ended with an
# error, may have gone as soon as it was there.
sub open_until
{
	my ($call) = @_;
	my $by = $call->{by};
	my $last = max map { $_->{asked} } grep { $_->{answer} } @{ $by->{calls} };

	return $call->{asked} if $call->{undone} || !$by->{open};
	return $by->{ending}
	  if defined $by->{ending}
	  && (defined $by->{gid} ? $by->{is_prepared} : $by->{outcome} eq 'committed');
	return $last;
}

sub covers
{
	my ($call, $provider, $marketplace) = @_;
	my $args = $call->{args};

	return $args->{provider} eq $provider
	  && ($args->{marketplace} // $marketplace) eq $marketplace;
}

# The times in which a pool was closed for certain: from when somebody was told
# so, until the first who may have opened it asked for that.
sub closed_times
{
	my ($ledger, $provider, $marketplace) = @_;
	my @here = grep { covers($_, $provider, $marketplace) }
	  grep { $_->{name} =~ /_pool$/ } @{ $ledger->{calls} };
	my @resumed = grep { $_->{name} eq 'resume_pool' } @here;
	my @times;

	for my $pause (grep { $_->{name} eq 'pause_pool' } @here)
	{
		next unless $pause->{by}{outcome} eq 'committed';
		my $until = min(NEVER,
			map { $_->{asked} }
			grep { $_->{by}{told} >= $pause->{asked} } @resumed);

		push @times, [ $pause->{told}, $until, $pause->{by} ]
		  if $until > $pause->{told};
	}
	return \@times;
}

# A claim that took an account was over before the pool was closed, or begins
# after it was opened.
sub paused_gives_nothing
{
	my ($ledger) = @_;
	my %closed;
	my @broken;

	for my $claim (grep { defined granted_by($_) } all_calls($ledger))
	{
		my $row = $claim->{rows}[0];
		next unless defined $row->{marketplace};
		my ($provider, $marketplace) = @$row{qw(provider marketplace)};
		my $times = $closed{"$provider $marketplace"} //=
		  closed_times($ledger, $provider, $marketplace);

		for (@$times)
		{
			my ($from, $to, $by) = @$_;

			next
			  if $by == $claim->{by}
			  || $claim->{told} >= $to
			  || open_until($claim) <= $from
			  || !took_new($ledger, $claim);
			push @broken, sprintf
			  'account %s of %s %s, closed by client %s at %.3f: %s',
			  $row->{account_id}, $provider, $marketplace, $by->{client},
			  $from, place($claim);
			last;
		}
	}
	return @broken;
}

# Who is told that a pool is closed asked while somebody may have closed it.  A
# server that was replaced and does not know never hears that it was opened.
sub refused_while_paused
{
	my ($ledger) = @_;
	my @calls = all_calls($ledger);
	my @pauses =
	  grep { $_->{name} eq 'pause_pool' && !defined $_->{args}{expect} }
	  @calls;
	my @resumed =
	  grep { $_->{name} eq 'resume_pool' && $_->{by}{outcome} eq 'committed' }
	  @{ $ledger->{calls} };
	my @broken;

	for my $call (
		grep { ($_->{error} // '') eq 'WS007' && !$_->{by}{stale} } @calls)
	{
		my $args = $call->{args};
		my @marketplaces = $args->{marketplace} // qw(MP-0000 MP-0001);

		push @broken, 'the pool was open: ' . place($call)
		  unless grep { may_be_closed($call, $_, \@pauses, \@resumed) }
		  @marketplaces;
	}
	return @broken;
}

sub may_be_closed
{
	my ($call, $marketplace, $pauses, $resumed) = @_;
	my $provider = $call->{args}{provider};
	my @opened = grep {
			 covers($_, $provider, $marketplace)
		  && $_->{by}{told} < $call->{asked}
	} @$resumed;

	for my $pause (grep { covers($_, $provider, $marketplace) } @$pauses)
	{
		my $by = $pause->{by};

		next
		  if $pause->{asked} > $call->{told}
		  || ($by->{outcome} eq 'rolled_back' && $by->{told} < $call->{asked})
		  || grep { $_->{asked} > $by->{told} } @opened;
		return 1;
	}
	return 0;
}

# A provider that is frozen has the same from beginning to end, and nobody is
# told that one is frozen which is not.
sub frozen_stays_so
{
	my ($ledger) = @_;
	my @freezes = @{ $ledger->{history}{freezes} };
	my @broken = map { "provider $_->{provider} was changed, frozen at $_->{asked}" }
	  grep { defined $_->{before} && $_->{before} ne ($_->{after} // '') }
	  @freezes;

	for my $call (grep { ($_->{error} // '') eq 'WS008' } all_calls($ledger))
	{
		push @broken, 'the provider was not frozen: ' . place($call)
		  unless grep {
				 $_->{provider} eq $call->{args}{provider}
			  && $_->{asked} < $call->{told}
			  && ($_->{thawed} // NEVER) > $call->{asked}
		  } @freezes;
	}
	return @broken;
}

# What fails for being overdue was in progress beyond its pool's deadline; and
# who asked last, alone and for all, has left none.
sub overdue_for_long
{
	my ($ledger) = @_;
	my $quiet = $ledger->{history}{quiet} // NEVER;
	my %last;
	my @broken;

	for my $sweep (
		grep { $_->{name} eq 'fail_overdue' && $_->{answer} }
		@{ $ledger->{calls} })
	{
		my @rows = @{ $sweep->{rows} };

		push @broken, @rows . ' accounts: ' . place($sweep)
		  if @rows > $sweep->{args}{max_accounts};
		push @broken,
		  map { "account $_->{account_id}, $_->{status}: " . place($sweep) }
		  grep { !was_overdue($ledger, $_, $sweep->{told}) } @rows;
		$last{ $sweep->{args}{provider} } = $sweep
		  if $sweep->{asked} > $quiet
		  && $sweep->{by}{outcome} eq 'committed'
		  && @rows < $sweep->{args}{max_accounts};
	}
	for my $id (sort keys %{ $ledger->{state}{accounts} })
	{
		my $row = $ledger->{state}{accounts}{$id};
		my $sweep = $last{ $row->{provider} } or next;

		push @broken, "account $id is overdue still: " . place($sweep)
		  if $row->{status} eq 'provisioning_in_progress'
		  && is_overdue($row->{marketplace}, $sweep->{asked} - SLACK,
			map { $_->{by}{told} } @{ $ledger->{grants}{$id} // [] });
	}
	return @broken;
}

sub was_overdue
{
	my ($ledger, $row, $now) = @_;
	my @claims =
	  grep { took_new($ledger, $_) }
	  @{ $ledger->{grants}{ $row->{account_id} } // [] };

	return $row->{status} eq 'provisioning_failed'
	  && is_overdue($row->{marketplace}, $now + SLACK,
		@claims ? map { $_->{asked} } @claims : 0);
}

# Whether an account was in progress for too long by then, if it was claimed at
# one of these times.
sub is_overdue
{
	my ($marketplace, $now, @claimed) = @_;
	my $deadline = deadline_of($marketplace);

	return
	  defined $deadline && @claimed && max(@claimed) < $now - $deadline;
}

1;
