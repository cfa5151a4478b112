# Many sessions at once, doing all that can be done to a few pools, with some
# of them ended in the middle.  No account is claimed twice and none is lost,
# readers see nothing odd meanwhile, and whenever it is quiet, sessions that
# claimed all along agree on which account is the oldest.
#
# pgbench sends the scripts below, in rounds.  Between these, sessions that
# have been there from the beginning, and so remember where the heads of the
# pools were, claim in turns.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use Awspool;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

use constant {
	CLIENTS => 32,
	ROUNDS => $ENV{SAMPLE} ? 2 : 4,
	SECONDS => 4,    # in a round
	TERMINATED => 5,    # sessions in a round
};

my $node = start_pool('stress', conf => <<'CONF');
max_connections = 60
max_prepared_transactions = 50
log_lock_waits = off
deadlock_timeout = 100ms
autovacuum = on
autovacuum_naptime = 1s
CONF

#
# What the scripts need.  "claimed" has what was claimed, by the claims' own
# transactions; a function that catches errors is for what may be too late.
#

$node->safe_psql('postgres', <<'SQL');
CREATE SEQUENCE new_id;
CREATE TABLE claimed (account_id text);

-- The oldest account of a pool that is ready, committed and not being changed,
-- and its version, which is another one once somebody touched it.  The columns
-- are read once: xmax may change while the row is looked at.
CREATE FUNCTION oldest(provider text, marketplace text, OUT place bigint, OUT version text)
LANGUAGE sql AS $$
	SELECT position, format('%s %s %s', ctid, xmin, xmax)
	FROM (SELECT position, ctid, xmin, xmax FROM awspool.account a
		  WHERE a.provider = $1 AND a.marketplace = $2 AND status = 'ready'
		  ORDER BY position OFFSET 0) a
	WHERE xmax = 0 OR
		(age(xmax) < age(xmin) AND pg_xact_status(xmax::text::xid8) = 'aborted')
	LIMIT 1;
$$;

