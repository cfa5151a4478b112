# What clients do to the stock, and what they do wrong.

package Work::Stock;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use Time::HiRes qw(sleep);
use Work::Chance
  qw(marketplaces some_marketplace new_ids some_id next_moment);

our @EXPORT_OK = qw(import_file);

use constant NOBODYS => '999999999999';    # an id that is never added

sub add
{
	my ($client) = @_;

	$client->call(
		'add_account', some_marketplace($client),
		account_id => new_ids($client, 1),
		model => 'SPAM');
	return;
}

# A file of new accounts.  Returns whether it is stored for certain.
sub import_file
{
	my ($client, $how, $marketplace, $count) = @_;

	return $client->call(
		$how,
		provider => $client->{provider},
		marketplace => $marketplace,
		model => 'SPAM',
		first => new_ids($client, $count),
		count => $count);
}

# Files, of a few lines for the most part.  Some begin with accounts that are
# there already, some are rolled back.
sub import_some
{
	my ($client) = @_;
	my $count = rand() < 0.05 ? 100 : 1 + int rand 20;
	my %file = (
		some_marketplace($client),
		model => 'SPAM',
		first => new_ids($client, $count),
		count => $count);
	my $before = $client->{imported};
	my $end = rand() < 0.9 ? 'commit' : 'rollback';

	if (   $before
		&& $before->{first} + $before->{count} == $file{first}
		&& rand() < 0.5)
	{
		my $overlap = 1 + int rand 5;

		$file{marketplace} = $before->{marketplace};
		$file{first} = sprintf '%012d', $file{first} - $overlap;
		$file{count} += $overlap;
	}
	$client->{imported} = \%file;
	$client->transaction(
		'BEGIN',
		sub {
			$client->ask(rand() < 0.5 ? 'import_csv' : 'copy', %file);
			sleep rand 0.02;
			return $end;
		});
	return;
}

# Some clients import the same file in the same moment.
sub import_together
{
	my ($client) = @_;
	my $moment = next_moment(4);

	$client->call(
		rand() < 0.5 ? 'import_csv' : 'copy',
		provider => $client->{provider},
		marketplace => (marketplaces())[ $moment % 2 ],
		model => 'SPAM',
		first =>
		  sprintf('%03d%09d', 900 + $client->{number} % 2, 10 * $moment),
		count => 10);
	return;
}

sub move
{
	my ($client) = @_;

	$client->call(
		'edit_account',
		some_marketplace($client),
		account_id => some_id($client));
	return;
}

sub edit
{
	my ($client) = @_;

	$client->call(
		'edit_account',
		provider => $client->{provider},
		account_id => some_id($client),
		model => (qw(SPAM ECAM))[ rand 2 ]);
	return;
}

sub invalidate
{
	my ($client) = @_;

	$client->call(
		'invalidate_account',
		provider => $client->{provider},
		account_id => some_id($client));
	return;
}

sub delete_one
{
	my ($client) = @_;

	$client->call(
		'delete_account',
		provider => $client->{provider},
		account_id => some_id($client));
	return;
}

# What was deleted comes back only if it was ready.
sub delete_and_add
{
	my ($client) = @_;
	my $id = some_id($client);

	$client->call(
		'delete_account',
		provider => $client->{provider},
		account_id => $id);
	$client->call(
		'add_account', some_marketplace($client),
		account_id => $id,
		model => 'SPAM') if $client->{state} ne 'WS004';
	return;
}

# Some clients edit the same accounts from the same moment on, some upwards and
# some downwards, which makes deadlocks.  Now and then somebody deletes them.
sub cross
{
	my ($client) = @_;
	my %here = (provider => $client->{provider});
	my $moment = next_moment(4);
	my @ids =
	  map { sprintf '%03d%09d', $client->{number} % 2, $moment % 7 + $_ }
	  0 .. 3;

	if (rand() < 0.2)
	{
		$client->call('delete_accounts', %here, ids => join ',', @ids);
		return;
	}
	@ids = reverse @ids if $client->{number} & 2;
	$client->transaction(
		'BEGIN',
		sub {
			for my $id (@ids)
			{
				$client->ask(
					'edit_account', %here,
					account_id => $id,
					model => 'ECAM');
				sleep rand 0.02;
			}
			return 'commit';
		});
	return;
}

sub look
{
	my ($client) = @_;

	$client->call(
		'look',
		provider => $client->{provider},
		account_id => some_id($client));
	return;
}

# What must be refused, each with its code.
sub bad_input
{
	my ($client) = @_;
	my %here = (provider => $client->{provider});
	my %other = (provider => $client->{provider} eq 'p0' ? 'p1' : 'p0');
	my %new =
	  (account_id => NOBODYS, marketplace => 'MP-0000', model => 'SPAM');
	my %file = (%here, marketplace => 'MP-0000', model => 'SPAM', count => 5);
	my @bad = (
		[ claim_account => (%other, marketplace => 'MP-0000'), '42501' ],
		[ claim_account => (%here, marketplace => 'MP-1'), '22023' ],
		[
			claim_account =>
			  (%here, marketplace => 'MP-0000', order_id => ''),
			'22023'
		],
		[
			claim_account =>
			  (%here, marketplace => 'MP-0000', order_id => 'x' x 65),
			'22023'
		],
		[ allocate_account => (%here, account_id => NOBODYS), 'WS003' ],
		[
			replace_account =>
			  (%here, account_id => NOBODYS, reason => 'no good'),
			'WS003'
		],
		[ allocate_account => (%other, account_id => NOBODYS), '42501' ],
		[
			edit_account => (%here, account_id => NOBODYS, model => 'SPAN'),
			'22023'
		],
		[ add_account => (%here, %new, model => 'SPAN'), '22023' ],
		[
			add_account => (%here, %new, account_id => '99999999999'),
			'22023'
		],
		[ add_account => (%other, %new), '42501' ],
		[
			import_csv => (
				%file,
				first => new_ids($client, 5),
				malformed => '12345678901;MP-0000;SPAM'),
			'WS006'
		],
		[
			import_csv =>
			  (%file, first => new_ids($client, 5), malformed => '"'),
			'22P04'
		],
		[
			copy => (
				%file,
				first => new_ids($client, 5),
				malformed => '12345678901;MP-0000;SPAM'),
			'22023'
		],);
	my $held = $client->{held}[-1];

	push @bad,
	  [
		allocate_account => (
			%here,
			account_id => $held->{account_id},
			order_id => 'not mine'),
		'WS002'
	  ]
	  if $held;

	my ($name, @args) = @{ $bad[ rand @bad ] };
	my $expect = pop @args;

	$client->call($name, @args, expect => $expect);
	return;
}

1;
