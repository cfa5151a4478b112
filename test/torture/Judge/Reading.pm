# Rules over a ledger (Judge/Ledger.pm): what clients read, along whichever index.
#
# A query shows one moment between when it was asked and when it was told.  So
# what was certainly there, and fitted, all the while is in its answer, and
# whatever is there fits.  That nothing is there that cannot be is the rule that
# accounts go forward, in Judge.pm.  A server that was replaced and does not know
# shows what was.
#
# A transaction of which nobody knows what came of it may show its work for a
# while and be undone by a promotion.  It may hide what it named, or one account;
# who failed what was overdue, as many as were asked for.

package Judge::Reading;

use strict;
use warnings FATAL => 'all';

use Judge::Age;
use Judge::Ledger qw(granted_by place);
use List::Util qw(min sum0);

use constant NEVER => 9**9**9;

# Whether a row is what was asked for.
my %FITS = (
	ready => sub {
		my ($row, $args) = @_;
		return $row->{status} eq 'ready'
		  && $row->{marketplace} eq $args->{value};
	},
	in_progress =>
	  sub { return $_[0]{status} eq 'provisioning_in_progress'; },
	ended =>
	  sub { return $_[0]{status} =~ /^(?:provisioning_failed|invalid)$/; },
	order => \&is_of_order,
	ids => sub { return has_id($_[0]{account_id}, $_[1]); },
	either => sub {
		my ($row, $args) = @_;
		return has_id($row->{account_id}, $args) || is_of_order($row, $args);
	},
	page => sub { return $_[0]{position} < $_[1]{value}; },);