-- An account that was the oldest before a claim, and is so after it, was missed
-- if the claim got a younger one, or none.  (Other isolation levels would see
-- the past.)
CREATE FUNCTION claim(provider text, marketplace text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	before record;
	after record;
	id text;
	claimed_place bigint;
BEGIN
	SELECT * INTO before FROM oldest(provider, marketplace);
	SELECT account_id INTO id FROM awspool.claim_account(provider, marketplace);
	SELECT * INTO after FROM oldest(provider, marketplace);
	SELECT position INTO claimed_place FROM awspool.account WHERE account_id = id;
	INSERT INTO claimed SELECT id WHERE id IS NOT NULL;
	IF before = after AND before.place < coalesce(claimed_place, before.place + 1)
		AND current_setting('transaction_isolation') = 'read committed' THEN
		RAISE 'missed the account at %, claimed % at %', before.place, id, claimed_place;
	END IF;
END $$;

-- For an order that others retry: what it holds already is no new claim.
CREATE FUNCTION claim_again(provider text, marketplace text, order_id text)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM awspool.claim_account(provider, marketplace, order_id);
END $$;

CREATE FUNCTION claim_in_savepoints(provider text, marketplace text, n int)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. n LOOP
		BEGIN
			PERFORM awspool.claim_account(provider, marketplace);
		EXCEPTION WHEN division_by_zero THEN
		END;
	END LOOP;
END $$;

CREATE FUNCTION some_ready(provider text, marketplace text) RETURNS text
LANGUAGE sql AS $$
	SELECT account_id FROM awspool.account a
	WHERE a.provider = $1 AND a.marketplace = $2 AND a.status = 'ready'
	ORDER BY position OFFSET (random() * random() * 20)::int LIMIT 1;
$$;

CREATE FUNCTION try(action text, VARIADIC args text[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	id text := CASE WHEN args[2] ~ '^MP' THEN some_ready(args[1], args[2]) ELSE args[2] END;
BEGIN
	IF id IS NULL THEN
		RETURN;
	END IF;
	CASE action
		WHEN 'move' THEN
			PERFORM awspool.edit_account(args[1], id, args[3]);
		WHEN 'model' THEN
			PERFORM awspool.edit_account(args[1], id, model => args[3]);
		WHEN 'invalidate' THEN
			PERFORM awspool.invalidate_account(args[1], id);
		WHEN 'delete' THEN
			PERFORM awspool.delete_account(args[1], id);
		WHEN 'readd' THEN
			PERFORM awspool.delete_account(args[1], id);
			PERFORM awspool.add_account(args[1], id, args[2], 'SPAM');
		WHEN 'allocate' THEN
			PERFORM awspool.allocate_account(args[1], id, args[3]);
		WHEN 'fail' THEN
			PERFORM awspool.fail_account(args[1], id, 'failed', args[3]);
		WHEN 'replace' THEN
			PERFORM awspool.replace_account(args[1], id, 'replaced', args[3]);
	END CASE;
EXCEPTION
	WHEN SQLSTATE 'WS001' OR SQLSTATE 'WS002' OR SQLSTATE 'WS003' OR SQLSTATE 'WS004' OR SQLSTATE 'WS005' THEN
		NULL;	-- somebody was faster
END $$;

-- The order is done with what it holds, in one way or another.
CREATE FUNCTION finish(provider text, order_id text, how int) RETURNS void
LANGUAGE sql AS $$
	SELECT try((ARRAY['allocate', 'fail', 'replace'])[how], $1, account_id, $2)
	FROM awspool.accounts a
	WHERE a.provider = $1 AND a.order_id = $2 AND a.status = 'provisioning_in_progress';
$$;

CREATE FUNCTION import(provider text, marketplace text, count int) RETURNS void
LANGUAGE sql AS $$
	SELECT awspool.import_csv(provider,
		string_agg(100000000000 + nextval('new_id') || ';' || marketplace || ';SPAM', E'\n'))
	FROM generate_series(1, count);
$$;
SQL

my @scripts = (
	# How often, and what.  Each with a pool of its own choice.
	[ 20, 'claim' => q{SELECT claim(:p, :m);} ],
	[ 10, 'claim and allocate' => q{
		SELECT awspool.allocate_account(provider, account_id) FROM awspool.claim_account(:p, :m);} ],
	[ 10, 'hold' => q{
		BEGIN; SELECT claim(:p, :m);
		\sleep :us us
		COMMIT;} ],
	[ 10, 'roll back' => q{
		BEGIN; SELECT claim(:p, :m); SELECT claim(:p, :m);
		\sleep :us us
		ROLLBACK;} ],
	[ 8, 'savepoints' => q{
		BEGIN; SELECT claim(:p, :m);
		SAVEPOINT a; SELECT claim(:p, :m); SELECT claim(:p, :m);
		\sleep :us us
		ROLLBACK TO a; SELECT claim(:p, :m);
		SAVEPOINT b; SELECT claim(:p, :m); RELEASE b;
		COMMIT;} ],
	[ 3, 'snapshot' => q{
		BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM claimed WHERE account_id = '';
		\sleep :us us
		SELECT claim(:p, :m);
		COMMIT;} ],
	[ 3, 'prepare' => q{
		BEGIN; SELECT claim(:p, :m); SELECT claim(:p, :m); PREPARE TRANSACTION ':client_id';
		\sleep :us us
		\if :even
		COMMIT PREPARED ':client_id';
		\else
		ROLLBACK PREPARED ':client_id';
		\endif} ],
	[ 2, 'batch' => q{
		BEGIN;
		INSERT INTO claimed SELECT account_id FROM awspool.claim_accounts(:p, :m, array_fill(NULL::text, '{40}'));
		\sleep :us us
		\if :even
		COMMIT;
		\else
		ROLLBACK;
		\endif} ],
	[ 2, 'many savepoints' => q{
		BEGIN; SELECT claim(:p, :m);
		SAVEPOINT a; SELECT claim_in_savepoints(:p, :m, 40);
		\sleep :us us
		ROLLBACK TO a;
		\sleep :us us
		SELECT claim(:p, :m);
		COMMIT;} ],
	[ 5, 'batch of orders' => q{
		SELECT count(*) FROM awspool.claim_accounts(:op, :om, ARRAY[:o + 12, :o, :o + 6, :o]);} ],
	[ 10, 'order' => q{
		SELECT claim_again(:op, :om, :o); SELECT finish(:op, :o, :how);} ],
	[ 4, 'order rolled back' => q{
		BEGIN; SELECT claim_again(:op, :om, :o); SELECT finish(:op, :o, :how); ROLLBACK;} ],
	[ 4, 'import' => q{
		BEGIN; SELECT import(:p, :m, 25);
		\sleep :us us
		COMMIT;} ],
	[ 1, 'import rolled back' => q{
		BEGIN; SELECT import(:p, :m, 25);
		\sleep :us us
		ROLLBACK;} ],
	[ 6, 'add' => q{
		SELECT awspool.add_account(:p, (100000000000 + nextval('new_id'))::text, :m, 'SPAM');} ],
	[ 3, 'move' => q{
		BEGIN; SELECT try('move', :p, :m, :m2);
		\sleep :us us
		COMMIT;} ],
	[ 1, 'move rolled back' => q{
		BEGIN; SELECT try('move', :p, :m, :m2); SELECT claim(:p, :m2); ROLLBACK;} ],
	[ 3, 'model' => q{SELECT try('model', :p, :m, :model);} ],
	[ 2, 'invalidate' => q{SELECT try('invalidate', :p, :m);} ],
	[ 2, 'delete' => q{SELECT try('delete', :p, :m);} ],
	[ 2, 'delete and add' => q{SELECT try('readd', :p, :m);} ],
	[ 1, 'by hand' => q{
		INSERT INTO awspool.account (provider, account_id, marketplace, model, added_by, position)
		SELECT :p, 100000000000 + n, :m, 'SPAM', 'hand', -n FROM nextval('new_id') n;} ],
);

my $choices = q{\set p random(1, 2)
\set m random(1, 3)
\set m2 :m % 3 + 1
\set o random(1, 3000)
\set how random(1, 3)
\set even random(0, 1)
\set us random_exponential(100, 20000, 3)
};

my $dir = PostgreSQL::Test::Utils::tempdir;
my @files;
for my $script (@scripts)
{
	my ($weight, $name, $sql) = @$script;
	my %value = (
		p => "'p' || :p",
		m => "'MP-000' || :m",
		m2 => "'MP-000' || :m2",
		model => "(ARRAY['SPAM', 'ECAM'])[1 + :even]",
		o => "'o' || :o",
		op => "'p' || 1 + :o % 2",
		om => "'MP-000' || 1 + :o % 3");

	$sql =~ s/:(op|om|m2|model|p|m|o)\b/$value{$1}/g;
	$sql =~ s/^\s+|; (?=\S)/$& =~ m{;} ? ";\n" : ''/gem;
	$name =~ tr/ /_/;
	append_to_file("$dir/$name", $choices . $sql . "\n");
	push @files, '--file', "$dir/$name\@$weight";
}

#
# Who looks on: a session of its own remembers what it saw, and is never shown
# an account that went back, or that is there twice.
#

my $reader = $node->background_psql('postgres');
$reader->query_safe(<<'SQL');
CREATE TEMP TABLE seen (account_id text PRIMARY KEY, status text, step int);
SET search_path = pg_catalog, pg_temp, awspool;
BEGIN;
CREATE FUNCTION pg_temp.odd() RETURNS TABLE (what text, account_id text)
LANGUAGE plpgsql AS $$
BEGIN
	CREATE TEMP TABLE shown ON COMMIT DROP AS
		SELECT *, CASE status WHEN 'ready' THEN 0
							  WHEN 'provisioning_in_progress' THEN 1 ELSE 2 END AS step
		FROM awspool.accounts;
	RETURN QUERY
		SELECT 'twice', s.account_id FROM shown s
		GROUP BY s.account_id HAVING count(*) > 1
		UNION ALL
		SELECT 'two for an order', min(s.account_id) FROM shown s
		WHERE s.status IN ('provisioning_in_progress', 'allocated') AND s.order_id IS NOT NULL
		GROUP BY s.provider, s.order_id HAVING count(*) > 1
		UNION ALL
		SELECT 'went back', s.account_id FROM shown s JOIN seen b USING (account_id)
		WHERE s.step < b.step OR (b.step = 2 AND s.status <> b.status)
		UNION ALL
		SELECT 'counted otherwise', p.provider || p.marketplace
		FROM awspool.pool_status p LEFT JOIN (
			SELECT s.provider, s.marketplace,
				count(*) FILTER (WHERE s.step = 0) AS ready,
				count(*) FILTER (WHERE s.step = 1) AS busy,
				count(*) FILTER (WHERE s.step = 2) AS closed
			FROM shown s GROUP BY 1, 2) c USING (provider, marketplace)
		WHERE (p.ready, p.provisioning_in_progress,
			   p.allocated + p.provisioning_failed + p.invalid)
			IS DISTINCT FROM (c.ready, c.busy, c.closed);
	INSERT INTO seen SELECT s.account_id, s.status, s.step FROM shown s
	ON CONFLICT ON CONSTRAINT seen_pkey
	DO UPDATE SET status = excluded.status, step = excluded.step
	WHERE seen.step < excluded.step;
END $$;
COMMIT;
SQL

sub odd
{
	return $reader->query_safe(
		"BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT * FROM pg_temp.odd(); COMMIT; SELECT * FROM awspool.verify();"
	);
}

#
# Who claims in between: sessions that know where the heads were.
#

my @pools = map { my $p = $_; map { [ "p$p", "MP-000$_" ] } 1 .. 3 } 1 .. 2;
my @warm = map { $node->background_psql('postgres') } 1 .. 4;

sub ready
{
	my ($pool, $limit) = @_;

	return split /\n/,
	  $node->safe_psql('postgres',
		"SELECT account_id FROM awspool.account WHERE provider = '$pool->[0]' AND marketplace = '$pool->[1]' AND status = 'ready' ORDER BY position LIMIT $limit"
	  );
}

# Claim in turns, without a pause; a session that missed an account sees that
# the pool is empty, or claims a younger one.
sub claim_in_turns
{
	my ($pool, $count) = @_;
	my $sql =
	  "SELECT account_id FROM awspool.claim_account('$pool->[0]', '$pool->[1]');";

	return map { $warm[ $_ % @warm ]->query_safe($sql) } 1 .. $count;
}

# Transactions in all rounds: on a busy machine one may have few.
my $done = 0;

# One round of pgbench, while the reader looks on and some sessions are ended.
# Returns the errors that pgbench had, other than that.
sub round
{
	my ($number) = @_;
	my ($stdin, $stdout, $stderr) = ('', '', '');
	my @terminate = (
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pgbench' AND xact_start IS NOT NULL AND query <> '' ORDER BY md5(pid::text) LIMIT 1"
	) x TERMINATED;
	my @odd;

	my $pgbench = IPC::Run::start(
		[
			'pgbench', '--no-vacuum', '--client', CLIENTS, '--jobs', 2,
			'--time', SECONDS, '--max-tries', 100, '--random-seed', $number,
			@files, $node->connstr('postgres') . ' application_name=pgbench'
		],
		'<', \$stdin, '>', \$stdout, '2>', \$stderr);
	while ($pgbench->pumpable)
	{
		$pgbench->pump_nb;
		push @odd, grep { $_ ne '' } odd();
		$node->safe_psql('postgres', shift @terminate)
		  if @terminate;
	}
	$pgbench->finish;

	is(join("\n", @odd), '', "round $number: a reader sees nothing odd");
	my ($count) =
	  $stdout =~ /number of transactions actually processed: (\d+)/;
	cmp_ok($count, '>', 0, "round $number: the sessions did something");
	$done += $count;
	note $stdout;
	return join "\n", grep { /ERROR:/ } split /\n/, $stderr;
}

for my $pool (@pools)
{
	$node->safe_psql('postgres',
		"SELECT import('$pool->[0]', '$pool->[1]', 300)");
}

for my $number (1 .. ROUNDS)
{
	is(round($number), '', "round $number: nobody has an error");

	# A session that was ended may have left what it prepared.
	$node->poll_query_until('postgres',
		"SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'pgbench'"
	);
	$node->safe_psql('postgres', "ROLLBACK PREPARED '$_'")
	  for split /\n/,
	  $node->safe_psql('postgres', 'SELECT gid FROM pg_prepared_xacts');

	for my $pool (@pools)
	{
		my @ready = ready($pool, 40);
		is( join(' ', claim_in_turns($pool, scalar @ready)),
			"@ready", "round $number: pool @$pool is claimed in order");
	}
}

#
# What has become of all accounts.
#

is( $node->safe_psql('postgres',
		'SELECT account_id FROM claimed GROUP BY 1 HAVING count(*) > 1'),
	'',
	'no account was claimed twice');
is( $node->safe_psql('postgres', <<'SQL'),
SELECT c.account_id FROM claimed c
LEFT JOIN awspool.account a ON a.account_id = c.account_id AND a.claimed_at IS NOT NULL
LEFT JOIN awspool.account_log l ON l.account_id = c.account_id AND l.used
WHERE num_nulls(a.account_id, l.account_id) <> 1
SQL
	'',
	'no claim was lost');
is( $node->safe_psql('postgres', <<'SQL'),
SELECT order_id, count(*) FROM awspool.account
WHERE order_id IS NOT NULL AND status IN ('provisioning_in_progress', 'allocated')
GROUP BY provider, order_id HAVING count(*) > 1
SQL
	'',
	'no order holds two');
cmp_ok(
	$node->safe_psql('postgres',
		"SELECT count(DISTINCT status) FROM awspool.account"),
	'==', 5,
	'accounts of every status are there');

# Of each life of an account: added, edited or not, claimed at most once and
# closed at most once, edited again, and deleted or still there
is( $node->safe_psql('postgres', <<'SQL'),
SELECT account_id, life FROM (
	SELECT a.account_id,
		(SELECT string_agg(event, ' ') FROM awspool.account_history(a.provider, a.account_id)) AS life
	FROM (SELECT provider, account_id FROM awspool.account_log
		  UNION SELECT provider, account_id FROM awspool.account
		  WHERE status <> 'ready') a) l
WHERE life !~ '^(added( edited)* deleted )*added( edited)*( claimed)?( edited)*( (allocated|failed|invalidated))?( edited)*( deleted)?$'
SQL
	'',
	'every account only went forward');

for my $pool (@pools)
{
	my @ready = ready($pool, 100_000);
	my $drained = $warm[0]->query_safe(<<"SQL");
SELECT string_agg(c.account_id, ' ' ORDER BY c.n) FROM (
	SELECT (awspool.claim_account('$pool->[0]', '$pool->[1]')).account_id, n
	FROM generate_series(1, @{[ @ready + 10 ]}) n) c
SQL
	ok($drained eq "@ready",
		"pool @$pool is drained in order, to the last of its accounts");
	is($drained, "@ready", 'difference') if $drained ne "@ready";
}

cmp_ok($done, '>', CLIENTS, 'all rounds together, as much as there are sessions');
$_->quit for ($reader, @warm);
$node->stop;

# A session that was to be terminated may be gone already, and a busy machine
# takes its time for autovacuum.
my $log = slurp_file($node->logfile);
is( join(
		"\n",
		grep {
			/PANIC|TRAP|terminated by signal|still referenced|leak|not closed|still active|WARNING:  (?!PID \d+ is not|autovacuum worker took too long)/
		} split /\n/,
		$log),
	'',
	'the server has nothing to complain of');

done_testing();
