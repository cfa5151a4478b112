# Reading view accounts gives the same answers as a plain table with the caller's
# rows: very many random queries, by every kind of caller, planned in many ways.
#
# QUERIES and SEED ask for more, or for the same again:
#
#	make test PROVE_TESTS=test/t/read.pl QUERIES=200000 SEED=7
#
# What the seed was is in the log.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use Awspool;
use DBD::Pg ':async';
use DBI;
use Test::More;

my $queries = $ENV{QUERIES} || ($ENV{SAMPLE} ? 5_000 : 20_000);
my $seed = $ENV{SEED} || int(rand(1_000_000)) + 1;
srand $seed;
note "seed $seed";

# What random queries write is undone, and would pile up without autovacuum.
my $node = start_pool('read', conf => <<'END');
jit = off
autovacuum = on
autovacuum_naptime = 1s
log_min_duration_statement = 300
statement_timeout = 15min
END

# Every status, with and without an order, of three providers in three pools;
# positions that are not in the order of ids or times.
$node->safe_psql('postgres', <<'SQL');
CREATE ROLE regress_awspool_one LOGIN;
CREATE ROLE regress_awspool_two LOGIN;
CREATE ROLE regress_awspool_all LOGIN;
CREATE ROLE regress_awspool_none LOGIN;
SELECT awspool.grant_provider('acme', 'regress_awspool_one');
SELECT awspool.grant_provider('acme', 'regress_awspool_two');
SELECT awspool.grant_provider('other', 'regress_awspool_two');
SELECT awspool.grant_provider('*', 'regress_awspool_all');

INSERT INTO awspool.account (provider, account_id, marketplace, model, status,
	order_id, order_model, reason, added_at, claimed_at, claimed_by, closed_at, closed_by, position)
SELECT (ARRAY['acme', 'other', 'third'])[1 + i % 3],
	(900000000000 + i * 7919 % 1000)::text, 'MP-000' || i / 3 % 3,
	(ARRAY['SPAM', 'ECAM'])[1 + i / 5 % 2], s.status,
	CASE WHEN s.status <> 'ready' AND i % 7 > 0 THEN 'order-' || i % 150 || CASE WHEN s.n IN (0, 1) THEN '' ELSE '-' || i END END,
	CASE WHEN s.status <> 'ready' THEN 'SPAM' END,
	CASE WHEN s.n IN (0, 1) AND i % 2 = 0 THEN 'reason ' || i % 5 END,
	'2026-01-01'::timestamptz + i / 10 * interval '1 hour',
	CASE WHEN s.status <> 'ready' THEN '2026-02-01'::timestamptz + i * 31 % 200 * interval '1 minute' END,
	CASE WHEN s.status <> 'ready' THEN 'somebody' END,
	CASE WHEN s.n IN (0, 1, 2) THEN '2026-03-01'::timestamptz + i * interval '1 minute' END,
	CASE WHEN s.n IN (0, 1, 2) THEN 'somebody' END,
	1 + i * 389 % 1000
FROM generate_series(1, 600) i,
	LATERAL (SELECT i % 11 % 5 AS n, CASE i % 11 % 5 WHEN 0 THEN 'provisioning_failed' WHEN 1 THEN 'invalid'
		WHEN 2 THEN 'allocated' WHEN 3 THEN 'provisioning_in_progress' ELSE 'ready' END AS status) s
WHERE s.n <> 1 OR i % 7 > 0 OR i % 2 = 0;
-- Entries of rows that are gone, everywhere among them
DELETE FROM awspool.account WHERE position % 11 = 0 AND status <> 'provisioning_in_progress';

CREATE TABLE orders (order_id text, account_id varchar COLLATE "C", provider text, place bigint, at timestamptz, status text);
INSERT INTO orders SELECT 'order-' || i % 170, (900000000000 + i * 13 % 1000)::text,
	(ARRAY['acme', 'other', 'third', NULL])[1 + i % 4], i * 17 % 1000,
	'2026-02-01'::timestamptz + i * interval '3 minutes', 'ready'
