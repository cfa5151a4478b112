# Providers are apart: what somebody who has SQL, but no grant for provider
# "victim", would try to learn or to change, and that it fails.  Attackers log
# in as themselves; one of them is granted another provider, one may look at
# that, one is granted nothing, and all may create what they like in a schema of
# their own.
#
# One more may look at the victim, and tries to change something.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use Awspool;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_pool('pool', conf => "max_prepared_transactions = 2\n");
my ($acme, $stranger, $viewer, $all, $reader, $victim, $watcher) =
  map { "regress_awspool_$_" } qw(acme stranger viewer all reader victim watcher);

# What nobody but the victim and "all" may ever be shown.
my $secret = qr/77000000|secret|MP-7777/;
my ($taken, $claimed, $missing) = ('770000000004', '770000000001', '880000000004');

$node->safe_psql('postgres', <<"SQL");
CREATE ROLE $acme LOGIN;
CREATE ROLE $stranger LOGIN;
CREATE ROLE $viewer LOGIN;
CREATE ROLE $watcher LOGIN;
CREATE ROLE $all LOGIN;
CREATE ROLE $reader LOGIN IN ROLE pg_read_all_data, pg_monitor;
CREATE ROLE $victim LOGIN;
CREATE SCHEMA mine;
GRANT ALL ON SCHEMA mine TO PUBLIC;
GRANT CREATE ON DATABASE postgres TO $acme, $stranger, $viewer, $watcher;
SELECT awspool.grant_provider('acme', '$acme'), awspool.grant_provider('*', '$all'),
       awspool.grant_provider('victim', '$victim'),
       awspool.grant_viewer('acme', '$viewer'), awspool.grant_viewer('victim', '$watcher');

SET ROLE $acme;
SELECT awspool.import_csv('acme', string_agg('90000000000' || i || ';MP-0001;SPAM', E'\\n')) FROM generate_series(1, 5) i;
SELECT awspool.claim_account('acme', 'MP-0001', 'mine');

SET ROLE $victim;
SELECT awspool.import_csv('victim', string_agg('77000000000' || i || ';MP-7777;SPAM', E'\\n')) FROM generate_series(1, 7) i;
SELECT awspool.claim_account('victim', 'MP-7777', 'secret-order');
SELECT awspool.claim_account('victim', 'MP-7777', 'secret-order-2');
SELECT awspool.allocate_account('victim', '770000000002');
SELECT awspool.claim_account('victim', 'MP-7777', 'secret-order-3');
SELECT awspool.fail_account('victim', '770000000003', 'secret-reason');
SELECT awspool.invalidate_account('victim', '770000000007', 'secret-reason');
SELECT awspool.delete_account('victim', '770000000007');
SELECT awspool.configure_pool('victim', 'MP-7777', 100, 100, '1 microsecond');
SELECT awspool.pause_pool('victim', 'MP-7778', 'secret-reason');
RESET ROLE;
ANALYZE awspool.account, awspool.account_log, awspool.provider_role, awspool.provider_viewer;
SQL

# All calls that name an account, of provider "acme"; %s is its id.
my @calls_with_id = (
	"awspool.edit_account('acme', '%s', 'MP-0002')",
	"awspool.delete_account('acme', '%s')",
	"awspool.delete_accounts('acme', '{%s}')",
	"awspool.allocate_account('acme', '%s')",
	"awspool.allocate_account('acme', '%s', 'secret-order')",
	"awspool.fail_account('acme', '%s')",
	"awspool.invalidate_account('acme', '%s')",
	"awspool.replace_account('acme', '%s', NULL, 'secret-order')",
	"awspool.account_history('acme', '%s')");

# All calls that name a provider; %s is it.
my @calls_with_provider = (
	"awspool.add_account('%s', '880000000001', 'MP-7777', 'SPAM')",
	"awspool.edit_account('%s', '$taken', 'MP-0002')",
	"awspool.delete_account('%s', '$taken')",
	"awspool.delete_accounts('%s', '{$taken}')",
	"awspool.import_csv('%s', '$taken;MP-7777;SPAM')",
	"awspool.check_csv('%s', '$taken;MP-7777;SPAM')",
	"awspool.reconcile_csv('%s', '$taken;secret-order')",
	"awspool.check_reconcile_csv('%s', '$taken;secret-order')",
	"awspool.passed_over('%s')",
	"awspool.claim_account('%s', 'MP-7777')",
	"awspool.claim_account('%s', 'MP-7777', 'secret-order')",
	"awspool.claim_accounts('%s', 'MP-7777', '{secret-order}')",
	"awspool.explain_claim('%s', 'MP-7777')",
	"awspool.allocate_account('%s', '$taken')",
	"awspool.fail_account('%s', '$taken')",
	"awspool.invalidate_account('%s', '$taken')",
	"awspool.replace_account('%s', '$taken', NULL)",
	"awspool.account_history('%s', '$taken')",
	"awspool.configure_pool('%s', 'MP-7777', 5)",
	"awspool.pause_pool('%s')",
	"awspool.pause_pool('%s', 'MP-7777', 'secret')",
	"awspool.resume_pool('%s')",
	"awspool.fail_overdue('%s')",
	"awspool.overdue_accounts('%s')",
	"awspool.blocked_accounts('%s')");

# Those of them that a viewer may call.
my $only_looks = qr/account_history|check_csv|check_reconcile_csv|explain_claim|passed_over|overdue_accounts|blocked_accounts/;

# Statements on the views that look for an account, a provider or an order.
my @statements_with_id = (
	"SELECT * FROM awspool.accounts WHERE account_id = '%s'",
	"SELECT * FROM awspool.accounts WHERE account_id = ANY ('{%s}')",
	"SELECT * FROM awspool.accounts WHERE account_id >= '%s' LIMIT 1",
	"SELECT * FROM awspool.accounts WHERE account_id = '%s' OR account_id = 'x'",
	"SELECT * FROM awspool.accounts WHERE (provider, account_id) IN (('acme', '%s'), ('victim', '%s'))",
	"SELECT * FROM awspool.accounts WHERE account_id = '%s' ORDER BY position LIMIT 1",
	"SELECT * FROM (VALUES ('%s')) v (id) LEFT JOIN awspool.accounts a ON a.account_id = v.id",
	"SELECT * FROM awspool.accounts a JOIN awspool.accounts b ON b.account_id = a.order_id OR b.account_id = '%s'",
	"UPDATE awspool.accounts SET model = 'ECAM' WHERE account_id = '%s'",
	"DELETE FROM awspool.accounts WHERE account_id = '%s'");
my @statements_with_provider = (
	"SELECT * FROM awspool.accounts WHERE provider = '%s'",
	"SELECT * FROM awspool.accounts WHERE provider = '%s' AND marketplace = 'MP-7777'",
	"SELECT * FROM awspool.accounts WHERE provider = '%s' AND order_id = 'secret-order'",
	"SELECT * FROM awspool.accounts WHERE provider = '%s' AND marketplace = 'MP-7777' AND status = 'ready' ORDER BY position LIMIT 1",
	"SELECT * FROM awspool.accounts WHERE provider = '%s' AND status = 'provisioning_in_progress' ORDER BY claimed_at",
	"SELECT * FROM awspool.accounts WHERE provider IN ('acme', '%s') ORDER BY position DESC LIMIT 100",
	"SELECT * FROM (VALUES ('%s')) v (p) LEFT JOIN awspool.accounts a ON a.provider = v.p AND a.order_id = 'secret-order'",
	"SELECT * FROM awspool.pool_status WHERE provider = '%s'",
	"SELECT * FROM awspool.pool_activity WHERE provider = '%s'",
	"SELECT * FROM awspool.pool_settings WHERE provider = '%s'",
	"SELECT * FROM awspool.alerts WHERE provider = '%s'",
	"UPDATE awspool.accounts SET model = 'ECAM' WHERE provider = '%s'",
	"DELETE FROM awspool.accounts WHERE provider = '%s'");

my @statements_with_order = (
	"SELECT * FROM awspool.accounts WHERE order_id = '%s'",
	"SELECT * FROM awspool.accounts WHERE order_id = ANY ('{%s,mine}')",
	"SELECT * FROM (VALUES ('%s')) v (o) LEFT JOIN awspool.accounts a ON a.order_id = v.o",
	"SELECT * FROM awspool.accounts WHERE status = 'provisioning_failed' AND order_id = '%s'");

my $victims = "SELECT md5(string_agg(a::text, ' ' ORDER BY account_id)) FROM awspool.account a WHERE provider = 'victim'";
my $before = $node->safe_psql('postgres', $victims);

#
# How to attack
#

# All that somebody is told who runs a script as that role.
sub told
{
	my ($role, $sql, %params) = @_;
	my (undef, $stdout, $stderr) = $node->psql(
		$params{dbname} // 'postgres', $sql,
		on_error_stop => 0,
		extra_params => [ '-U', $role ]);

	return "$stdout\n$stderr";
}

# A statement as psql wants it: the data of a COPY ends by itself.
sub ended
{
	my ($statement) = @_;

	return $statement =~ /^\\\.\n\z/m ? $statement : "$statement;\n";
}

