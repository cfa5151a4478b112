# Two providers at once through a pooler in transaction mode: every server
# session serves both, transaction by transaction, and no account crosses.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use Awspool;
use IPC::Run;
use Pooler;
use PostgreSQL::Test::Utils;
use Test::More;

use constant {
	CLIENTS => 20,    # of each provider
	CLAIMS => $ENV{SAMPLE} ? 20_000 : 100_000,    # of each provider
	CROSSED => 1_000,    # attempts of each provider
	SERVERS => 4,    # sessions that the pooler has for all of them
};

my %other = (acme => 'globex', globex => 'acme');
my @providers = sort keys %other;

my $node = start_pool('pooler');
my $dir = PostgreSQL::Test::Utils::tempdir_short;

# Each pool holds what is going to be claimed and no account more.  Their ids
# alternate.  "granted" has what the claims answered, and to whom.
$node->safe_psql('postgres', <<"SQL");
CREATE ROLE regress_awspool_client LOGIN;
CREATE ROLE regress_awspool_acme ROLE regress_awspool_client;
CREATE ROLE regress_awspool_globex ROLE regress_awspool_client;
SELECT awspool.grant_provider(p, 'regress_awspool_' || p) FROM unnest('{@{[join ',', @providers]}}'::text[]) p;
INSERT INTO awspool.import (provider, account_id, marketplace_id, account_model)
	SELECT (ARRAY['acme', 'globex'])[1 + i % 2], 900000000000 + i, 'MP-0001', 'SPAM'
	FROM generate_series(0, 2 * @{[CLAIMS]} - 1) i;
CREATE TABLE granted (provider text, account_id text, claimed_by text,
	role text DEFAULT current_user, server int DEFAULT pg_backend_pid());
GRANT INSERT ON granted TO PUBLIC;
SQL

my $pooler = Pooler->new(
	databases => { postgres => 'host=' . $node->host . ' port=' . $node->port },
	users => ['regress_awspool_client'],
	servers => SERVERS);
my $through_pooler =
  $pooler->connstr . ' dbname=postgres user=regress_awspool_client';

#
# Everything at once.  Some transactions are sent statement by statement, so
# that others' come in between; the most at once, which is faster.
#

my ($statements, $at_once) = (";\n", "\\;\n");
my (@runs, %out, %err);

sub start
{
	my ($name, @command) = @_;

	$out{$name} = $err{$name} = '';
	push @runs,
	  IPC::Run::start(\@command, '<', \undef, '>', \$out{$name},
		'2>', \$err{$name});
	return;
}

sub transaction
{
	my ($provider, $separator, $statement) = @_;

	return join($separator,
		'BEGIN', "SET LOCAL ROLE regress_awspool_$provider",
		$statement, 'COMMIT')
	  . ";\n";
}

for my $provider (@providers)
{
	my $claim =
	  "INSERT INTO granted SELECT provider, account_id, claimed_by FROM awspool.claim_account('$provider', 'MP-0001')";

	append_to_file("$dir/$provider.1", transaction($provider, $statements, $claim));
	append_to_file("$dir/$provider.2", transaction($provider, $at_once, $claim));
	start($provider, 'pgbench', '--no-vacuum', '--file', "$dir/$provider.1\@1",
		'--file', "$dir/$provider.2\@9", '--client', CLIENTS, '--transactions',
		CLAIMS / CLIENTS, $through_pooler);

	# Under one's own role, with the other's name
	append_to_file("$dir/$provider.3",
		"\\set VERBOSITY sqlstate\n"
		  . transaction(
			$provider, $statements,
			"SELECT account_id FROM awspool.claim_account('$other{$provider}', 'MP-0001')"
		  ) x CROSSED);
	start("$provider crossed", 'psql', '-XqAt', '-f',
		"$dir/$provider.3", $through_pooler);
}
$_->finish for @runs;

for my $provider (@providers)
{
	like(
		$out{$provider},
		qr{^number of transactions actually processed: ${\CLAIMS}/${\CLAIMS}$}m,
		"$provider: every claim was answered") or diag($err{$provider});
	my @refused = $err{"$provider crossed"} =~ /ERROR:  (42501)$/mg;
	is(scalar(@refused), CROSSED,
		"$provider: every claim in the other's name was refused");
	is($out{"$provider crossed"}, '', "$provider: and got nothing");
}

# What was answered, and what is so now
is( $node->safe_psql('postgres',
		'SELECT role, provider, claimed_by, count(*), count(DISTINCT account_id) FROM granted GROUP BY 1, 2, 3 ORDER BY 1, 2, 3'
	),
	join("\n",
		map {
			join '|', "regress_awspool_$_", $_, "regress_awspool_$_", CLAIMS,
			  CLAIMS
		} @providers),
	'every claim got an account of its own provider, and no two the same');
is( $node->safe_psql('postgres',
		'SELECT a.provider, a.status, a.claimed_by, g.role, count(*) FROM awspool.account a FULL JOIN granted g USING (account_id, provider) GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4'
	),
	join("\n",
		map {
			join '|', $_, 'provisioning_in_progress', "regress_awspool_$_",
			  "regress_awspool_$_", CLAIMS
		} @providers),
	'every account is as it was answered, and none is left');

# The sessions were few, and each one served both.
is( $node->safe_psql('postgres',
		'SELECT count(*) <= '
		  . SERVERS
		  . ', min(roles) FROM (SELECT count(DISTINCT role) AS roles FROM granted GROUP BY server) s'
	),
	't|2',
	'few sessions served both providers');

# Nobody's role stays with a session.
is( join(' ',
		map { $node->safe_psql('postgres', 'SELECT current_user', connstr => $through_pooler) } 1 .. SERVERS),
	join(' ', ('regress_awspool_client') x SERVERS),
	'a session has its own role again');

ok($pooler->stop, 'the pooler ends') or diag($pooler->log);

$node->stop;
done_testing();
