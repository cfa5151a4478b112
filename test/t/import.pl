# Large imports: rows that arrive in more than one batch, on every way they can
# take; progress; cancellation anywhere; and what is left of one that failed.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use Awspool;
use PostgreSQL::Test::Utils;
use Test::More;

use constant ROWS => 9000;    # a batch has 4096

my $node = start_pool('import', conf => "log_min_error_statement = panic");
my $dir = PostgreSQL::Test::Utils::tempdir;

$node->safe_psql('postgres', <<'SQL');
CREATE FUNCTION file(rows int) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(100000000000 + i || ';MP-0001;SPAM', E'\n' ORDER BY i)
	FROM generate_series(1, rows) i
$$;
-- The ids of the pool, oldest first, with their distances from one another
CREATE VIEW pool AS
	SELECT count(*), min(account_id), max(account_id),
		bool_and(account_id > before) AS in_order
	FROM (SELECT account_id, lag(account_id) OVER (ORDER BY position) AS before
		  FROM awspool.account) a;
SQL

sub empty_pool
{
	$node->safe_psql('postgres',
		'TRUNCATE awspool.account, awspool.account_log');
	return;
}

sub query
{
	return $node->safe_psql('postgres', $_[0]);
}

sub outcomes
{
	my ($call) = @_;

	return query(
		"SELECT string_agg(outcome || ' ' || n, ', ' ORDER BY outcome) FROM (SELECT outcome, count(*) AS n FROM $call GROUP BY outcome) o"
	);
}

sub write_file
{
	my ($name, @lines) = @_;

	append_to_file("$dir/$name", join('', map { "$_\n" } @lines));
	return "$dir/$name";
}

my @ids = map { 100_000_000_000 + $_ } 1 .. ROWS;
my $file = write_file('good', map { "$_;MP-0001;SPAM" } @ids);
my $copy =
  "SET awspool.provider = 'acme'; COPY awspool.import (account_id, marketplace_id, account_model)";
my $options = "WITH (FORMAT csv, DELIMITER ';')";
my $all = ROWS . "|$ids[0]|$ids[-1]|t";
my @ways = (
	[ 'import_csv' => "SELECT count(*) FROM awspool.import_csv('acme', file(@{[ROWS]}))" ],
	[ 'COPY' => "$copy FROM '$file' $options" ],
	[
		'INSERT' => "INSERT INTO awspool.import SELECT 'acme', 100000000000 + i, 'MP-0001', 'SPAM' FROM generate_series(1, @{[ROWS]}) i"
	]);

# Everything, in the order of the file; and again; and with some there already.
# Then once more with a trigger in the way, which has to see every account.
for my $trigger (0, 1)
{
	my $how = $trigger ? ', with a trigger' : '';

	if ($trigger)
	{
		$node->safe_psql('postgres', <<'SQL');
CREATE TABLE seen (account_id text);
GRANT ALL ON seen TO PUBLIC;
CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS
	'BEGIN INSERT INTO public.seen VALUES (NEW.account_id); RETURN NEW; END';
CREATE TRIGGER see BEFORE INSERT ON awspool.account
	FOR EACH ROW EXECUTE FUNCTION see();
SQL
	}
	for my $way (@ways)
	{
		my ($name, $sql) = @$way;

		empty_pool();
		query($sql);
		is(query('TABLE pool'), $all, "$name stores all, in order$how");
		query($sql);
		is(query('TABLE pool'), $all, "$name again changes nothing$how");

		query(
			"DELETE FROM awspool.accounts WHERE account_id::bigint % 1000 = 1");
		query($sql);
		is( query("SELECT count, min, max FROM pool"),
			ROWS . "|$ids[0]|$ids[-1]",
			"$name stores what is missing$how");
	}
	next unless $trigger;
	is(query('SELECT count(DISTINCT account_id) FROM seen'),
		ROWS, 'a trigger sees every account');
	query('DROP TRIGGER see ON awspool.account');
}

# The report counts across batches.
empty_pool();
query("SELECT awspool.add_account('acme', '$_', 'MP-0001', 'SPAM')")
  for @ids[ 5, 4095, 4096, 8500 ];
is( outcomes("awspool.check_csv('acme', file(@{[ROWS]}))"),
	'added 8996, present 4',
	'check_csv tells what is there');
is( outcomes("awspool.import_csv('acme', file(@{[ROWS]}))"),
	'added 8996, present 4',
	'and so does import_csv');
is( query(
		"SELECT string_agg(line || ' ' || detail, ', ') FROM awspool.check_csv('acme', file(6000) || E'\\n' || file(2)) WHERE outcome = 'rejected'"
	),
	'6001 account id "100000000001" is on line 1 already, 6002 account id "100000000002" is on line 2 already',
	'an id that came in another batch is found, with its line');

