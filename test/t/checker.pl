# The judge of test/torture/torture.pl is judged: a good history passes, and for each
# rule a bad one is caught.  No server is needed.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/../torture";
use History qw(read_history);
use Judge qw(judge judge_log);
use PostgreSQL::Test::Utils;
use Test::More;

my %here = (provider => 'p0', marketplace => 'MP-0000');

sub row
{
	my ($id, $status, $order) = @_;

	return {
		%here,
		account_id => "00000000000$id",
		model => 'SPAM',
		status => $status,
		defined $order ? (order_id => $order) : ()
	};
}

# A transaction of one call, asked for and told at these times.
sub call
{
	my ($asked, $told, $name, $args, $rows, %more) = @_;
	my $answered = !defined $more{error} && ($more{outcome} // '') ne 'unknown';

	return {
		client => $more{client} // 1,
		number => $asked,
		epoch => $more{epoch} // 0,
		isolation => $more{isolation},
		open => $more{open},
		ending => $more{ending},
		asked => $asked,
		told => $told,
		outcome => $more{outcome}
		  // (defined $more{error} ? 'rolled_back' : 'committed'),
		calls => [
			{
				name => $name,
				args => { provider => 'p0', %$args },
				asked => $asked,
				told => $told,
				rows => $rows // [],
				error => $more{error},
				$answered ? (answer => {}) : ()
			}
		]
	};
}

sub claim
{
	my ($asked, $told, $order, $id, %more) = @_;

	return call($asked, $told, 'claim_account',
		{ %here, defined $order ? (order_id => $order) : () },
		defined $id ? [ row($id, $more{status} // 'provisioning_in_progress', $order) ] : [],
		%more);
}

# Closes an account, or does something else to it alone.
sub change
{
	my ($asked, $told, $name, $id, $status, $order, %more) = @_;

	return call($asked, $told, $name, { account_id => "00000000000$id", $more{via} ? (via => 'view') : () },
		defined $status ? [ row($id, $status, $order) ] : [], %more);
}

sub import_file
{
	my ($asked, $told, $first, $count, %more) = @_;

	return call(
		$asked, $told,
		'import_csv',
		{ %here, model => 'SPAM', first => $first, count => $count },
		defined $more{outcome} || defined $more{error} ? [] : [ { outcome => 'added', count => $count } ],
		%more);
}

sub replace
{
	my ($asked, $told, $id, $next, $order) = @_;

	return call($asked, $told, 'replace_account',
		{ account_id => "00000000000$id", order_id => $order, reason => 'no good' },
		defined $next ? [ row($next, 'provisioning_in_progress', $order) ] : []);
}

# A line of a list.
sub line
{
	my ($asked, $told, $id, $order, $status, $outcome, %more) = @_;
	my %line = (account_id => "00000000000$id", order_id => $order, status => $status);

	return call(
		$asked, $told,
		'reconcile',
		{ %line, %{ $more{args} // {} } },
		[ { named => $line{account_id}, outcome => $outcome, $outcome =~ /^(?:marked|added)$/ ? %line : () } ],
		%more);
}

sub sweep
{
	my ($asked, $told, @ids) = @_;

	return call($asked, $told, 'fail_overdue', { max_accounts => 3 },
		[ map { row($_, 'provisioning_failed') } @ids ]);
}

# What was read: rows of id, status and order, with positions that are the ids.
sub query
{
	my ($asked, $told, $args, @rows) = @_;

	return call($asked, $told, 'read', $args, [ map { { %{ row(@$_) }, position => $_->[0] } } @rows ]);
}

sub sums
{
	my ($asked, $told, $counts, $counted, %more) = @_;
	my $sums = { marketplace => 'MP-0000', told => $counts, counted => $counted, claimed => $more{claimed} // 9 };

	return call($asked, $told, 'sums', {}, [$sums], %more);
}

# A good history, and the database at its end: of nine accounts, one is
# sold, one failed, one was replaced, the answer of one was lost, one was
# deleted, one claim was rolled back, and one is known by a list.  The pool was
# closed and the provider frozen for a while.
sub good
{
	my @transactions = (
		import_file(1, 2, 1, 8),
		claim(3, 4, 'o1', 1),
		change(5, 6, 'allocate_account', 1, 'allocated', 'o1'),
		claim(7, 8, 'o1', 1, status => 'allocated'),
		claim(9, 10, 'o2', 2),
		change(11, 12, 'fail_account', 2, 'provisioning_failed', 'o2'),
		claim(13, 14, 'o2', 3),
		replace(15, 16, 3, 4, 'o2'),
		claim(17, 18, 'o3', undef, outcome => 'unknown'),
		claim(19, 20, 'o3', 5),
		change(21, 22, 'delete_account', 2, 'provisioning_failed', 'o2'),
		change(23, 24, 'add_account', 2, undef, undef, error => 'WS005'),
		claim(25, 26, undef, 6, outcome => 'rolled_back'),
		change(27, 28, 'edit_account', 6, 'ready'),
		change(29, 30, 'invalidate_account', 6, 'invalid'),
		claim(31, 34, undef, 8),
		claim(32, 33, undef, 7),
		claim(35, 36, undef),
		query(2.1, 2.2, { what => 'ready', value => 'MP-0000' }, map { [ $_, 'ready' ] } 1 .. 8),
		query(2.3, 2.4, { what => 'page', value => 6, limit => 3 }, map { [ $_, 'ready' ] } 5, 4, 3),
		query(3.5, 3.6, { what => 'page', value => 2, both => 1 }, [ 1, 'ready' ]),
		query(4.1, 4.2, { what => 'in_progress' }, [ 1, 'provisioning_in_progress', 'o1' ]),
		query(8.1, 8.2, { what => 'order', value => 'o1' }, [ 1, 'allocated', 'o1' ]),
		query(12.1, 12.2, { what => 'ids', ids => '000000000002' }, [ 2, 'provisioning_failed', 'o2' ]),
		query(30.1, 30.2, { what => 'ended' }, [ 6, 'invalid' ], [ 3, 'provisioning_failed', 'o2' ]),
		change(26.1, 26.2, 'delete_account', 9, undef, undef, via => 1),
		sweep(34.1, 34.2),
		line(36.1, 36.12, 9, 'r1', 'allocated', 'added', args => {%here, model => 'SPAM' }),
		line(36.13, 36.14, 7, 'r2', 'allocated', 'conflict'),
		line(36.15, 36.16, 7, 'r3', 'allocated', 'rejected', args => { wrong => 1 }),
		call(36.3, 36.4, 'pause_pool', \%here),
		claim(36.45, 36.5, 'o9', undef, error => 'WS007'),
		call(36.6, 36.7, 'resume_pool', \%here),
		sums(36.8, 36.82, '0 4 1 1 1', '0 4 1 1 1'),
		claim(36.9, 36.92, 'o9', undef, error => 'WS008'),);
	my %state = (
		accounts => {
			1 => [ 'allocated', 'o1' ],
			3 => [ 'provisioning_failed', 'o2' ],
			4 => [ 'provisioning_in_progress', 'o2' ],
			5 => [ 'provisioning_in_progress', 'o3' ],
			6 => ['invalid'],
			7 => ['provisioning_in_progress'],
			8 => ['provisioning_in_progress'],
			9 => [ 'allocated', 'r1' ]
		},
		log => {
			2 => [
				[ 'added', undef, 0 ],
				[ 'claimed', 'for order "o2", as SPAM', 0 ],
				[ 'failed', undef, 0 ],
				[ 'deleted', 'provisioning_failed, MP-0000, SPAM', 1 ]
			]
		});

	for my $id (keys %{ $state{accounts} })
	{
		my $row = row($id, @{ delete $state{accounts}{$id} });

		@$row{qw(position claimed)} = ($id, $id != 6);
		$state{accounts}{ $row->{account_id} } = $row;
	}
	$state{log} = {
		'000000000002' => [
			map { { provider => 'p0', event => $_->[0], detail => $_->[1], used => $_->[2] } }
			  @{ $state{log}{2} }
		]
	};
	my %history = (
		transactions => \@transactions,
		promoted => [],
		freezes => [ { provider => 'p0', asked => 36.85, before => 'x', after => 'x', thawed => 36.95 } ],
		quiet => 37);

	return (\%history, \%state);
}

sub judged
{
	my ($spoil) = @_;
	my ($history, $state) = good();

	local $_ = $history->{transactions};
	$spoil->($history, $state) if $spoil;
	@$_ = sort { $a->{asked} <=> $b->{asked} } @$_;
	return join "\n", judge($history, $state);
}

# The transaction that was asked for at that time.
sub at
{
	my ($history, $asked) = @_;
	my ($transaction) =
	  grep { $_->{asked} == $asked } @{ $history->{transactions} };

	return $transaction;
}

sub account
{
	my ($state, $id) = @_;

	return $state->{accounts}{"00000000000$id"};
}

is(judged(), '', 'a good history breaks no rule');

# What else is good
is(judged(sub { push @$_, claim(8.5, 8.7, 'o4', 2, outcome => 'unknown') }),
	'', 'an answer that was lost may be nothing');
is(judged(sub { at($_[0], 19)->{outcome} = 'unknown' }),
	'', 'two answers of one order that were lost may be one account');
is( judged(
		sub {
			push @$_, claim(2.5, 2.7, 'o9', 1, outcome => 'rolled_back');
		}),
	'',
	'what was rolled back is granted to somebody else');

# The claim of account 7 is made before order o3 asks again; account 6 is there.
unlike(
	judged(
		sub {
			my $claim = at($_[0], 32);
			my ($call) = @{ $claim->{calls} };
			@$claim{qw(asked told)} = @$call{qw(asked told)} = (18.2, 18.4);
		}),
	qr/^age: account 000000000005/m,
	'an account may have been claimed by a call whose answer was lost');

# Rule, what is wrong, and how it came about
my @bad = (
	[ 'once', 'an account of two orders', sub { push @$_, claim(8.2, 8.4, 'o9', 1) } ],
	[ 'once', 'an account of two claims without an order', sub { push @$_, claim(36.2, 36.4, undef, 7) } ],
	[ 'once', 'a replacement that another order has', sub { at($_[0], 15)->{calls}[0]{rows} = [ row(1, 'provisioning_in_progress', 'o2') ] } ],
	[ 'one at a time', 'an order that got a second account', sub { push @$_, claim(20.2, 20.4, 'o3', 6) } ],
	[ 'one at a time', 'an order that got another account after it completed', sub { push @$_, claim(8.2, 8.4, 'o1', 2) } ],
	[ 'kept', 'a grant that the database has forgotten', sub { account($_[1], 5)->{claimed} = 0 } ],
	[ 'kept', 'a grant that the database has given to somebody else', sub { account($_[1], 5)->{order_id} = 'o9' } ],
	[ 'kept', 'a grant whose account is gone', sub { delete $_[1]{accounts}{'000000000005'} } ],
	[ 'asked for', 'an account that a claim took and did not tell', sub { at($_[0], 31)->{calls}[0]{rows} = [] } ],
	[ 'asked for', 'a lost answer that took two accounts', sub {
		at($_[0], 32)->{outcome} = at($_[0], 31)->{outcome} = 'unknown';
		@$_ = grep { $_->{asked} != 32 } @$_;
		at($_[0], 31)->{calls}[0]{rows} = [];
	} ],
	[ 'forward', 'an account that was sold and is in progress', sub { account($_[1], 1)->{status} = 'provisioning_in_progress' } ],
	[ 'forward', 'an account that failed and was sold', sub { account($_[1], 3)->{status} = 'allocated' } ],
	[ 'forward', 'an account that was claimed and looked ready', sub { push @$_, change(4.2, 4.4, 'look', 1, 'ready') } ],
	[ 'forward', 'an account that looked sold and then ready', sub {
		push @$_, change(30.1, 30.2, 'look', 7, 'allocated'), change(30.3, 30.4, 'look', 7, 'ready');
	} ],
	[ 'forward', 'the id of a used account that was stored again', sub { push @$_, change(23.2, 23.4, 'add_account', 2, 'ready') } ],
	[ 'explained', 'an account that failed because a replacement found none', sub { at($_[0], 15)->{calls}[0]{rows} = [] } ],
	[ 'explained', 'an account that nobody made invalid', sub { @$_ = grep { $_->{asked} != 29 } @$_ } ],
	[ 'stock', 'a file whose last account is missing', sub { at($_[0], 1)->{calls}[0]{args}{count} = 9 } ],
	[ 'stock', 'a report that tells of fewer rows', sub { at($_[0], 1)->{calls}[0]{rows}[0]{count} = 7 } ],
	[ 'stock', 'an account that nobody stored', sub { at($_[0], 1)->{calls}[0]{args}{count} = 7 } ],
	[ 'whole', 'a file that failed and left something', sub { at($_[0], 1)->{outcome} = 'rolled_back' } ],
	[ 'whole', 'a file whose answer was lost, and half is there', sub {
		at($_[0], 1)->{outcome} = 'unknown';
		at($_[0], 1)->{calls}[0]{args}{count} = 16;
	} ],
	[ 'deleted', 'an account that was deleted and is there', sub { push @$_, change(34.2, 34.4, 'delete_account', 3, 'provisioning_failed', 'o2') } ],
	[ 'deleted', 'an account that was deleted without a trace', sub { delete $_[1]{log}{'000000000002'} } ],
	[ 'edited', 'an edit that was forgotten', sub { at($_[0], 27)->{calls}[0]{args}{model} = 'ECAM' } ],
	[ 'edited', 'an edit that nobody made', sub { account($_[1], 6)->{model} = 'ECAM' } ],
	[ 'answer', 'two accounts for one claim', sub { push @{ at($_[0], 9)->{calls}[0]{rows} }, row(6, 'provisioning_in_progress', 'o2') } ],
	[ 'answer', 'a failure that made the account ready', sub { at($_[0], 11)->{calls}[0]{rows}[0]{status} = 'ready' } ],
	[ 'answer', 'an account of another marketplace', sub { at($_[0], 9)->{calls}[0]{rows}[0]{marketplace} = 'MP-0001' } ],
	[ 'answer', 'an account of another provider', sub { at($_[0], 9)->{calls}[0]{rows}[0]{provider} = 'p1' } ],
	[ 'answer', 'a replacement by the account that failed', sub { at($_[0], 15)->{calls}[0]{rows} = [ row(3, 'provisioning_in_progress', 'o2') ] } ],
	[ 'error', 'an error that nobody can explain', sub { push @$_, claim(36.2, 36.4, 'o9', undef, error => 'XX000') } ],
	[ 'error', 'two accounts of one order, which only the index has prevented', sub { push @$_, claim(36.2, 36.4, 'o9', undef, error => '23505') } ],
	[ 'error', 'a claim that was too late for the account it had found', sub { push @$_, claim(36.2, 36.4, 'o9', undef, error => '40001') } ],
	[ 'error', 'a bad input that was taken', sub { push @$_, call(36.2, 36.4, 'claim_account', { %here, expect => '22023' }, []) } ],
	[ 'age', 'a claim that got a younger account', sub {
		my $claim = at($_[0], 31);
		$claim->{told} = $claim->{calls}[0]{told} = 31.5;
	} ],
	[ 'age', 'a claim that overtook an account which another got later', sub {
		@$_ = grep { $_->{asked} != 32 } @$_;
		push @$_, claim(34.2, 34.4, undef, 7);
	} ],
	[ 'age', 'a claim that found none, though there was one', sub { push @$_, claim(30.2, 30.4, 'o9') } ],
	[ 'age', 'a claim that overtook an account which was moved before it', sub {
		at($_[0], 1)->{calls}[0]{args}{count} = 7;
		push @$_, call(2.2, 2.4, 'add_account', { account_id => '000000000008', marketplace => 'MP-0001', model => 'SPAM' }),
		  call(2.6, 2.8, 'edit_account', { account_id => '000000000008', marketplace => 'MP-0000' });
		account($_[1], 8)->{position} = 0;
	} ],
	[ 'once', 'an account that a list took from its order', sub { push @$_, line(20.2, 20.4, 5, 'r5', 'allocated', 'marked') } ],
	[ 'one at a time', 'an order that a list gave a second account', sub { push @$_, line(20.2, 20.4, 6, 'o3', 'allocated', 'marked') } ],
	[ 'kept', 'an account that was on a list and is ready', sub {
		my $row = account($_[1], 9);
		@$row{qw(status claimed)} = ('ready', 0);
	} ],
	[ 'explained', 'an account that was closed although the list was in conflict', sub {
		@$_ = grep { $_->{asked} != 36.1 } @$_;
		push @$_, line(2.5, 2.6, 9, 'r1', 'allocated', 'conflict');
	} ],
	[ 'listed', 'a line of which nothing was reported', sub { at($_[0], 36.13)->{calls}[0]{rows} = [] } ],
	[ 'listed', 'a line that was reported as another one', sub { at($_[0], 36.13)->{calls}[0]{rows}[0]{named} = '000000000008' } ],
	[ 'listed', 'a wrong line that was taken', sub { at($_[0], 36.15)->{calls}[0]{rows}[0]{outcome} = 'marked' } ],
	[ 'paused', 'a claim from a pool that was closed', sub {
		push @$_, call(30.3, 30.4, 'pause_pool', \%here), call(34.5, 34.6, 'resume_pool', \%here);
	} ],
	[ 'paused', 'a claim whose transaction went on after the pool was closed', sub {
		my $claim = at($_[0], 31);
		@$claim{qw(open ending told)} = (1, 36.5, 36.51);
	} ],
	[ 'paused', 'a claim from a pool that was closed with all of its provider', sub {
		push @$_, call(30.3, 30.4, 'pause_pool', {}), call(34.5, 34.6, 'resume_pool', {});
	} ],
	[ 'open', 'a claim that was refused though the pool was open', sub { at($_[0], 36.3)->{outcome} = 'rolled_back' } ],
	[ 'open', 'a claim that was refused after the pool was opened', sub { at($_[0], 36.6)->{calls}[0]{asked} = 36.41; at($_[0], 36.6)->{told} = 36.42; } ],
	[ 'frozen', 'a provider that was changed while it was frozen', sub { $_[0]{freezes}[0]{after} = 'y' } ],
	[ 'frozen', 'a change that was refused though the provider was not frozen', sub { $_[0]{freezes} = [] } ],
	[ 'overdue', 'an account that failed before its time', sub { push @$_, sweep(33.2, 33.4, 7) } ],
	[ 'overdue', 'an account that failed without a deadline', sub {
		push @$_, sweep(36.1, 36.2, 5);
		$_->[-1]{calls}[0]{rows}[0]{marketplace} = 'MP-0001';
	} ],
	[ 'overdue', 'more accounts than asked for', sub { push @$_, sweep(36.1, 36.2, 4, 4, 4, 4) } ],
	[ 'overdue', 'an account that a call at the end left', sub { push @$_, sweep(40, 40.1, 4, 5, 7) , sweep(41, 41.1) } ],
	[ 'forward', 'an account that was sold and failed for being overdue', sub { push @$_, sweep(9.1, 9.2, 1) } ],
	[ 'read', 'a ready account that a query does not show', sub { splice @{ at($_[0], 2.1)->{calls}[0]{rows} }, 3, 1 } ],
	[ 'read', 'an account that a query shows twice', sub { push @{ at($_[0], 8.1)->{calls}[0]{rows} }, row(1, 'allocated', 'o1') } ],
	[ 'read', 'a page that leaves one out', sub { splice @{ at($_[0], 2.3)->{calls}[0]{rows} }, 1, 1, { %{ row(2, 'ready') }, position => 2 } } ],
	[ 'read', 'ready accounts out of order', sub { @{ at($_[0], 2.1)->{calls}[0]{rows} } = reverse @{ at($_[0], 2.1)->{calls}[0]{rows} } } ],
	[ 'read', 'an account in progress that a query does not show', sub { at($_[0], 4.1)->{calls}[0]{rows} = [] } ],
	[ 'read', 'an order whose account a query does not show', sub { at($_[0], 8.1)->{calls}[0]{rows} = [] } ],
	[ 'read', 'an id that a query does not show', sub { push @$_, query(2.5, 2.6, { what => 'ids', ids => '000000000003' }) } ],
	[ 'read', 'an account that failed and that a query does not show', sub { pop @{ at($_[0], 30.1)->{calls}[0]{rows} } } ],
	[ 'read', 'an account of another provider', sub { at($_[0], 4.1)->{calls}[0]{rows}[0]{provider} = 'p1' } ],
	[ 'forward', 'an account that was claimed, and that a query shows as ready', sub { push @$_, query(4.3, 4.4, { what => 'ready', value => 'MP-0000' }, map { [ $_, 'ready' ] } 1 .. 8) } ],
	[ 'sums', 'counts that do not fit the accounts', sub { at($_[0], 36.8)->{calls}[0]{rows}[0]{told} = '1 4 1 1 1' } ],
	[ 'sums', 'a pool that is not counted', sub { delete at($_[0], 36.8)->{calls}[0]{rows}[0]{told} } ],
	[ 'sums', 'counts that change in one snapshot', sub {
		my $sums = at($_[0], 36.8);
		my $more = sums(36.83, 36.84, '0 5 1 1 0', '0 5 1 1 0');

		$sums->{isolation} = 'REPEATABLE';
		push @{ $sums->{calls} }, @{ $more->{calls} };
	} ],
	[ 'sums', 'a number of claims that goes down', sub { push @$_, sums(36.83, 36.84, '0 4 1 1 1', '0 4 1 1 1', claimed => 8) } ],
	[ 'answer', 'a statement on the view that tells of another account', sub {
		push @$_, change(26.3, 26.4, 'edit_account', 8, 'ready', undef, via => 1);
		$_->[-1]{calls}[0]{rows}[0]{model} = 'ECAM';
		$_->[-1]{calls}[0]{args}{model} = 'SPAM';
	} ],
	[ 'drained', 'an account that was left behind', sub {
		my $row = account($_[1], 8);
		@$row{qw(status claimed)} = ('ready', 0);
	} ],);

for (@bad)
{
	my ($rule, $what, $spoil) = @$_;

	like(judged($spoil), qr/^$rule: /m, "$rule: $what");
}

# A promotion may take back what nobody was told, until then.
sub look_before_promotion
{
	my ($history) = @_;

	push @{ $history->{transactions} },
	  change(2.2, 2.4, 'look', 7, 'provisioning_in_progress'),
	  change(2.6, 2.8, 'look', 7, 'ready', undef, epoch => 1);
	return;
}
unlike(judged(sub { look_before_promotion($_[0]); $_[0]{promoted} = [2.5] }),
	qr/^forward/m, 'what was only looked at may be undone by a promotion');

# A server that was replaced and does not know it shows what was: its pool may be
# empty, or closed, and what was stored since is not there.
for my $old (
	change(6.2, 6.4, 'look', 1, 'ready'),
	claim(30.2, 30.4, 'o9'),
	claim(36.75, 36.76, 'o9', undef, error => 'WS007'),
	query(2.5, 2.6, { what => 'ids', ids => '000000000003' }))
{
	for my $stale (0, 1)
	{
		my $broken =
		  judged(sub { push @$_, { %$old, stale => $stale } });

		is( $broken =~ /^(?:forward|age|open|read): /m ? 1 : 0,
			1 - $stale,
			"$old->{calls}[0]{name} on a server that was replaced: $stale");
	}
}

# Who fails what is overdue, and nobody knows what came of it, hides as many as
# were asked for.
for my $max (3, 4)
{
	my $broken = judged(sub {
		push @$_,
		  call(35.1, 35.5, 'fail_overdue', { max_accounts => $max }, undef, outcome => 'unknown'),
		  query(35.2, 35.4, { what => 'in_progress' });
	});

	is($broken =~ /^read: /m ? 1 : 0, $max == 3 ? 1 : 0, "four accounts hidden by a call for $max");
}

# An account that was added to pool MP-0000, and then was marked by a list as one
# of MP-0001, in which it is in the end, or not; somebody has found that pool empty
# before.
sub edited_by_list
{
	my ($state, $marketplace, %more) = @_;
	my %there = (marketplace => 'MP-0001', model => 'SPAM');
	my $list = line(36.2, 36.21, 0, 'r0', 'allocated', 'marked', args => \%there, %more);

	push @$_, call(36.05, 36.06, 'add_account', { %here, account_id => '000000000000', model => 'SPAM' }, [ row(0, 'ready') ]),
	  call(36.07, 36.08, 'claim_account', { %there, order_id => 'o7' }), $list;
	$state->{accounts}{'000000000000'} = {
		%{ row(0, 'allocated', 'r0') },
		marketplace => $marketplace,
		position => 10,
		claimed => 1
	};
	return $list->{calls}[0];
}

is(judged(sub { edited_by_list($_[1], 'MP-0001') }),
	'', 'a list edits an account that was ready');
like(judged(sub { edited_by_list($_[1], 'MP-0000') }),
	qr/^edited: /m, 'edited: what a list says of an account that was ready is forgotten');
for my $marketplace ('MP-0000', 'MP-0001')
{
	is( judged(
			sub {
				edited_by_list($_[1], $marketplace, outcome => 'unknown')->{rows} = [];
				push @$_, line(36.22, 36.23, 0, 'r0', 'allocated', 'marked');
			}),
		'',
		"a list whose answer was lost may have edited an account: $marketplace");
}
is( judged(
		sub {
			edited_by_list($_[1], 'MP-0000');
			push @$_, line(36.1, 36.11, 0, 'r0', 'provisioning_in_progress', 'marked');
		}),
	'',
	'a list does not edit an account that was in progress');

# The log of a server
my $log = <<'LOG';
LOG:  server process (PID 17) was terminated by signal 9: Killed
FATAL:  terminating connection due to administrator command
LOG
is(join("\n", judge_log($log, 17)), '', 'a process that was killed on purpose');
for my $line (
	$log,
	'LOG:  server process (PID 17) was terminated by signal 11: Segmentation fault',
	'PANIC:  stuck spinlock',
	'TRAP: FailedAssertion("false")',
	'WARNING:  buffer refcount leak: [017]',
	'WARNING:  TupleDesc reference leak: TupleDesc 0x5 (1,2) still referenced')
{
	isnt(join("\n", judge_log($line, 18)), '', "server log: $line");
}

# A history that was written down reads the same.
my $dir = PostgreSQL::Test::Utils::tempdir;
my $history = History->new($dir, 3);

sub write_down
{
	my ($number, @lines) = @_;

	$history->note($number, @$_) for ([ begin => epoch => 0 ], @lines);
	$history->sync;
	return;
}

write_down(
	1,
	[ call => name => 'claim_account', order_id => 'o1', expect => undef ],
	[ row => account_id => '000000000001' ],
	[ answer => rows => 1 ],
	[ call => name => 'claim_account', order_id => 'o2' ],
	[ error => state => '40001' ],
	[ undo => from => 1 ],
	['commit'],
	[ end => outcome => 'committed' ]);
write_down(2, [ call => name => 'claim_account', order_id => 'o3' ]);
write_down(
	3,
	[ prepare => gid => 'will_commit 3 3' ],
	[ end => outcome => 'will_commit' ]);
write_down(
	4,
	[ prepare => gid => 'will_roll_back 3 4' ],
	[ end => outcome => 'will_roll_back' ]);
$history->note_and_sync(0, decided => transaction => 4);
write_down(
	5,
	[ call => name => 'add_account', account_id => '000000000001' ],
	[ error => state => '57P01' ],
	[ end => outcome => 'unknown' ]);
$history->note_and_sync(6, begin => epoch => 1);
$history->note_and_sync(6, end => outcome => 'committed');
History->new($dir, 'director')->note_and_sync(0, 'quiet');

my $read = read_history($dir);
my @read = @{ $read->{transactions} };
is(join(' ', map { $_->{outcome} } @read),
	'committed unknown committed rolled_back unknown committed',
	'outcomes are read');
is($read[0]{calls}[0]{rows}[0]{account_id}, '000000000001', 'a row is read');
is($read[0]{calls}[0]{args}{order_id}, 'o1', 'what was asked is read');
ok($read[0]{calls}[1]{undone} && !$read[0]{calls}[0]{undone},
	'what was undone is read');
is($read[0]{calls}[1]{error}, '40001', 'an error is read');
is($read[4]{calls}[0]{error}, undef, 'the end of a session is no answer');
is($read[1]{told}, $read->{quiet}, 'who never heard waits for the end');
is($read[2]{told}, $read->{quiet}, 'so does what is prepared');
cmp_ok($read[3]{told}, '<', $read->{quiet}, 'until it is decided');
ok($read[1]{stale} && !$read[0]{stale} && !$read[5]{stale},
	'who lasted until somebody was on the next server may be on the old one');

done_testing();
