# What the reading database shows, to whom, and with a server that is down; and
# what a move refuses.

package Tour;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use Test::More;

our @EXPORT_OK = qw(tour);

# The answer of the reading database to a role, or the code of the error.
sub ask
{
	my ($stage, $role, $sql) = @_;
	my ($ret, $out, $err) = $stage->{reader}{primary}->psql('reader',
		"\\set VERBOSITY sqlstate\nSET SESSION AUTHORIZATION $role;\n$sql");

	return $err =~ /ERROR:\s+(\w{5})/ ? $1 : $out;
}

sub tour
{
	my ($stage) = @_;

	look_at_all($stage);
	look_as_others($stage);
	refuse_moves($stage);
	wait_for_prepared($stage);
	wait_for_adding($stage);
	erase_leftovers($stage);
	distrust_reader($stage);
	go_round_lost_server($stage);
	look_with_a_server_down($stage);
	return;
}

# The views are the sum of those of the servers.
sub look_at_all
{
	my ($stage) = @_;
	my $sums = q(SELECT provider, marketplace, ready, provisioning_in_progress, allocated, provisioning_failed, invalid, added_ever, claimed_ever FROM awspool.pool_status);
	my $activity = q(SELECT provider, marketplace, hour, added, claimed, deleted FROM awspool.pool_activity);
	my $accounts = 'SELECT account_id, provider, status, order_id, position FROM awspool.accounts';

	for ([ 'pool_status', $sums ], [ 'pool_activity', $activity ], [ 'accounts', $accounts ])
	{
		my ($view, $query) = @$_;
		my $here = ask($stage, 'regress_awspool_all', "$query ORDER BY 1, 2, 3");
		my $there = join "\n", sort map { split /\n/, $_->sql($query) } $stage->servers;

		is(join("\n", sort split /\n/, $here), $there, "the reader's $view has all");
	}
	like(
		ask($stage, 'regress_awspool_all',
			"EXPLAIN (VERBOSE) SELECT status FROM awspool.accounts WHERE account_id = '000000000001'"),
		qr/Remote SQL: SELECT .*status.* WHERE .*account_id = '000000000001'/,
		'a condition goes to the servers');
	return;
}

# Each role is itself there, and cannot become another.
sub look_as_others
{
	my ($stage) = @_;

	is(ask($stage, 'regress_awspool_p0', 'SELECT DISTINCT provider FROM awspool.accounts'),
		'p0', 'a provider sees its own');
	is(ask($stage, 'regress_awspool_p0', 'SELECT DISTINCT provider FROM awspool.pool_status'),
		'p0', 'and its own pools');
	is(ask($stage, 'regress_awspool_stranger', 'SELECT * FROM awspool.accounts'),
		'42704', 'who has no mapping sees nothing');
	is( ask($stage, 'regress_awspool_stranger',
			"CREATE USER MAPPING FOR CURRENT_USER SERVER s1 OPTIONS (user 'regress_awspool_p0')"),
		'42501', 'and cannot make one');
	is( ask($stage, 'regress_awspool_p0',
			"ALTER USER MAPPING FOR CURRENT_USER SERVER s1 OPTIONS (SET user 'regress_awspool_p1')"),
		'42501', 'nor change the one that there is');
	is(ask($stage, 'regress_awspool_p0', 'SELECT * FROM scale.placement'),
		'42501', 'where others are is not told');
	is(ask($stage, 'regress_awspool_p0', "SELECT scale.map_role('regress_awspool_all')"),
		'42501', 'mappings are made by the owner');
	return;
}