# What is wrong is found wherever it is, and nothing of the file is stored.
empty_pool();
for my $bad (sample(4, 1, 4095, 4096, 4097, 4098, 8192, 8193, ROWS))
{
	my @lines = map { "$_;MP-0001;SPAM" } @ids;
	my $id = $ids[ $bad - 1 ];

	$lines[ $bad - 1 ] = '12345678901;MP-0001;SPAM';
	my $name = write_file("bad$bad", @lines);
	my (undef, undef, $stderr) =
	  $node->psql('postgres', "$copy FROM '$name' $options");
	like($stderr, qr/invalid account: .*COPY import, line $bad:/s,
		"COPY names line $bad");

	# An id that is there, other than in the file: found when it is stored.
	$node->safe_psql('postgres',
		"SELECT awspool.add_account('acme', '$id', 'MP-0002', 'SPAM')");
	(undef, undef, $stderr) =
	  $node->psql('postgres', "$copy FROM '$file' $options");
	like(
		$stderr,
		qr/account id "$id" is taken.*COPY import, line $bad$/s,
		"COPY names line $bad, when a batch is stored");
	(undef, undef, $stderr) = $node->psql('postgres',
		"SELECT awspool.import_csv('acme', file(@{[ROWS]}))");
	like($stderr, qr/1 of @{[ROWS]} rows rejected.*line $bad: /s,
		"import_csv, too");
	is(query('SELECT count(*) FROM awspool.account'), 1, 'nothing is stored');
	empty_pool();
}
my $twice = write_file('twice',
	(map { "$_;MP-0001;SPAM" } @ids), "$ids[0];MP-0001;SPAM");
for my $there (0, 1)
{
	my (undef, undef, $stderr) =
	  $node->psql('postgres', "$copy FROM '$twice' $options");
	like(
		$stderr,
		qr/account id "$ids[0]" is in the file twice.*COPY import, line 9001$/s,
		'an id that comes twice is found'
		  . ($there ? ', if it was there before' : ''));
	query("SELECT awspool.add_account('acme', '$ids[0]', 'MP-0001', 'SPAM')")
	  unless $there;
}

# What tells an account from others is its id alone: not its position, which
# rows of two merged databases share, nor where its row is, which moves when the
# account is claimed.
empty_pool();
query(<<"SQL");
INSERT INTO awspool.account (provider, account_id, marketplace, model, position)
SELECT 'acme', 100000000000 + i, 'MP-0001', 'SPAM', 1 + i % 3 FROM generate_series(1, ${\ROWS}) i
SQL
query("$copy FROM '$file' $options");
is(query('SELECT count(*) FROM awspool.account'),
	ROWS, 'accounts that share positions are present');
{
	my (undef, undef, $stderr) =
	  $node->psql('postgres', "$copy FROM '$twice' $options");
	like(
		$stderr,
		qr/account id "$ids[0]" is in the file twice.*COPY import, line 9001$/s,
		'one of them that comes twice is found');
	(undef, undef, $stderr) = $node->psql('postgres', <<'SQL');
INSERT INTO awspool.import
SELECT 'acme', 100000000001 + i % 8000,
	CASE i WHEN 5000 THEN (SELECT max(marketplace) FROM awspool.claim_account('acme', 'MP-0001'))
		ELSE 'MP-0001' END, 'SPAM'
FROM generate_series(0, 8000) i
SQL
	like(
		$stderr,
		qr/account id "$ids[0]" is in the file twice/,
		'and one that is claimed in between');
}

# Positions are drawn many at a time, while others draw: no two are alike, those
# of a file are in its order, and a crash takes none back.
empty_pool();
query('CREATE SEQUENCE file');
my $imports = write_file('imports',
	"WITH file AS MATERIALIZED (SELECT nextval('file') AS n)",
	"SELECT count(*) FROM awspool.import_csv('p:client_id', (SELECT string_agg(200000000000 + n * 10000 + i || ';MP-0001;SPAM', E'\n' ORDER BY i) FROM file, generate_series(1, 3000) i));");
my $adds = write_file('adds',
	"SELECT awspool.add_account('q:client_id', (300000000000 + nextval('file'))::text, 'MP-0001', 'SPAM');");
$node->command_ok(
	[ 'pgbench', '-n', '-c', 4, '-t', 30, '-f', "$imports\@1", '-f', "$adds\@9",
		'-h', $node->host, '-p', $node->port, 'postgres' ],
	'files are stored and accounts are added at once');
is(query('SELECT count(DISTINCT position) = count(*) AND count(*) > 3000 FROM awspool.account'), 't',
	'each has a position of its own');