FROM generate_series(1, 60) i;
INSERT INTO orders VALUES (NULL, NULL, NULL, NULL, NULL, NULL);
ALTER TABLE orders ADD ids text[], ADD day date;
UPDATE orders SET day = at, ids = CASE WHEN place % 7 > 0 THEN ARRAY[account_id, (900000000000 + place)::text, NULL] END;
CREATE DOMAIN id AS text;
CREATE INDEX ON orders (order_id);
CREATE INDEX ON orders (account_id);
-- The same again in partitions, and with an heir
CREATE TABLE parted (LIKE orders) PARTITION BY HASH (order_id);
CREATE TABLE parted_0 PARTITION OF parted FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO parted SELECT * FROM orders;
CREATE INDEX ON parted (order_id);
CREATE TABLE inherited AS SELECT * FROM orders WHERE place % 3 = 0;
CREATE TABLE heir () INHERITS (inherited);
INSERT INTO heir SELECT * FROM orders WHERE place % 3 > 0 OR place IS NULL;
CREATE INDEX ON heir (account_id);
GRANT ALL ON orders, parted, inherited TO PUBLIC;
ANALYZE orders, parted, inherited;
-- Letters of another case are equal, so it is not bytes that decide.
CREATE COLLATION no_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
-- The application's own views, of which one is a barrier
CREATE VIEW barrier WITH (security_barrier) AS
	SELECT * FROM awspool.accounts WHERE status <> 'allocated' AND left(model, 1) = 'S';
SQL

