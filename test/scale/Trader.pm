# A client of a pool that is on several servers: what test/torture/Client.pm is,
# but it knows no server, only PgBouncer and the alias of its provider.

package Trader;

use strict;
use warnings FATAL => 'all';

use Client;
use DBI;
use History qw(now);
use Time::HiRes qw(sleep);
use Work::Chance qw(marketplaces some_marketplace next_moment);
use Work::Orders;
use Work::Stock;

our @ISA = ('Client');

# How often, and what.
my @OPERATIONS = (
	[ 24, \&Work::Orders::claim ],
	[ 4, \&Work::Orders::claim_without_order ],
	[ 6, \&Work::Orders::claim_together ],
	[ 20, \&Work::Orders::finish ],
	[ 8, \&Work::Orders::hold ],
	[ 6, \&Work::Orders::savepoints ],
	[ 4, \&Work::Orders::snapshot ],
	[ 6, \&Work::Orders::meet ],
	[ 8, \&Work::Orders::claim_again ],
	[ 6, \&Work::Stock::add ],
	[ 6, \&Work::Stock::import_some ],
	[ 10, \&change ],
	[ 3, \&contend ],);

my $total = 0;
$total += $_->[0] for @OPERATIONS;

# As Client::new has it, and: pooler, how to connect to it.

# Wherever the provider is now, what a lost session did is over when nothing of
# its role is left there that was begun before: nobody freezes a provider, and so
# moves it, before that has ended.
sub begin_session
{
	my ($self) = @_;
	my $dbh = DBI->connect(
		"dbi:Pg:$self->{pooler} dbname=$self->{provider} user=$self->{role}",
		'', '',
		{
			PrintError => 0,
			RaiseError => 1,
			PrintWarn => 1,
			pg_server_prepare => 0
		});
	my ($pid, $now) = $dbh->selectrow_array('SELECT pg_backend_pid(), now()');

	$self->wait_for_lost($dbh, $now) if defined $self->{pid};
	@$self{qw(dbh epoch pid)} = ($dbh, 0, $pid);
	return;
}

# With a rest, or the moves would get no turn on a small machine.
sub work
{
	my ($client) = @_;
	my $choice = rand $total;

	sleep rand 0.8;
	for (@OPERATIONS)
	{
		my ($weight, $operation) = @$_;

		$choice -= $weight;
		next if $choice >= 0;
		$operation->($client);
		last;
	}
	$client->resolve;
	return;
}

# An account that the client itself has stored, unless that was undone, and that
# anybody may have claimed.
sub change
{
	my ($client) = @_;
	my %account = (
		provider => $client->{provider},
		account_id => sprintf '%03d%09d',
		$client->{number}, rand($client->{new_ids} + 1));
	my %moved = (%account, marketplace => (marketplaces())[ rand 2 ]);
	my $how = rand;

	if ($how < 0.3) { $client->call('edit_account', %account, model => 'ECAM'); }
	elsif ($how < 0.5) { $client->call('edit_account', %moved); }
	elsif ($how < 0.6) { $client->call('invalidate_account', %account); }
	elsif ($how < 0.7) { $client->call('look', %account); }
	else { $client->call('delete_account', %account); }
	return;
}

# Providers on different servers add the same id in the same moment.
sub contend
{
	my ($client) = @_;
	my $moment = next_moment(4);

	$client->call(
		'add_account',
		some_marketplace($client),
		account_id => sprintf('999%09d', $moment),
		model => 'SPAM');
	return;
}

1;
