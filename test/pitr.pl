# A pool sells, its server is restored to an earlier time with pgBackRest, and
# the seven steps of "After a restore" in the reference bring it in line with
# its orders.  Then all that is left is sold, and nothing of it was sold before.
# test/pitr.sh installs pgBackRest and runs this.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/t";
use Awspool;
use PostgreSQL::Test::Utils;
use Test::More;

my $dir = PostgreSQL::Test::Utils::tempdir;
my $node = PostgreSQL::Test::Cluster->new('pitr');

$node->init;
my $data = $node->data_dir;
my $conf = "$dir/pgbackrest.conf";
my $backrest = "pgbackrest --config=$conf --stanza=pool";

mkdir "$dir/$_" or die $! for qw(repo log lock spool);
append_to_file($conf, <<"END");
[global]
repo1-path=$dir/repo
repo1-retention-full=1
log-path=$dir/log
lock-path=$dir/lock
spool-path=$dir/spool
log-level-console=warn
start-fast=y
[pool]
pg1-path=$data
pg1-port=@{[ $node->port ]}
pg1-socket-path=@{[ $node->host ]}
pg1-user=@{[ scalar getpwuid $< ]}
END
$node->append_conf('postgresql.conf', <<"END");
archive_mode = on
archive_command = '$backrest archive-push %p'
wal_level = replica
END
$node->start;

sub sql
{
	my ($sql) = @_;

	return $node->safe_psql('postgres', $sql);
}

# Orders n to m in three pools, as an application would: one of fifty fails and
# is replaced, one of a hundred is still in progress.
sub sell
{
	my ($n, $m) = @_;

	sql(<<"END");
DO \$\$
DECLARE a text; m text;
BEGIN
  FOR i IN $n .. $m LOOP
    m := 'MP-000' || i % 3;
    SELECT account_id INTO STRICT a FROM awspool.claim_account('acme', m, 'order-' || i);
    IF i % 50 = 0 THEN
      SELECT account_id INTO STRICT a FROM awspool.replace_account('acme', a, 'no root login', 'order-' || i);
    END IF;
    IF i % 100 <> 7 THEN PERFORM awspool.allocate_account('acme', a, 'order-' || i); END IF;
  END LOOP;
END \$\$;
END
	return;
}

sub import
{
	my ($n, $m) = @_;

	sql("SELECT count(*) FROM awspool.import_csv('acme', (SELECT string_agg(format('%s;MP-000%s;SPAM', 500000000000 + i, i % 3), E'\\n' ORDER BY i) FROM generate_series($n, $m) i))");
	return;
}

