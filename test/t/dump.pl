# A backup is complete: what pg_dump writes and a restore reads back is the
# same pool, which claims on where it stopped, with the same grants.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use Awspool;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_pool('old');
my $dir = PostgreSQL::Test::Utils::tempdir;

my @granted = ('regress_awspool_seller', 'regress_awspool_all');
my @lost = ('regress_awspool_dropped', 'regress_awspool_renamed');
my $watcher = 'regress_awspool_watcher';

#
# The old pool: every status, in an order that is not the order of the ids;
# edits, deletions and grants, some of which count no more.
#

add_accounts($node, map { "90000000$_" }
	  '0090', '0010', '0050', '0080', '0020', '0030', '0070', '0040', '0060',
	'0100', '0110');
$node->safe_psql('postgres', <<'SQL');
SELECT awspool.add_account('acme', '900000000200', 'MP-0002', 'ECAM');
SELECT awspool.add_account('other', '900000000300', 'MP-0001', 'SPAM');

SELECT awspool.claim_account('acme', 'MP-0001', 'o-allocated');       -- 90
SELECT awspool.allocate_account('acme', '900000000090', 'o-allocated');
SELECT awspool.claim_account('acme', 'MP-0001', 'o-failed');          -- 10
SELECT awspool.fail_account('acme', '900000000010', E'no\\quota\n;\t"', 'o-failed');
SELECT awspool.claim_account('acme', 'MP-0001', 'o-invalid');         -- 50
SELECT awspool.invalidate_account('acme', '900000000050', 'closed by AWS');
SELECT awspool.claim_account('acme', 'MP-0001', 'o-running');         -- 80
SELECT awspool.claim_account('acme', 'MP-0001');                      -- 20
SELECT awspool.claim_account('acme', 'MP-0001', 'o-deleted');         -- 30
SELECT awspool.allocate_account('acme', '900000000030');
SELECT awspool.delete_account('acme', '900000000030');
SELECT awspool.invalidate_account('acme', '900000000070');
SELECT awspool.delete_account('acme', '900000000040');
SELECT awspool.edit_account('acme', '900000000200', 'MP-0001');
SELECT awspool.edit_account('acme', '900000000080', model => 'ECAM');
SELECT awspool.edit_account('acme', '900000000060', model => 'ECAM');

CREATE ROLE regress_awspool_seller;
CREATE ROLE regress_awspool_all;
CREATE ROLE regress_awspool_dropped;
CREATE ROLE regress_awspool_renamed;
CREATE ROLE regress_awspool_stranger LOGIN;
CREATE ROLE regress_awspool_watcher;
CREATE ROLE regress_awspool_reader LOGIN IN ROLE pg_read_all_data;
SELECT awspool.grant_provider('acme', 'regress_awspool_seller');
SELECT awspool.grant_provider('other', 'regress_awspool_seller');
SELECT awspool.grant_provider('*', 'regress_awspool_all');
SELECT awspool.grant_provider('acme', 'regress_awspool_dropped');
SELECT awspool.grant_provider('acme', 'regress_awspool_renamed');
SELECT awspool.grant_viewer('acme', 'regress_awspool_watcher');
SELECT awspool.grant_viewer('*', 'regress_awspool_dropped');
SELECT awspool.grant_viewer('acme', 'regress_awspool_renamed');
DROP ROLE regress_awspool_dropped;
ALTER ROLE regress_awspool_renamed RENAME TO regress_awspool_newname;
SQL

# What is ready, oldest first: the edited account keeps its age in its new pool.
my @ready = map { "900000000$_" } '060', '100', '110', '200';
is( $node->safe_psql('postgres',
		"SELECT account_id FROM awspool.account WHERE provider = 'acme' AND status = 'ready' ORDER BY position"
	),
	join("\n", @ready),
	'the old pool has its order');
is( $node->safe_psql('postgres',
		'SELECT count(DISTINCT status) FROM awspool.account'),
	'5',
	'and every status');