is( query('SELECT bool_and(position > before) FROM (
		SELECT position, lag(position) OVER (PARTITION BY account_id::bigint / 10000 ORDER BY account_id) AS before
		FROM awspool.account WHERE account_id < \'300000000000\') a'),
	't', 'in the order of the file');
$node->stop('immediate');
$node->start;
is(query("SELECT nextval('awspool.account_position') > max(position) FROM awspool.account"), 't',
	'the next one is behind them, also after a crash');

# An import that fails or is rolled back leaves nothing but a gap.
empty_pool();
query("BEGIN; SELECT count(*) FROM awspool.import_csv('acme', file(9000)); ROLLBACK");
is(query('SELECT count(*) FROM awspool.account'), 0, 'nothing is left');
is( query("SELECT account_id FROM awspool.claim_account('acme', 'MP-0001')"),
	'', 'and nothing can be claimed');
query($ways[0][1]);
is( query("SELECT account_id FROM awspool.claim_account('acme', 'MP-0001')"),
	$ids[0], 'the same can be imported, and is claimed from its beginning');

# A statement in the middle of another one, and a savepoint that takes it away.
empty_pool();
query(<<'SQL');
CREATE FUNCTION import_more(first bigint, fail bool) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO awspool.import
	SELECT 'acme', first + i, 'MP-0002', 'SPAM' FROM generate_series(1, 5000) i;
	IF fail THEN
		RAISE 'no';
	END IF;
	RETURN 'MP-0001';
EXCEPTION WHEN raise_exception THEN
	RETURN 'MP-0003';
END $$;
INSERT INTO awspool.import
SELECT 'acme', 100000000000 + i,
	CASE i WHEN 4000 THEN import_more(200000000000, false)
		   WHEN 4100 THEN import_more(300000000000, true) ELSE 'MP-0001' END, 'SPAM'
FROM generate_series(1, 5000) i;
SQL
is( query(
		'SELECT marketplace, count(*) FROM awspool.account GROUP BY 1 ORDER BY 1'),
	"MP-0001|4999\nMP-0002|5000\nMP-0003|1",
	'an import within an import is stored, one that was rolled back is not');

# Without one of its triggers, the view must not lose what it gathered.
for my $trigger ('import_begin', 'import_end')
{
	is( sqlstate($node, <<"SQL"),
BEGIN;
DROP TRIGGER $trigger ON awspool.import;
INSERT INTO awspool.import VALUES ('acme', '400000000001', 'MP-0001', 'SPAM');
COMMIT;
SQL
		'55000',
		"nothing is lost silently without $trigger");
}

# How far it is, and that its memory does not grow with the file, once batches
# are as large as they get.  What 300,000 rows leak is more than a batch.
my $pipe;

my $fed = 0;

# Feed rows to COPY, and wait until it has read all but the last 70,000.
sub feed
{
	print $pipe map { "$_;MP-0002;SPAM\n" } @_;
	$fed += @_;
	return $node->poll_query_until('postgres',
		"SELECT tuples_processed >= $fed - 70000 FROM pg_stat_progress_copy");
}

sub memory
{
	my $offset = -s $node->logfile;

	query(
		"SELECT pg_log_backend_memory_contexts(pid) FROM pg_stat_progress_copy");
	feed(map { 400_000_000_000 + $fed + $_ } 1 .. 5000);  # it hears in between
	$node->wait_for_log(qr/Grand total: \d+ bytes/, $offset);
	my ($bytes) =
	  substr(slurp_file($node->logfile), $offset) =~ /Grand total: (\d+) bytes/;
	return $bytes;
}

empty_pool();
my $fifo = "$dir/fifo";
system('mkfifo', '-m', '666', $fifo);
my $session = $node->background_psql('postgres');
$session->query_until(qr/started/,
	"\\echo started\n$copy FROM PROGRAM 'cat $fifo' $options;\n");
open $pipe, '>', $fifo or die $!;
$pipe->autoflush(1);
feed(@ids);
ok( $node->poll_query_until('postgres',
		'SELECT tuples_processed >= 4096 FROM pg_stat_progress_copy'),
	'pg_stat_progress_copy tells how far it is');
is(query('SELECT count(*) FROM awspool.account'), 0, 'not visible as yet');
feed(200_000_000_001 .. 200_000_150_000);
my $memory = memory();
feed(300_000_000_001 .. 300_000_300_000);
cmp_ok(memory() - $memory, '<', 16_000_000, 'a backend does not grow');
close $pipe;
ok( $node->poll_query_until(
		'postgres', "SELECT count = $fed FROM pool"),
	'then all are');
$session->quit;