# The list, as of an orders system that knows what is sold, but not what failed.
sub list
{
	return sql(<<'END');
SELECT 'account_id;order_id;status;marketplace_id;account_model;claimed_at;closed_at' || E'\n' ||
  string_agg(concat_ws(';', account_id, order_id, status, marketplace, order_model, to_char(claimed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    coalesce(to_char(closed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '')), E'\n')
FROM awspool.accounts WHERE status IN ('allocated', 'provisioning_in_progress')
END
}

sub used
{
	return sql("SELECT account_id FROM awspool.accounts WHERE status <> 'ready' ORDER BY 1");
}

sub outcomes
{
	my ($function, $list) = @_;

	return sql("SELECT outcome, count(*) FROM awspool.$function('acme', \$list\$$list\$list\$) GROUP BY 1 ORDER BY 1");
}

# A server of the tests has some: it may lose its data in a power cut.
sub errors
{
	return sql("SELECT object, problem FROM awspool.lint() WHERE severity = 'error' ORDER BY 1, 2");
}

#
# The pool sells, is backed up, and sells on.
#

sql('CREATE EXTENSION awspool');
system_or_bail("$backrest stanza-create");
import(1, 4800);
sell(1, 600);
system_or_bail("$backrest backup --type=full");
sell(601, 1200);
my $target = sql('SELECT clock_timestamp()');
my $used_then = () = used() =~ /\n/g;

import(4801, 6600);
sell(1201, 5400);
sql("SELECT count(*) FROM (SELECT account_id FROM awspool.accounts WHERE status = 'ready' ORDER BY position DESC LIMIT 10) a, LATERAL awspool.edit_account('acme', a.account_id, model => 'ECAM')");
my $list = list();
my $used = used();
my $in_order = sql("SELECT account_id, order_id FROM awspool.accounts WHERE status IN ('allocated', 'provisioning_in_progress') ORDER BY 1");
my $failed = sql("SELECT count(*) FROM awspool.accounts WHERE status = 'provisioning_failed' AND closed_at > '$target'");
my $errors = errors();
sql('SELECT pg_switch_wal()');

#
# It is restored to the time before.
#

$node->stop;
system_or_bail("$backrest restore --delta --type=time '--target=$target' --target-action=promote");
$node->start;
ok($node->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()'), 'the server is back');
cmp_ok(scalar(() = used() =~ /\n/g), '<', scalar(() = $used =~ /\n/g), 'what was sold since is forgotten');

my %used = map { $_ => 1 } split /\n/, $used;
my $wrong = sql("SELECT account_id FROM awspool.accounts WHERE status = 'ready' ORDER BY position LIMIT 1");
ok($used{$wrong}, 'and the next order would get a sold account');

#
# The seven steps: doc/awspool.md.
#

sql("SELECT awspool.pause_pool('acme', reason => 'restored')");
is(sqlstate($node, "SELECT awspool.claim_account('acme', 'MP-0001', 'too-early')"), 'WS007', '1: nothing is sold');

# Of what was imported since, some was sold, and of that some orders failed.
import(4801, 6600);
my $checked = outcomes('check_reconcile_csv', $list);
like($checked, qr/^marked\|\d+\npresent\|\d+$/, '3: no conflict, nothing that is not there');
is(outcomes('reconcile_csv', $list), $checked, '4: as foretold');
my $rows = () = $list =~ /\n/g;
is(outcomes('reconcile_csv', $list), "present|$rows", 'and again: all is there');
is(sql("SELECT account_id, order_id FROM awspool.accounts WHERE status IN ('allocated', 'provisioning_in_progress') ORDER BY 1"), $in_order, 'each order has its account');
is(sql("SELECT count(*) FROM awspool.accounts a JOIN unnest(string_to_array('" . join(',', keys %used) . "', ',')) u (id) ON u.id = a.account_id WHERE a.status = 'ready'"), $failed, 'those that failed are still ready');
my @over = split /\n/, sql("SELECT account_id FROM awspool.passed_over('acme')");
is(scalar(grep { $used{$_} } @over), $failed, '5: they are among those passed over');
note(@over . ' were passed over, ' . $failed . ' of them used');
sql("SELECT count(*) FROM awspool.passed_over('acme') p, LATERAL awspool.invalidate_account('acme', p.account_id, 'passed over')");
is(sql("SELECT count(*) FROM awspool.passed_over('acme')"), '0', 'none is left');
is(sql('SELECT * FROM awspool.verify()'), '', '6: all is well');
is(sql("SELECT count(*) FROM awspool.resume_pool('acme')"), '1', '7: open again');

#
# Nothing sold is ever sold again, not when all that is left is.
#

is(sql("SELECT account_id FROM awspool.claim_account('acme', 'MP-0000', 'order-4500')"),
	($in_order =~ /^(\d+)\|order-4500$/m)[0], 'an order that claims again gets its account');
is(errors(), $errors, 'lint finds nothing new');
my @sold = split /\n/, sql(<<'END');
SELECT c.account_id FROM generate_series(0, 2) m, generate_series(1, 3000) i,
  LATERAL awspool.claim_account('acme', 'MP-000' || m, 'last-' || m || '-' || i) c
END
cmp_ok(scalar(@sold), '>', 100, 'there was something left to sell');
is(join(' ', grep { $used{$_} } @sold), '', 'nothing is sold twice');
is(sql("SELECT count(*) FROM awspool.accounts WHERE status = 'ready'"), '0', 'and all is sold');

$node->stop;
done_testing();