# The same for each of some scripts, by name, in one session.  What was said to
# the server and comes back in an error is no news.
sub told_each
{
	my ($role, %scripts) = @_;
	my @names = sort keys %scripts;
	my (%told, $stdout, $stderr);

	$node->psql(
		'postgres',
		join('', map { "\\echo #!$_\n\\warn #!$_\n" . ended($scripts{ $names[$_] }) } 0 .. $#names),
		stdout => \$stdout,
		stderr => \$stderr,
		on_error_stop => 0,
		extra_params => [ '-U', $role ]);
	while ($stdout =~ /^#!(\d+)\n?(.*?)(?=^#!|\z)/msg)
	{
		$told{ $names[$1] } = $2;
	}
	while ($stderr =~ /^(?:psql:\S+ )?#!(\d+)\n?(.*?)(?=^(?:psql:\S+ )?#!|\z)/msg)
	{
		my ($name, $part) = ($names[$1], $2);
		my $said = join '|', map { quotemeta } $scripts{$name} =~ /\w*(?:$secret)[\w-]*/g;

		$part =~ s/^psql:<stdin>:\d+: //mg;
		$part =~ s/^(?:LINE \d+:.*| *\^)$//mg;
		$part =~ s/$said/SAID/g if $said;
		$told{$name} .= $part;
	}
	return \%told;
}

# The error code of each statement; 00000 if it succeeds.  (psql's variable
# SQLSTATE does not know what became of a COPY.)
sub codes
{
	my ($role, @statements) = @_;
	my $told = told($role, join '', "\\set VERBOSITY sqlstate\n", map { ended($_) . "\\warn #\n" } @statements);

	return map { (/ERROR:  (\w{5})$/mg)[-1] // '00000' } split /^(?:psql:\S+ )?#$/m, $told, -1;
}

# Each statement, by name, is refused with that code, or one of its own.
sub refused
{
	my ($role, $code, %statements) = @_;
	my @names = sort keys %statements;
	my @codes = codes($role, map { ref $_ ? $_->[0] : $_ } @statements{@names});

	for my $i (0 .. $#names)
	{
		my $statement = $statements{ $names[$i] };

		is($codes[$i], ref $statement ? $statement->[1] : $code, "$role wants to $names[$i]");
	}
	return;
}

sub unlike_secret
{
	my ($told, $name) = @_;

	unlike($told, $secret, $name);
	return;
}

# What one is told by each of some statements, with "%s" put for a value, and
# the value then taken out, and what differs from session to session as well.
sub told_of
{
	my ($value, $role, $before, @statements) = @_;
	my $told = told_each($role, map { $_ => "$before\n" . s/%s/$value/gr } @statements);

	for (values %$told)
	{
		s/$value|SAID/VALUE/g;
		s!xid/subid/cid: \K[1-9]\d*!N!g;
	}
	return $told;
}

# Statements that tell the same of one value as of another
sub same
{
	my ($role, $pairs, $before, $name) = @_;

	for my $pair (@$pairs)
	{
		my ($values, @statements) = @$pair;
		my ($one, $other) = map { told_of($_, $role, $before, @statements) } @$values;

		is($one->{$_}, $other->{$_}, "$name: $_") for @statements;
	}
	return;
}

sub log_since
{
	my ($offset) = @_;

	return slurp_file($node->logfile, $offset);
}

sub log_size
{
	return -s $node->logfile;
}

# A session of a role, to be kept.
sub session
{
	my ($role) = @_;

	return $node->background_psql('postgres', on_error_stop => 0, extra_params => [ '-U', $role ]);
}

#
# Before CREATE EXTENSION
#

# Objects in a schema of that name, and a schema that is somebody else's.
sub planted_before_install
{
	my %planted = (
		'a function that stands in for one of the server' =>
		  'CREATE FUNCTION awspool.num_nulls(text, text) RETURNS int LANGUAGE sql AS $$ SELECT 0 $$',
		'an overload of a function of the extension' =>
		  'CREATE FUNCTION awspool.claim_account(text, varchar) RETURNS int LANGUAGE sql AS $$ SELECT 0 $$',
		'an operator' =>
		  'CREATE OPERATOR awspool.= (FUNCTION = texteq, LEFTARG = text, RIGHTARG = text)',
		'a type' => 'CREATE DOMAIN awspool.text AS pg_catalog.text',
		'a table' => 'CREATE TABLE awspool.account_log ()',
		'a collation' => 'CREATE COLLATION awspool."C" (locale = \'POSIX\')');

	$node->safe_psql('postgres', "CREATE DATABASE planted; GRANT CREATE ON DATABASE planted TO $stranger");
	for my $what (sort keys %planted)
	{
		told($stranger, "CREATE SCHEMA awspool; $planted{$what}", dbname => 'planted');
		is(sqlstate($node, 'CREATE EXTENSION awspool; DROP EXTENSION awspool', 'planted'), '42P06', "plant $what");
		$node->safe_psql('planted', 'DROP SCHEMA IF EXISTS awspool CASCADE');
	}

	# An empty schema is taken away from whoever made it.
	told($stranger, "CREATE SCHEMA awspool; GRANT ALL ON SCHEMA awspool TO $acme, PUBLIC", dbname => 'planted');
	sqlstate($node, 'CREATE EXTENSION awspool', 'planted');
	for my $role ($stranger, $acme)
	{
		unlike(told($role, 'CREATE FUNCTION awspool.f() RETURNS int LANGUAGE sql AS $$ SELECT 0 $$', dbname => 'planted'),
			qr/CREATE FUNCTION$/, "keep the right to create in a schema made before ($role)");
		is($node->safe_psql('planted', "SELECT has_schema_privilege('$role', 'awspool', 'CREATE')"),
			'f', "keep CREATE on it ($role)");
	}
	$node->safe_psql('postgres', 'DROP DATABASE planted');
	return;
}

# What the installing superuser gives away by default, or runs by mistake.
sub given_by_default
{
	$node->safe_psql('postgres', "CREATE DATABASE planted; GRANT CREATE ON DATABASE planted TO $stranger");
	told($stranger, <<'SQL', dbname => 'planted');
CREATE SCHEMA evil;
CREATE TABLE evil.seen (who text, what text);
GRANT ALL ON SCHEMA evil TO PUBLIC;
GRANT ALL ON evil.seen TO PUBLIC;
CREATE FUNCTION evil.eq(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN INSERT INTO evil.seen VALUES (current_user, 'eq'); RETURN true; END $$;
CREATE FUNCTION evil.num_nonnulls(text, text, text, text, timestamptz, text, timestamptz, text) RETURNS int LANGUAGE plpgsql AS $$ BEGIN INSERT INTO evil.seen VALUES (current_user, 'num'); RETURN 0; END $$;
CREATE FUNCTION evil.clock_timestamp() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN INSERT INTO evil.seen VALUES (current_user, 'clock'); RETURN 'epoch'; END $$;
CREATE FUNCTION evil.format(text, text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN INSERT INTO evil.seen VALUES (current_user, 'format'); RETURN ''; END $$;
CREATE OPERATOR evil.= (FUNCTION = evil.eq, LEFTARG = text, RIGHTARG = text);
CREATE DOMAIN evil.text AS pg_catalog.text CHECK (evil.eq(VALUE, VALUE));
SQL
	$node->safe_psql('planted', <<"SQL");
ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO $stranger;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO $stranger, PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO $stranger WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO $stranger;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TYPES TO $stranger;
SET search_path = evil, pg_catalog;
CREATE EXTENSION awspool;
SELECT awspool.add_account('acme', '900000000001', 'MP-0001', 'SPAM');
SELECT awspool.claim_account('acme', 'MP-0001', 'order');
SELECT awspool.account_history('acme', '900000000001');
SELECT awspool.lint();
SELECT awspool.verify();
SELECT awspool.grant_provider('acme', '$stranger');
INSERT INTO awspool.account (provider, account_id, marketplace, model) VALUES ('acme', '900000000002', 'MP-0001', 'SPAM');
SQL
	is($node->safe_psql('planted', <<'SQL'), '', 'get privileges on the objects by ALTER DEFAULT PRIVILEGES');
SELECT x.name, a.grantee::regrole, a.privilege_type
FROM (SELECT relname AS name, relowner AS owner, relacl AS acl, relnamespace AS namespace FROM pg_class
      UNION ALL SELECT proname, proowner, proacl, pronamespace FROM pg_proc
      UNION ALL SELECT nspname, nspowner, nspacl, oid FROM pg_namespace) x,
  aclexplode(x.acl) a
WHERE x.namespace = 'awspool'::regnamespace AND (a.grantee NOT IN (0, x.owner)
  OR a.privilege_type IN ('TRUNCATE', 'REFERENCES', 'TRIGGER', 'MAINTAIN', 'CREATE') AND a.grantee = 0)
SQL
	is($node->safe_psql('planted', 'SELECT * FROM evil.seen'),
		'', 'have a superuser run what is in the search path, at installation and after');
	is($node->safe_psql('planted', <<'SQL'), '', 'have an object of the extension depend on a planted one');
SELECT pg_describe_object(d.classid, d.objid, d.objsubid) FROM pg_depend d
  JOIN pg_depend e ON e.deptype = 'e' AND (e.classid, e.objid) = (d.classid, d.objid)
WHERE (d.refclassid, d.refobjid) IN
  (SELECT classid, objid FROM pg_depend WHERE refclassid = 'pg_namespace'::regclass AND refobjid = 'evil'::regnamespace)
SQL
	$node->safe_psql('postgres', 'DROP DATABASE planted');
	return;
}

#
# Shadows: what the caller's search path finds first
#

# Everything that the extension might call by a bare name, in a schema that the
# path lists before pg_catalog.  Whatever of it runs leaves a mark.
sub shadows
{
	my $evil = join "\n", map {
		my ($name, $arguments, $result, $value) = @$_;
		"CREATE FUNCTION mine.$name($arguments) RETURNS $result LANGUAGE plpgsql AS \$\$ BEGIN RAISE WARNING 'SHADOW $name runs as %', pg_catalog.current_user(); RETURN $value; END \$\$;"
	  }[ 'eq', 'text, text', 'boolean', 'true' ],
	  [ 'eq', 'bigint, bigint', 'boolean', 'true' ],
	  [ 'eq', 'oid, oid', 'boolean', 'true' ],
	  [ 'eq', 'name, name', 'boolean', 'true' ],
	  [ 'eq', 'timestamptz, timestamptz', 'boolean', 'true' ],
	  [ 'minus', 'timestamptz, interval', 'timestamptz', 'NULL' ],
	  [ 'format', 'text, text', 'text', 'NULL' ],
	  [ 'format', 'text, text, text', 'text', 'NULL' ],
	  [ 'clock_timestamp', '', 'timestamptz', 'NULL' ],
	  [ 'now', '', 'timestamptz', 'NULL' ],
	  [ 'nextval', 'regclass', 'bigint', '1' ],
	  [ 'count', 'text', 'bigint', '1' ],
	  [ 'acts_for_all', '', 'boolean', 'true' ],
	  [ 'my_providers', '', 'text[]', "'{victim}'" ];
	my $work = <<'SQL';
SELECT awspool.acts_for_all(), awspool.my_providers();
SELECT account_id FROM awspool.add_account('acme', '900000000011', 'MP-0009', 'SPAM');
SELECT account_id FROM awspool.add_account('acme', '900000000012', 'MP-0009', 'SPAM');
SELECT outcome FROM awspool.check_csv('acme', '900000000013;MP-0009;SPAM');
SELECT outcome FROM awspool.import_csv('acme', '900000000013;MP-0009;SPAM');
SELECT account_id FROM awspool.edit_account('acme', '900000000012', NULL, 'ECAM');
SELECT account_id FROM awspool.claim_account('acme', 'MP-0009', 'shadow');
SELECT account_id FROM awspool.replace_account('acme', '900000000011', 'x', 'shadow');
SELECT account_id FROM awspool.allocate_account('acme', '900000000012', 'shadow');
SELECT account_id FROM awspool.invalidate_account('acme', '900000000013', 'x');
SELECT event FROM awspool.account_history('acme', '900000000011');
SELECT account_id FROM awspool.delete_account('acme', '900000000012');
SELECT outcome FROM awspool.delete_accounts('acme', '{900000000011,900000000013}');
INSERT INTO awspool.accounts (provider, account_id, marketplace, model) VALUES ('acme', '900000000014', 'MP-0009', 'SPAM');
INSERT INTO awspool.import (account_id, marketplace_id, account_model) VALUES ('900000000015', 'MP-0009', 'SPAM');
UPDATE awspool.accounts SET status = 'invalid', reason = 'x' WHERE account_id OPERATOR(pg_catalog.=) '900000000014';
DELETE FROM awspool.accounts WHERE marketplace OPERATOR(pg_catalog.=) 'MP-0009' AND status OPERATOR(pg_catalog.=) 'ready';
SELECT account_id FROM awspool.accounts;
SELECT marketplace, ready, claims_24h FROM awspool.pool_status;
SELECT marketplace, added, claimed FROM awspool.pool_activity;
SELECT awspool.configure_pool('acme', 'MP-0009', 5, 5, '1 microsecond');
SELECT account_id, order_id FROM awspool.claim_accounts('acme', 'MP-0009', '{shadow-1,shadow-2}');
SELECT account_id, status FROM awspool.fail_overdue('acme');
SELECT outcome FROM awspool.check_reconcile_csv('acme', '900000000015;shadow-1');
SELECT outcome FROM awspool.reconcile_csv('acme', '900000000016;shadow-3;allocated;MP-0009;SPAM');
SELECT awspool.pause_pool('acme', 'MP-0009', 'x');
SELECT rank, account_id, verdict FROM awspool.explain_claim('acme', 'MP-0009');
SELECT account_id FROM awspool.passed_over('acme');
SELECT marketplace, low_water, pause_reason FROM awspool.pool_settings;
SELECT marketplace, alert FROM awspool.alerts;
SELECT awspool.resume_pool('acme', 'MP-0009');
SELECT account_id FROM awspool.visible_accounts();
SQL
	my $tables = join ' ', map {
		"CREATE TEMP TABLE $_ (LIKE mine.row); CREATE TABLE mine.$_ (LIKE mine.row);"
	} qw(account account_log accounts provider_role provider_viewer provider_state registry pool_start pool_setting arrival_count tally);

	my $normal = told($acme, "BEGIN; $work ROLLBACK;");
	my $shadowed = told($acme, <<"SQL");
BEGIN;
$evil
CREATE OPERATOR mine.= (FUNCTION = mine.eq, LEFTARG = text, RIGHTARG = text);
CREATE OPERATOR mine.= (FUNCTION = mine.eq, LEFTARG = bigint, RIGHTARG = bigint);
CREATE OPERATOR mine.= (FUNCTION = mine.eq, LEFTARG = oid, RIGHTARG = oid);
CREATE OPERATOR mine.= (FUNCTION = mine.eq, LEFTARG = name, RIGHTARG = name);
CREATE OPERATOR mine.> (FUNCTION = mine.eq, LEFTARG = timestamptz, RIGHTARG = timestamptz);
CREATE OPERATOR mine.- (FUNCTION = mine.minus, LEFTARG = timestamptz, RIGHTARG = interval);
CREATE TABLE mine.row (provider text, account_id text, role text, role_oid oid);
$tables
CREATE DOMAIN mine.text AS pg_catalog.text CHECK (mine.eq(VALUE, VALUE));
CREATE TYPE mine.wrapped AS (value pg_catalog.text);
CREATE FUNCTION mine.wrap(pg_catalog.text) RETURNS mine.wrapped LANGUAGE plpgsql AS \$\$ BEGIN RAISE WARNING 'SHADOW cast'; RETURN ROW(\$1); END \$\$;
CREATE CAST (pg_catalog.text AS mine.wrapped) WITH FUNCTION mine.wrap AS IMPLICIT;
SET search_path = mine, pg_temp, pg_catalog;
$work
ROLLBACK;
SQL
	unlike($shadowed, qr/SHADOW/, 'run a function, operator, type or cast of one\'s own inside the extension');
	is($shadowed, $normal, 'change what a call does by a search path');

	# The same in pg_temp, which comes first unless a path lists it.
	my $temporary = told($acme, <<"SQL");
BEGIN;
CREATE TEMP TABLE account AS SELECT 'victim'::text AS provider, '$taken'::text AS account_id;
CREATE TEMP TABLE provider_role AS SELECT 'victim'::text AS provider, '$acme'::text AS role, 0::oid AS role_oid;
CREATE TEMP TABLE provider_viewer AS SELECT 'victim'::text AS provider, '$acme'::text AS role, 0::oid AS role_oid;
CREATE TEMP TABLE pg_class AS SELECT * FROM pg_catalog.pg_class;
CREATE TEMP TABLE pg_roles AS SELECT * FROM pg_catalog.pg_roles;
CREATE DOMAIN pg_temp.text AS pg_catalog.text;
$work
ROLLBACK;
SQL
	is($temporary, $normal, 'change what a call does by temporary tables and types');
	unlike(told($acme, 'CREATE SCHEMA pg_temp_awspool'), qr/^CREATE SCHEMA$/m, 'make a schema that looks like the server\'s');
	return;
}

#
# Reading through the views
#

# Functions and operators in the WHERE that tell what they are given.
sub leaky_conditions
{
	told($acme, <<'SQL');
CREATE FUNCTION mine.leak(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$ BEGIN RAISE NOTICE 'LEAK %', $1; RETURN true; END $$;
CREATE FUNCTION mine.leak2(text, text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$ BEGIN RAISE NOTICE 'LEAK %', $1; RETURN true; END $$;
CREATE OPERATOR mine.<<< (FUNCTION = mine.leak2, LEFTARG = text, RIGHTARG = text, RESTRICT = eqsel);
CREATE OPERATOR mine.= (FUNCTION = mine.leak2, LEFTARG = text, RIGHTARG = text, COMMUTATOR = OPERATOR(mine.=), RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES);
SQL
	my %conditions = (
		'a cheap function' => 'SELECT FROM awspool.accounts WHERE mine.leak(account_id)',
		'a function of the whole row' => 'SELECT FROM awspool.accounts a WHERE mine.leak(a::text)',
		'an operator' => "SELECT FROM awspool.accounts WHERE account_id OPERATOR(mine.<<<) 'x'",
		'an operator called =' => "SELECT FROM awspool.accounts WHERE account_id OPERATOR(mine.=) '$taken'",
		'a function before a condition' => "SELECT FROM awspool.accounts WHERE mine.leak(order_id) AND account_id = '$taken'",
		'a function as the value' => "SELECT FROM awspool.accounts WHERE account_id = CASE WHEN mine.leak('x') THEN '$missing' END",
		'a cast that fails' => 'SELECT FROM awspool.accounts WHERE account_id::date IS NOT NULL',
		'a division by nothing' => 'SELECT FROM awspool.accounts WHERE 1 / (account_id::bigint - 770000000004) > 0',
		'an aggregate' => 'SELECT count(*) FILTER (WHERE mine.leak(account_id)) FROM awspool.accounts',
		'an order' => 'SELECT FROM awspool.accounts ORDER BY mine.leak(account_id), mine.leak(marketplace)',
		'a join' => 'SELECT FROM awspool.accounts a JOIN awspool.accounts b ON mine.leak(a.account_id) AND mine.leak2(b.reason, a.reason)',
		'a lateral join' => 'SELECT FROM awspool.accounts a, LATERAL (SELECT FROM awspool.accounts b WHERE mine.leak(b.order_id)) x',
		'the view of pools' => 'SELECT FROM awspool.pool_status WHERE mine.leak(marketplace)',
		'the view of hours' => 'SELECT FROM awspool.pool_activity WHERE mine.leak(marketplace)',
		'the view of settings' => 'SELECT FROM awspool.pool_settings WHERE mine.leak(marketplace)',
		'the view of alerts' => 'SELECT FROM awspool.alerts WHERE mine.leak(detail)',
		'a group' => 'SELECT FROM awspool.accounts GROUP BY account_id HAVING mine.leak(account_id)',
		'an update' => 'UPDATE awspool.accounts SET model = model WHERE mine.leak(account_id)',
		'a deletion' => "DELETE FROM awspool.accounts WHERE mine.leak(account_id) AND false",
		'an argument' => "SELECT FROM awspool.visible_accounts() WHERE mine.leak(account_id)");

	my $told = told_each($acme, map { $_ => "BEGIN; $conditions{$_}; ROLLBACK" } keys %conditions);
	unlike_secret($told->{$_}, "be told others' values by $_") for sort keys %conditions;
	like($told->{'a cheap function'}, qr/LEAK 900000000001/, 'such a function tells the caller\'s own');
	unlike(told($stranger, 'SELECT FROM awspool.accounts WHERE mine.leak(account_id)'), qr/LEAK/, 'and a stranger nothing');
	return;
}

# Every other way to write a query.
sub other_queries
{
	my %queries = (
		'a whole row' => 'SELECT a FROM awspool.accounts a',
		'json' => 'SELECT to_json(a), row_to_json(a), to_jsonb(a) FROM awspool.accounts a',
		'xml' => "SELECT query_to_xml('TABLE awspool.accounts', true, true, '')",
		'xml of the schema' => "SELECT schema_to_xml('awspool', true, true, '')",
		'xml of the database' => "SELECT database_to_xml(true, true, '')",
		'xml of the table' => "SELECT table_to_xml('awspool.account', true, true, '')",
		'a composite' => 'SELECT (awspool.visible_accounts()).*',
		'an update with RETURNING' => 'UPDATE awspool.accounts SET model = model RETURNING *',
		'a deletion with USING' => "DELETE FROM awspool.accounts a USING (VALUES ('$taken')) v(id) WHERE a.account_id = v.id RETURNING *",
		'an update FROM' => "UPDATE awspool.accounts a SET model = 'ECAM' FROM generate_series(770000000001, 770000000009) g WHERE a.account_id = g::text RETURNING *",
		'ON CONFLICT' => "INSERT INTO awspool.accounts (provider, account_id, marketplace, model) VALUES ('acme', '$taken', 'MP-0001', 'SPAM') ON CONFLICT DO NOTHING RETURNING *",
		'ON CONFLICT with a target' => "INSERT INTO awspool.accounts (provider, account_id, marketplace, model) VALUES ('acme', '$taken', 'MP-0001', 'SPAM') ON CONFLICT (account_id) DO UPDATE SET provider = 'acme' RETURNING *",
		'MERGE' => "MERGE INTO awspool.accounts a USING (VALUES ('$taken')) v(id) ON a.account_id = v.id WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN DO NOTHING",
		'MERGE by the provider' => "MERGE INTO awspool.accounts a USING (VALUES ('victim')) v(p) ON a.provider = v.p WHEN MATCHED THEN UPDATE SET model = 'ECAM'",
		'TABLESAMPLE' => 'SELECT * FROM awspool.accounts TABLESAMPLE SYSTEM (100)',
		'TABLESAMPLE of the table' => 'SELECT * FROM awspool.account TABLESAMPLE SYSTEM (100)',
		'recursion' => "WITH RECURSIVE r AS (SELECT '770000000000'::text AS id UNION SELECT a.account_id FROM awspool.accounts a, r WHERE a.account_id > r.id) TABLE r LIMIT 9 OFFSET 1",
		'a join with guesses' => "SELECT g FROM generate_series(770000000001, 770000000009) g JOIN awspool.accounts ON account_id = g::text",
		'an outer join' => "SELECT a.* FROM awspool.pool_status s FULL JOIN awspool.accounts a ON a.provider <> s.provider",
		'EXISTS' => "SELECT 'secret' WHERE EXISTS (SELECT FROM awspool.accounts WHERE provider = 'victim')",
		'row locks' => 'SELECT * FROM awspool.accounts FOR UPDATE',
		'system columns' => "SELECT ctid, xmin, tableoid, * FROM awspool.accounts",
		'ONLY' => 'SELECT * FROM ONLY awspool.accounts',
		'a function on the table' => 'SELECT currtid2(\'awspool.account\', \'(0,1)\')',
		'a DO block' => "DO \$\$ BEGIN RAISE NOTICE '%', (SELECT account_id FROM awspool.account LIMIT 1); END \$\$",
		'conditions that widen' => join('; ', map { "SELECT * FROM awspool.accounts WHERE $_ ORDER BY position" }
			  "provider = 'victim'", "provider IN ('*', '%', '', NULL, 'victim')", "account_id IN ('770000000001', NULL)", "marketplace = 'MP-7777' AND status = 'ready'",
			"status = 'provisioning_in_progress' AND claimed_at < now()", "status IN ('invalid', 'provisioning_failed')", "order_id = 'secret-order'", "position > 0"),
		'the function with arguments' => "SELECT * FROM awspool.visible_accounts(NULL, 'victim')",
		'a parallel worker' => 'SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SELECT * FROM awspool.accounts a JOIN pg_class ON true WHERE a.provider <> \'acme\'',
		'a large object' => "SELECT lo_import('base'), loid FROM pg_largeobject",
		'a file of the server' => "SELECT pg_read_binary_file(pg_relation_filepath('awspool.account'))",
		'a decoded log' => "SELECT pg_create_logical_replication_slot('spy', 'test_decoding')",
		'the catalogs of statistics' => "SELECT * FROM pg_stats WHERE schemaname = 'awspool'");

	for my $role ($acme, $stranger, $viewer)
	{
		my $told = told_each($role, map { $_ => "BEGIN;\n$queries{$_};\nROLLBACK" } keys %queries);

		unlike_secret($told->{$_}, "$role wants to read by $_") for sort keys %queries;
	}
	return;
}

# A stranger's view, table or function that somebody else fills or reads.
sub read_by_others
{
	told($acme, <<'SQL');
CREATE MATERIALIZED VIEW mine.copy AS TABLE awspool.accounts WITH NO DATA;
CREATE VIEW mine.through AS TABLE awspool.accounts;
CREATE FUNCTION mine.as_acme(provider text) RETURNS SETOF text LANGUAGE sql SECURITY DEFINER AS $$ SELECT account_id FROM awspool.accounts $$;
CREATE TABLE mine.indexed (a int);
CREATE FUNCTION mine.peek(int) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN current_user || coalesce((SELECT string_agg(account_id, ' ') FROM awspool.accounts), ''); END $$;
CREATE INDEX ON mine.indexed (mine.peek(a));
GRANT SELECT ON mine.through TO PUBLIC;
SQL
	$node->safe_psql('postgres', 'REFRESH MATERIALIZED VIEW mine.copy; REINDEX TABLE mine.indexed; ANALYZE mine.indexed');
	my $copy = told($acme, 'TABLE mine.copy');
	like($copy, qr/900000000002/, 'a materialized view has its owner\'s accounts');
	unlike_secret($copy, 'have a superuser refresh a materialized view');
	$node->safe_psql('postgres', 'INSERT INTO mine.indexed SELECT generate_series(1, 3)');
	$node->safe_psql('postgres', 'ANALYZE mine.indexed; REINDEX TABLE mine.indexed');
	unlike_secret(told($acme, "SELECT * FROM pg_stats WHERE schemaname = 'mine'"), 'have a superuser analyze an index of one\'s own function');
	unlike_secret(told($victim, "SELECT mine.as_acme('victim')"), 'give others a function that reads as oneself');
	unlike_secret(told($acme, 'TABLE mine.through'), 'read through a view that others read');
	is($node->safe_psql('postgres', "SET ROLE $victim; SELECT count(*) FROM mine.through"), '6', 'which shows each their own');

	# An application's function that reads for its owner acts for no other.
	told($victim, "CREATE FUNCTION mine.count_mine(p text) RETURNS bigint LANGUAGE sql SECURITY DEFINER AS \$\$ SELECT count(*) FROM awspool.accounts a WHERE a.provider = p \$\$;");
	told($victim, "CREATE FUNCTION mine.cursor() RETURNS refcursor LANGUAGE plpgsql SECURITY DEFINER AS \$\$ DECLARE c refcursor := 'c'; BEGIN OPEN c FOR SELECT * FROM awspool.accounts; RETURN c; END \$\$;");
	is(told($stranger, "SELECT mine.count_mine('victim'), mine.count_mine('acme')"), "6|0\n", 'ask a function of somebody else for a third provider');
	unlike_secret(told($stranger, "BEGIN; SELECT mine.cursor(); FETCH ALL FROM c; ROLLBACK"), 'read a cursor that somebody else\'s function opened');
	return;
}

#
# What a plan, a counter or a lock tells
#

# The text of EXPLAIN ANALYZE for what exists and for what does not, whichever
# way the planner is made to go.
sub explained
{
	my @settings = split /\n/, $node->safe_psql('postgres',
		"SELECT name FROM pg_settings WHERE name LIKE 'enable\\_%' AND vartype = 'bool' ORDER BY name");
	my $explain = 'EXPLAIN (ANALYZE, VERBOSE, BUFFERS, SETTINGS, WAL, TIMING OFF, SUMMARY OFF)';
	my $explained = sub {
		my ($statement) = @_;
		my $once = join "\n", map { "SET LOCAL $_ = off; $explain $statement; SET LOCAL $_ = on;" } @settings;

		return "\\o /dev/null\nBEGIN; $once\n\\o\n$explain $statement; $once ROLLBACK; EXPLAIN (VERBOSE) $statement";
	};
	my @pairs = (
		[ [ $taken, $missing ], map { $explained->($_) } @statements_with_id,
			"SELECT * FROM awspool.delete_accounts('acme', '{%s}')" ],
		[ [ 'victim', 'nobody' ], map { $explained->($_) } @statements_with_provider ],
		[ [ 'secret-order', 'no-order' ], map { $explained->($_) } @statements_with_order ]);

	for my $pair (@pairs)
	{
		my ($values, @scripts) = @$pair;
		my @told = map {
			my $value = $_;
			told($acme, join "\n", map { s/%s/$value/gr . ";\n\\echo #!" } @scripts) =~ s/$value/VALUE/gr
		} @$values;
		my ($one, $other) = map { [ split /^#!\n/m ] } @told;

		for my $i (0 .. $#scripts)
		{
			my ($statement) = $scripts[$i] =~ /EXPLAIN \(VERBOSE\) (.*)/;

			is($one->[$i], $other->[$i], "tell by EXPLAIN whether there is such a row: $statement");
			like($one->[$i], qr/(?:Scan.*){9}/s, 'plans are shown');
		}
	}

	# In a session that knows no role yet, to look one up costs something.
	my ($one, $other) = map {
		told($acme, "SELECT count(*) FROM awspool.accounts WHERE account_id = '900000000009'; SELECT awspool.acts_for_all(); EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, SUMMARY OFF) SELECT * FROM awspool.accounts WHERE account_id = '$_'")
		  =~ s/$_/VALUE/gr
	} $taken, $missing;
	is($one, $other, 'tell by the first look whether there is such a row');
	($one, $other) = map {
		told($acme, "BEGIN; SELECT awspool.acts_for_all(); DO \$\$ BEGIN PERFORM awspool.claim_account('$_', 'MP-7777'); EXCEPTION WHEN insufficient_privilege THEN END \$\$; SELECT pg_stat_get_xact_blocks_fetched('pg_authid'::regclass)")
	} 'victim', 'nobody';
	is($one, $other, 'tell by the first call whether there is such a provider');
	return;
}

# The server's statistics on what a session did are everybody's to read.
sub counted
{
	told($acme, <<'SQL');
CREATE FUNCTION mine.counters() RETURNS text LANGUAGE sql AS $$
  SELECT jsonb_object_agg(relname, ARRAY[pg_stat_get_xact_numscans(oid), pg_stat_get_xact_tuples_returned(oid), pg_stat_get_xact_tuples_fetched(oid), pg_stat_get_xact_blocks_fetched(oid)])::text
  FROM pg_class WHERE relnamespace = 'awspool'::regnamespace AND relkind IN ('r', 'i', 'S')
$$;
CREATE FUNCTION mine.cost(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  before jsonb := mine.counters();
  after jsonb;
BEGIN
  BEGIN EXECUTE statement; EXCEPTION WHEN OTHERS THEN END;
  after := mine.counters();
  RETURN (SELECT string_agg(format('%s +%s', key, ARRAY(SELECT (value->>i)::int - (before->key->>i)::int FROM generate_series(0, 3) i)), ' ' ORDER BY key)
          FROM jsonb_each(after) WHERE value <> before->key);
END $$;
SQL
	my @pairs = (
		(map { [ $_, $taken, $missing ], [ $_, $claimed, $missing ] } @statements_with_id, map { "SELECT $_" } @calls_with_id),
		(map { [ $_, 'secret-order', 'no-order' ] } @statements_with_order),
		(map { [ $_, 'victim', 'nobody' ] } @statements_with_provider, map { "SELECT $_" } @calls_with_provider),
		# the ids between two
		[ "SELECT awspool.check_csv('acme', E'000000000000;MP-0001;SPAM\\n%s0;MP-0001;SPAM\\n%s9;MP-0001;SPAM')", '77000000000', '88000000000' ]);
	my $script = join '', map {
		my ($statement, @values) = @$_;

		map { "SELECT mine.cost(\$cost\$" . $statement =~ s/%s/$_/gr . "\$cost\$);\n" } @values, @values
	} @pairs;
	my @costs = split /\n/, told($acme, $script);

	is(@costs, 4 * @pairs, 'every call is counted');
	for my $pair (@pairs)
	{
		my (undef, undef, @warm) = splice @costs, 0, 4;

		is($warm[0], $warm[1], "tell by counters whether there is $pair->[1]: $pair->[0]");
	}
	return;
}

# Column statistics, for who may read all data.
sub statistics
{
	for my $role ($reader, $acme, $stranger, $viewer)
	{
		unlike_secret(told($role, <<'SQL'), "$role wants to see samples of values");
SELECT * FROM pg_stats;
SELECT s::text FROM pg_statistic s WHERE starelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'awspool'::regnamespace);
SELECT * FROM pg_stats_ext;
SELECT * FROM pg_stats_ext_exprs;
SQL
		unlike_secret(told($role, 'TABLE awspool.account; TABLE awspool.account_log; TABLE awspool.provider_role; TABLE awspool.provider_viewer; TABLE awspool.provider_state; TABLE awspool.registry; TABLE awspool.pool_start; TABLE awspool.pool_setting; TABLE awspool.tally; TABLE awspool.accounts; TABLE awspool.pool_status; TABLE awspool.pool_activity; TABLE awspool.pool_settings; TABLE awspool.alerts'),
			"$role wants to read every table");
		is(told($role, "SET row_security = off; SELECT account_id FROM awspool.account") =~ /ERROR/, 1, "$role wants row security off");
	}
	is($node->safe_psql('postgres', "SELECT count(*) FROM pg_statistic WHERE starelid = 'awspool.account'::regclass"),
		'0', 'there are no such samples');
	return;
}

# Locks: what pg_locks tells, and who can be kept waiting.
sub locks
{
	my $session = session($victim);

	$session->query_safe("BEGIN; SELECT FROM awspool.claim_account('victim', 'MP-7777', 'secret-9')");
	$session->query_safe("SELECT FROM awspool.import_csv('victim', '770000000008;MP-7777;SPAM')");
	cmp_ok($node->safe_psql('postgres', "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"), '>=', 2, 'the victim holds locks on names');
	is(told($stranger, <<'SQL'), "\n", 'tell by pg_locks which order is being claimed');
WITH word (w) AS (VALUES ('victim'), ('MP-7777'), ('secret-9'), ('')),
  guess (h) AS (
    SELECT hashtextextended(w, 0) FROM word
    UNION SELECT hashtextextended(b.w, hashtextextended(a.w, 0)) FROM word a, word b
    UNION SELECT hashtextextended(a.w || s || b.w, 0) FROM word a, word b, unnest('{"",/,:}'::text[]) s
    UNION SELECT hashtext(w) FROM word),
  part (h) AS (SELECT h >> 32 & 4294967295 FROM guess UNION SELECT h & 4294967295 FROM guess)
SELECT classid, objid FROM pg_locks
WHERE locktype = 'advisory' AND (classid::bigint IN (SELECT h FROM part WHERE h <> 0) OR objid::bigint IN (SELECT h FROM part WHERE h <> 0));
SQL

	# Whether somebody is being kept waiting tells that the row is being changed.
	refused($acme, '23505',
		map { ("add what is being claimed: $_" => "SET lock_timeout = '3s'; $_") }
		  "SELECT awspool.add_account('acme', '$taken', 'MP-0001', 'SPAM')",
		"INSERT INTO awspool.accounts (provider, account_id, marketplace, model) VALUES ('acme', '$taken', 'MP-0001', 'SPAM')",
		"INSERT INTO awspool.import VALUES ('acme', '$taken', 'MP-0001', 'SPAM')");

	is(told($acme, <<"SQL") =~ /23505/, 1, 'add what is being claimed: in a later batch of an import');
\\set VERBOSITY sqlstate
SET lock_timeout = '3s';
INSERT INTO awspool.import SELECT 'acme', i::text, 'MP-0001', 'SPAM' FROM generate_series(910000000001, 910000004120) i UNION ALL SELECT 'acme', '$taken', 'MP-0001', 'SPAM';
SQL

	# Somebody else's lock on the same numbers is another lock.
	my $lock = session($stranger);
	unlike($lock->query("SELECT pg_try_advisory_lock(classid::bigint << 32 | objid::bigint), pg_try_advisory_lock(classid::bigint::bit(32)::int, objid::bigint::bit(32)::int) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"),
		qr/f/, 'find a lock taken, by its numbers');
	$session->query_safe('ROLLBACK');
	is($session->query("SET lock_timeout = '30s'; BEGIN; SELECT account_id FROM awspool.claim_account('victim', 'MP-7777', 'secret-9'); ROLLBACK"),
		$taken, 'hold up an order by its lock');
	$lock->quit;

	# LOCK TABLE and FOR UPDATE on a view stop at the view.
	$lock = session($stranger);
	$lock->query("BEGIN; LOCK TABLE awspool.accounts IN ROW EXCLUSIVE MODE; LOCK TABLE awspool.pool_status IN ACCESS SHARE MODE; SELECT FROM awspool.accounts FOR UPDATE");
	is($node->safe_psql('postgres', "SELECT relation::regclass, mode FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE a.usename = '$stranger' AND relation = 'awspool.account'::regclass AND mode <> 'AccessShareLock'"),
		'', 'lock the base table by a view');
	$lock->query('ROLLBACK');
	$lock->query('BEGIN; LOCK TABLE awspool.accounts IN ACCESS EXCLUSIVE MODE');
	is($session->query("BEGIN; SELECT account_id FROM awspool.claim_account('victim', 'MP-7777', 'secret-9'); ROLLBACK"),
		$taken, 'keep others from claiming by LOCK TABLE on the view');
	$_->quit for $lock, $session;
	return;
}

# Sequences tell how many accounts others add.
sub sequences
{
	for my $role ($acme, $stranger, $viewer)
	{
		refused($role, '42501',
			map { my $s = "awspool.$_";
				("read $s" => "SELECT last_value FROM $s", "draw from $s" => "SELECT nextval('$s')", "set $s" => "SELECT setval('$s', 1)") }
			  'account_position', 'account_log_log_id_seq');
		unlike(told($role, "SELECT sequencename || coalesce(last_value::text, '') FROM pg_sequences WHERE schemaname = 'awspool'"), qr/\d/, "$role wants to read pg_sequences");
		unlike(told($role, "SELECT pg_sequence_last_value('awspool.account_position')"), qr/^\d/, "$role wants the last value by its function");
	}
	unlike(told($acme, "BEGIN; SELECT FROM awspool.add_account('acme', '900000000020', 'MP-0001', 'SPAM'); SELECT lastval(); ROLLBACK"),
		qr/^\d/m, 'be told by lastval() what adding drew');
	return;
}

#
# What errors and logs tell
#

# "Not yours" and "not there", word for word, with all that a client can ask to
# be told.
sub answers
{
	my $before = "\\set VERBOSITY verbose\n\\set SHOW_CONTEXT always\nSET client_min_messages = debug5;";

	for my $role ($acme, $stranger, $viewer)
	{
		same($role, [
			[ [ $taken, $missing ], map { "BEGIN; $_; ROLLBACK" } @statements_with_id, map { "SELECT $_" } @calls_with_id ],
			[ [ 'victim', 'nobody' ], @statements_with_provider, map({ "SELECT $_" } @calls_with_provider),
				"INSERT INTO awspool.accounts (provider, account_id, marketplace, model) VALUES ('%s', '$taken', 'MP-7777', 'SPAM')",
				"INSERT INTO awspool.import VALUES ('%s', '$taken', 'MP-7777', 'SPAM')" ] ],
			$before, "$role wants to tell others' from none");
	}
	return;
}

# The one bit: an id is taken.  Who asked is in the log, and nothing else
# anywhere.
sub probing
{
	my %probes = (
		'add_account' => "SELECT awspool.add_account('acme', '%s', 'MP-0001', 'SPAM')",
		'the view' => "INSERT INTO awspool.accounts (provider, account_id, marketplace, model) VALUES ('acme', '%s', 'MP-0001', 'SPAM')",
		'import' => "INSERT INTO awspool.import VALUES ('acme', '%s', 'MP-0001', 'SPAM')",
		'COPY' => "COPY awspool.import FROM STDIN (FORMAT csv);\nacme,%s,MP-0001,SPAM\n\\.\n",
		'import_csv' => "SELECT outcome, detail FROM awspool.import_csv('acme', '%s;MP-0001;SPAM', true)",
		'check_csv' => "SELECT outcome, detail FROM awspool.check_csv('acme', '%s;MP-0001;SPAM')",
		'reconcile_csv' => "SELECT outcome, detail FROM awspool.reconcile_csv('acme', '%s;order-x;allocated;MP-0001;SPAM')",
		'check_reconcile_csv' => "SELECT outcome, detail FROM awspool.check_reconcile_csv('acme', '%s;order-x;;MP-0001;SPAM')",
		'a caught error' => "DO \$\$ BEGIN PERFORM awspool.add_account('acme', '%s', 'MP-0001', 'SPAM'); EXCEPTION WHEN unique_violation THEN RAISE NOTICE '%', SQLERRM; END \$\$",
		'SECURITY DEFINER' => "SELECT mine.probe('%s')");

	told($acme, "CREATE FUNCTION mine.probe(id text) RETURNS void LANGUAGE sql SECURITY DEFINER AS \$\$ SELECT awspool.add_account('acme', id, 'MP-0001', 'SPAM') \$\$");
	for my $id ($taken, '770000000007')
	{
		my $offset = log_size();
		my $told = told_each($acme, map { $_ => "\\set VERBOSITY verbose\nSET client_min_messages = debug5;\nBEGIN;\n" . ended($probes{$_} =~ s/%s/$id/gr) . "ROLLBACK" } keys %probes);
		my @lines = grep { /LOG: / && !/statement:/ && /$id/ } split /\n/, log_since($offset);

		for my $how (sort keys %probes)
		{
			like($told->{$how}, qr/taken/, "$how tells that $id is taken");
			unlike($told->{$how} =~ s/$id//gr, qr/victim|another provider|$secret/, 'and nothing else');
		}
		is(@lines, keys %probes, 'there is a line in the log of each');
		is((grep { !/\Q$acme\E.*acme/ } @lines), 0, 'with the role that asked, and for whom');
		is((grep { /victim/ } @lines), 0, 'and without the owner');
	}
	my $told = told_each($acme, map { $_ => "SELECT outcome, detail FROM awspool.check_reconcile_csv('acme', '$_;order-x')" } $taken, '770000000007', $missing);

	chomp %$told;
	is($told->{$_}, $told->{$missing}, "a list that does not ask to add $_ is told nothing") for $taken, '770000000007';
	my $offset = log_size();
	told($acme, "BEGIN; SELECT awspool.add_account('acme', '$missing', 'MP-0001', 'SPAM'); SELECT awspool.add_account('acme', '900000000001', 'MP-0001', 'SPAM'); ROLLBACK");
	unlike(log_since($offset), qr/LOG: (?! *statement).*asked for/, 'an id that is free or one\'s own is not worth a line');
	return;
}

# Names that would do something to whoever reads them.
sub hostile_names
{
	my $psql = sub { told('postgres', $_[0]) };
	my @roles = ("regress_awspool \"x'; DROP TABLE awspool.account; --", "regress_awspool\nLOG:  forged", "regress_awspool\e[2J", "regress_awspool_acm\x{d0}\x{b5}", '*');
	my $provider = "ac\"m'e; --\\";

	# Since server 19 no role has a line end in its name.
	@roles = grep { !/\n/ } @roles
	  if $node->safe_psql('postgres', 'SHOW server_version_num') >= 190000;
	for my $role (@roles)
	{
		my ($name, $shown) = (($role =~ s/"/""/gr), ($role =~ s/[^ -~]/?/gr));
		my ($literal, $who) = map { s/'/''/gr } $provider, $role;
		my $offset;

		$psql->("CREATE ROLE \"$name\"; GRANT CREATE ON SCHEMA mine TO \"$name\"; SELECT awspool.grant_provider('$literal', '$who')");
		my $as = "SET SESSION AUTHORIZATION \"$name\";";
		$offset = log_size();
		my $told = $psql->(<<"SQL");
$as
SELECT awspool.acts_for_all(), awspool.my_providers() = ARRAY['$literal'];
TABLE awspool.accounts;
TABLE awspool.pool_status;
SELECT awspool.add_account('$literal', '$taken', 'MP-0001', 'SPAM');
SQL
		like($told, qr/^f\|t\n+(?:psql:\S+ )?ERROR: .*is taken/, "act for others as $shown");
		unlike($told, qr/[\x00-\x08\x0b-\x1f\x7f]/, 'or paint a terminal');
		is((grep { /LOG: / && !/statement:/ && /role ".*asked for.*$taken/ && !/[\x00-\x08\x0b-\x1f\x7f]/ } split /\n/, log_since($offset)), 1, 'or forge the log');
		$psql->("SELECT awspool.revoke_provider('$literal', '$who'); DROP OWNED BY \"$name\"; DROP ROLE \"$name\"");
	}

	# An order, a reason and a refused value keep what they are, and messages
	# stay short and harmless.
	my $order = "'; SELECT \"\\\$1%s --";
	my $told = told($acme, <<"SQL");
BEGIN;
SELECT order_id = '${\($order =~ s/'/''/gr)}' FROM awspool.claim_account('acme', 'MP-0001', '${\($order =~ s/'/''/gr)}');
SELECT reason = repeat(E'\\x1b[2J\\n', 100000) FROM awspool.fail_account('acme', '900000000002', repeat(E'\\x1b[2J\\n', 100000));
SELECT detail = '${\("for order \"$order\", as SPAM" =~ s/'/''/gr)}' FROM awspool.account_history('acme', '900000000002') WHERE event = 'claimed';
ROLLBACK;
SQL
	is($told, "t\nt\nt\n", 'have an order or a reason taken for something else');
	my %calls;
	for my $argument ("E'\\x1b[2J'", "U&'\\009b2J'", "repeat(E'\\x07', 1000000)", "repeat('x', 1000000)", "E'\\n\\nERROR:  forged'")
	{
		$calls{$_} = "SELECT awspool.$_"
		  for "claim_account($argument, 'MP-0001')", "claim_account('acme', $argument)", "claim_account('acme', 'MP-0001', $argument)",
		  "delete_account('acme', $argument)", "add_account('acme', '900000000009', 'MP-0001', $argument)", "import_csv('acme', $argument || ';x;y')",
		  "add_account('acme', $argument, $argument, $argument)";
	}
	$told = told_each($acme, %calls);
	for my $call (sort keys %calls)
	{
		ok(length $told->{$call} < 1000 && $told->{$call} =~ /ERROR/ && $told->{$call} !~ /[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|^ERROR:  forged/m,
			"do harm with the message of $call") or diag(substr $told->{$call}, 0, 500);
	}

	# What looks like somebody's name is not theirs.
	refused($victim, '42501',
		'act for acme and nothing wide' => [ "SELECT awspool.claim_account(U&'acme\\200b', 'MP-0001')", '22023' ],
		map { ("act for $_->[0]" => "SELECT awspool.claim_account($_->[1], 'MP-0001')") }
		  [ 'ACME', "'ACME'" ], [ 'acme in Cyrillic', "U&'\\0430cme'" ], [ 'acme in full width', "U&'\\ff41\\ff43\\ff4d\\ff45'" ],
		[ 'acme around nothing wide', "U&'ac\\200bme'" ], [ 'acme and an accent', "U&'acme\\0301'" ], [ 'acme from the right', "U&'\\202eemca'" ]);
	return;
}

#
# Who somebody is
#

# The setting chooses, whoever set it and wherever.
sub forged_setting
{
	my $import = "INSERT INTO awspool.import (account_id, marketplace_id, account_model) VALUES ('880000000009', 'MP-7777', 'SPAM')";

	for my $role ($acme, $stranger, $viewer)
	{
		refused($role, '42501',
			'import for the victim by SET' => "SET awspool.provider = 'victim'; $import",
			'import for the victim by set_config()' => "SELECT set_config('awspool.provider', 'victim', false); $import",
			'import for the victim before the library is loaded' => "\\c\nSET awspool.provider = 'victim'; $import",
			'import for all' => [ "SET awspool.provider = '*'; $import", '22023' ],
			'set it for the database' => "ALTER DATABASE postgres SET awspool.provider = 'victim'",
			'set it for the victim' => "ALTER ROLE $victim SET awspool.provider = 'acme'",
			'set it for everybody' => "ALTER ROLE ALL SET awspool.provider = 'acme'",
			'set it in the server' => "ALTER SYSTEM SET awspool.provider = 'acme'");
		told($role, "SELECT awspool.acts_for_all(); ALTER ROLE $role SET awspool.provider = 'victim'");
		is((codes($role, $import))[0], '42501', "$role wants to import by ALTER ROLE SET");
		told($role, "ALTER ROLE $role RESET awspool.provider");
		local $ENV{PGOPTIONS} = '-c awspool.provider=victim';
		is((codes($role, $import))[0], '42501', "$role wants to import by PGOPTIONS");
		unlike_secret(told($role, 'TABLE awspool.accounts; TABLE awspool.pool_status; TABLE awspool.pool_activity; TABLE awspool.pool_settings; TABLE awspool.alerts; SELECT awspool.my_providers()'), "$role wants to read by PGOPTIONS");
	}
	return;
}

# Becoming somebody else.
sub other_roles
{
	refused($acme, '42501',
		'be the victim' => "SET ROLE $victim",
		'be the victim from the start' => "SET SESSION AUTHORIZATION $victim",
		'be the victim by set_config()' => "SELECT set_config('role', '$victim', false)",
		'be in the victim' => "GRANT $victim TO $acme",
		'be in who acts for all' => "GRANT $all TO $acme",
		'grant oneself the victim' => "SELECT awspool.grant_provider('victim', '$acme')",
		'take the victim\'s grant' => "SELECT awspool.revoke_provider('victim', '$victim')",
		'rename the victim' => "ALTER ROLE $victim RENAME TO regress_awspool_gone",
		'make the victim\'s role' => 'CREATE ROLE regress_awspool_new',
		'own what the owner has' => "REASSIGN OWNED BY postgres TO $acme");

	# A grant is of a role, not of a name.
	$node->safe_psql('postgres', <<'SQL');
CREATE ROLE regress_awspool_short;
CREATE ROLE victim LOGIN;
CREATE ROLE regress_awspool_outside NOINHERIT LOGIN IN ROLE regress_awspool_victim;
CREATE ROLE regress_awspool_starred LOGIN;
CREATE ROLE "*" ROLE regress_awspool_starred;
SELECT awspool.grant_provider('star', '*'), awspool.grant_provider('victim', 'regress_awspool_short');
DROP ROLE regress_awspool_short;
CREATE ROLE regress_awspool_short LOGIN;
SQL
	for my $who ([ 'regress_awspool_short', 'take a dropped role\'s name' ], [ 'victim', 'be called as the provider is' ],
		[ 'regress_awspool_outside', 'have a privilege without SET ROLE' ], [ 'regress_awspool_starred', 'be in a role called *' ])
	{
		my $told = told($who->[0], "SELECT awspool.claim_account('victim', 'MP-7777'); TABLE awspool.accounts; SELECT awspool.acts_for_all()");

		unlike_secret($told =~ s/.*LINE.*//gr, $who->[1]);
		like($told, qr/^f\n.*permission denied/ms, 'and be refused');
	}
	$node->safe_psql('postgres', "SELECT awspool.grant_provider('victim', 'regress_awspool_starred'); ALTER ROLE regress_awspool_starred RENAME TO regress_awspool_other");
	unlike_secret(told('regress_awspool_other', 'TABLE awspool.accounts'), 'keep a grant under another name');
	if ($node->pg_version >= 16)
	{
		$node->safe_psql('postgres', "GRANT $victim TO $stranger WITH INHERIT FALSE");
		unlike_secret(told($stranger, 'TABLE awspool.accounts'), 'have a privilege by a grant that does not inherit');
		$node->safe_psql('postgres', "REVOKE $victim FROM $stranger");
	}
	is(sqlstate($node, "SELECT awspool.grant_provider('victim', '$_')"), '42704', "be granted by the name $_")
	  for 'public', 'PUBLIC', 'current_user', '0', 'none', '-';
	$node->safe_psql('postgres', <<"SQL");
SELECT awspool.revoke_provider('star', '*'), awspool.revoke_provider('victim', 'regress_awspool_starred'), awspool.revoke_provider('victim', 'regress_awspool_short');
DROP ROLE regress_awspool_short, victim, regress_awspool_outside, regress_awspool_other, "*";
SQL
	return;
}

# Plans, cursors and statements that outlive a role or a grant.
sub outlived
{
	$node->safe_psql('postgres', "GRANT $victim TO $acme");
	told($acme, "CREATE FUNCTION mine.cached() RETURNS SETOF text LANGUAGE plpgsql AS \$\$ BEGIN RETURN QUERY SELECT account_id FROM awspool.accounts; END \$\$");
	for my $mode ('force_generic_plan', 'force_custom_plan')
	{
		my $told = told($acme, <<"SQL");
ALTER ROLE $acme NOINHERIT;
SET plan_cache_mode = $mode;
PREPARE p (text) AS SELECT account_id FROM awspool.accounts WHERE provider = \$1;
PREPARE q AS SELECT account_id FROM awspool.accounts;
SET ROLE $victim;
\\o /dev/null
EXECUTE p ('victim'); EXECUTE p ('victim'); EXECUTE q; SELECT mine.cached(); TABLE awspool.pool_status; TABLE awspool.pool_activity; TABLE awspool.alerts;
\\o
SET ROLE $stranger;
RESET ROLE;
SQL
		unlike_secret($told, "a plan is made for the victim ($mode)");
	}
	$node->safe_psql('postgres', "REVOKE $victim FROM $acme");

	# One session that is several roles in turn.
	my $told = told('postgres', <<"SQL");
SET plan_cache_mode = force_generic_plan;
PREPARE p (text) AS SELECT account_id FROM awspool.accounts WHERE provider = \$1;
PREPARE q AS SELECT account_id FROM awspool.accounts;
PREPARE r AS SELECT s.marketplace, a.detail, h.hour, p.pause_reason FROM awspool.pool_status s
  FULL JOIN awspool.alerts a ON false FULL JOIN awspool.pool_activity h ON false FULL JOIN awspool.pool_settings p ON false;
\\o /dev/null
SET ROLE $victim;
EXECUTE p ('victim'); EXECUTE q; EXECUTE r; SELECT mine.cached();
RESET ROLE;
EXECUTE p ('victim'); EXECUTE q; EXECUTE r; SELECT mine.cached();
\\o
SET ROLE $acme;
EXECUTE p ('victim'); EXECUTE q; EXECUTE r; SELECT mine.cached();
SET ROLE $stranger;
EXECUTE p ('victim'); EXECUTE q; EXECUTE r; SELECT mine.cached();
SQL
	unlike_secret($told, 'use a plan that was made for somebody else');
	like($told, qr/900000000001/, 'which shows one\'s own');

	# Revoked after the query was made, before it was run.
	my $session = session('regress_awspool_victim');
	$session->query_safe("PREPARE p AS SELECT account_id FROM awspool.accounts; PREPARE c AS SELECT awspool.claim_account('victim', 'MP-7777')");
	$session->query_safe('EXECUTE p');
	$session->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; DECLARE unread CURSOR FOR SELECT account_id FROM awspool.accounts; DECLARE pools CURSOR FOR SELECT ready FROM awspool.pool_status; DECLARE alerts CURSOR FOR SELECT detail FROM awspool.alerts; DECLARE hours CURSOR FOR SELECT added FROM awspool.pool_activity; DECLARE settings CURSOR FOR SELECT marketplace FROM awspool.pool_settings; DECLARE kept CURSOR WITH HOLD FOR SELECT account_id FROM awspool.accounts');
	$node->safe_psql('postgres', "SELECT awspool.revoke_provider('victim', '$victim')");
	is($session->query('FETCH ALL FROM unread'), '', 'read a cursor after the grant was revoked');
	is($session->query("FETCH ALL FROM $_"), '', "or one of the $_") for qw(pools alerts hours settings);
	is($session->query('EXECUTE p'), '', 'or run a prepared statement');
	is($session->query('COMMIT; FETCH ALL FROM kept'), '', 'or have a cursor read by COMMIT');
	unlike($session->query('EXECUTE c'), qr/\d{12}/, 'or claim by one');
	$session->quit;
	$node->safe_psql('postgres', "SELECT awspool.grant_provider('victim', '$victim')");
	return;
}

#
# Changing the extension itself
#

sub definitions
{
	my %statements = (
		'put a trigger on accounts' => 'CREATE TRIGGER a INSTEAD OF INSERT ON awspool.accounts FOR EACH ROW EXECUTE FUNCTION mine.noop()',
		'put a trigger on import' => 'CREATE TRIGGER a AFTER INSERT ON awspool.import FOR EACH STATEMENT EXECUTE FUNCTION mine.noop()',
		'put a trigger on pool_status' => 'CREATE TRIGGER a INSTEAD OF INSERT ON awspool.pool_status FOR EACH ROW EXECUTE FUNCTION mine.noop()',
		'put a trigger on the table' => 'CREATE TRIGGER a BEFORE INSERT ON awspool.account FOR EACH ROW EXECUTE FUNCTION mine.noop()',
		'see what changes by a transition table' => 'CREATE TRIGGER a AFTER INSERT ON awspool.account REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION mine.noop()',
		'use a trigger function elsewhere' => 'CREATE TRIGGER a INSTEAD OF INSERT ON mine.accounts FOR EACH ROW EXECUTE FUNCTION awspool.change_accounts()',
		'put a rule on accounts' => 'CREATE RULE a AS ON INSERT TO awspool.accounts DO ALSO SELECT 1',
		'put a rule on the table' => 'CREATE RULE a AS ON UPDATE TO awspool.account DO ALSO SELECT 1',
		'replace the view' => "CREATE OR REPLACE VIEW awspool.pool_status AS SELECT ''::text AS provider",
		'replace a function' => 'CREATE OR REPLACE FUNCTION awspool.acts_for_all() RETURNS boolean LANGUAGE sql AS $$ SELECT true $$',
		'add an overload' => 'CREATE FUNCTION awspool.claim_account(text) RETURNS boolean LANGUAGE sql AS $$ SELECT true $$',
		'add a table' => 'CREATE TABLE awspool.mine ()',
		'move a table there' => 'ALTER TABLE mine.refers SET SCHEMA awspool',
		'take the barrier down' => 'ALTER VIEW awspool.accounts SET (security_barrier = false)',
		'rename the view' => 'ALTER VIEW awspool.accounts RENAME TO a',
		'rename the schema' => 'ALTER SCHEMA awspool RENAME TO a',
		'take the schema over' => "ALTER SCHEMA awspool OWNER TO $acme",
		'take row security off' => 'ALTER TABLE awspool.account DISABLE ROW LEVEL SECURITY',
		'let everybody pass' => 'CREATE POLICY a ON awspool.account USING (true)',
		'switch a trigger off' => 'ALTER TABLE awspool.account DISABLE TRIGGER ALL',
		'add a column' => 'ALTER TABLE awspool.account ADD COLUMN a text',
		'have statistics collected' => 'ALTER TABLE awspool.account ALTER account_id SET STATISTICS 100',
		'create statistics' => 'CREATE STATISTICS a ON account_id, provider FROM awspool.account',
		'take the table over' => "ALTER TABLE awspool.account OWNER TO $acme",
		'drop a function' => 'DROP FUNCTION awspool.claim_account',
		'drop the view' => 'DROP VIEW awspool.accounts CASCADE',
		'drop the table' => 'DROP TABLE awspool.account CASCADE',
		'drop the schema' => 'DROP SCHEMA awspool CASCADE',
		'drop the extension' => 'DROP EXTENSION awspool CASCADE',
		'run functions as their owner' => 'ALTER FUNCTION awspool.claim_account SECURITY DEFINER',
		'call a function leakproof' => 'ALTER FUNCTION mine.leak LEAKPROOF',
		'set a setting in a function' => 'ALTER FUNCTION awspool.claim_account SET search_path = mine',
		'comment on the view' => "COMMENT ON VIEW awspool.accounts IS 'mine'",
		'comment on a function' => "COMMENT ON FUNCTION awspool.claim_account IS 'mine'",
		'comment on the extension' => "COMMENT ON EXTENSION awspool IS 'mine'",
		'label the table' => [ "SECURITY LABEL ON TABLE awspool.account IS 'mine'", '22023' ],
		'add to the extension' => 'ALTER EXTENSION awspool ADD TABLE mine.refers',
		'take out of the extension' => 'ALTER EXTENSION awspool DROP VIEW awspool.accounts',
		'update the extension' => 'ALTER EXTENSION awspool UPDATE',
		'grant on the table' => "GRANT SELECT ON awspool.account TO $acme",
		'grant on all tables' => "GRANT SELECT ON ALL TABLES IN SCHEMA awspool TO $acme",
		'have what is made later' => "ALTER DEFAULT PRIVILEGES FOR ROLE postgres GRANT ALL ON TABLES TO $acme",
		'refer to the table' => 'CREATE TABLE mine.f (a text REFERENCES awspool.account)',
		'refer to the table later' => 'ALTER TABLE mine.refers ADD FOREIGN KEY (a) REFERENCES awspool.account',
		'refer to the view' => [ 'CREATE TABLE mine.f (a text REFERENCES awspool.accounts)', '42809' ],
		'inherit from the table' => 'CREATE TABLE mine.f () INHERITS (awspool.account)',
		'make the table a child' => 'ALTER TABLE awspool.account INHERIT mine.refers',
		'copy the definition' => 'CREATE TABLE mine.f (LIKE awspool.account INCLUDING ALL)',
		'attach the table' => 'ALTER TABLE mine.parts ATTACH PARTITION awspool.account DEFAULT',
		'index the table' => 'CREATE INDEX ON awspool.account (mine.spy(account_id))',
		'publish the table' => 'CREATE PUBLICATION a FOR TABLE awspool.account',
		'publish the schema' => 'CREATE PUBLICATION a FOR TABLES IN SCHEMA awspool',
		'subscribe' => "CREATE SUBSCRIPTION a CONNECTION '' PUBLICATION a",
		'watch commands' => 'CREATE EVENT TRIGGER a ON ddl_command_end EXECUTE FUNCTION mine.noop()',
		'lock the table' => 'DO $$ BEGIN LOCK TABLE awspool.account; END $$',
		'truncate the table' => 'TRUNCATE awspool.account',
		'rebuild the table' => 'CLUSTER awspool.account USING account_pkey',
		'rebuild its indexes' => 'REINDEX TABLE awspool.account',
		'reset statistics' => "SELECT pg_stat_reset_single_table_counters('awspool.account'::regclass)",
		'load a library' => "LOAD '/tmp/awspool'",
		'make a function of the library' => "CREATE FUNCTION mine.c() RETURNS boolean AS '\$libdir/awspool', 'awspool_acts_for_all_sql' LANGUAGE C",
		'make a base type' => 'CREATE TYPE mine.base (INPUT = textin, OUTPUT = textout)');

	told($acme, <<"SQL");
CREATE FUNCTION mine.noop() RETURNS trigger LANGUAGE plpgsql AS \$\$ BEGIN RETURN NULL; END \$\$;
CREATE FUNCTION mine.spy(text) RETURNS text LANGUAGE sql IMMUTABLE AS \$\$ SELECT \$1 \$\$;
CREATE VIEW mine.accounts AS TABLE awspool.accounts;
CREATE TABLE mine.refers (a text);
CREATE TABLE mine.parts (LIKE mine.refers) PARTITION BY LIST (a);
GRANT TRIGGER ON mine.accounts TO PUBLIC;
SQL
	refused($acme, '42501', %statements);
	delete @statements{ 'move a table there', 'refer to the table later', 'attach the table', 'add to the extension', 'call a function leakproof' };
	refused($stranger, '42501', %statements);
	refused($all, '42501', map { $_ => $statements{$_} } grep { /grant|take|drop|replace|trigger/ } keys %statements);

	# Called as a function, by who may not.
	refused($stranger, '42501', map { ("call $_" => "SELECT $_()") } split /\n/, $node->safe_psql('postgres',
			"SELECT oid::regproc FROM pg_proc WHERE pronamespace = 'awspool'::regnamespace AND prorettype = 'trigger'::regtype"));
	return;
}

#
# In and out of the database
#

sub copied
{
	my @relations = split /\n/, $node->safe_psql('postgres', "SELECT oid::regclass FROM pg_class WHERE relnamespace = 'awspool'::regnamespace AND relkind IN ('r', 'v', 'S', 'i', 'c') ORDER BY 1");

	cmp_ok(@relations, '>', 10, 'there is something to copy');
	for my $role ($acme, $stranger, $viewer)
	{
		my $told = told_each($role, map { ("out of $_" => "COPY $_ TO STDOUT;\nCOPY (SELECT * FROM $_) TO STDOUT;\nCOPY (TABLE $_) TO STDOUT (FORMAT csv)",
			"into $_" => "BEGIN;\nCOPY $_ FROM STDIN;\n\\.\nROLLBACK") } @relations);

		for my $relation (@relations)
		{
			unlike_secret($told->{"out of $relation"}, "$role wants to copy out of $relation");
			like($told->{"into $relation"}, qr/ERROR/, "$role wants to copy into $relation")
			  unless $relation =~ /^awspool\.(?:accounts|import)$/;
		}
		refused($role, '42501',
			'copy to a file' => "COPY (TABLE awspool.accounts) TO '/tmp/awspool'",
			'copy to a program' => "COPY (TABLE awspool.accounts) TO PROGRAM 'cat'",
			'copy into the table' => "COPY awspool.account (provider, account_id, marketplace, model) FROM STDIN;\n\\.\n",
			'copy into the view' => "COPY awspool.accounts (provider, account_id, marketplace, model) FROM STDIN;\nvictim\t880000000001\tMP-7777\tSPAM\n\\.\n",
			'copy into import' => "COPY awspool.import FROM STDIN;\nvictim\t880000000001\tMP-7777\tSPAM\n\\.\n",
			'copy grants' => "COPY awspool.provider_role FROM STDIN;\n\\.\n",
			'copy viewers' => "COPY awspool.provider_viewer FROM STDIN;\n\\.\n");
		for my $options ([], ['--data-only'], [ '--table', 'awspool.account*' ], [ '--schema', 'awspool', '--enable-row-security' ], [ '--extension', 'awspool', '--inserts' ])
		{
			my ($stdout, $stderr);

			IPC::Run::run([ 'pg_dump', '-U', $role, '-d', $node->connstr('postgres'), @$options ], '>', \$stdout, '2>', \$stderr);
			unlike_secret($stdout . $stderr, "$role wants to dump @$options");
		}
	}
	return;
}

# More than there is memory for: an error, and a server that goes on.
sub too_much
{
	my $pid = $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'");

	refused($acme, '22023',
		map { ("pass a million bytes to $_" => "SELECT awspool.$_") }
		  "claim_account(repeat('x', 1000000), 'MP-0001')", "claim_account('acme', repeat('x', 1000000))",
		"claim_account('acme', 'MP-0001', repeat('x', 1000000))", "delete_account('acme', repeat('9', 1000000))");
	refused($acme, '00000',
		'ask for a million ids at once' => "SELECT count(*) FROM awspool.accounts WHERE account_id = ANY (array_fill('$taken'::text, '{1000000}'))",
		'look for a million bytes' => "SELECT count(*) FROM awspool.accounts WHERE account_id = repeat('7', 1000000)",
		'check a line of 10 million bytes' => "SELECT count(*) FROM awspool.check_csv('acme', repeat('x', 10000000))",
		'check a field of 10 million lines' => "SELECT count(*) FROM awspool.check_csv('acme', '\"' || repeat(E'\\n', 10000000) || '\"')");
	refused($acme, '22P04', 'check 10 million separators' => "SELECT awspool.check_csv('acme', repeat(';', 10000000))");
	is($node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'"), $pid, 'the server did not crash');
	return;
}

# To change what one may only look at, by any way at all.
sub look_only
{
	my @writes = (
		(map { 'SELECT ' . sprintf($_, 'victim') } grep { !/$only_looks/ } @calls_with_provider),
		"SELECT awspool.add_account('victim', '$missing', 'MP-7777', 'SPAM')",
		"SELECT awspool.import_csv('victim', '')",
		"SELECT awspool.delete_accounts('victim', '{}')",
		"SELECT awspool.edit_account('victim', '$taken')",
		"SELECT awspool.claim_account('victim', 'MP-7777', 'secret-order')",
		"SELECT awspool.claim_accounts('victim', 'MP-7777', '{}')",
		"SELECT awspool.fail_overdue('victim', 0)",
		"SELECT awspool.reconcile_csv('victim', '')",
		"SELECT awspool.resume_pool('victim', 'MP-7778')",
		"SELECT awspool.freeze_provider('victim')",
		"SELECT awspool.thaw_provider('victim')",
		"SELECT awspool.recount()",
		"SELECT awspool.verify()",
		"UPDATE awspool.pool_setting SET paused_at = NULL",
		"SELECT awspool.allocate_account('victim', '770000000002', 'secret-order-2')",
		"UPDATE awspool.accounts SET model = model",
		"UPDATE awspool.accounts SET status = 'invalid' WHERE status = 'ready'",
		"UPDATE awspool.accounts SET provider = 'mine'",
		"DELETE FROM awspool.accounts WHERE account_id = '$taken'",
		"DELETE FROM awspool.accounts",
		"INSERT INTO awspool.accounts (provider, account_id, marketplace, model) VALUES ('victim', '$missing', 'MP-7777', 'SPAM')",
		"INSERT INTO awspool.accounts (account_id, marketplace, model) VALUES ('$missing', 'MP-7777', 'SPAM')",
		"INSERT INTO awspool.accounts SELECT * FROM awspool.accounts",
		"INSERT INTO awspool.import VALUES ('victim', '$missing', 'MP-7777', 'SPAM')",
		"INSERT INTO awspool.import (account_id, marketplace_id, account_model) VALUES ('$missing', 'MP-7777', 'SPAM')",
		"WITH d AS (DELETE FROM awspool.accounts RETURNING *) SELECT * FROM d",
		"SELECT awspool.grant_provider('victim', '$watcher')",
		"SELECT awspool.grant_viewer('victim', '$stranger')",
		"SELECT awspool.revoke_viewer('victim', '$watcher')",
		"SELECT awspool.revoke_provider('victim', '$victim')",
		"UPDATE awspool.account SET model = 'ECAM'",
		"SELECT nextval('awspool.account_position')",
		"SELECT setval('awspool.account_position', 1)");

	refused($watcher, '42501', map { $_ => $_ } @writes);
	refused($watcher, '42501', 'copy into import' => "COPY awspool.import FROM STDIN;\nvictim\t$missing\tMP-7777\tSPAM\n\\.\n");
	is((codes($watcher, "SET awspool.provider = 'victim'", "INSERT INTO awspool.import (account_id, marketplace_id, account_model) VALUES ('$missing', 'MP-7777', 'SPAM')"))[1],
		'42501', 'by the setting');
	refused($watcher, '00000', 'read what it may' => 'SELECT awspool.account_history(provider, account_id) FROM awspool.accounts',
		(map { ("read view $_" => "TABLE awspool.$_") } qw(pool_status pool_activity pool_settings alerts)),
		map { ("call $_" => "SELECT $_") } map { sprintf $_, 'victim' } grep { /$only_looks/ } @calls_with_provider);
	refused($viewer, '42501', map { ("look at the victim by $_" => 'SELECT ' . sprintf $_, 'victim') } @calls_with_provider);
	like(told($watcher, "TABLE awspool.$_"), $secret, "what it may look at is shown in $_") for qw(pool_status pool_activity pool_settings alerts);
	is(told($viewer, "SELECT provider FROM awspool.$_ WHERE provider <> 'acme'"), "\n", "and no other in $_") for qw(pool_status pool_activity pool_settings alerts);

	# In a function of one's own, by a rule, a trigger or a view on the view
	told($watcher, <<"SQL");
CREATE FUNCTION mine.definer() RETURNS text LANGUAGE sql SECURITY DEFINER AS \$\$ SELECT account_id FROM awspool.claim_account('victim', 'MP-7777') \$\$;
CREATE VIEW mine.looked AS SELECT * FROM awspool.accounts;
GRANT ALL ON mine.looked TO PUBLIC;
GRANT EXECUTE ON FUNCTION mine.definer TO PUBLIC;
SQL
	refused($_, '42501', 'write through a function of a viewer' => 'SELECT mine.definer()') for $watcher, $acme;
	refused($watcher, '42501', 'delete through a view of its own' => 'DELETE FROM mine.looked', 'update through it' => "UPDATE mine.looked SET model = 'ECAM'");
	unlike_secret(told($acme, 'TABLE mine.looked'), 'a viewer\'s view shows others nothing');
	told($watcher, 'DROP VIEW mine.looked; DROP FUNCTION mine.definer');
	return;
}

my @attacks = (
	[ 'plant something before CREATE EXTENSION', \&planted_before_install ],
	[ 'be given something by default', \&given_by_default ],
	[ 'shadow what the extension uses', \&shadows ],
	[ 'read by a condition that leaks', \&leaky_conditions ],
	[ 'read by other queries', \&other_queries ],
	[ 'have others read', \&read_by_others ],
	[ 'be told by a plan', \&explained ],
	[ 'be told by counters', \&counted ],
	[ 'be told by statistics', \&statistics ],
	[ 'be told by locks, or hold others up', \&locks ],
	[ 'be told by sequences', \&sequences ],
	[ 'be told by an answer', \&answers ],
	[ 'probe for ids unseen', \&probing ],
	[ 'use a name that does harm', \&hostile_names ],
	[ 'forge the setting', \&forged_setting ],
	[ 'be somebody else', \&other_roles ],
	[ 'use what was made for somebody else', \&outlived ],
	[ 'change the extension', \&definitions ],
	[ 'copy in or out', \&copied ],
	[ 'change what one may look at', \&look_only ],
	[ 'exhaust the server', \&too_much ]);

for my $attack (@attacks)
{
	subtest $attack->[0] => sub {
		$attack->[1]->();
		is($node->safe_psql('postgres', $victims), $before, 'the victim\'s accounts are as they were');
	};
}

done_testing();
