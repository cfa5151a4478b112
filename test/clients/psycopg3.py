# awspool from Python with psycopg 3, which takes the server's address from
# PGHOST and its like.

import psycopg
from psycopg.rows import dict_row

ID = '1111111111{:02}'.format
conn = psycopg.connect(row_factory=dict_row)

# Add.  The provider is the only one that this role acts for.
with conn.transaction(), conn.cursor() as cur:
    cur.executemany("""
        INSERT INTO awspool.accounts (account_id, marketplace, model)
        VALUES (%s, 'MP-0001', 'SPAM') RETURNING provider, status""",
        [(ID(n),) for n in range(6)], returning=True)
    assert cur.fetchone() == {'provider': 'acme', 'status': 'ready'}

# List, a page at a time: the last position of a page is where the next begins.
ready, last = [], 0
while page := conn.execute("""
        SELECT account_id, position FROM awspool.accounts
        WHERE status = 'ready' AND marketplace = %s AND position > %s
        ORDER BY position LIMIT 4""", ('MP-0001', last)).fetchall():
    ready += [row['account_id'] for row in page]
    last = page[-1]['position']
assert ready == [ID(n) for n in range(6)]

# Claim.  The account is the order's when the transaction is committed, which is
# here; and asking again gives the same one.
for attempt in 1, 2:
    with conn.transaction():
        account = conn.execute(
            'SELECT * FROM awspool.claim_account(%s, %s, %s)',
            ('acme', 'MP-0001', 'order-1')).fetchone()
    assert account['account_id'] == ID(0)

# Join.
assert conn.execute("""
    SELECT o.customer, a.account_id, a.status
    FROM orders o LEFT JOIN awspool.accounts a USING (order_id)
    ORDER BY o.order_id LIMIT 2""").fetchall() == [
        {'customer': 'Ada', 'account_id': ID(0), 'status': 'provisioning_in_progress'},
        {'customer': 'Grace', 'account_id': None, 'status': None}]

# Edit.
conn.execute("UPDATE awspool.accounts SET model = 'ECAM' WHERE account_id = %s", (ID(1),))
conn.commit()

# Close.  Name the status that you saw: whoever comes second changes no row.
for changed in 1, 0:
    with conn.transaction():
        assert conn.execute("""
            UPDATE awspool.accounts SET status = 'allocated'
            WHERE account_id = %s AND status = 'provisioning_in_progress'""",
            (ID(0),)).rowcount == changed

# Delete.
with conn.transaction():
    assert conn.execute('DELETE FROM awspool.accounts WHERE account_id = %s',
                        (ID(2),)).rowcount == 1

# Errors are told apart by their code.
def code_of(sql, *values):
    try:
        with conn.transaction():
            conn.execute(sql, values)
    except psycopg.Error as error:
        return error.sqlstate, error.diag.constraint_name

assert code_of("UPDATE awspool.accounts SET status = 'ready' WHERE account_id = %s",
               ID(0)) == ('WS001', None)
assert code_of("SELECT awspool.add_account('acme', %s, 'MP-0001', 'SPAM')",
               ID(1)) == ('23505', 'account_pkey')
assert code_of("SELECT awspool.claim_account('other', 'MP-0001')") == ('42501', None)

# Warnings, such as that a commit did not wait for the standby.
notices = []
conn.add_notice_handler(lambda notice: notices.append(notice.message_primary))
conn.execute("DO $$ BEGIN RAISE WARNING 'heard'; END $$")
assert notices == ['heard']

conn.close()