#
# What a dump is, and that nothing in it changes on its way there and back.
#

# Run a program that has nothing to complain of.
sub run_silently
{
	my ($name, $on, @command) = @_;
	local $ENV{PGHOST} = $on->host;
	local $ENV{PGPORT} = $on->port;
	my ($stdout, $stderr) = run_command(\@command);

	is($stderr, '', "$name: no error and no warning");
	return $stdout;
}

# A dump as text, without what differs each time, nor the oids of roles.
sub dump_text
{
	my ($name, $on, $dbname) = @_;
	my $text = run_silently("dump of $name", $on, 'pg_dump', '-d', $dbname);

	$text =~ s/^\\(un)?restrict .*\n//mg;
	$text =~ s/^(\S+\tregress_awspool_\w+)\t\d+$/$1/mg;
	return $text;
}

my $text = dump_text('the old pool', $node, 'postgres');
like($text, qr/^COPY awspool\.$_ /m, "the dump has the rows of $_")
  for 'account', 'account_log', 'provider_role', 'provider_viewer';
unlike($text, qr/$_/, "the dump does not have the grant of $_") for @lost;
my %statements =
  map { $_ => 1 } $text =~ /^((?:CREATE|ALTER|GRANT|REVOKE|DROP) \w+)/mg;
is( join(', ', sort keys %statements),
	'ALTER SCHEMA, CREATE EXTENSION, CREATE SCHEMA',
	'the dump makes the extension, and none of its objects by itself');

#
# A restored pool is the old one.
#

sub check_pool
{
	my ($name, $on, $dbname) = @_;

	is(dump_text($name, $on, $dbname), $text, "$name: dumps as the old one");
	is(statuses($on, $dbname), statuses($node),
		"$name: the same accounts in the same order");
	is( $on->safe_psql($dbname,
			'SELECT last_value, is_called FROM awspool.account_position'),
		$node->safe_psql('postgres',
			'SELECT last_value, is_called FROM awspool.account_position'),
		"$name: the next position is the same");
	my $history =
	  "SELECT a, h.* FROM generate_series(10, 110, 10) a, awspool.account_history('acme', '900000000' || lpad(a::text, 3, '0')) h";
	is( $on->safe_psql($dbname, $history),
		$node->safe_psql('postgres', $history),
		"$name: the same histories");
	return;
}

# Use it up.
sub check_claims
{
	my ($name, $on, $dbname) = @_;

	is(claim($on, 'o-running', $dbname),
		'900000000080', "$name: an order still holds its account");
	is( sqlstate(
			$on,
			"SELECT awspool.add_account('acme', '900000000030', 'MP-0001', 'SPAM');",
			$dbname),
		'WS005',
		"$name: a used id that was deleted is still refused");
	is( sqlstate(
			$on,
			"UPDATE awspool.account SET status = 'ready' WHERE status <> 'ready';",
			$dbname),
		'WS001',
		"$name: the transitions are guarded");
	is( sqlstate(
			$on,
			"SELECT awspool.add_account('acme', '900000000040', 'MP-0001', 'SPAM');
			 SELECT awspool.delete_account('acme', '900000000040');
			 SELECT awspool.add_account('acme', '900000000040', 'MP-0001', 'SPAM');",
			$dbname),
		'',
		"$name: an id that was never used comes and goes");
	for my $account (@ready, '900000000040')
	{
		is(claim($on, undef, $dbname), $account,
			"$name: claims go on with $account");
	}
	is(claim($on, undef, $dbname), '', "$name: and then there is none");
	return;
}