# Whether an account, as a query shows it or as it was at some time, is of the
# order that was asked for.
sub is_of_order
{
	my ($account, $args) = @_;

	return ($account->{order_id} // '') eq $args->{value};
}

sub has_id
{
	my ($id, $args) = @_;

	return grep { $_ eq $id } split /,/, $args->{ids};
}

# In which order the rows come, by position.
my %ORDER = (ready => 1, page => -1);

sub shows_what_is_there
{
	my ($ledger) = @_;
	my $lives = lives($ledger);
	my @broken;

	for my $call (grep { $_->{name} eq 'read' && $_->{answer} }
		map { @{ $_->{calls} } } @{ $ledger->{history}{transactions} })
	{
		my @wrong = (what_does_not_fit($call), what_is_missing($ledger, $lives, $call));

		push @broken, "$wrong[0] in the query for $call->{args}{what}: " . place($call)
		  if @wrong;
	}
	return @broken;
}

sub what_does_not_fit
{
	my ($call) = @_;
	my $args = $call->{args};
	my $order = $ORDER{ $args->{what} };
	my %seen;
	my $before;
	my @wrong;

	for my $row (@{ $call->{rows} })
	{
		my $id = $row->{account_id};

		push @wrong, "account $id" . ($seen{$id} ? ' twice' : '')
		  if $seen{$id}++
		  || !(grep { $_ eq $row->{provider} } providers($args))
		  || !$FITS{ $args->{what} }->($row, $args);
		push @wrong, "account $id out of order"
		  if $order
		  && defined $before
		  && ($row->{position} <=> $before) != $order;
		$before = $row->{position};
	}
	push @wrong, @{ $call->{rows} } . ' rows'
	  if defined $args->{limit} && @{ $call->{rows} } > $args->{limit};
	return @wrong;
}

sub what_is_missing
{
	my ($ledger, $lives, $call) = @_;
	my $args = $call->{args};
	my %shown = map { $_->{account_id} => 1 } @{ $call->{rows} };

	return if $call->{by}{stale};
	my $last =
	  defined $args->{limit} && @{ $call->{rows} } == $args->{limit}
	  ? $call->{rows}[-1]{position}
	  : undef;
	my $overlaps = sub {
		my ($from, $to, $by) = @{ $_[0] };
		return $by->{by}{outcome} eq 'unknown'
		  && $from <= $call->{told}
		  && $to >= $call->{asked};
	};
	my @missing = grep {
		my $life = $_;
		!$shown{ $life->{id} }
		  && must_show($life, $call)
		  && !(defined $last
			&& ($life->{position} <=> $last) == $ORDER{ $args->{what} })
		  && !grep { $overlaps->($_) } @{ $ledger->{touched}{ $life->{id} } }
	} map { @{ $lives->{$_} // [] } } providers($args);
	my $hidden = sum0 map { $_->[2]{args}{max_accounts} // 1 }
	  grep { $overlaps->($_) }
	  map { @{ $ledger->{hidden}{$_} // [] }, @{ $ledger->{sweeps}{$_} // [] } }
	  providers($args);

	return @missing > $hidden
	  ? "account $missing[0]{id} is missing, with $#missing more"
	  : ();
}

# Whose accounts the reader sees.
sub providers
{
	my ($args) = @_;

	return $args->{both} ? ('p0', 'p1') : $args->{provider};
}

# Whether the answer has to have an account.
sub must_show
{
	my ($life, $call) = @_;
	my $args = $call->{args};
	my ($asked, $told) = @$call{qw(asked told)};

	return 0 unless $life->{from} < $asked;
	return $life->{marketplace} eq $args->{value}
	  && $life->{ready_until} > $told
	  if $args->{what} eq 'ready';
	return $life->{claimed} < $asked && $life->{ended_from} > $told
	  if $args->{what} eq 'in_progress';
	return $life->{ended} < $asked if $args->{what} eq 'ended';
	return has_id($life->{id}, $args) if $args->{what} eq 'ids';
	return 1 if $args->{what} eq 'either' && has_id($life->{id}, $args);
	return $life->{claimed} < $asked && is_of_order($life, $args)
	  if $args->{what} =~ /^(?:order|either)$/;
	return $life->{position} < $args->{value};
}

# Of the accounts of each provider that are there in the end:
#
#	from         when it was certainly there, where it is now
#	ready_until  when it may have become something else
#	claimed      when it certainly was
#	ended_from   when it may have been closed, also by who failed what was overdue
#	             and was never told what that was
#	ended        when it had certainly failed or become invalid
sub lives
{
	my ($ledger) = @_;
	my %lives;

	for my $account (map { @$_ } values %{ Judge::Age::pools($ledger) })
	{
		my $id = $account->{id};
		my $row = $ledger->{state}{accounts}{$id};
		my @ends = grep { may_end($_, $id) } map { $_->[2] } @{ $account->{touched} };
		my @certain = grep { $_->{by}{outcome} eq 'committed' } @ends;
		my $claimed =
		  min(NEVER, map { $_->{by}{told} } @{ $ledger->{grants}{$id} // [] });
		my @sweeps = grep { $_->[1] >= $claimed }
		  @{ $ledger->{sweeps}{ $row->{provider} } // [] };

		push @{ $lives{ $row->{provider} } },
		  {
			%$account,
			marketplace => $row->{marketplace},
			order_id => $row->{order_id},
			ready_until => $account->{to},
			claimed => $claimed,
			ended_from => min(NEVER,
				(map { $_->{asked} } @ends),
				$row->{status} eq 'provisioning_failed' ? map { $_->[0] } @sweeps : ()),
			ended => $row->{status} =~ /^(?:provisioning_failed|invalid)$/
			? min(NEVER, map { $_->{by}{told} } @certain)
			: NEVER
		  };
	}
	return \%lives;
}

# Whether a call may have closed an account that it named.
sub may_end
{
	my ($call, $id) = @_;

	return 0
	  if $call->{by}{outcome} eq 'rolled_back'
	  || $call->{undone}
	  || defined $call->{error};
	return ($call->{args}{account_id} // '') eq $id
	  && !($call->{answer} && !@{ $call->{rows} })
	  if $call->{name} =~ /^(?:allocate|fail|invalidate|replace)_account$/;
	return $call->{args}{status} ne 'provisioning_in_progress'
	  && (!$call->{answer} || defined granted_by($call))
	  if $call->{name} eq 'reconcile';
	return $call->{name} eq 'fail_overdue';
}

# The counts fit the accounts, stay the same in one snapshot, and those of what
# ever was never go down.
sub sums_fit
{
	my ($ledger) = @_;
	my %ever;
	my @broken;
	my @calls = sort { $a->{asked} <=> $b->{asked} }
	  grep { $_->{name} eq 'sums' && $_->{answer} }
	  map { @{ $_->{calls} } } @{ $ledger->{history}{transactions} };

	for my $call (@calls)
	{
		my $in_snapshot = $call->{by}{isolation} ? $call->{by}{sums} //= {} : {};

		for my $row (@{ $call->{rows} })
		{
			my ($marketplace, $told, $counted) =
			  map { $_ // '' } @$row{qw(marketplace told counted)};
			my $before = $in_snapshot->{$marketplace} //= $told;

			push @broken,
			  "$marketplace has $counted, and is told to have $told: " . place($call)
			  if $told ne $counted && has_accounts($told, $counted);
			push @broken,
			  "$marketplace had $before, and has $told: " . place($call)
			  if $told ne $before;
		}
		push @broken, went_down(\%ever, $call);
	}
	return @broken;
}

# An empty pool is not counted, and all zeros.
sub has_accounts
{
	my ($told, $counted) = @_;

	return $counted ne '' || $told ne '0 0 0 0 0';
}

# What was told to somebody who had committed it, or saw that, is not less for who
# asks later.
sub went_down
{
	my ($ever, $call) = @_;
	my @broken;

	return if $call != $call->{by}{calls}[0];
	for my $row (@{ $call->{rows} })
	{
		my $key = join ' ', $call->{by}{epoch}, $call->{args}{provider},
		  $row->{marketplace};

		for my $column (grep { defined $row->{$_} } qw(added claimed))
		{
			my $list = $ever->{"$key $column"} //= [];
			my ($more) =
			  grep { $_->[0] < $call->{asked} && $_->[1] > $row->{$column} } @$list;

			push @broken,
			  "$column of $row->{marketplace} was $more->[1], and is $row->{$column}: "
			  . place($call)
			  if $more;
			push @$list, [ $call->{told}, $row->{$column} ];
		}
	}
	return @broken;
}

1;
