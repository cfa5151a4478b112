# What others hold does not cost a claim more than it must: it passes by what
# many open transactions have claimed without looking at each account again,
# and yet gets at once whatever they give back.  What is counted is buffers that
# a claim touches, since an account that is looked at is one.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use Awspool;
use PostgreSQL::Test::Utils;
use Test::More;

use constant {
	HOLDERS => 40,
	EACH => 200,
};

my $node = start_pool('holders',
	conf => "max_connections = 60\nmax_prepared_transactions = 5\n");
my $last_id = 0;

# Add that many accounts, used up at once if told so.
sub stock
{
	my ($count) = @_;
	my $first = $last_id + 1;

	$last_id += $count;
	$node->safe_psql('postgres', <<"SQL");
INSERT INTO awspool.accounts (provider, account_id, marketplace, model)
SELECT 'acme', 900000000000 + i, 'MP-0001', 'SPAM' FROM generate_series($first, $last_id) i;
SQL
	return map { 900000000000 + $_ } $first .. $last_id;
}

sub start_over
{
	$node->safe_psql('postgres',
		'TRUNCATE awspool.account, awspool.account_log, awspool.pool_start');
	return;
}

sub session
{
	return $node->background_psql('postgres', on_error_stop => 0);
}

# Claim in a session, and return the account.
sub claim_in
{
	my ($session) = @_;

	return $session->query_safe(
		"SELECT account_id FROM awspool.claim_account('acme', 'MP-0001')");
}

# The fewest of several: pages are split at times.
sub fewest_buffers
{
	my ($session) = @_;

	return (sort { $a <=> $b } map { claim_buffers($session) } 1 .. 5)[0];
}

# A claim inside a savepoint of its own
my $in_savepoint = <<'SQL';
DO $$
BEGIN
	FOR i IN 1 .. %d LOOP
		BEGIN
			PERFORM awspool.claim_account('acme', 'MP-0001');
		EXCEPTION WHEN division_by_zero THEN
		END;
	END LOOP;
END $$
SQL
my $batch =
  "SELECT FROM awspool.claim_accounts('acme', 'MP-0001', array_fill(NULL::text, '{%d}'))";

stock(20);
my $claimer = session();
claim_in($claimer) for 1 .. 3;
my $alone = fewest_buffers($claimer);
note("a claim alone touches $alone buffers");

my @holders = map { session() } 1 .. HOLDERS;

