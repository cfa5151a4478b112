# Version 1.0 goes on working with the library of today, and can be updated to
# what a new database gets: the same objects, comments and privileges, with every
# account in its place.

use strict;
use warnings FATAL => 'all';

use Digest::SHA;
use FindBin;
use JSON::PP ();
use lib $FindBin::RealBin;
use Awspool;
use Catalog;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = "$FindBin::RealBin/../..";
my $dir = PostgreSQL::Test::Utils::tempdir;

#
# The versions: what was published stays as it is, and all agree on what is next.
#

is(Digest::SHA->new(256)->addfile("$top/awspool--1.0.sql")->hexdigest,
	'af1719a9e87bb5c3836e4651575fca04cc7e5c129a54d06f8870a5df3f86249f',
	'the script of 1.0 is the one that was published');

my ($version) =
  slurp_file("$top/awspool.control") =~ /^default_version = '(.+)'$/m;
my $meta = JSON::PP::decode_json(slurp_file("$top/META.json"));
my $provided = $meta->{provides}{awspool};
like($meta->{version}, qr/^\Q$version\E\.\d+$/,
	'META.json has the version of the control file, and a third number');
is($provided->{version}, $meta->{version}, 'in both places');
is($provided->{file}, "awspool--$version.sql", 'and its script');
ok(-e "$top/$provided->{file}", 'which is there');
is((slurp_file("$top/CHANGELOG.md") =~ /^## (\S+)$/m)[0],
	$version, 'the newest heading of CHANGELOG.md has it, too');

#
# How databases are compared.
#

# Whether two texts are the same; if not, it says in which lines they differ.
sub same_text
{
	my ($got, $expected, $name) = @_;

	return if ok($got eq $expected, $name);
	my @files = ("$dir/expected", "$dir/got");
	unlink @files;
	append_to_file($files[0], "$expected\n");
	append_to_file($files[1], "$got\n");
	my ($diff) = run_command([ 'diff', '-U', '1', @files ]);
	diag($diff);
	return;
}

my $node = start_pool('update');

# Run a program on a database, and return what it writes; it has nothing to
# complain of.
sub run_on
{
	my ($dbname, @command) = @_;
	local $ENV{PGHOST} = $node->host;
	local $ENV{PGPORT} = $node->port;
	my ($stdout, $stderr) = run_command([ @command, '-d', $dbname ]);

	is($stderr, '', "$command[0] of $dbname has nothing to complain of");
	return $stdout;
}

# A dump as text, without what differs each time.
sub dump_text
{
	my ($dbname) = @_;

	return run_on($dbname, 'pg_dump') =~ s/^\\(un)?restrict .*\n//mgr;
}

# The dump that pg_upgrade makes, which has the objects of extensions as well;
# without the numbers that they have here.
sub upgrade_dump
{
	my ($dbname) = @_;
	my $text = run_on($dbname, 'pg_dump', '--schema-only', '--binary-upgrade');

	$text =~ s/^\\(un)?restrict .*\n//mg;
	$text =~ s/^SELECT pg_catalog\.binary_upgrade_.*\n//mg;
	$text =~ s/^(SET relfrozenxid = |WHERE oid = ).*\n//mg;
	return $text;
}

sub same_objects
{
	my ($dbname, $expected, $name) = @_;

	same_text(
		describe_extension($node, $dbname, 'awspool'),
		describe_extension($node, $expected, 'awspool'),
		"$name: the same objects, comments and privileges");
	same_text(upgrade_dump($dbname), upgrade_dump($expected),
		"$name: as pg_upgrade takes them along");
	return;
}

# All that the pool has stored, by the columns that 1.0 had.
sub contents
{
	my ($dbname) = @_;

	return $node->safe_psql($dbname, <<'SQL');
SELECT provider, account_id, marketplace, model, status, order_id, order_model, reason, added_at, added_by,
	claimed_at, claimed_by, closed_at, closed_by, position
FROM awspool.account ORDER BY position;
SELECT log_id, provider, account_id, at, actor, event, detail, used FROM awspool.account_log ORDER BY log_id;
SELECT provider, role, role_oid FROM awspool.provider_role ORDER BY provider, role;
SELECT last_value, is_called FROM awspool.account_position;
SELECT last_value, is_called FROM awspool.account_log_log_id_seq;
SQL
}

sub create_database
{
	my ($dbname, $template, $sql) = @_;

	$node->safe_psql('postgres', "CREATE DATABASE $dbname TEMPLATE $template");
	$node->safe_psql($dbname, $sql) if $sql;
	return;
}

sub installed_version
{
	my ($dbname) = @_;

	return $node->safe_psql($dbname,
		"SELECT extversion FROM pg_extension WHERE extname = 'awspool'");
}

#
# The whole life of accounts, by functions and views: the same with either
# script.  What is left has every status, edits, deletions and grants, and ready
# accounts whose age is not the order of their ids.
#

$node->safe_psql('postgres', <<'SQL');
CREATE ROLE regress_awspool_seller;
CREATE ROLE regress_awspool_all;
CREATE ROLE regress_awspool_gone;
CREATE ROLE regress_awspool_stranger;
SQL

my $life = <<'SQL';
SELECT awspool.grant_provider('acme', 'regress_awspool_seller');
SELECT awspool.grant_provider('*', 'regress_awspool_all');
SELECT awspool.grant_provider('acme', 'regress_awspool_gone');
SELECT awspool.revoke_provider('acme', 'regress_awspool_gone');
SELECT awspool.grant_provider('other', 'regress_awspool_gone');
SET ROLE regress_awspool_seller;
SELECT awspool.acts_for_all(), awspool.my_providers();
COPY awspool.import (account_id, marketplace_id, account_model) FROM STDIN (FORMAT csv, DELIMITER ';', HEADER);
account_id;marketplace_id,account_model
900000000090;MP-0001;SPAM
900000000010;MP-0001;SPAM
900000000050;MP-0001;SPAM
\.
SELECT line, outcome FROM awspool.check_csv('acme', E'900000000090;MP-0001;SPAM\n900000000080;MP-0001;SPAN');
SELECT line, outcome FROM awspool.import_csv('acme', E'900000000080;MP-0001;SPAM\n900000000030;MP-0001;SPAM');
SELECT line, outcome FROM awspool.import_csv('acme', E'900000000081;MP-0001;SPAM\n900000000031;MP-0001;SPAN');
SELECT account_id, status, added_by FROM awspool.add_account('acme', '900000000020', 'MP-0001', 'SPAM');
INSERT INTO awspool.accounts (provider, account_id, marketplace, model)
	SELECT 'acme', '9000000000' || i, 'MP-0001', 'SPAM' FROM unnest('{70,40,60,95,65,75,85}'::int[]) i;
INSERT INTO awspool.accounts (provider, account_id, marketplace, model) VALUES ('acme', '900000000099', 'MP-0002', 'ECAM');
SELECT awspool.add_account('other', '900000000098', 'MP-0001', 'SPAM');
SELECT awspool.add_account('acme', '900000000020', 'MP-0001', 'SPAM');
-- Every status
SELECT account_id, status, order_id FROM awspool.claim_account('acme', 'MP-0001', 'allocated');
SELECT account_id, status FROM awspool.allocate_account('acme', '900000000090', 'allocated');
SELECT account_id, status FROM awspool.claim_account('acme', 'MP-0001', 'allocated');
SELECT account_id FROM awspool.claim_account('acme', 'MP-0001', 'failed');
SELECT account_id, reason FROM awspool.fail_account('acme', '900000000010', E'no\\quota\n;\t"', 'failed');
SELECT account_id FROM awspool.claim_account('acme', 'MP-0001', 'invalid');
SELECT account_id, status FROM awspool.invalidate_account('acme', '900000000050', 'closed by AWS');
SELECT account_id FROM awspool.claim_account('acme', 'MP-0001', 'held');
SELECT account_id FROM awspool.claim_account('acme', 'MP-0001', 'replaced');
SELECT account_id, order_id FROM awspool.replace_account('acme', '900000000030', 'no login', 'replaced');
SELECT account_id FROM awspool.claim_account('acme', 'MP-0001', 'deleted');
UPDATE awspool.accounts SET status = 'allocated' WHERE account_id = '900000000070' RETURNING status;
SELECT account_id FROM awspool.claim_account('acme', 'MP-0001');
BEGIN; SELECT account_id FROM awspool.claim_account('acme', 'MP-0001', 'undone'); ROLLBACK;
-- Edits and deletions
DELETE FROM awspool.accounts WHERE account_id = '900000000070' RETURNING status;
SELECT account_id, outcome FROM awspool.delete_accounts('acme', '{900000000060,900000000080,900000000060}');
SELECT account_id, marketplace FROM awspool.edit_account('acme', '900000000099', 'MP-0001');
SELECT account_id, model, order_model FROM awspool.edit_account('acme', '900000000080', model => 'ECAM');
UPDATE awspool.accounts SET model = 'ECAM' WHERE account_id = '900000000095' RETURNING model;
SELECT status FROM awspool.delete_account('acme', '900000000065');
SELECT marketplace, ready, provisioning_in_progress, allocated, provisioning_failed, invalid, claims_7d FROM awspool.pool_status ORDER BY 1;
SELECT actor, event, detail FROM awspool.account_history('acme', '900000000070');
SELECT account_id FROM awspool.accounts WHERE account_id IN ('900000000099', '900000000070', '900000000098');
-- Refused
SELECT awspool.add_account('acme', '900000000070', 'MP-0001', 'SPAM');
SELECT awspool.allocate_account('acme', '900000000080', 'other order');
SELECT awspool.fail_account('acme', '900000000090');
SELECT awspool.delete_account('acme', '900000000080');
SELECT awspool.delete_account('acme', '900000000098');
SELECT awspool.grant_provider('acme', 'regress_awspool_stranger');
SELECT count(*) FROM awspool.lint();
SELECT count(*) FROM awspool.account;
SET ROLE regress_awspool_stranger;
SELECT count(*) FROM awspool.accounts;
SELECT awspool.claim_account('acme', 'MP-0001');
RESET ROLE;
UPDATE awspool.account SET status = 'ready' WHERE status = 'allocated';
SELECT severity, problem FROM awspool.lint() WHERE object <> 'server';
SQL

my $told = <<'END';
f|{acme}
1|present
2|rejected
1|added
2|added
900000000020|ready|regress_awspool_seller
900000000090|provisioning_in_progress|allocated
900000000090|allocated
900000000090|allocated
900000000010
900000000010|no\quota
;	"
900000000050
900000000050|invalid
900000000080
900000000030
900000000020|replaced
900000000070
allocated
900000000040
900000000060
allocated
900000000060|deleted
900000000080|in_use
900000000060|not_found
900000000099|MP-0001
900000000080|ECAM|SPAM
ECAM
ready
MP-0001|4|3|1|2|1|7
regress_awspool_seller|added|
regress_awspool_seller|claimed|for order "deleted", as SPAM
regress_awspool_seller|allocated|
regress_awspool_seller|deleted|allocated, MP-0001, SPAM
900000000099
0
END
my @refused = qw(WS006 42501 23505 WS005 WS002 WS001 WS004 WS003 42501 42501 42501 42501 WS001);
my @ready = map { "9000000000$_" } 95, 75, 85, 99;

sub live
{
	my ($name, $dbname) = @_;
	my ($ret, $stdout, $stderr) =
	  $node->psql($dbname, "\\set VERBOSITY sqlstate\n$life", on_error_stop => 0);

	# Since 1.1 claims of accounts that are gone count, and pools that are empty
	# are shown.
	my $expected = $told;
	$expected =~ s/^(MP-0001(?:\|\d+){5})\|7$/$1|8\nMP-0002|0|0|0|0|0|0/m
	  if $name eq $version;
	same_text($stdout =~ s/^\n//mgr . "\n", $expected, "$name: the whole life of accounts");
	is(join(' ', $stderr =~ /ERROR:  (\w{5})$/mg),
		"@refused", "$name: and what is refused") or diag($stderr);
	is( $node->safe_psql($dbname,
			'SELECT count(DISTINCT status) FROM awspool.account'),
		'5',
		"$name: there is every status");
	return;
}

# Use up what is left.
sub claim_on
{
	my ($name, $dbname) = @_;

	is(claim($node, 'held', $dbname),
		'900000000080', "$name: an order holds its account");
	is( sqlstate(
			$node,
			"SELECT awspool.add_account('acme', '900000000070', 'MP-0001', 'SPAM');",
			$dbname),
		'WS005',
		"$name: a used id is refused");
	$node->safe_psql($dbname,
		"SELECT awspool.add_account('acme', '900000000001', 'MP-0001', 'SPAM')");
	is(join(' ', map { claim($node, undef, $dbname) } 0 .. @ready + 1),
		"@ready 900000000001 ", "$name: claims go on, oldest first");
	return;
}

create_database('old', 'template0', "CREATE EXTENSION awspool VERSION '1.0'");
live("1.0 with today's library", 'old');
live($version, 'postgres');
is(installed_version('old'), '1.0', 'the old pool has the script of 1.0');

#
# An update: nothing is lost, and the rest is as in a new database.
#

my $stored = contents('old');
my $dump = "$dir/dump";
run_on('old', 'pg_dump', '-Fc', '-f', $dump);

create_database('updated', 'old', 'ALTER EXTENSION awspool UPDATE');
is(installed_version('updated'), $version, 'the pool is updated');
same_text(contents('updated'), $stored, 'updated: all that was stored is there');
same_objects('updated', 'postgres', 'updated');

# Undone, it was nothing, also for the session that did it.
create_database('undone', 'old');
is( $node->safe_psql('undone',
		"BEGIN; ALTER EXTENSION awspool UPDATE; @{[claim_sql('undone')]}; ROLLBACK; @{[claim_sql('next')]};"),
	"$ready[0]\n$ready[0]",
	'undone: the session goes on with 1.0');
same_objects('undone', 'old', 'undone');

# Another superuser, whose objects are open to everybody: what is new belongs to
# the owner of what is there, and is as closed.
my $generous = join ' ', map {
	"ALTER DEFAULT PRIVILEGES FOR ROLE CURRENT_USER, regress_awspool_admin GRANT ALL ON $_ TO PUBLIC, regress_awspool_all;"
} qw(TABLES SEQUENCES FUNCTIONS TYPES);
$node->safe_psql('postgres', 'CREATE ROLE regress_awspool_admin LOGIN SUPERUSER');
create_database('by_other', 'old');
create_database('generous', 'template0',
	"$generous CREATE EXTENSION awspool VERSION '1.0'");
create_database('generous_new', 'template0', "$generous CREATE EXTENSION awspool");
$node->safe_psql($_, 'ALTER EXTENSION awspool UPDATE',
	extra_params => [ '-U', 'regress_awspool_admin' ])
  for 'by_other', 'generous';
same_objects('by_other', 'postgres', 'updated by another superuser');
same_objects('generous', 'generous_new', 'updated among default privileges');

#
# What its users built on 1.0 stays: on every function and view that the
# reference tells of, and on the tables.
#

sub privileges
{
	my ($dbname) = @_;

	# Two functions of the machinery are others now, and one is gone.
	return join "\n", sort
	  grep { /^(GRANT|REVOKE) / && !/awspool\.(narrow_accounts|visible_accounts|count_pools)/ }
	  split "\n", dump_text($dbname);
}

create_database('built_upon', 'old', <<'SQL');
ALTER TABLE awspool.account ADD COLUMN note text DEFAULT 'mine', ADD CHECK (note <> 'yours');
ALTER TABLE awspool.account_log ADD COLUMN note text DEFAULT 'mine';
ALTER TABLE awspool.provider_role ADD COLUMN note text DEFAULT 'mine';
CREATE INDEX my_index ON awspool.account (note);
CREATE TABLE my_order (account_id text REFERENCES awspool.account);
INSERT INTO my_order SELECT account_id FROM awspool.accounts WHERE status = 'allocated';
CREATE FUNCTION my_trigger() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.note := ''seen''; RETURN NEW; END';
CREATE TRIGGER my_trigger BEFORE UPDATE ON awspool.account FOR EACH ROW EXECUTE FUNCTION my_trigger();
CREATE VIEW my_accounts AS SELECT * FROM awspool.accounts;
CREATE VIEW my_pool_status AS SELECT * FROM awspool.pool_status;
CREATE VIEW my_import AS SELECT * FROM awspool.import;
CREATE FUNCTION my_claim() RETURNS TABLE (account_id text, status text) LANGUAGE sql
	BEGIN ATOMIC SELECT account_id, status FROM awspool.claim_account('acme', 'MP-0001'); END;
DO $$
DECLARE
	called record;
BEGIN
	FOR called IN
		SELECT proname, (SELECT string_agg('NULL::' || t::regtype, ', ') FROM unnest(proargtypes) t) AS arguments
		FROM pg_proc
		WHERE pronamespace = 'awspool'::regnamespace AND prorettype <> 'trigger'::regtype
			AND proname NOT IN ('is_well_formed', 'account_events', 'visible_accounts', 'count_pools', 'narrow_accounts', 'plan_accounts')
	LOOP
		EXECUTE format('CREATE FUNCTION my_%1$s() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM awspool.%1$I(%2$s); END',
			called.proname, called.arguments);
	END LOOP;
END
$$;
GRANT SELECT ON awspool.account, awspool.account_position TO regress_awspool_all;
GRANT SELECT (provider), UPDATE (provider) ON awspool.provider_role TO regress_awspool_all;
GRANT SELECT ON awspool.accounts, awspool.pool_status, awspool.import TO regress_awspool_all WITH GRANT OPTION;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA awspool TO regress_awspool_all WITH GRANT OPTION;
REVOKE DELETE ON awspool.accounts FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION awspool.delete_account, awspool.delete_accounts FROM PUBLIC;
SQL
my $given = privileges('built_upon');
like($given, qr/^GRANT SELECT,INSERT,UPDATE ON TABLE awspool\.accounts TO PUBLIC;$/m,
	'there are privileges of the users\' own');
is( sqlstate($node, 'ALTER EXTENSION awspool UPDATE;', 'built_upon'),
	'', 'what was built upon 1.0 is no hindrance to an update');
same_text(privileges('built_upon'), $given, 'privileges of the users\' own stay');
same_text(contents('built_upon'), $stored, 'and so does all that was stored');
is( $node->safe_psql('built_upon',
		'SELECT count(*) FROM my_accounts; SELECT ready FROM my_pool_status; SELECT account_id, status FROM my_claim()'
	),
	"11\n4\n$ready[0]|provisioning_in_progress",
	'functions and views of the users\' own go on');
shift @ready;
claim_on('built_upon', 'built_upon');
unshift @ready, '900000000095';
is( $node->safe_psql('built_upon',
		'SELECT note, count(*) FROM awspool.account GROUP BY 1 ORDER BY 1'),
	"mine|7\nseen|5",
	'and a column and a trigger');
is( $node->safe_psql('built_upon', <<'SQL'),
SELECT FROM awspool.edit_account('acme', '900000000001', model => 'ECAM');
SELECT FROM awspool.invalidate_account('acme', '900000000099');
SELECT FROM awspool.delete_account('acme', '900000000099');
SELECT event, detail FROM awspool.account_history('acme', '900000000001');
SELECT event FROM awspool.account_history('acme', '900000000099');
SELECT DISTINCT note FROM awspool.account_log;
SELECT awspool.grant_provider('acme', 'regress_awspool_stranger');
SELECT note FROM awspool.provider_role WHERE role = 'regress_awspool_stranger';
SQL
	join("\n",
		'added|', 'claimed|without an order, as SPAM', 'edited|model from SPAM to ECAM',
		'added', 'edited', 'claimed', 'invalidated', 'deleted', 'mine', '', 'mine'),
	'in every table');

#
# Sessions that use the pool meanwhile go on, with all that they prepared.
#

create_database('sessions', 'old', <<'SQL');
CREATE FUNCTION serve(id text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	claimed text;
	told text;
BEGIN
	PERFORM awspool.add_account('acme', id, 'MP-0003', 'SPAM');
	SELECT account_id INTO claimed FROM awspool.claim_account('acme', 'MP-0003', 'order ' || id);
	PERFORM awspool.allocate_account('acme', claimed);
	DELETE FROM awspool.accounts WHERE account_id = claimed;
	SELECT string_agg(event, ' ' ORDER BY at) INTO told FROM awspool.account_history('acme', claimed);
	RETURN format('%s %s', claimed, told);
END
$$;
SELECT awspool.import_csv('acme', string_agg(format('91%s;MP-0004;SPAM', lpad(i::text, 10, '0')), E'\n' ORDER BY i))
FROM generate_series(1, 100) i;
SQL

my ($number, $oldest) = (0, 0);

# What a prepared statement returns may not change, and texts of the views have
# another collation since 1.1: those that leave it to the view are prepared anew.
sub start_session
{
	my $session = $node->background_psql('sessions');

	$session->query_safe(<<'SQL');
SET ROLE regress_awspool_seller;
PREPARE claim AS SELECT account_id COLLATE "C" FROM awspool.claim_account('acme', 'MP-0004');
PREPARE look (text) AS SELECT model COLLATE "C", status COLLATE "C" FROM awspool.accounts WHERE account_id = $1;
PREPARE edit (text) AS UPDATE awspool.accounts SET model = 'ECAM' WHERE account_id = $1 RETURNING model COLLATE "C";
PREPARE count AS SELECT ready + provisioning_in_progress FROM awspool.pool_status WHERE marketplace = 'MP-0004';
PREPARE import (text) AS INSERT INTO awspool.import (account_id, marketplace_id, account_model) VALUES ($1, 'MP-0005', 'SPAM');
SQL
	return $session;
}

# What a session says to everything, once; oldest is the account that it claims.
sub serve
{
	my ($session, $name) = @_;
	my ($id, $account) =
	  (sprintf('92%010d', ++$number), sprintf('91%010d', ++$oldest));

	is( $session->query_safe(
			"SELECT serve('$id'); EXECUTE claim; EXECUTE look ('$account'); EXECUTE edit ('$account'); EXECUTE count; EXECUTE import ('93' || substr('$id', 3));"
		),
		"$id added claimed allocated deleted\n$account\nSPAM|provisioning_in_progress\nECAM\n100",
		$name);
	return;
}

my @sessions = map { start_session() } 1 .. 2;
my $unaware = $node->background_psql('sessions', on_error_stop => 0);
$unaware->query_safe('PREPARE texts AS SELECT account_id FROM awspool.accounts; EXECUTE texts');
for my $time (1 .. 7)
{
	serve($_, "a session of 1.0, for time $time") for @sessions;
}

# One is in the middle of a transaction, which an update may wait for.
$sessions[0]->query_safe('BEGIN');
serve($sessions[0], 'in a transaction');
my ($out, $err) = ('', '');
my $update = IPC::Run::start(
	[ 'psql', '-XqAt', '-d', $node->connstr('sessions'), '-c', 'ALTER EXTENSION awspool UPDATE' ],
	'<', \undef, '>', \$out, '2>', \$err);
ok( $node->poll_query_until('sessions',
		"SELECT extversion = '$version' FROM pg_extension WHERE extname = 'awspool'
		 UNION SELECT true FROM pg_stat_activity WHERE query LIKE 'ALTER EXTENSION%' AND wait_event_type = 'Lock'
		 ORDER BY 1 DESC LIMIT 1"),
	'an update begins');
serve($sessions[0], 'in a transaction that began before the update');
$sessions[0]->query_safe('COMMIT');
$update->finish;
is($err, '', 'and ends');
is(installed_version('sessions'), $version, 'the pool is updated');
for my $time (1 .. 7)
{
	serve($_, "a session that goes on, for time $time") for @sessions;
}
is( $unaware->query('EXECUTE texts'), '', 'a statement whose texts have another collation now');
like($unaware->{stderr}, qr/cached plan must not change result type/, 'is to be prepared anew');
$unaware->quit;
push @sessions, start_session();
serve($sessions[2], 'a session that begins');
$_->quit for @sessions;

#
# Dumps of either version can be restored, and are the same again.
#

sub restore
{
	my ($dbname, $from) = @_;

	create_database($dbname, 'template0');
	run_on($dbname, 'pg_restore', $from);
	is(installed_version($dbname), $version, "$dbname: has the version of today");
	return;
}

restore('restored_old', $dump);
same_text(contents('restored_old'), $stored,
	'a dump of 1.0, restored: all that was stored is there');
same_text(dump_text('restored_old'), dump_text('updated'),
	'it dumps as an updated one');

create_database('restored_data', 'template0', 'CREATE EXTENSION awspool');
run_on('restored_data', 'pg_restore', '--data-only', $dump);
same_text(dump_text('restored_data'), dump_text('updated'),
	'so do its data alone');

for my $dbname ('updated', 'postgres')
{
	run_on($dbname, 'pg_dump', '-Fc', '-f', "$dump.$dbname");
	restore("restored_$dbname", "$dump.$dbname");
	same_text(dump_text("restored_$dbname"), dump_text($dbname),
		"$dbname: dumped and restored it is the same");
}
same_objects("restored_$_", 'restored_postgres', "restored_$_") for 'old', 'updated';

# And all of them claim on.
claim_on($_, $_) for qw(old updated by_other restored_old restored_data restored_updated);

$node->stop;
done_testing();
