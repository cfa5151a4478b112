# What clients do all day: a table of operations, each a small transaction or a
# few, chosen by weight and at random.

package Work;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use Time::HiRes qw(sleep);

our @EXPORT_OK = qw(work import_file marketplaces);

use constant NOBODYS => '999999999999';    # an id that is never added

# How often, and what.
my @OPERATIONS = (
	[ 22, \&claim ],
	[ 3, \&claim_without_order ],
	[ 20, \&finish ],
	[ 8, \&hold ],
	[ 6, \&savepoints ],
	[ 5, \&snapshot ],
	[ 3, \&prepare ],
	[ 6, \&claim_again ],
	[ 5, \&add ],
	[ 3, \&import_some ],
	[ 5, \&move ],
	[ 3, \&edit ],
	[ 3, \&invalidate ],
	[ 3, \&delete_one ],
	[ 3, \&delete_and_add ],
	[ 3, \&cross ],
	[ 4, \&look ],
	[ 3, \&bad_input ],);

# What may cut an operation short, some of the time.
my @LIMITS = qw(statement_timeout lock_timeout idle_in_transaction_session_timeout);

my @ISOLATION = ('REPEATABLE READ', 'SERIALIZABLE');

my $total = 0;
$total += $_->[0] for @OPERATIONS;

sub marketplaces
{
	return ('MP-0000', 'MP-0001');
}

# One operation of a client.
sub work
{
	my ($client) = @_;
	my $limit = rand() < 0.06 ? $LIMITS[ rand @LIMITS ] : undef;
	my $choice = rand $total;
	my $i = 0;

	$choice -= $OPERATIONS[ $i++ ][0] while $choice >= $OPERATIONS[$i][0];
	$client->plainly(sprintf "SET $limit = %d", 1 + rand 15)
	  if defined $limit;
	$OPERATIONS[$i][1]->($client);
	$client->plainly("RESET $limit") if defined $limit;
	$client->decide if @{ $client->{prepared} } && rand() < 0.1;
	$client->resolve;
	return;
}

# An order that others ask for, too, now and then: all clients of a provider
# count on at about the same pace.
sub some_order
{
	my ($client) = @_;
	my $number = int($client->{transactions} * 4 + rand 60);

	return (
		provider => $client->{provider},
		marketplace => (marketplaces())[ $number % 2 ],
		order_id => "o$number");
}

sub some_marketplace
{
	my ($client) = @_;

	return (
		provider => $client->{provider},
		marketplace => (marketplaces())[ rand 2 ]);
}

sub take_held
{
	my ($client) = @_;
	my $held = $client->{held};

	return @$held ? splice @$held, rand @$held, 1 : undef;
}

# Ids of one client are in a row; the others of its provider are two on.
sub new_ids
{
	my ($client, $count) = @_;
	my $first = sprintf '%03d%09d', $client->{number}, $client->{new_ids};

	$client->{new_ids} += $count;
	return $first;
}

sub some_id
{
	my ($client) = @_;
	my $whose = $client->{number} % 2 + 2 * int rand($client->{clients} / 2);
	my $behind = int rand 40;

	return sprintf '%03d%09d', $whose,
	  $client->{new_ids} > $behind ? $client->{new_ids} - $behind : 0;
}

sub claim
{
	my ($client) = @_;

	$client->remember(
		$client->call('claim_account', some_order($client)));
	return;
}