# A statement_timeout ends an import wherever it is: in a single endless line,
# in a long file, while it is checked, looked up and stored.
empty_pool();
my %long = (
	'a line' => "repeat('x', 100000000)",
	'a quoted field' => "'\"' || repeat(E'x\\n', 50000000)",
	'blank lines' => "repeat(E'\\n', 100000000)",
	'many rows' => 'file(3000000)');
for my $what (sample(4, sort keys %long))
{
	for my $function ('check_csv', 'import_csv')
	{
		is( sqlstate(
				$node,
				"CREATE TEMP TABLE f AS SELECT $long{$what} AS csv;\nSET statement_timeout = '100ms';\nSELECT count(*) FROM f, awspool.$function('acme', f.csv);"
			),
			'57014',
			"$function is cancelled in $what");
	}
}
is(query('SELECT count(*) FROM awspool.account'), 0, 'nothing is left of it');
is( sqlstate(
		$node, "SELECT count(*) FROM awspool.check_csv('acme', repeat(';', 2000000))"
	),
	'22P04',
	'a line of a million fields is refused');

# Ids can be chosen so that a hash function without a secret puts them all in
# one place, which made the table of those that were seen many times as large.
# These are what murmurhash32() makes numbers of whose last 16 bits are the same.
sub unmix
{
	my ($h) = @_;

	$h ^= $h >> 16;
	$h = ($h * 0x7ed1b41d) & 0xffffffff;
	$h ^= ($h >> 13) ^ ($h >> 26);
	$h = ($h * 0xa5cb9243) & 0xffffffff;
	return $h ^ $h >> 16;
}

# What a backend has when a file is stored but for its last row
sub memory_for
{
	my $name = shift;
	my $path = write_file($name, map { sprintf '%012d;MP-0001;SPAM', $_ } @_,
		999_999_999_999);
	my (undef, undef, $stderr) = $node->psql('postgres',
		"SELECT FROM awspool.import_csv('acme', pg_read_file('$path'))");

	like($stderr, qr/^.*ERROR:  (\d+) bytes/, "the last row of file $name comes");
	return $stderr =~ /(\d+) bytes/ ? $1 : 0;
}

$node->safe_psql('postgres', <<'SQL');
CREATE FUNCTION stop_at_last(account_id text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	IF account_id = '999999999999' THEN
		RAISE '% bytes', (SELECT sum(total_bytes) FROM pg_backend_memory_contexts);
	END IF;
	RETURN true;
END $$;
ALTER TABLE awspool.account ADD CONSTRAINT stop CHECK (public.stop_at_last(account_id));
SQL
{
	my $any = memory_for('any', 1 .. 40_000);
	my $crafted = memory_for('crafted', map { unmix($_ << 16) } 1 .. 40_000);

	cmp_ok($crafted - $any, '<', 2_000_000,
		'chosen ids take no more memory than any');
}
query('ALTER TABLE awspool.account DROP CONSTRAINT stop');

#
# Other encodings.  A byte order mark is three characters to whoever reads the
# file in the encoding of the client, whichever that is.
#

for my $client ('UTF8', 'LATIN1', 'WIN1252', 'WIN1251')
{
	my $csv = "\xef\xbb\xbf123456789012;MP-0001;SPAM";
	my $file = write_file("mark-$client", $csv);
	my (undef, $stdout, $stderr) = $node->psql('postgres',
		"SET client_encoding = '$client';\nSELECT line, outcome FROM awspool.check_csv('acme', '$csv')"
	);

	is("$stdout$stderr", '1|added', "a byte order mark, client $client");
	(undef, undef, $stderr) = $node->psql('postgres',
		"SET client_encoding = '$client';\nSET awspool.provider = 'acme';\n\\copy awspool.import (account_id, marketplace_id, account_model) FROM '$file' $options"
	);
	like($stderr, qr/byte order mark.*COPY import, line 1:/s,
		"COPY names it, client $client");
}

# In ISO 8859 some control characters are single bytes.

$node->safe_psql('postgres',
	"CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
);
$node->safe_psql('latin', 'CREATE EXTENSION awspool');
is( $node->safe_psql(
		'latin',
		"SELECT line, outcome FROM awspool.check_csv('acme', convert_from('\\xefbbbf', 'LATIN1') || '123456789012;MP-0001;SPAM')"
	),
	'1|added',
	'a byte order mark, database LATIN1');
for my $byte ('85', 'e4')
{
	is( sqlstate(
			$node,
			"SELECT awspool.claim_account('acme', 'MP-0001', convert_from('\\x61${byte}62', 'LATIN1'));",
			'latin'),
		$byte eq '85' ? '22023' : '',
		"an order id with byte $byte");
}

$node->stop;
done_testing();