# Which roles act for somebody: those that were granted, and nobody who has
# taken the name of one that is gone.
sub check_grants
{
	my ($name, $on, $dbname) = @_;
	my $providers =
	  "SELECT count(DISTINCT provider) FROM awspool.accounts;";

	for my $role (@granted)
	{
		is($on->safe_psql($dbname, "SET ROLE $role; $providers"),
			'2', "$name: $role acts for its providers");
	}
	is( $on->safe_psql($dbname, "SET ROLE $watcher; $providers"),
		'1', "$name: $watcher sees its provider");
	is( sqlstate(
			$on, "SET ROLE $watcher; SELECT awspool.claim_account('acme', 'MP-0001');", $dbname),
		'42501', "$name: and changes nothing");
	for my $role (@lost)
	{
		$on->safe_psql('postgres', "CREATE ROLE $role");
		is($on->safe_psql($dbname, "SET ROLE $role; $providers"),
			'0', "$name: whoever is $role now has nothing");
		$on->safe_psql('postgres', "DROP ROLE $role");
	}
	return;
}

# Another server, where the roles have other oids
my $new = PostgreSQL::Test::Cluster->new('new');
$new->init;
$new->start;
$new->safe_psql('postgres', join ' ',
	map { "CREATE ROLE $_;" } 'regress_awspool_first', $watcher, reverse @granted);
isnt(
	$new->safe_psql('postgres', "SELECT '$granted[0]'::regrole::oid"),
	$node->safe_psql('postgres', "SELECT '$granted[0]'::regrole::oid"),
	'the roles of the new server have other oids');

run_silently('custom format', $node,
	'pg_dump', '-Fc', '-f', "$dir/custom", '-d', 'postgres');
run_silently('directory format', $node,
	'pg_dump', '-Fd', '-j2', '-f', "$dir/directory", '-d', 'postgres');
run_silently('plain format', $node,
	'pg_dump', '-f', "$dir/plain.sql", '-d', 'postgres');
run_silently('plain inserts', $node,
	'pg_dump', '--column-inserts', '-f', "$dir/inserts.sql", '-d', 'postgres');
run_silently('plain format that cleans', $node,
	'pg_dump', '--clean', '-f', "$dir/clean.sql", '-d', 'postgres');
run_silently('data only', $node,
	'pg_dump', '--data-only', '-f', "$dir/data.sql", '-d', 'postgres');

my @psql = ('psql', '-XqAt', '-o', '/dev/null', '-v', 'ON_ERROR_STOP=1');
my @restores = (
	[ 'custom', 'pg_restore', "$dir/custom" ],
	[ 'single', 'pg_restore', '--single-transaction', "$dir/custom" ],
	[ 'directory', 'pg_restore', '-j2', "$dir/directory" ],
	[ 'plain', @psql, '-f', "$dir/plain.sql" ],
	[ 'inserts', @psql, '-f', "$dir/inserts.sql" ],
	[ 'data_only', @psql, '-f', "$dir/data.sql" ]);