sub claim_without_order
{
	my ($client) = @_;

	$client->remember(
		$client->call('claim_account', some_marketplace($client)));
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

# A claim in a transaction that lasts, and ends well or not.
sub hold
{
	my ($client) = @_;
	my $end = (qw(commit commit rollback rollback vanish))[ rand 5 ];
	my $rows;

	$client->remember($rows)
	  if $client->transaction('BEGIN', sub {
		$rows = $client->ask('claim_account', some_order($client));
		$client->{dbh}->do("SET LOCAL synchronous_commit = off")
		  if rand() < $client->{unsafe};
		sleep rand 0.02;
		return $end;
	  }) && $end eq 'commit';
	return;
}

sub savepoints
{
	my ($client) = @_;
	my @rows;

	$client->remember(\@rows)
	  if $client->transaction('BEGIN', sub {
		my $dbh = $client->{dbh};

		@rows = @{ $client->ask('claim_account', some_order($client)) };
		$dbh->do('SAVEPOINT a');
		$client->ask('claim_account', some_order($client));
		$client->ask('claim_account', some_marketplace($client));
		sleep rand 0.01;
		$client->roll_back_to('a', 1);
		push @rows, @{ $client->ask('claim_account', some_order($client)) };
		$dbh->do('SAVEPOINT b');
		push @rows,
		  @{ $client->ask('claim_account', some_marketplace($client)) };
		$dbh->do('RELEASE b');
		return rand() < 0.8 ? 'commit' : 'rollback';
	  });
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
		  if $client->transaction($begin, sub {
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

# A claim that is decided later, perhaps after a crash.
sub prepare
{
	my ($client) = @_;

	return $client->decide if @{ $client->{prepared} } >= 2;
	$client->transaction('BEGIN', sub {
		$client->ask('claim_account', some_order($client));
		$client->ask('claim_account', some_marketplace($client));
		return 'prepare';
	});
	return;
}

# An order that is held is asked for again: it is no new claim.
sub claim_again
{
	my ($client) = @_;
	my $held = take_held($client) or return claim($client);

	$client->remember([$held]);
	return unless defined $held->{order_id};
	$client->call('claim_account', map { $_ => $held->{$_} }
		  qw(provider marketplace order_id));
	return;
}

sub add
{
	my ($client) = @_;

	$client->call('add_account', some_marketplace($client),
		account_id => new_ids($client, 1), model => 'SPAM');
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
	my $count = rand() < 0.05 ? 100 : 1 + int rand 30;
	my %file = (
		some_marketplace($client),
		model => 'SPAM',
		first => new_ids($client, $count),
		count => $count);
	my $before = $client->{imported};
	my $end = rand() < 0.9 ? 'commit' : 'rollback';

	if ($before && $before->{first} + $before->{count} == $file{first} && rand() < 0.5)
	{
		my $overlap = 1 + int rand 5;

		$file{marketplace} = $before->{marketplace};
		$file{first} = sprintf '%012d', $file{first} - $overlap;
		$file{count} += $overlap;
	}
	$client->{imported} = \%file;
	$client->transaction('BEGIN', sub {
		$client->ask(rand() < 0.5 ? 'import_csv' : 'copy', %file);
		sleep rand 0.02;
		return $end;
	});
	return;
}

sub move
{
	my ($client) = @_;

	$client->call('edit_account', some_marketplace($client),
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
	$client->call('add_account', some_marketplace($client),
		account_id => $id, model => 'SPAM')
	  if $client->{state} ne 'WS004';
	return;
}

# Edits in one order and deletions in the other: they deadlock.
sub cross
{
	my ($client) = @_;
	my $provider = $client->{provider};
	my $first = some_id($client);
	my @ids = map { sprintf '%012d', $first + $_ } 0 .. 3;

	if (rand() < 0.3)
	{
		$client->call('delete_accounts',
			provider => $provider, ids => join ',', @ids);
		return;
	}
	$client->transaction('BEGIN', sub {
		for my $id (reverse @ids)
		{
			$client->ask('edit_account', provider => $provider,
				account_id => $id, model => 'ECAM');
			sleep rand 0.005;
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
	my %new = (account_id => NOBODYS, marketplace => 'MP-0000', model => 'SPAM');
	my %file = (%here, marketplace => 'MP-0000', model => 'SPAM', count => 5);
	my @bad = (
		[ claim_account => (%other, marketplace => 'MP-0000'), '42501' ],
		[ claim_account => (%here, marketplace => 'MP-1'), '22023' ],
		[ claim_account => (%here, marketplace => 'MP-0000', order_id => ''), '22023' ],
		[ claim_account => (%here, marketplace => 'MP-0000', order_id => 'x' x 65), '22023' ],
		[ allocate_account => (%here, account_id => NOBODYS), 'WS003' ],
		[ replace_account => (%here, account_id => NOBODYS, reason => 'no good'), 'WS003' ],
		[ allocate_account => (%other, account_id => NOBODYS), '42501' ],
		[ edit_account => (%here, account_id => NOBODYS, model => 'SPAN'), '22023' ],
		[ add_account => (%here, %new, model => 'SPAN'), '22023' ],
		[ add_account => (%here, %new, account_id => '99999999999'), '22023' ],
		[ add_account => (%other, %new), '42501' ],
		[ import_csv => (%file, first => new_ids($client, 5), malformed => '12345678901;MP-0000;SPAM'), 'WS006' ],
		[ import_csv => (%file, first => new_ids($client, 5), malformed => '"'), '22P04' ],
		[ copy => (%file, first => new_ids($client, 5), malformed => '12345678901;MP-0000;SPAM'), '22023' ],
	);
	my $held = $client->{held}[-1];

	push @bad, [ allocate_account => (%here, account_id => $held->{account_id}, order_id => 'not mine'), 'WS002' ]
	  if $held;

	my ($name, @args) = @{ $bad[ rand @bad ] };
	my $expect = pop @args;

	$client->call($name, @args, expect => $expect);
	return;
}

1;