sub refuse_moves
{
	my ($stage) = @_;
	my ($here, $there) = two_servers($stage);
	my ($old, $new) = @{ $stage->{servers} }{ $here, $there };

	like(said($stage, 'p9', $there), qr/nobody knows where p9 is/, 'a provider that is not placed');
	like(said($stage, 'p0', 's9'), qr/there is no server "s9"/, 'a server that is not there');
	is(said($stage, 'p0', $here), 'it did not refuse', 'where it is already it need not go');
	like(said($stage, '--back', 'p0'), qr/does not move/, 'nothing to give up');

	$old->sql("CREATE ROLE regress_awspool_only_here; SELECT awspool.grant_viewer('p0', 'regress_awspool_only_here')");
	like(said($stage, 'p0', $there), qr/not there on $there: regress_awspool_only_here/, 'a role that is missing');
	$old->sql("SELECT awspool.revoke_viewer('p0', 'regress_awspool_only_here'); DROP ROLE regress_awspool_only_here");

	$new->sql("SELECT awspool.thaw_provider('p0'); SELECT awspool.add_account('p0', '888888888888', 'MP-0000', 'SPAM')");
	like(said($stage, 'p0', $there), qr/has accounts on $there, and they are no copy/, 'accounts that would be lost');
	$new->sql("SELECT awspool.delete_account('p0', '888888888888')");
	$new->sql("SELECT awspool.freeze_provider('p0'); SELECT awspool.forget_provider('p0')");
	is($stage->server_of('p0'), $here, 'nothing was moved');
	return;
}

# A claim that is prepared is waited for, and what is given up freezes nothing.
sub wait_for_prepared
{
	my ($stage) = @_;
	my ($here, $there) = two_servers($stage);
	my ($old, $new) = @{ $stage->{servers} }{ $here, $there };

	$old->sql(<<'SQL');
SELECT awspool.add_account('p0', '777000000001', 'MP-0000', 'SPAM'), awspool.add_account('p0', '777000000002', 'MP-0001', 'SPAM');
BEGIN;
SELECT awspool.claim_account('p0', 'MP-0000', 'tour 1');
PREPARE TRANSACTION 'tour';
SQL
	like(said($stage, 'p0', $there), qr/lock timeout/, 'a prepared claim holds up a move');
	is($old->sql("SELECT account_id FROM awspool.claim_account('p0', 'MP-0001', 'tour 2')"),
		'777000000002', 'which gives up, and the provider sells on');
	$old->sql("COMMIT PREPARED 'tour'");
	is(said($stage, 'p0'), 'it did not refuse', 'decided, it holds up nothing');
	is( $new->sql("SELECT account_id, order_id FROM awspool.account WHERE account_id LIKE '77700000000_' ORDER BY 1"),
		"777000000001|tour 1\n777000000002|tour 2", 'and has moved along');
	return;
}

# Whoever is adding accounts on the target is waited for, and what they have added
# is not erased.
sub wait_for_adding
{
	my ($stage) = @_;
	my (undef, $there) = two_servers($stage);
	my $new = $stage->{servers}{$there};
	my $adding = $new->{primary}->background_psql('postgres');

	$new->sql("SELECT awspool.thaw_provider('p0')");
	$adding->query_safe("BEGIN; SELECT awspool.add_account('p0', '777000000003', 'MP-0000', 'SPAM')");
	like(said($stage, 'p0', $there), qr/lock timeout/, 'who is adding an account there holds up a move');
	$adding->query_safe('COMMIT');
	$adding->quit;
	like(said($stage, 'p0', $there), qr/has accounts here that are no copy/, 'and has made it impossible');
	like(said($stage, '--back', 'p0'), qr/p0 is open on $there/, 'which nobody can go back from without a look');
	$new->sql("SELECT awspool.delete_account('p0', '777000000003')");
	$new->sql("SELECT awspool.freeze_provider('p0'); SELECT awspool.forget_provider('p0')");
	is(said($stage, '--back', 'p0'), 'it did not refuse', 'gone, it can be given up');
	return;
}

# What an earlier try has left on the target is no part of the copy.
sub erase_leftovers
{
	my ($stage) = @_;
	my (undef, $there) = two_servers($stage);
	my $new = $stage->{servers}{$there};

	$new->sql(<<'SQL');
DELETE FROM awspool.provider_state WHERE provider = 'p0';
INSERT INTO awspool.provider_state (provider, state) VALUES ('p0', 'frozen');
INSERT INTO awspool.account (provider, account_id, marketplace, model) VALUES ('p0', '777000000009', 'MP-0000', 'SPAM');
SQL
	is(said($stage, 'p0', $there), 'it did not refuse', 'a move to where a part of a copy is');
	is( $new->sql("SELECT account_id FROM awspool.account WHERE account_id LIKE '77700000000_' ORDER BY 1"),
		"777000000001\n777000000002", 'has what the source has');
	return;
}

