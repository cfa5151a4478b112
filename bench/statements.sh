# What each side sends.  To be sourced.
#
#	limit	the same change by primary key: no search, no triggers
#	awspool	the extension
#	before	the release before this one
#	skip	SKIP LOCKED, tuned by hand
#	naive	what people write first
#
# A script_NAME function prints the pgbench script of a side.  Every transaction
# of every client has a number (n) of its own, and with it an id to update, an
# id to add and an order; so each update of the limit finds a ready account.

preamble='\set n :n + 1
\set id 100000000000 + :claimed + :client_id * :stride + :n
\set new 500000000000 + :client_id * 1000000000 + :n
\set provider random_zipfian(1, :pools, 1.1)'

# claim SIDE ORDER: one statement, without its semicolon.
claim()
{
	local set="status = 'provisioning_in_progress', order_id = $2, order_model = model,
		claimed_at = clock_timestamp(), claimed_by = current_user"
	local ready="provider = :provider AND marketplace = 'MP-0000' AND status = 'ready'"

	case $1 in
	limit)
		echo "UPDATE bench.account SET $set WHERE account_id = :id RETURNING *" ;;
	awspool | before)
		echo "SELECT * FROM awspool.claim_account(:provider, 'MP-0000', $2)" ;;
	skip)
		echo "WITH oldest AS MATERIALIZED (
			SELECT account_id FROM bench.account WHERE $ready
			ORDER BY position LIMIT 1 FOR UPDATE SKIP LOCKED)
		UPDATE bench.account a SET $set FROM oldest
		WHERE a.account_id = oldest.account_id RETURNING a.*" ;;
	naive)
		echo "UPDATE bench.account SET $set WHERE account_id = (
			SELECT account_id FROM bench.account WHERE $ready
			ORDER BY added_at LIMIT 1 FOR UPDATE) RETURNING *" ;;
	esac
}

# close_claimed SIDE STATUS REASON: the account of this transaction.
close_claimed()
{
	case $1-$2 in
	limit-*)
		echo "UPDATE bench.account SET status = '$2', reason = $3,
			closed_at = clock_timestamp(), closed_by = current_user
		WHERE account_id = :account_id RETURNING *" ;;
	awspool-allocated)
		echo "SELECT * FROM awspool.allocate_account(:provider, :account_id)" ;;
	awspool-provisioning_failed)
		echo "SELECT * FROM awspool.fail_account(:provider, :account_id, $3)" ;;
	esac
}

add()
{
	case $1 in
	awspool)
		echo "SELECT * FROM awspool.add_account(:provider, :new, 'MP-0000', 'SPAM')" ;;
	*)
		echo "INSERT INTO bench.account (provider, account_id, marketplace, model)
		VALUES (:provider, :new, 'MP-0000', 'SPAM') RETURNING *" ;;
	esac
}

script_claim()
{
	echo "$preamble"
	echo "$(claim "$1" NULL);"
}

script_claim_for_order()
{
	echo "$preamble"
	echo "$(claim "$1" :id);"
}

# A hundred at once.
script_claim_batch()
{
	local ids="ARRAY(SELECT (:first::bigint + i)::text FROM generate_series(1, 100) i)"

	echo "$preamble"
	echo '\set first 100000000000 + :claimed + :client_id * :stride + (:n - 1) * 100'
	case $1 in
	limit)
		echo "UPDATE bench.account SET status = 'provisioning_in_progress', order_id = account_id,
			order_model = model, claimed_at = clock_timestamp(), claimed_by = current_user
		WHERE account_id = ANY ($ids) RETURNING *;" ;;
	awspool)
		echo "SELECT * FROM awspool.claim_accounts(:provider, 'MP-0000', $ids);" ;;
	esac
}

script_hold()
{
	echo "$preamble"
	echo "BEGIN; $(claim "$1" NULL);"
	echo '\sleep 50 ms'
	echo "COMMIT;"
}

script_roll_back()
{
	echo "$preamble"
	echo "BEGIN; $(claim "$1" NULL);"
	printf '%s\n' '\if :n % 10 = 0' 'ROLLBACK;' '\else' 'COMMIT;' '\endif'
}

script_add()
{
	echo "$preamble"
	echo "$(add "$1");"
}

script_add_and_claim()
{
	script_add "$1"
	echo "$(claim "$1" NULL);"
}

script_claim_and_allocate()
{
	echo "$preamble"
	echo "$(claim "$1" NULL) \\gset"
	echo "$(close_claimed "$1" allocated NULL);"
}

script_claim_and_allocate_at_once()
{
	echo "$preamble"
	echo "BEGIN; $(claim "$1" NULL) \\gset"
	echo "$(close_claimed "$1" allocated NULL); COMMIT;"
}

script_allocate()
{
	echo "$preamble"
	echo '\set account_id :id'
	echo "$(close_claimed "$1" allocated NULL);"
}

