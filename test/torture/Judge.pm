# Judges what clients were told: the promises of doc/awspool.md as rules over
# a history (History.pm) and the database at its end.
#
# A rule gets the ledger (Judge/Ledger.pm) and returns what breaks it, a line each.
# It takes the side of the server only where the history leaves a doubt: an
# answer that was lost may have been either.

package Judge;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use Judge::Age;
use Judge::Answer;
use Judge::Ledger qw(ledger step is_claim is_reading ids_of granted_by place
  claim_in_database last_status);
use Judge::Pools;
use Judge::Reading;
use Judge::Stock;
use List::Util;

our @EXPORT_OK = qw(judge judge_log);

my @RULES = (
	[ 'once' => \&granted_once ],
	[ 'one at a time' => \&held_one_at_a_time ],
	[ 'kept' => \&grants_are_kept ],
	[ 'asked for' => \&claims_were_asked_for ],
	[ 'forward' => \&moved_forward ],
	[ 'explained' => \&closed_by_somebody ],
	[ 'stock' => \&Judge::Stock::is_there ],
	[ 'whole' => \&Judge::Stock::imports_are_whole ],
	[ 'deleted' => \&Judge::Stock::deleted_is_gone ],
	[ 'edited' => \&Judge::Stock::edits_are_kept ],
	[ 'answer' => \&Judge::Answer::fits ],
	[ 'error' => \&Judge::Answer::errors_are_known ],
	[ 'listed' => \&Judge::Answer::lists_are_reported ],
	[ 'paused' => \&Judge::Pools::paused_gives_nothing ],
	[ 'open' => \&Judge::Pools::refused_while_paused ],
	[ 'frozen' => \&Judge::Pools::frozen_stays_so ],
	[ 'overdue' => \&Judge::Pools::overdue_for_long ],
	[ 'read' => \&Judge::Reading::shows_what_is_there ],
	[ 'sums' => \&Judge::Reading::sums_fit ],
	[ 'age' => \&Judge::Age::oldest_first ],
	[ 'drained' => \&Judge::Stock::is_drained ],);

sub judge
{
	my ($history, $state) = @_;
	my $ledger = ledger($history, $state);
	my @broken;

	for (@RULES)
	{
		my ($name, $rule) = @$_;
		push @broken, map { "$name: $_" } $rule->($ledger);
	}
	return @broken;
}

# What the log of a server has to complain of, other than of the processes
# that were killed on purpose.
sub judge_log
{
	my ($log, @killed) = @_;
	my %killed = map { $_ => 1 } @killed;

	return map { "server log: $_" } grep {
		/PANIC:|TRAP:|still referenced|leak|not closed|still active|XX\d\d\d/
		  || (/\(PID (\d+)\) was terminated by signal (\d+)/
			&& !($2 == 9 && $killed{$1}))
	} split /\n/, $log;
}

# No account in two orders.
sub granted_once
{
	my ($ledger) = @_;
	my @broken;

	for my $id (sort keys %{ $ledger->{grants} })
	{
		my %orders = map { $_->{order} => $_ } @{ $ledger->{grants}{$id} };

		push @broken, "account $id was granted to " . join ' and to ',
		  map { "$_ (" . place($orders{$_}) . ')' }
		  sort keys %orders
		  if keys %orders > 1;
	}
	return @broken;
}

# Whether an account may have been closed, or deleted, in this time.
sub may_have_been_released
{
	my ($ledger, $id, $from, $to) = @_;

	return grep {
		my $call = $_->[2];
		releases($call, $id)
		  && !defined $call->{error}
		  && $call->{by}{outcome} ne 'rolled_back'
		  && $call->{by}{told} >= $from
		  && $call->{asked} <= $to
	  } @{ $ledger->{touched}{$id} },
	  map { @$_ } values %{ $ledger->{sweeps} };
}

# Whether a call closes an account, or deletes it, so that its order may have
# another one.
sub releases
{
	my ($call, $id) = @_;

	return 1 if $call->{name} eq 'fail_overdue';
	return $call->{args}{status} =~ /^(?:provisioning_failed|invalid)$/
	  if $call->{name} eq 'reconcile';
	return $call->{name} =~ /^(?:fail|replace|invalidate|delete)_accounts?$/
	  && grep { $_ eq $id } ids_of($call);
}

# An order gets another account only when the one that it had is closed.  If
# two claims were in flight at once, either may have been the first.
sub held_one_at_a_time
{
	my ($ledger) = @_;
	my @broken;

	for my $order (sort keys %{ $ledger->{orders} })
	{
		my $before;

		for my $claim (
			sort { $a->{asked} <=> $b->{asked} }
			grep { $_->{by}{outcome} eq 'committed' && defined granted_by($_) }
			@{ $ledger->{orders}{$order} })
		{
			push @broken,
				"$order held account $before->{rows}[0]{account_id} ("
			  . place($before)
			  . ") and got $claim->{rows}[0]{account_id} ("
			  . place($claim) . ')'
			  unless !$before || may_follow($ledger, $before, $claim);
			$before = $claim;
		}
	}
	return @broken;
}

sub may_follow
{
	my ($ledger, $before, $claim) = @_;
	my @ids = map { $_->{rows}[0]{account_id} } $before, $claim;
	my $until = List::Util::max($before->{told}, $claim->{told});

	return 1 if $ids[0] eq $ids[1];
	return 1
	  if may_have_been_released($ledger, $ids[0], $before->{asked}, $until);
	return $claim->{asked} < $before->{told}
	  && may_have_been_released($ledger, $ids[1], $before->{asked}, $until);
}

