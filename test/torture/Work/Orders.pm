# What clients do with orders: they claim, in all kinds of transactions, and
# finish what they have.

package Work::Orders;

use strict;
use warnings FATAL => 'all';

use Time::HiRes qw(sleep);
use Work::Chance qw(marketplaces some_order some_orders some_marketplace
  take_held some_id next_moment is_calm);

my @ISOLATION = ('REPEATABLE READ', 'SERIALIZABLE');

sub claim
{
	my ($client) = @_;

	$client->remember($client->call('claim_account', some_order($client)));
	return;
}

sub claim_without_order
{
	my ($client) = @_;

	$client->remember(
		$client->call('claim_account', some_marketplace($client)));
	return;
}

# Some orders are claimed for at once, a few of them by nobody's name.
sub claim_together
{
	my ($client) = @_;
	my @orders = some_orders($client, 2 + rand 8);
	my ($begin, @ends) =
	  rand() < 0.5 ? (undef, 'commit') : ('BEGIN', qw(commit rollback vanish));
	my $rows;

	$client->remember($rows)
	  if $client->transaction(
		$begin,
		sub {
			$rows = $client->ask_claims(@orders);
			sleep rand 0.01 if defined $begin;
			return $ends[ rand @ends ];
		});
	return;
}

# What was granted ends in one way or another.
sub finish
{
	my ($client) = @_;
	my $held = take_held($client) or return claim($client);
	my %which = map { $_ => $held->{$_} }
	  grep { defined $held->{$_} } qw(provider account_id order_id);
	my $how = rand;

	if ($how < 0.5) { $client->call('allocate_account', %which); }
	elsif ($how < 0.7)
	{
		$client->call('fail_account', %which, reason => 'no good');
	}
	elsif ($how < 0.9)
	{
		my $rows =
		  $client->call('replace_account', %which, reason => 'no good');
		$client->remember($rows && @$rows ? $rows : [$held]);
	}
	else
	{
		delete $which{order_id};
		$client->call('invalidate_account', %which, reason => 'no good');
	}
	return;
}

# Claims in a transaction that lasts, and ends well or not.  If not, the session
# has to find its accounts again.
sub hold
{
	my ($client) = @_;
	my $end = (qw(commit commit rollback rollback vanish))[ rand 5 ];
	my @rows;
	my $done = $client->transaction(
		'BEGIN',
		sub {
			for (1 .. 1 + rand 3)
			{
				push @rows,
				  @{ $client->ask('claim_account', some_order($client)) };
			}
			$client->{dbh}->do("SET LOCAL synchronous_commit = off")
			  if rand() < $client->{unsafe};
			sleep rand 0.02;
			return $end;
		});

	$client->remember(\@rows) if $done;
	claim_without_order($client) if $end eq 'rollback';
	return;
}

# What was claimed since the savepoint is the next to be claimed again.
sub savepoints
{
	my ($client) = @_;
	my %pool = some_marketplace($client);
	my @rows;
	my $done = $client->transaction(
		'BEGIN',
		sub {
			my $dbh = $client->{dbh};

			@rows = @{ $client->ask('claim_account', some_order($client)) };
			$dbh->do('SAVEPOINT a');
			$client->ask('claim_account', %pool) for 1 .. 2;
			$client->ask('claim_account', some_order($client));
			$client->roll_back_to('a', 1);
			push @rows, @{ $client->ask('claim_account', %pool) };
			$dbh->do('SAVEPOINT b');
			push @rows,
			  @{ $client->ask('claim_account', some_order($client)) };
			$dbh->do('RELEASE b');
			sleep rand 0.01;
			return rand() < 0.8 ? 'commit' : 'rollback';
		});

	$client->remember(\@rows) if $done;
	return;
}

# A claim of a transaction that has looked before, asked again if it cannot be
# serialized.
sub snapshot
{
	my ($client) = @_;
	my %order = some_order($client);
	my $begin = 'BEGIN ISOLATION LEVEL ' . $ISOLATION[ rand @ISOLATION ];
	my $rows;

	for (1 .. 5)
	{
		last
		  if $client->transaction(
			$begin,
			sub {
				$client->{dbh}->selectrow_array(
					'SELECT count(*) FROM awspool.accounts WHERE account_id < ?',
					undef, some_id($client));
				sleep rand 0.01;
				$rows = $client->ask('claim_account', %order);
				return 'commit';
			});
		undef $rows;
	}
	$client->remember($rows);
	return;
}

# A claim that is decided later, perhaps after a crash, or at once, by a session
# with settings.
sub prepare
{
	my ($client) = @_;
	my %pool = some_marketplace($client);

	return claim($client) if $client->{pooled};
	return decide($client) if @{ $client->{prepared} } >= 2;
	$client->transaction(
		'BEGIN',
		sub {
			$client->ask('claim_account', some_order($client));
			$client->ask('claim_account', %pool) for 1 .. 2;
			return 'prepare';
		});
	decide($client) if rand() < 0.3 || is_calm();
	return;
}

# If it is rolled back, its accounts are there to be found again.
sub decide
{
	my ($client) = @_;

	return unless @{ $client->{prepared} };
	$client->decide;
	claim_without_order($client) for 1 .. 2;
	return;
}

# Some clients ask for the same order in the same moment.
sub meet
{
	my ($client) = @_;
	my $moment = next_moment(8);

	$client->remember(
		$client->call(
			'claim_account',
			provider => $client->{provider},
			marketplace => (marketplaces())[ $moment % 2 ],
			order_id => "m$moment"));
	return;
}

# An order that is held is asked for again: it is no new claim.
sub claim_again
{
	my ($client) = @_;
	my $held = take_held($client) or return claim($client);

	$client->remember([$held]);
	return unless defined $held->{order_id};
	$client->call('claim_account',
		map { $_ => $held->{$_} } qw(provider marketplace order_id));
	return;
}

1;