script_fail()
{
	echo "$preamble"
	echo '\set account_id :id'
	echo "$(close_claimed "$1" provisioning_failed "'no capacity'");"
}

# Nothing is ready.  The limit is to read a row whose id is known.
script_ask()
{
	echo "$preamble"
	if [ "$1" = limit ]; then
		echo '\set id 100000000001 + :n % :stride'
		echo "SELECT * FROM bench.account WHERE account_id = :id;"
	else
		echo "$(claim "$1" NULL);"
	fi
}

# Asks until there is one; the limit knows which one will be added next.
script_wait()
{
	if [ "$1" = limit ]; then
		echo '\set id 500000000001 + :n'
		echo "WITH claimed AS ($(claim limit NULL))
			SELECT count(*) AS hit FROM claimed \\gset"
		echo '\set n :n + :hit'
	else
		script_ask "$1"
	fi
}

#
# Reads: read_NAME prints the pgbench script of a side
#

# Where a side reads, with a condition that only the owner has to give.
accounts_of()
{
	case $1 in
		limit) echo "awspool.account a WHERE a.provider = '1' AND" ;;
		*) echo "awspool.accounts a WHERE" ;;
	esac
}

joined_accounts_of()
{
	case $1 in
		limit) echo "(SELECT * FROM awspool.account WHERE provider = '1')" ;;
		*) echo awspool.accounts ;;
	esac
}

# The owner's columns are "C"; to compare with them by an index one has to say so.
collation_of()
{
	case $1 in limit) echo ' COLLATE "C"' ;; esac
}

read_by_id()
{
	echo '\set id 200000000000 + 2 * random(1, 20000)'
	echo "SELECT * FROM $(accounts_of "$1") account_id = :id;"
}

read_by_order()
{
	echo '\set order 2 * random(1, 20000)'
	case $1 in
		limit) echo "SELECT * FROM $(accounts_of limit) order_id = :order AND (status = 'provisioning_in_progress' OR status = 'allocated');" ;;
		*) echo "SELECT * FROM $(accounts_of "$1") order_id = :order;" ;;
	esac
}

read_by_failed_order()
{
	echo '\set failed 20 * random(1, 20000)'
	case $1 in
		limit) echo "SELECT * FROM $(accounts_of limit) order_id = :failed AND (status = 'provisioning_failed' OR status = 'invalid');" ;;
		*) echo "SELECT * FROM $(accounts_of "$1") order_id = :failed;" ;;
	esac
}

read_join_by_order()
{
	case $1 in
		limit) echo "SELECT o.n, a.status FROM bench.orders o JOIN awspool.account a ON a.provider = '1' AND a.order_id = o.order_id$(collation_of limit) AND (a.status = 'provisioning_in_progress' OR a.status = 'allocated');" ;;
		*) echo "SELECT o.n, a.status FROM bench.orders o JOIN awspool.accounts a ON a.order_id = o.order_id;" ;;
	esac
}

read_join_by_id()
{
	echo "SELECT o.n, a.status FROM bench.orders o JOIN $(joined_accounts_of "$1") a ON a.account_id = o.account_id$(collation_of "$1");"
}

read_oldest()
{
	echo "SELECT * FROM $(accounts_of "$1") true ORDER BY position LIMIT 20;"
}

read_newest()
{
	echo "SELECT * FROM $(accounts_of "$1") true ORDER BY position DESC LIMIT 20;"
}

read_next_page()
{
	echo '\set position 25000 + random(1, 10000)'
	echo "SELECT * FROM $(accounts_of "$1") position < :position ORDER BY position DESC LIMIT 20;"
}

read_ready()
{
	echo "SELECT * FROM $(accounts_of "$1") marketplace = 'MP-0000' AND status = 'ready' ORDER BY position LIMIT 20;"
}

read_overdue()
{
	echo "SELECT * FROM $(accounts_of "$1") status = 'provisioning_in_progress' AND claimed_at < now() - interval '30 days';"
}

read_move_a_thousand()
{
	local table=awspool.accounts provider=

	if [ "$1" = limit ]; then
		table=awspool.account provider="provider = '1' AND"
	fi
	echo "BEGIN;
UPDATE $table SET marketplace = 'MP-0009' WHERE $provider status = 'ready' AND account_id IN (
		SELECT account_id FROM $(accounts_of "$1") marketplace = 'MP-0000' AND status = 'ready'
		ORDER BY position LIMIT 1000);
ROLLBACK;"
}

read_count()
{
	echo "SELECT count(*) FROM $(accounts_of "$1") true;"
}

read_pool_status()
{
	echo "SELECT * FROM awspool.pool_status;"
}

read_scrape()
{
	read_pool_status
	echo "SELECT * FROM awspool.alerts;"
}