# Who was granted an account has it, in the database, too.
sub grants_are_kept
{
	my ($ledger) = @_;
	my @broken;

	for my $id (sort keys %{ $ledger->{grants} })
	{
		my $grant = $ledger->{grants}{$id}[-1];
		my ($claimed, $order) = claim_in_database($ledger->{state}, $id);

		if (!$claimed)
		{
			push @broken,
			  "account $id was granted to $grant->{order}, but is not claimed ("
			  . place($grant) . ')';
		}
		elsif (($order // '') ne ($grant->{rows}[0]{order_id} // ''))
		{
			push @broken,
			  "account $id was granted to $grant->{order}, but is claimed for "
			  . ($order // 'nobody by name') . ' ('
			  . place($grant) . ')';
		}
	}
	return @broken;
}

# What is claimed was granted, or may have been: an answer that was lost stands
# for one account.
sub claims_were_asked_for
{
	my ($ledger) = @_;
	my $state = $ledger->{state};
	my %lost;
	my @broken;

	for my $call (grep { is_claim($_) && $_->{by}{outcome} eq 'unknown' }
		@{ $ledger->{calls} })
	{
		my $args = $call->{args};
		my $id = $args->{account_id};
		my $order = $args->{order_id}
		  // (defined $id ? (claim_in_database($state, $id))[1] : undef);

		$lost{ join ' ', $args->{provider}, $order // '' }++;
	}
	for
	  my $id (sort keys %{ { %{ $state->{accounts} }, %{ $state->{log} } } })
	{
		my ($claimed, $order) = claim_in_database($state, $id);
		my $provider =
		  ($state->{accounts}{$id} // $state->{log}{$id}[0])->{provider};

		next if !$claimed || $ledger->{grants}{$id};
		my $key = join ' ', $provider, $order // '';

		push @broken,
			"account $id is claimed for "
		  . ($order // 'nobody by name') . ' of '
		  . $provider
		  . ', but nobody was told'
		  unless $lost{$key};
		$lost{$key}-- if $lost{$key};
	}
	return @broken;
}

# An account never goes back.  What was only looked at counts as long as the
# server is the same; one that was replaced and does not know shows what was.
sub moved_forward
{
	my ($ledger) = @_;
	my @broken;

	for my $id (sort keys %{ $ledger->{seen} })
	{
		my @seen = sort { $a->[1]{asked} <=> $b->[1]{asked} }
		  @{ $ledger->{seen}{$id} };
		my $last = last_status($ledger->{state}, $id);

		for my $i (0 .. $#seen)
		{
			my ($status, $call) = @{ $seen[$i] };
			my $is_look = is_reading($call);

			for my $later (@seen[ $i + 1 .. $#seen ])
			{
				next if $later->[1]{asked} < $call->{by}{told};
				next
				  if is_reading($later->[1]) && $later->[1]{by}{stale};
				next
				  if $is_look && $later->[1]{by}{epoch} ne $call->{by}{epoch};
				push @broken,
				  went_back($id, $status, $call, $later->[0],
					place($later->[1]))
				  if goes_back($status, $later->[0]);
			}
			push @broken,
			  went_back($id, $status, $call, $last // 'gone', 'in the end')
			  if !($is_look && @{ $ledger->{history}{promoted} })
			  && goes_back($status, $last);
		}
	}
	return @broken;
}

sub goes_back
{
	my ($from, $to) = @_;

	return step($from) > 0
	  if !defined $to;
	return step($to) < step($from) || (step($from) == 2 && $from ne $to);
}

sub went_back
{
	my ($id, $status, $call, $later, $where) = @_;

	return
		"account $id was $status ("
	  . place($call)
	  . "), then $later ($where)";
}

# Every account that is closed was closed by somebody who asked for that.
sub closed_by_somebody
{
	my ($ledger) = @_;
	my %closes = (
		allocate_account => 'allocated',
		fail_account => 'provisioning_failed',
		replace_account => 'provisioning_failed',
		invalidate_account => 'invalid');
	my %asked;
	my @broken;

	for my $call (@{ $ledger->{calls} })
	{
		my $status = $closes{ $call->{name} };

		$status = $call->{args}{status} if $call->{name} eq 'reconcile';
		$asked{"$_->{account_id} provisioning_failed"} = 1
		  for $call->{name} eq 'fail_overdue' ? @{ $call->{rows} } : ();
		next unless defined $status;

		# A replacement that found none changes nothing, nor does a list that
		# tells what is so already, or cannot be.
		next
		  if is_claim($call)
		  && $call->{by}{outcome} eq 'committed'
		  && !defined granted_by($call);
		$asked{"$call->{args}{account_id} $status"} = 1;
	}
	for my $id (sort keys %{ $ledger->{state}{accounts} })
	{
		my $status = last_status($ledger->{state}, $id);
		my $row = $ledger->{state}{accounts}{$id};
		my $swept = ($row->{reason} // '') =~ /^overdue: /
		  && $ledger->{sweeps}{ $row->{provider} };

		push @broken, "account $id is $status, and nobody made it so"
		  if step($status) == 2 && !$asked{"$id $status"} && !$swept;
	}
	return @broken;
}

1;