my @others = @restores[ 1 .. $#restores ];

for my $on ($node, $new)
{
	for my $restore ($restores[0], $on == $new ? @others : sample(3, @others))
	{
		my ($dbname, @command) = @$restore;
		my $name = "$dbname on the " . $on->name . ' server';

		$on->safe_psql('postgres',
			"CREATE DATABASE $dbname TEMPLATE template0");
		$on->safe_psql($dbname, 'CREATE EXTENSION awspool')
		  if $dbname eq 'data_only';
		run_silently($name, $on, @command, '-d', $dbname);
		check_pool($name, $on, $dbname);
	}
}

# Grants and claims change the pool, so they come last.
check_grants('the old pool', $node, 'postgres');
check_grants('on the new server', $new, 'custom');
check_grants('restored beside the old one', $node, 'custom');
check_claims($_, $new, $_) for map { $_->[0] } @restores;

# On top of pools that have gone on meanwhile
for my $restore (sample(3,
	[ 'custom', 'pg_restore', '--clean', "$dir/custom" ],
	[ 'inserts', 'pg_restore', '--clean', '--if-exists', "$dir/custom" ],
	[ 'single', 'pg_restore', '--clean', '--single-transaction', "$dir/custom" ],
	[ 'directory', 'pg_restore', '--clean', '-j2', "$dir/directory" ],
	[ 'plain', @psql, '-f', "$dir/clean.sql" ]))
{
	my ($dbname, @command) = @$restore;
	my $name = "clean $dbname";

	run_silently($name, $new, @command, '-d', $dbname);
	check_pool($name, $new, $dbname);
	check_claims($name, $new, $dbname);
}

#
# Parts of a backup: what they hold, and that what comes back of it is right.
#

# Make a database with a pool for a part of these tests.
sub make_database
{
	my ($on, $dbname, @options) = @_;

	$on->safe_psql('postgres',
		"CREATE DATABASE $dbname TEMPLATE template0 @options");
	return;
}

sub make_pool
{
	my ($dbname, $sql, @options) = @_;

	make_database($node, $dbname, @options);
	$node->safe_psql($dbname,
		"SET client_encoding = UTF8; CREATE EXTENSION awspool; $sql");
	return;
}

# Restore a dump of that database, made with these options, on the new server.
sub move_database
{
	my ($from, $to, $dump_options, @restore_options) = @_;

	unlink "$dir/moved";
	run_silently("dump @$dump_options of $from", $node,
		'pg_dump', '-Fc', '-f', "$dir/moved", @$dump_options, '-d', $from);
	run_silently("restore @restore_options into $to", $new,
		'pg_restore', @restore_options, '-d', $to, "$dir/moved");
	return;
}

# What lint() has to say, but of the server.
sub lint
{
	my ($on, $dbname) = @_;

	return $on->safe_psql($dbname,
		"SELECT severity, object, problem FROM awspool.lint() WHERE object <> 'server'");
}

# The tables alone, into a pool that is new: their sequences follow.
make_database($new, 'tables');
$new->safe_psql('tables', 'CREATE EXTENSION awspool');
run_silently('restore of tables', $new,
	'pg_restore', '-d', 'tables', '-t', 'account', '-t', 'account_log',
	"$dir/custom");
is(statuses($new, 'tables'), statuses($node),
	'tables alone: the same accounts in the same order');
$new->safe_psql('tables', <<'SQL');
SELECT awspool.add_account('acme', '900000000900', 'MP-0001', 'SPAM');
SELECT awspool.delete_account('acme', '900000000070');
SQL
is(claim($new, undef, 'tables'), $_, "tables alone: $_ is older than what is added")
  for @ready, '900000000900';

# The schema alone is in a dump only with the extension.
make_database($new, 'schema');
move_database('postgres', 'schema', [ '-n', 'awspool', '-e', 'awspool' ]);
is(statuses($new, 'schema'), statuses($node),
	'schema and extension: the same accounts');
check_claims('schema and extension', $new, 'schema');

my $part = run_silently('dump of the schema', $node,
	'pg_dump', '-n', 'awspool', '-d', 'postgres');
unlike($part, qr/CREATE EXTENSION/, 'a dump of the schema has no extension');
like($part, qr/^900000|^acme\t900000/m, 'it has the rows');
$part = run_silently('dump without the schema', $node,
	'pg_dump', '-N', 'awspool', '-d', 'postgres');
like($part, qr/CREATE EXTENSION/, 'a dump without the schema has the extension');
unlike($part, qr/900000/, 'and no account');

#
# Names have the same length in every encoding.
#

for my $move (sample(3,
	[ 'LATIN1', 'UTF8', "\x{fc}" x 64 ],
	[ 'UTF8', 'LATIN1', "\x{fc}" x 64 ],
	[ 'UTF8', 'SQL_ASCII', "\x{fc}" x 64 ],
	[ 'SQL_ASCII', 'UTF8', "\x{20ac}" x 64 ],
	[ 'UTF8', 'EUC_JP', "\x{3042}" x 64 ],
	# A space that version 1.0 let be, at the end
	[ 'LATIN1', 'UTF8', "\x{fc}" x 63 . "\x{a0}" ]))
{
	my ($from, $to, $name) = @$move;
	my $old_space = $name =~ /\x{a0}/;
	my ($database, $copy) = ('from_' . lc $from, 'to_' . lc $to);
	my $row = 'SELECT provider, account_id, order_id FROM awspool.account';

	utf8::encode($name);
	make_pool($database,
		$old_space
		? "INSERT INTO awspool.account (provider, account_id, marketplace, model, status, order_id, order_model, claimed_at, claimed_by)
		   VALUES ('$name', '900000000001', 'MP-0001', 'SPAM', 'provisioning_in_progress', '$name', 'SPAM', now(), 'me');
		   INSERT INTO awspool.provider_role VALUES ('$name', '$granted[0]', 0);"
		: "SELECT awspool.add_account('$name', '900000000001', 'MP-0001', 'SPAM');
		   SELECT awspool.claim_account('$name', 'MP-0001', '$name');
		   SELECT awspool.grant_provider('$name', '$granted[0]');",
		"ENCODING $from LC_COLLATE 'C' LC_CTYPE 'C'");
	is( sqlstate(
			$node,
			"SET client_encoding = UTF8; SELECT awspool.claim_account('acme', 'MP-0001', '$name');",
			$database),
		$old_space ? '22023' : '',
		"$from: what an order may be called");
	make_database($new, $copy, "ENCODING $to LC_COLLATE 'C' LC_CTYPE 'C'");
	move_database($database, $copy, [], '--single-transaction');
	my ($there, $here) = map {
		$_->[0]->safe_psql($_->[1], "SET client_encoding = UTF8; $row")
	} [ $new, $copy ], [ $node, $database ];
	is($there, $here, "$from to $to: the account is there")
	  unless 'SQL_ASCII' eq $from;
	is( $new->safe_psql(
			$copy,
			($to eq 'SQL_ASCII' ? '' : 'SET client_encoding = UTF8;')
			  . "SET ROLE $granted[0];
			     SELECT account_id FROM awspool.claim_account('$name', 'MP-0001', '$name');"
		),
		'900000000001',
		"$from to $to: the order still holds its account");
	$node->safe_psql('postgres', "DROP DATABASE $database");
	$new->safe_psql('postgres', "DROP DATABASE $copy");
}

#
# Providers that are frozen, or away: whatever order the tables come in.
#

make_pool('moving', <<'SQL');
SELECT awspool.import_csv('acme', string_agg(format('9%s;MP-0001;SPAM', lpad(i::text, 11, '0')), E'\n')) FROM generate_series(1, 1000) i;
SELECT awspool.add_account('gone', '800000000001', 'MP-0001', 'SPAM');
SELECT awspool.freeze_provider('acme'), awspool.freeze_provider('gone'), awspool.forget_provider('gone');
SQL
make_database($new, 'moving');
move_database('moving', 'moving', [], '-j', '4');
is( $new->safe_psql('moving',
		'SELECT provider, state, restored FROM awspool.provider_state ORDER BY 1; SELECT count(*) FROM awspool.account'
	),
	"acme|frozen|t\ngone|away|t\n1000",
	'a frozen provider comes back frozen, with its accounts');
# the rows after the state
$new->safe_psql('moving', 'TRUNCATE awspool.account, awspool.account_log, awspool.provider_state');
move_database('moving', 'moving', ['--data-only'], '-L', "$dir/$_") for map {
	my $order = $_;
	my ($list) = run_command([ 'pg_restore', '-l', "$dir/moved" ]);
	my @states = grep { /TABLE DATA awspool provider_state/ } split /\n/, $list;

	append_to_file("$dir/$order", join("\n", @states) . "\n" . join("\n", grep { /TABLE DATA awspool account / } split /\n/, $list) . "\n");
	$order
} 'states_first';
is( $new->safe_psql('moving', 'SELECT count(*) FROM awspool.account'),
	'1000', 'also if its state comes first');
is( sqlstate($new, "SELECT awspool.claim_account('$_', 'MP-0001');", 'moving'),
	'WS008', "$_ is refused there, too") for 'acme', 'gone';
$node->safe_psql('postgres', 'DROP DATABASE moving');
$new->safe_psql('postgres', 'DROP DATABASE moving');

#
# What is one's own.
#

# A table that refers to accounts, and a publication of the schema
make_pool('own', <<'SQL');
SELECT awspool.add_account('acme', '900000000001', 'MP-0001', 'SPAM');
CREATE TABLE public.note (
	account_id text PRIMARY KEY REFERENCES awspool.account ON DELETE CASCADE,
	note text);
INSERT INTO public.note VALUES ('900000000001', 'mine');
CREATE PUBLICATION awspool FOR TABLES IN SCHEMA awspool;
SELECT awspool.grant_provider('acme', 'regress_awspool_seller');
SQL
is(lint($node, 'own'), '', 'lint() has nothing against a table of notes');
make_database($new, 'own');
move_database('own', 'own', [], '--single-transaction');
is( $new->safe_psql('own',
		'SELECT account_id, note FROM public.note JOIN awspool.accounts USING (account_id)'
	),
	'900000000001|mine',
	'a note comes back with its account');
is( $new->safe_psql('own',
		"SELECT tablename FROM pg_publication_tables WHERE pubname = 'awspool' ORDER BY 1"
	),
	"account\naccount_log\narrival_count\npool_setting\nprovider_role\nprovider_state\nprovider_viewer\nregistry\ntally",
	'so does what is published');
$new->safe_psql('postgres', 'DROP DATABASE own');

# A column of one's own makes a dump worthless, and lint() says so.
$node->safe_psql('own', <<'SQL');
ALTER TABLE awspool.account ADD COLUMN note text;
UPDATE awspool.account SET note = 'mine';
SQL
is( lint($node, 'own'),
	'error|column note of table awspool.account|no row of the table comes back from a dump',
	'lint() tells of a column');
make_database($new, 'own');
run_silently('dump with a column', $node,
	'pg_dump', '-Fc', '-f', "$dir/moved", '-d', 'own');
{
	local $ENV{PGHOST} = $new->host;
	local $ENV{PGPORT} = $new->port;
	my ($out, $err) =
	  run_command([ 'pg_restore', '-d', 'own', "$dir/moved" ]);
	like($err, qr/column "note" of relation "account" does not exist/,
		'and the restore says so, too late');
}
is(statuses($new, 'own'), '', 'no account is restored');

# The way out that the reference has for such a dump
$new->safe_psql('own', 'ALTER TABLE awspool.account ADD COLUMN note text');
run_silently('restore of the rows', $new,
	'pg_restore', '-d', 'own', '--data-only', '-t', 'account', "$dir/moved");
is( $new->safe_psql('own', 'SELECT account_id, note FROM awspool.account'),
	'900000000001|mine',
	'a column can be made before the rows are restored');
$new->safe_psql('postgres', 'DROP DATABASE own');

#
# Owners: a restored pool belongs to who restores it; and who made the old one
# may be gone.
#

# The statements of the reference, which these tests run as they stand.
my $reference = slurp_file("$FindBin::RealBin/../../doc/awspool.md");
my ($give_back) =
  $reference =~ /^(SELECT format\('ALTER %s %s OWNER TO .*?\\gexec)$/ms;
my ($mend) = $reference =~ /^(UPDATE pg_init_privs .*?;)$/ms;

$node->safe_psql('postgres', 'CREATE ROLE regress_awspool_maker SUPERUSER');
for my $on ($node, $new)
{
	$on->safe_psql('postgres', 'CREATE ROLE awspool_owner LOGIN');
}
make_database($node, 'owned');
$node->safe_psql('owned', <<'SQL');
SET ROLE regress_awspool_maker;
CREATE EXTENSION awspool;
RESET ROLE;
SELECT awspool.add_account('acme', '900000000001', 'MP-0001', 'SPAM');
SELECT awspool.grant_provider('acme', 'regress_awspool_seller');
REASSIGN OWNED BY regress_awspool_maker TO awspool_owner;
DROP ROLE regress_awspool_maker;
SQL

my $belongs =
  'warning|table awspool.account|it belongs to awspool_owner, and a restored one to who restores it';
SKIP:
{
	skip 'this server minds who made it', 4
	  if lint($node, 'owned') eq $belongs;

	like(lint($node, 'owned'),
		qr/^error\|extension awspool\|a dump takes privileges from role "\d+", which is gone: no restore goes through$/m,
		'lint() tells of an owner that is gone');
	make_database($new, 'gone');
	unlink "$dir/moved";
	run_silently('dump of what belonged to who is gone', $node,
		'pg_dump', '-Fc', '-f', "$dir/moved", '-d', 'owned');
	local $ENV{PGHOST} = $new->host;
	local $ENV{PGPORT} = $new->port;
	my @restore =
	  ('pg_restore', '--single-transaction', '-d', 'gone', "$dir/moved");
	my ($out, $err) = run_command(\@restore);
	like($err, qr/role "\d+" does not exist/, 'its restore fails');

	my ($gone) = $err =~ /role "(\d+)" does not exist/;
	$new->safe_psql('postgres', qq(CREATE ROLE "$gone"));
	run_silently('restore beside a role of that name', $new, @restore);
	is(statuses($new, 'gone'), '900000000001|ready|',
		'but not where there is a role of that name');
	$new->safe_psql('postgres', qq(DROP DATABASE gone; DROP ROLE "$gone"));
}

$node->safe_psql('owned', $mend);
is(lint($node, 'owned'), $belongs, 'lint() is content with what was mended');
make_database($new, 'owned');
move_database('owned', 'owned', [], '--single-transaction');
is(lint($new, 'owned'), '', 'the restored pool belongs to who restored it');
$new->safe_psql('owned', $give_back);
is(lint($new, 'owned') =~ s/^warning\|extension.*\n//mr,
	$belongs, 'and is given back as a whole');
is( $new->safe_psql('owned',
		"SET ROLE regress_awspool_seller; SELECT account_id FROM awspool.claim_account('acme', 'MP-0001', 'o')"
	),
	'900000000001',
	'it is sold from as before');
is( $new->safe_psql('owned',
		"SET ROLE awspool_owner; SELECT awspool.grant_provider('other', 'regress_awspool_seller'); SELECT count(*) FROM awspool.account"
	),
	"\n1",
	'and the owner is the owner');

#
# Who may not read the pool cannot dump it.
#

# Run pg_dump as a role and return what it wrote and what it complained of.
sub dump_by
{
	my @options = @_;
	local $ENV{PGHOST} = $node->host;
	local $ENV{PGPORT} = $node->port;

	return run_command([ 'pg_dump', '-d', 'postgres', '-U', @options ]);
}

my $secrets = qr/9000000|acme|regress_awspool/;
my ($stdout, $stderr) = dump_by('regress_awspool_stranger');
like(
	$stderr,
	qr/permission denied for|lack SELECT privilege/,
	'a stranger cannot dump the pool');
unlike($stdout, $secrets, 'and gets nothing of it');

($stdout, $stderr) = dump_by('regress_awspool_reader');
like($stderr, qr/affected by row-level security/,
	'neither can who may read all data');
unlike($stdout, $secrets, 'who gets nothing of it');

($stdout, $stderr) =
  dump_by('regress_awspool_reader', '--enable-row-security');
unlike($stdout, $secrets, 'nor by leaving out what is not theirs');

$node->stop;
$new->stop;
done_testing();