# The reading database, restored to an earlier time, does not know that the target
# sells already: neither going on nor going back may touch it.
sub distrust_reader
{
	my ($stage) = @_;
	my ($here, $there) = two_servers($stage);
	my $former = $stage->{servers}{$there};

	$former->sql("SELECT awspool.thaw_provider('p0'), awspool.freeze_provider('p0')");
	$stage->{reader}->sql("UPDATE scale.placement SET server = '$there', moves_to = '$here', step = 'freeze' WHERE provider = 'p0'", 'reader');
	like(said($stage, 'p0'), qr/p0 is open on $here/, 'the target is open, and is not copied over');
	like(said($stage, '--back', 'p0'), qr/p0 is open on $here/, 'nor is the source opened');
	is($former->sql("SELECT state FROM awspool.provider_state WHERE provider = 'p0'"), 'frozen', 'which stays frozen');
	$stage->{reader}->sql("UPDATE scale.placement SET server = '$here', moves_to = NULL, step = NULL WHERE provider = 'p0'", 'reader');
	$former->sql("SELECT awspool.forget_provider('p0')");
	return;
}

# A server that is gone, and has still to forget a provider, keeps no other from
# moving.
sub go_round_lost_server
{
	my ($stage) = @_;
	my ($p0, $p1) = map { $stage->server_of($_) } qw(p0 p1);
	my ($lost) = grep { $_ ne $p0 && $_ ne $p1 } qw(s1 s2 s3);
	my ($there) = grep { $_ ne $lost && $_ ne $p1 } qw(s1 s2 s3);
	my $server = $stage->{servers}{$lost};

	$server->sql("SELECT awspool.thaw_provider('p0'), awspool.freeze_provider('p0')");
	$stage->{reader}->sql("UPDATE scale.placement SET moved_from = '$lost', step = 'forget' WHERE provider = 'p0'", 'reader');
	$server->{primary}->stop;
	like(said($stage, 'p0'), qr/it ends here, at .*port=@{[ $server->{primary}->port ]}/, 'who is down cannot forget');
	is(said($stage, 'p1', $there), 'it did not refuse', 'and keeps nobody else from moving');
	$server->start;
	is(said($stage, 'p0'), 'it did not refuse', 'up again, it forgets');
	is($server->sql("SELECT state FROM awspool.provider_state WHERE provider = 'p0'"), 'away', 'and knows so');
	return;
}

# Where p0 sells, and another one.
sub two_servers
{
	my ($stage) = @_;
	my $here = $stage->server_of('p0');

	return ($here, (grep { $_ ne $here } qw(s1 s2 s3))[0]);
}

sub said
{
	my ($stage, @args) = @_;

	local @ENV{ keys %{ $stage->{env} } } = values %{ $stage->{env} };
	my $said = `$FindBin::RealBin/../../contrib/scale/move @args 2>&1`;
	return $? == 0 ? 'it did not refuse' : $said;
}

sub look_with_a_server_down
{
	my ($stage) = @_;
	my $up = $stage->server_of('p0');
	my ($down) = grep { $_ ne $up } qw(s1 s2 s3);
	my $server = $stage->{servers}{$down};

	$server->{primary}->stop;
	for my $view (qw(pool_status pool_activity))
	{
		is( ask($stage, 'regress_awspool_all',
				"SELECT server FROM awspool.$view WHERE server_down IS NOT NULL"),
			$down, "$view tells that a server is down");
	}
	cmp_ok(
		ask($stage, 'regress_awspool_all', 'SELECT count(DISTINCT server) FROM awspool.pool_status'),
		'>', 1, 'and shows the others');
	is( ask($stage, 'regress_awspool_all',
			"SELECT server, severity FROM awspool.alerts WHERE alert = 'unreachable'"),
		"$down|critical", 'it is an alert');
	is(ask($stage, 'regress_awspool_all', 'SELECT count(*) FROM awspool.accounts'),
		'08001', 'the list of all accounts fails');
	like(ask($stage, 'regress_awspool_all', "SELECT count(*) FROM $up.accounts"),
		qr/^\d+$/, 'that of a server that is up does not');
	$server->start;
	is( ask($stage, 'regress_awspool_all',
			'SELECT count(*) FROM awspool.pool_status WHERE server_down IS NOT NULL'),
		'0', 'up again, all is well');
	return;
}

1;