my %copies;
for my $role (map { "regress_awspool_$_" } 'one', 'two', 'all', 'none')
{
	$node->safe_psql('postgres',
		"SET ROLE $role; CREATE TEMP TABLE seen AS SELECT * FROM awspool.accounts;
		 RESET ROLE; CREATE TABLE copy_$role AS SELECT * FROM seen");
	$copies{$role} = "copy_$role";
}
$node->safe_psql('postgres',
	'CREATE TABLE copy_postgres (LIKE awspool.accounts); INSERT INTO copy_postgres TABLE awspool.account');
$copies{''} = 'copy_postgres';
for my $copy (values %copies)
{
	$node->safe_psql('postgres',
		"CREATE INDEX ON $copy (account_id); CREATE INDEX ON $copy (position);
		 VACUUM ANALYZE $copy;
		 CREATE VIEW barrier_$copy WITH (security_barrier) AS
			SELECT * FROM $copy WHERE status <> 'allocated' AND left(model, 1) = 'S';
		 GRANT SELECT ON barrier, $copy, barrier_$copy TO PUBLIC");
}

#
# Random pieces of a query
#

sub any { return $_[ rand @_ ]; }
sub often { return rand() < $_[0]; }

# Values of columns, most of which somebody has
my %value = (
	account_id => sub { "'" . (900000000000 + int(rand(1000))) . "'" },
	order_id => sub { "'order-" . int(rand(160)) . "'" },
	provider => sub { any("'acme'", "'other'", "'third'", "'nobody'") },
	marketplace => sub { any("'MP-0000'", "'MP-0001'", "'MP-0002'", "'MP-9999'") },
	status => sub {
		any("'ready'", "'provisioning_in_progress'", "'allocated'",
			"'provisioning_failed'", "'invalid'");
	},
	model => sub { any("'SPAM'", "'ECAM'") },
	position => sub { int(rand(1000)) },
	claimed_at => sub {
		"'2026-02-01 " . sprintf('%02d:%02d', rand(4), rand(60)) . "'::timestamptz";
	},
	added_at => sub { "'2026-01-0" . int(1 + rand(3)) . "'::timestamptz" },
	reason => sub { "'reason " . int(rand(5)) . "'" });
my @texts = ('account_id', 'order_id', 'provider', 'marketplace', 'status');
my %type = ((map { $_ => 'text' } @texts, 'model', 'reason'),
	position => 'bigint', claimed_at => 'timestamptz', added_at => 'timestamptz');

my %others = (text => [ 'varchar', 'id' ], bigint => [ 'int', 'numeric' ], timestamptz => [ 'date', 'timestamp' ]);

# The parameters of the statement that is being made
my @parameters;

sub value
{
	my ($column) = @_;
	my $value = often(0.04) ? "NULL::$type{$column}" : $value{$column}->();

	# Of another type, or collation, that an operator of the index takes as well
	return $value . any($type{$column} eq 'text' ? ('::varchar', '::id', '::char(13)', ' COLLATE "C"')
		: $column eq 'position' ? ('::int2', '::int4', '::numeric') : ('::date', '::timestamp'))
	  if often(0.1);
	return "upper($value) COLLATE no_case" if often(0.02) && $type{$column} eq 'text';
	return $value if often(0.7);
	push @parameters, [ often(0.8) ? $type{$column} : any(@{ $others{ $type{$column} } }), $value ];
	return '$' . @parameters;
}

sub array
{
	my ($column) = @_;
	my @values = map { value($column) } 0 .. rand 4;

	return "(SELECT array_agg(o.$column ORDER BY o.$column) FROM orders o)"
	  if often(0.05) && $column =~ /^(order_id|provider|status)$/;
	return "(SELECT array_agg(i::text) FROM generate_series(900000000100, 900000000900) i)"
	  if often(0.05) && $column eq 'account_id';
	return "'{}'::$type{$column}\[]" if often(0.05);
	return 'ARRAY[' . join(', ', map { $value{$column}->() } 0 .. 3) . ']::varchar[]'
	  if often(0.05) && $type{$column} eq 'text';
	return 'ARRAY[' . join(', ', @values) . "]::$type{$column}\[]";
}

sub comparison
{
	my ($a) = @_;
	my $column = any(@texts, @texts, 'position', 'position', 'claimed_at', sort keys %type);
	my $kind = rand;

	return "$a.$column " . any('<', '<=', '>', '>=') . ' ' . value($column)
	  if $type{$column} ne 'text' && $kind < 0.6;
	return value($column) . " > $a.$column" if $type{$column} ne 'text' && $kind < 0.7;
	return "$a.$column = " . value($column) if $kind < 0.45;
	return value($column) . " = $a.$column" if $kind < 0.5;
	return "$a.$column IN (" . join(', ', map { value($column) } 0 .. rand 3) . ')'
	  if $kind < 0.65;
	return "$a.$column = ANY (" . array($column) . ')' if $kind < 0.75;
	return "$a.$column <> " . value($column) if $kind < 0.8;
	return "$a.$column IS " . any('', 'NOT ') . 'NULL' if $kind < 0.85;
	return "($a.provider, $a.account_id) IN (" . join(', ',
		map { '(' . value('provider') . ', ' . value('account_id') . ')' } 0 .. rand 3) . ')'
	  if $kind < 0.92;
	return "($a.provider, $a.order_id) = (" . value('provider') . ', ' . value('order_id') . ')'
	  if $kind < 0.95;
	return "($a.order_id = " . value('order_id') . " OR $a.account_id IN (" . value('account_id') . ', ' . value('account_id') . '))'
	  if $kind < 0.97;
	return "$a.status IN ('provisioning_in_progress', 'ready')" if $kind < 0.98;
	return "$a.$column = (SELECT max(o.account_id) FROM orders o)" if $column eq 'account_id';
	return "($a.claimed_at, $a.position) " . any('<', '>=') . ' (' . value('claimed_at') . ', ' . value('position') . ')'
	  if $column eq 'claimed_at';
	return "$a.$column BETWEEN " . value($column) . ' AND ' . value($column);
}

sub condition
{
	my ($a, $depth) = @_;
	my $kind = rand;

	$depth //= 0;
	return comparison($a) if $depth > 2 || $kind < 0.4;
	return condition($a, $depth + 1) . ' AND ' . condition($a, $depth + 1) if $kind < 0.7;
	return '(' . condition($a, $depth + 1) . ' OR ' . condition($a, $depth + 1) . ')'
	  if $kind < 0.92;
	return 'NOT (' . condition($a, $depth + 1) . ')';
}

sub where { return often(0.85) ? ' WHERE ' . condition($_[0]) : ''; }

sub on
{
	my ($a, $o) = @_;
	my $on = any(
		"$a.order_id = $o.order_id",
		"$o.account_id = $a.account_id",
		"$a.account_id = $o.account_id AND $a.provider = $o.provider",
		"($a.provider, $a.order_id) = ($o.provider, $o.order_id)",
		"($a.order_id = $o.order_id OR $a.account_id = $o.account_id)",
		"$a.position = $o.place",
		"$a.account_id = ANY ($o.ids)",
		"($a.account_id = ANY ($o.ids) OR $a.order_id = $o.order_id AND $a.provider = $o.provider)",
		"$a.claimed_at < $o.day AND $a.status = 'provisioning_in_progress'",
		"$a.order_id = coalesce($o.order_id, $o.account_id)",
		"$a.position < $o.place AND $a.status = $o.status",
		"$a.account_id IN ($o.account_id, " . value('account_id') . ')');

	return often(0.3) ? "$on AND " . condition($a, 2) : $on;
}

# What is unique, so that LIMIT leaves no choice
sub order
{
	my ($a) = @_;

	return any(
		"$a.position", "$a.position DESC", "$a.account_id",
		"$a.claimed_at, $a.position", "$a.claimed_at DESC, $a.position DESC",
		"$a.marketplace, $a.position", "$a.added_at, $a.position",
		"$a.provider, $a.position DESC", "$a.position NULLS FIRST",
		"$a.position DESC NULLS LAST", "$a.claimed_at NULLS FIRST, $a.position",
		"$a.claimed_at DESC NULLS LAST, $a.position");
}

my @columns = ('a.account_id', 'a.order_id, a.status', 'a.*', 'a', 'a.position, a.claimed_at',
	'1', 'a.account_id, a.reason, a.closed_at', 'a.provider || a.model AS both');

# ACCOUNTS stands for the view or the copy.  The second value is whether the
# answer has an order.
sub query
{
	my $from = 'FROM ACCOUNTS a';
	my @shapes = (
		sub { ('SELECT ' . any(@columns) . " $from" . where('a'), 0) },
		sub { ("SELECT a.account_id, a.status $from" . where('a') . ' ORDER BY ' . order('a')
			. any('', ' LIMIT ' . int(rand(30)), ' OFFSET ' . int(rand(20)) . ' LIMIT 5'), 1) },
		sub { ("SELECT a.* $from WHERE a.status = " . $value{status}->() . ' AND a.marketplace = '
			. value('marketplace') . ' ORDER BY a.position' . any('', ' DESC') . ' LIMIT ' . int(rand(30)), 1) },
		sub { ("SELECT a.* $from WHERE a.status = 'provisioning_in_progress' AND a.claimed_at < "
			. value('claimed_at') . ' ORDER BY a.claimed_at, a.position' . any('', ' LIMIT 5'), 1) },
		sub { ("SELECT count(*) $from" . where('a'), 0) },
		sub { ("SELECT a.marketplace, a.status, count(*), min(a.position), max(a.claimed_at) $from" . where('a')
			. ' GROUP BY 1, 2' . any('', ' HAVING count(*) > 3'), 0) },
		sub { ('SELECT DISTINCT ' . any('a.status', 'a.provider, a.marketplace') . " $from" . where('a'), 0) },
		sub { ("SELECT a.account_id, row_number() OVER (PARTITION BY a.marketplace ORDER BY a.position) $from" . where('a'), 0) },
		sub { ('SELECT o.order_id, o.place, ' . any('a.account_id', 'a.*', 'a') . ' FROM orders o '
			. any('', 'LEFT ', 'RIGHT ', 'FULL ') . 'JOIN ACCOUNTS a ON ' . any('a.order_id = o.order_id', 'a.account_id = o.account_id',
				'a.account_id = o.account_id AND a.provider = o.provider') . where(any('a', 'a')), 0) },
		sub { ('SELECT o.place, a.account_id FROM orders o ' . any('', 'LEFT ') . 'JOIN ACCOUNTS a ON ' . on('a', 'o')
			. any('', ' WHERE o.place < 500'), 0) },
		sub { ("SELECT a.account_id $from WHERE " . any('', 'NOT ') . 'EXISTS (SELECT FROM orders o WHERE ' . on('a', 'o') . ')'
			. any('', ' AND ' . condition('a')), 0) },
		sub { ("SELECT a.account_id $from WHERE a." . any('order_id', 'account_id') . any(' IN', ' NOT IN')
			. ' (SELECT o.' . any('order_id', 'account_id') . ' FROM orders o WHERE o.place < ' . int(rand(1000)) . ')', 0) },
		sub { ('SELECT o.place FROM orders o WHERE o.order_id' . any(' IN', ' NOT IN') . " (SELECT a.order_id $from" . where('a') . ')', 0) },
		sub { ("SELECT o.place, (SELECT count(*) $from WHERE " . on('a', 'o') . ') FROM orders o', 0) },
		sub { ("SELECT o.place, x.account_id FROM orders o CROSS JOIN LATERAL (SELECT a.account_id $from WHERE "
			. on('a', 'o') . ' ORDER BY a.position LIMIT 2) x', 0) },
		sub { ("SELECT a.account_id, b.account_id $from JOIN ACCOUNTS b ON " . any('b.order_id = a.order_id', 'b.account_id = a.account_id',
			'b.position = a.position + 1', 'b.provider = a.provider AND b.order_id = a.order_id') . where('a'), 0) },
		sub { ("SELECT a.account_id $from" . where('a') . any(' UNION ', ' EXCEPT ', ' INTERSECT ', ' UNION ALL ')
			. "SELECT a.account_id $from" . where('a'), 0) },
		sub { ('WITH w AS ' . any('', 'MATERIALIZED ') . "(SELECT a.* $from" . where('a') . ') SELECT w.account_id, o.place FROM w LEFT JOIN orders o USING (order_id)', 0) },
		sub { ('SELECT u.account_id, u.position FROM (SELECT a.account_id, a.position, a.status, a.order_id ' . $from . where('a')
			. ' UNION ALL SELECT a.account_id, a.position, a.status, a.order_id ' . $from . where('a') . any('', " UNION ALL SELECT 'x', -1, 'ready', 'order-1'")
			. ') u' . any('', ' JOIN orders o ON u.order_id = o.order_id', ' LEFT JOIN orders o ON u.account_id = o.account_id') . any('', " WHERE u.account_id = " . value('account_id'), ' WHERE u.position < ' . value('position'))
			. any('', ' ORDER BY u.position' . any('', ' DESC') . ', u.account_id LIMIT 7'), 0) },
		sub { ('SELECT a.account_id, b.account_id, o.place FROM ACCOUNTS a ' . any('', 'LEFT ', 'FULL ', 'RIGHT ') . 'JOIN orders o ON a.order_id = o.order_id '
			. any('', 'LEFT ', 'FULL ', 'RIGHT ') . 'JOIN ACCOUNTS b ON ' . any('b.order_id = o.order_id', 'b.account_id = a.account_id', 'b.order_id = a.order_id AND b.provider = a.provider', 'b.account_id = coalesce(a.account_id, o.account_id)')
			. where(any('a', 'b')), 0) },
		sub { ('SELECT o.place, a.account_id FROM orders o ' . any('', 'LEFT ') . 'JOIN orders p ON p.order_id = o.account_id ' . any('', 'LEFT ')
			. 'JOIN ACCOUNTS a ON ' . any('a.order_id IN (o.order_id, p.order_id)', '(a.order_id = p.order_id OR a.account_id = o.account_id)', 'a.account_id = o.account_id AND a.order_id = coalesce(p.order_id, o.order_id)', 'a.order_id = p.order_id AND a.provider = o.provider'), 0) },
		sub { ("SELECT a.provider, a.status, count(*), grouping(a.provider) $from" . where('a') . ' GROUP BY ' . any('ROLLUP', 'CUBE') . ' (a.provider, a.status)', 0) },
		sub { ("SELECT o.place, x.n FROM orders o CROSS JOIN LATERAL (SELECT count(*) AS n $from WHERE " . on('a', 'o')
			. ' OFFSET 0) x', 0) },
		sub { ("SELECT a.account_id $from WHERE a.account_id > ALL (SELECT b.account_id FROM ACCOUNTS b WHERE b.order_id = a.order_id AND b.account_id <> a.account_id)" . any('', ' AND ' . condition('a')), 0) },
		sub { ('SELECT min(a.position), max(a.position), max(a.claimed_at), min(a.account_id) ' . $from . where('a'), 0) },
		sub { ('SELECT DISTINCT ON (a.marketplace, a.status) a.marketplace, a.status, a.position ' . $from . where('a')
			. ' ORDER BY a.marketplace, a.status, a.position' . any('', ' DESC'), 1) },
		# From page to page, each with the key that the one before ended with
		sub { ("WITH RECURSIVE page (last, n) AS (SELECT min(a.position), 1 $from" . where('a')
			. " UNION ALL SELECT (SELECT a.position $from WHERE a.position > last" . any('', " AND a.status = 'ready' AND a.marketplace = 'MP-0001'",
				" AND a.status <> 'ready'") . ' ORDER BY a.position LIMIT 1), n + 1 FROM page WHERE last IS NOT NULL AND n < 30) TABLE page', 0) },
		sub { ("SELECT a.account_id, x.account_id $from LEFT JOIN LATERAL (SELECT b.account_id, a.model AS mine FROM ACCOUNTS b WHERE b.order_id = a.order_id"
			. any('', ' AND b.position > a.position', ' AND b.provider = a.provider') . any('', ' OFFSET 0') . ') x ON true' . where('a'), 0) },
		# What is written of it is undone
		sub { ('DELETE FROM orders o USING ACCOUNTS a WHERE ' . on('a', 'o') . ' RETURNING o.place, o.order_id', 0) },
		sub { ('UPDATE orders o SET at = NULL, status = (SELECT max(b.status) FROM ACCOUNTS b WHERE b.order_id = o.order_id) FROM ACCOUNTS a WHERE a.account_id = o.account_id'
			. any('', ' AND ' . condition('a')) . ' RETURNING o.place, o.status, a.position', 0) },
		sub { ('INSERT INTO orders (order_id, place) SELECT a.order_id, a.position ' . $from . where('a') . ' RETURNING order_id, place', 0) },
		sub { ('WITH gone AS (DELETE FROM orders o WHERE EXISTS (SELECT ' . $from . ' WHERE ' . on('a', 'o')
			. ') RETURNING o.account_id) SELECT a.account_id, a.reason FROM gone JOIN ACCOUNTS a USING (account_id)', 0) },
		sub { ('SELECT o.place, a.position FROM ' . any('', 'ONLY ') . 'orders o ' . any('', 'LEFT ') . 'JOIN ACCOUNTS a ON ' . on('a', 'o') . ' FOR UPDATE OF o', 0) },
		sub { ("SELECT u.wanted, a.status FROM unnest(" . array('account_id') . ') u (wanted) LEFT JOIN ACCOUNTS a ON a.account_id = u.wanted', 0) },
		sub { ("SELECT a.account_id $from WHERE a.account_id IN (SELECT b.account_id FROM ACCOUNTS b WHERE b.status = 'ready' AND b.marketplace = "
			. value('marketplace') . ' ORDER BY b.position LIMIT ' . int(rand(20)) . ')' . any('', " AND a.status = 'ready'"), 0) });

	my ($sql, $ordered) = any(@shapes)->();
	my $orders = any('orders', 'orders', 'parted', 'inherited');

	# The application's tables as they come
	$sql =~ s/\borders (?=[op]\b)/$orders /g;
	return ($sql, $ordered);
}

#
# Asking both
#

# The answer as text, or the error code.
sub answer
{
	my ($dbh, $how, $sql, $ordered) = @_;
	$dbh->begin_work;
	my $rows = eval { $how->($dbh, $sql); };
	my $error = $@;

	$dbh->rollback unless $dbh->{AutoCommit};
	if (!$rows)
	{
		die $error unless ref $error && $error->{state};
		$dbh->do('CLOSE ALL');
		return "error $error->{state}";
	}
	my @lines = map {
		join '|', map { $_ // '~' } @$_
	} @$rows;
	return join "\n", $ordered ? @lines : sort @lines;
}

sub at_once { return $_[0]->selectall_arrayref($_[1]); }

sub prepared
{
	my ($dbh, $sql) = @_;
	my $rows;

	$dbh->do('PREPARE q' . (@parameters ? '(' . join(', ', map { $_->[0] } @parameters) . ')' : '') . " AS $sql");
	for my $time (1, 2)
	{
		$dbh->do('SAVEPOINT s');
		$rows = eval {
			$dbh->selectall_arrayref('EXECUTE q' . (@parameters ? '(' . join(', ', map { $_->[1] } @parameters) . ')' : ''));
		};
		last if !$rows;
		$dbh->do('ROLLBACK TO s');
	}
	my $error = $@;

	$dbh->do('ROLLBACK TO s');
	$dbh->do('DEALLOCATE q');
	die $error if !$rows;
	return $rows;
}

sub by_cursor
{
	my ($dbh, $sql) = @_;
	my (@rows, $some);
	my $scroll = any('', '', 'SCROLL ');
	my $hold = any('', '', 'WITH HOLD ');

	$dbh->do("DECLARE c ${scroll}CURSOR ${hold}FOR $sql");
	do
	{
		# What is undone is not where the cursor has come to.
		my $undo = often(0.2);

		$dbh->do('SAVEPOINT s') if $undo;
		$some = $dbh->selectall_arrayref('FETCH ' . any(1, 3, 100) . ' FROM c');
		push @rows, @$some;
		$dbh->do('ROLLBACK TO s') if $undo;
		if ($hold && often(0.3))
		{
			$dbh->commit;
			$dbh->begin_work;
		}
	} while (@$some);
	if ($scroll)
	{
		my @back = reverse @{ $dbh->selectall_arrayref('FETCH BACKWARD ALL FROM c') };
		my ($there, $back_again) = map {
			join "\n", map { join '|', map { $_ // '~' } @$_ } @$_
		} \@rows, \@back;

		die "not the same backwards: $sql\n$there\n\n$back_again" if $there ne $back_again;
	}
	$dbh->do('CLOSE c');
	return \@rows;
}

my @settings = map { "enable_$_" } 'hashjoin', 'mergejoin', 'nestloop', 'material', 'memoize', 'sort', 'hashagg';
my ($same, @differ, %seen, %read_by) = (0);

for my $role (sort keys %copies)
{
	my $dbh = DBI->connect(
		sprintf('dbi:Pg:host=%s;port=%s;dbname=postgres', $node->host, $node->port),
		$role || 'postgres', '',
		{ RaiseError => 1, PrintError => 0, AutoCommit => 1, pg_server_prepare => 0,
			HandleError => sub { die { text => $_[0], state => $_[1]->state } } });
	# What stands for a parameter is not the driver's.
	$dbh->{pg_placeholder_dollaronly} = 0;
	$dbh->{pg_expand_array} = 0;

	for my $i (1 .. $queries / keys %copies)
	{
		@parameters = ();
		my ($sql, $ordered) = query();
		my $how = @parameters ? \&prepared : any(\&at_once, \&at_once, \&prepared,
			$sql =~ /^(?:DELETE|UPDATE|INSERT|WITH gone)|FOR UPDATE/ ? \&at_once : \&by_cursor);
		my $is_barrier = often(0.1);

		if ($i % 10 == 1)
		{
			$dbh->do('RESET ALL');
			$dbh->do("SET $_ = off") for grep { often(0.2) } @settings;
			$dbh->do('SET plan_cache_mode = ' . any('auto', 'force_generic_plan', 'force_custom_plan'));
			$dbh->do('SET random_page_cost = ' . any(1, 4, 100));
			$dbh->do("SET enable_partitionwise_$_ = on") for grep { often(0.3) } 'join', 'aggregate';
		}
		my ($of_view, $of_copy) = map {
			my $asked = $sql;
			$asked =~ s/\bACCOUNTS\b/$_/g;
			answer($dbh, $how, $asked, $ordered);
		} $is_barrier ? ('barrier', "barrier_$copies{$role}") : ('awspool.accounts', $copies{$role});
		if ($i % 3 == 0 && $i < 1000 && !@parameters)
		{
			my $plan = answer($dbh, \&at_once,
				'EXPLAIN (COSTS OFF) ' . $sql =~ s/\bACCOUNTS\b/awspool.accounts/gr, 1);

			$read_by{ s/ backward//r }++ for $plan =~ /Read By: ([a-z ]+)/g;
		}
		# The row as a whole has the same text.
		if ($of_view eq $of_copy)
		{
			$same++;
			$seen{error}++ if $of_view =~ /^error/;
			$seen{rows}++ if $of_view ne '';
		}
		else
		{
			push @differ, "$role: $sql\nparameters: "
			  . join(', ', map { $_->[1] } @parameters)
			  . "\nview: $of_view\ncopy: $of_copy\n";
		}
	}
	$dbh->disconnect;
}

is(scalar(@differ), 0, "$same queries have the same answer from the view");
diag join "\n", @differ[ 0 .. ($#differ > 4 ? 4 : $#differ) ] if @differ;
my @ways = ('age', 'failed or invalid', 'id', 'id or order', 'in progress', 'order', 'provider', 'ready',
	'ready or in progress');
is_deeply([ sort keys %read_by ], \@ways, 'in every way')
  or diag explain \%read_by;
cmp_ok($seen{rows}, '>', $queries / 4, 'many of them have rows');
cmp_ok($seen{error} // 0, '<', $queries / 100, 'hardly any is an error');

#
# A count beside VACUUM
#

# What the visibility map says of a row is to be believed only while VACUUM has
# to wait with the entry that led there.  Enough on one page of the index that
# two thirds of the rows can be gone when their entries have been read already.
my @sessions = map {
	DBI->connect(
		sprintf('dbi:Pg:host=%s;port=%s;dbname=postgres', $node->host, $node->port),
		'postgres', '', { RaiseError => 1, PrintError => 0 })
} 1 .. 2;
my ($reader, $vacuum) = @sessions;

$vacuum->do($_)
  for 'TRUNCATE awspool.account, awspool.account_log',
  "INSERT INTO awspool.account (provider, account_id, marketplace, model, status, closed_at, closed_by)
	SELECT 'acme', (800000000000 + i)::text, 'MP-0000', 'SPAM', 'invalid', now(), 'somebody' FROM generate_series(1, 300) i",
  'VACUUM awspool.account', 'DELETE FROM awspool.account WHERE account_id::bigint % 3 > 0',
  "SET application_name = 'vacuum'";
$reader->do('SET ROLE regress_awspool_one');
$reader->begin_work;
$reader->do('DECLARE c CURSOR FOR SELECT FROM awspool.accounts');
$reader->do('MOVE 1 FROM c');
$vacuum->do('VACUUM awspool.account', { pg_async => PG_ASYNC });
# Servers from 19 on call the wait for a pin by another name.
$node->poll_query_until('postgres',
	"SELECT query LIKE 'VACUUM%' AND (state = 'idle' OR wait_event IN ('BufferPin', 'BufferCleanup')) FROM pg_stat_activity WHERE application_name = 'vacuum'")
  or die 'VACUUM neither waits nor ends';
is(1 + $reader->do('MOVE FORWARD ALL FROM c'), 100, 'rows that VACUUM removes meanwhile are not counted');
$reader->commit;
$vacuum->pg_result;
$_->disconnect for @sessions;

#
# MERGE
#

# Into a table of the application's, and from 17 on into the view itself.
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE mine (account_id text PRIMARY KEY, status text);
INSERT INTO mine SELECT (800000000000 + i)::text, 'gone' FROM generate_series(2, 6) i;
GRANT ALL ON mine TO PUBLIC;
SQL
is($node->safe_psql('postgres', <<'SQL'), "800000000001|invalid\n800000000002|gone\n800000000003|gone\n800000000004|invalid\n800000000005|gone\n800000000006|gone\n800000000007|invalid", 'MERGE from the view');
SET ROLE regress_awspool_one;
MERGE INTO mine m USING (SELECT * FROM awspool.accounts WHERE account_id < '800000000010') a ON a.account_id = m.account_id
	WHEN MATCHED THEN UPDATE SET status = a.status
	WHEN NOT MATCHED THEN INSERT VALUES (a.account_id, a.status);
SELECT * FROM mine ORDER BY account_id;
SQL
SKIP:
{
	skip 'no MERGE into a view before 17', 1 if server_version() < 17;
	is($node->safe_psql('postgres', <<'SQL'), "700000000001|ready\n700000000002|ready\n800000000013|invalid\n800000000016|invalid\n800000000019|invalid", 'MERGE into the view');
SET ROLE regress_awspool_one;
MERGE INTO awspool.accounts a USING (SELECT (800000000000 + i)::text AS id FROM generate_series(1, 16, 3) i) v ON a.account_id = v.id
	WHEN MATCHED AND v.id < '800000000012' THEN DELETE
	WHEN MATCHED THEN DO NOTHING;
MERGE INTO awspool.accounts a USING (SELECT (700000000000 + i)::text AS id FROM generate_series(1, 2) i) v ON a.account_id = v.id
	WHEN NOT MATCHED THEN INSERT (provider, account_id, marketplace, model) VALUES ('acme', v.id, 'MP-0000', 'SPAM');
SELECT account_id, status FROM awspool.accounts WHERE account_id < '800000000020' ORDER BY account_id;
SQL
}

done_testing();