# How each holder comes to what it has, and how many at a time.
for my $case (
	[ 'batches', $batch, EACH ],
	[ 'batches in a savepoint', "SAVEPOINT a; $batch; RELEASE a", EACH ],
	[ 'claims in savepoints', $in_savepoint, EACH ],
	[ 'claims in turn', $batch, 1 ],
	[ 'claims in savepoints, in turn', $in_savepoint, 2 ])
{
	my ($name, $sql, $at_once) = @$case;
	my $turns = $at_once == EACH ? 1 : 10;

	start_over();
	my @all = stock(HOLDERS * $turns * $at_once);
	my @younger = stock(30);

	$_->query_safe('BEGIN') for @holders;
	for (1 .. $turns)
	{
		$_->query_safe(sprintf $sql, $at_once) for @holders;
	}

	is(claim_in($claimer), shift @younger, "$name: all are passed by");
	cmp_ok(fewest_buffers($claimer), '<=', $alone + 10,
		"$name: and not looked at again");
	splice @younger, 0, 5;

	# One gives back what it has, one keeps it.
	$holders[2]->query_safe('ROLLBACK');
	my @back = $turns == 1
	  ? @all[ 2 * EACH .. 3 * EACH - 1 ]
	  : map {
		my $first = ($_ * HOLDERS + 2) * $at_once;
		@all[ $first .. $first + $at_once - 1 ]
	  } 0 .. $turns - 1;
	is(claim_in($claimer), $back[0], "$name: what is given back is next");
	$holders[5]->query_safe('COMMIT');
	is(claim_in($claimer), $back[1], "$name: and then the one after it");
	is( $claimer->query_safe(
			"SELECT string_agg(account_id, ' ' ORDER BY n) FROM (SELECT account_id, n FROM awspool.claim_accounts('acme', 'MP-0001', array_fill(NULL::text, ARRAY["
			  . (@back - 1)
			  . "])) WITH ORDINALITY c (provider, account_id, marketplace, model, status, order_id, order_model, reason, added_at, added_by, claimed_at, claimed_by, closed_at, closed_by, position, n)) c"
		),
		join(' ', @back[ 2 .. $#back ], $younger[0]),
		"$name: all that was given back, in order");
	shift @younger;
	cmp_ok(fewest_buffers($claimer), '<=', $alone + 10,
		"$name: which leaves nothing to look at");
	splice @younger, 0, 5;

	# The rest is given back at once.
	$_->query_safe('ROLLBACK') for @holders[ 0 .. 1, 3 .. 4, 6 .. $#holders ];
	my $left = (HOLDERS - 2) * $turns * $at_once;
	is( $node->safe_psql('postgres', 'SELECT count(*) FROM awspool.accounts WHERE status = $$ready$$'
		),
		$left + @younger,
		"$name: the rest is given back");
	is( $claimer->query_safe(
			"SELECT count(*), count(DISTINCT account_id), max(account_id) < '$younger[0]' FROM awspool.claim_accounts('acme', 'MP-0001', array_fill(NULL::text, '{$left}'))"
		),
		"$left|$left|t",
		"$name: and there for the session that had passed it by");
	is(claim_in($claimer), $younger[0], "$name: then the younger ones");
}

#
# A savepoint is rolled back while its transaction goes on.  Nobody sees that
# but by the message of it [arrival.c: tell_undone].
#

start_over();
my @all = stock(EACH + 30);
my $holder = $holders[0];
$holder->query_safe('BEGIN');
$holder->query_safe(sprintf $batch, 20);
$holder->query_safe('SAVEPOINT a');
$holder->query_safe(sprintf $in_savepoint, 180);
is(claim_in($claimer), $all[200], 'a session passes many savepoints by');
is(claim_in($claimer), $all[201], 'and again');
$holder->query_safe('ROLLBACK TO a');
is(claim_in($claimer), $all[20], 'all are rolled back: the oldest is next');
is(claim_in($claimer), $all[21], 'then the one after it');
$holder->query_safe(sprintf $in_savepoint, 100);
is(claim_in($claimer), $all[122], 'the holder claims again, in others');
$holder->query_safe('ROLLBACK');
is(claim_in($claimer), $all[0], 'the transaction is rolled back');

#
# Prepared: others hold it, and whom explain_claim tells of.
#

start_over();
@all = stock(EACH + 10);
$holder->query_safe('BEGIN');
$holder->query_safe(sprintf $batch, EACH);
$holder->query_safe("PREPARE TRANSACTION 'kept'");
is(claim_in($claimer), $all[EACH], 'a prepared transaction is passed by');
cmp_ok(fewest_buffers($claimer), '<=', $alone + 10, 'and not looked at again');
like(
	$node->safe_psql('postgres',
		"SELECT account_id, verdict, detail FROM awspool.explain_claim('acme', 'MP-0001') WHERE rank = 1"
	),
	qr/^$all[0]\|claimed\|by prepared transaction "kept" of role "\w+", since 2/,
	'explain_claim names it');
$node->safe_psql('postgres', <<'SQL');
CREATE ROLE regress_awspool_acme LOGIN;
SELECT FROM awspool.grant_provider('acme', 'regress_awspool_acme');
SQL
is( $node->safe_psql(
		'postgres',
		"SELECT account_id, verdict, detail FROM awspool.explain_claim('acme', 'MP-0001') WHERE rank = 1",
		extra_params => [ '-U', 'regress_awspool_acme' ]),
	"$all[0]|claimed|by a prepared transaction",
	'but not to those who may not see what its role does');
$node->safe_psql('postgres', "ROLLBACK PREPARED 'kept'");
is(claim_in($claimer), $all[0], 'it is rolled back');

$_->quit for @holders, $claimer;
done_testing();
