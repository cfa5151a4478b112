# What clients read: along each index of view accounts, and the counts, in the
# midst of everything.  And who may only read.

package Work::Reading;

use strict;
use warnings FATAL => 'all';

use Time::HiRes qw(sleep);
use Work::Chance qw(some_order some_marketplace some_id);

# A query on view accounts.  What it is about was told before, if that matters.
sub some_query
{
	my ($client) = @_;
	my %here = (provider => $client->{provider});
	my %order = some_order($client);
	my %pool = some_marketplace($client);
	my %ids = map { some_id($client) => 1 } 0 .. rand 5;
	my $ids = join ',', sort keys %ids;
	my ($held) = grep { defined $_->{order_id} } reverse @{ $client->{held} };
	my @queries = (
		{
			what => 'ready',
			value => $pool{marketplace},
			rand() < 0.5 ? () : (limit => 5)
		},
		{ what => 'in_progress' },
		{ what => 'ended' },
		{ what => 'order', value => $order{order_id} },
		{ what => 'ids', ids => $ids },
		{ what => 'either', ids => $ids, value => $order{order_id} },
		{
			what => 'page',
			value => $client->{last_position} // 1_000_000,
			limit => 20
		},);
	my $served = $client->{served};

	push @queries, { what => 'order', value => $served->[ rand @$served ] }
	  if @$served;
	push @queries,
	  {
		what => 'either',
		ids => $held->{account_id},
		value => $held->{order_id}
	  }
	  if $held;
	return (%here, %{ $queries[ rand @queries ] });
}

sub read_some
{
	my ($client) = @_;
	my %query = some_query($client);
	my $rows = $client->call('read', %query);

	$client->{last_position} = @$rows ? $rows->[-1]{position} : undef
	  if $rows && $query{what} eq 'page';
	return;
}

# In one snapshot the counts stay the same, whatever others do meanwhile.
sub sums_in_snapshot
{
	my ($client) = @_;

	$client->transaction(
		'BEGIN ISOLATION LEVEL REPEATABLE READ',
		sub {
			for (1 .. 2)
			{
				$client->ask('sums', provider => $client->{provider});
				sleep rand 0.05;
			}
			return 'commit';
		});
	return;
}

# What the transaction itself has done is in them, and what it has undone is
# not.
sub sums_of_own
{
	my ($client) = @_;
	my %pool = some_marketplace($client);
	my %here = (provider => $client->{provider});
	my @rows;
	my $done = $client->transaction(
		'BEGIN',
		sub {
			@rows = @{ $client->ask('claim_account', some_order($client)) };
			$client->{dbh}->do('SAVEPOINT a');
			$client->ask('claim_account', %pool) for 1 .. 2;
			$client->ask('sums', %here) if rand() < 0.5;
			$client->roll_back_to('a', 1);
			$client->ask('sums', %here);
			return rand() < 0.7 ? 'commit' : 'rollback';
		});

	$client->remember(\@rows) if $done;
	return;
}

# A viewer sees what the role of its provider does, or those of both, and may
# change nothing of that.
sub as_viewer
{
	my ($client) = @_;
	my %here = (provider => $client->{provider});
	my %account = (%here, account_id => some_id($client));
	my %pool = some_marketplace($client);
	my @attempts = (
		[ claim_account => some_order($client) ],
		[ claim_account => %pool ],
		[ fail_account => %account, reason => 'no good' ],
		[ invalidate_account => %account ],
		[ delete_account => %account ],
		[ edit_account => %account, model => 'ECAM' ],
		[ pause_pool => %pool ],
		[ fail_overdue => %here, max_accounts => 1 ],
		[
			import_csv => %pool,
			model => 'SPAM',
			first => $account{account_id},
			count => 1
		],);

	my $sees_both = rand() < 0.5;
	my $role =
	  $sees_both ? 'both' : 'v' . substr $client->{provider}, 1;

	$client->transaction(
		"BEGIN; SET LOCAL ROLE regress_awspool_$role",
		sub {
			$client->ask('read', some_query($client),
				$sees_both ? (both => 1) : ());
			$client->ask('sums', %here) if rand() < 0.2;
			my ($name, %args) = @{ $attempts[ rand @attempts ] };
			$client->ask($name, %args, expect => '42501');
			return 'rollback';
		});
	return;
}

1;
