# What clients do to whole pools: they close them for a while, end what has been
# in progress for too long, and have lists of used accounts reconciled.

package Work::Pools;

use strict;
use warnings FATAL => 'all';

use Time::HiRes qw(sleep);
use Work::Chance
  qw(some_order some_marketplace take_held new_ids some_id);

# A pool, or all of the provider's, is closed, and opened again.  It may be that
# somebody else has closed it, too; and that waiting for claims takes too long.
sub pause
{
	my ($client) = @_;
	my %pool = some_marketplace($client);
	my $begin = sprintf 'BEGIN; SET LOCAL lock_timeout = %d', 20 + rand 400;

	delete $pool{marketplace} if rand() < 0.2;
	$client->transaction(
		$begin,
		sub {
			$client->ask('pause_pool', %pool);
			sleep rand 0.05;
			return rand() < 0.8 ? 'commit' : 'rollback';
		});
	return if $client->{outcome} eq 'rolled_back';
	sleep rand 0.1;
	until ($client->call('resume_pool', %pool)) { sleep 0.01; }
	return;
}

sub fail_overdue
{
	my ($client) = @_;

	$client->call(
		'fail_overdue',
		provider => $client->{provider},
		max_accounts => 1 + int rand 4);
	return;
}

# What became of accounts, in part known already: of those that the client has,
# of some that may be ready, and of new ones.  Now and then a list says which
# pool they are of, rightly or not.
sub reconcile
{
	my ($client) = @_;
	my %here = (provider => $client->{provider});
	my %lines;

	for my $held (grep { defined } map { take_held($client) } 0 .. rand 3)
	{
		next unless defined $held->{order_id};
		my $status = some_end();

		$lines{ $held->{account_id} } = {
			some_edit($client),
			order_id => $held->{order_id},
			status => $status
		};
	}
	for (0 .. rand 3)
	{
		my %order = some_order($client);

		$order{order_id} = new_order($client) if rand() < 0.7;
		$lines{ some_id($client) } //= {
			some_edit($client),
			order_id => $order{order_id},
			status => rand() < 0.3 ? 'provisioning_in_progress' : some_end()
		};
	}
	$lines{ new_ids($client, 1) } = {
		some_marketplace($client),
		model => 'SPAM',
		order_id => new_order($client),
		status => some_end()
	  }
	  if rand() < 0.5;
	$lines{12345678901} = {
		order_id => new_order($client),
		status => 'allocated',
		wrong => 1
	  }
	  if rand() < 0.2;
	$client->call_list(map { { %here, account_id => $_, %{ $lines{$_} } } }
		  sort keys %lines);
	return;
}

sub some_edit
{
	my ($client) = @_;

	return rand() < 0.2
	  ? (some_marketplace($client), model => (qw(SPAM ECAM))[ rand 2 ])
	  : ();
}

sub some_end
{
	return (qw(allocated allocated provisioning_failed invalid))[ rand 4 ];
}

# An order that nobody else asks for.
sub new_order
{
	my ($client) = @_;

	return "r$client->{number}." . ++$client->{new_orders};
}

1;
