// awspool from Node.js with node-postgres, which takes the server's address from
// PGHOST and its like.

const assert = require('node:assert/strict');
const { Pool } = require('pg');

const id = (n) => `1111111111${String(n).padStart(2, '0')}`;
const pool = new Pool();

// What is done in one transaction has to use one connection.
async function transaction(work) {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    const result = await work(client);
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  } finally {
    client.release();
  }
}

async function main() {
  // Add.  The provider is the only one that this role acts for.
  const added = await pool.query(
    `INSERT INTO awspool.accounts (account_id, marketplace, model)
     SELECT unnest($1::text[]), 'MP-0001', 'SPAM' RETURNING provider, status`,
    [[0, 1, 2, 3, 4, 5].map(id)]);
  assert.deepEqual(added.rows[0], { provider: 'acme', status: 'ready' });

  // List, a page at a time: the last position of a page is where the next begins.
  // A position is a bigint, which comes as a string; give it back as it is.
  const ready = [];
  for (let last = '0'; ;) {
    const page = await pool.query(
      `SELECT account_id, position FROM awspool.accounts
       WHERE status = 'ready' AND marketplace = $1 AND position > $2
       ORDER BY position LIMIT 4`, ['MP-0001', last]);
    if (page.rows.length === 0) break;
    ready.push(...page.rows.map((row) => row.account_id));
    last = page.rows.at(-1).position;
  }
  assert.deepEqual(ready, [0, 1, 2, 3, 4, 5].map(id));

  // Claim.  The account is the order's once it is committed; and asking again
  // gives the same one.  A name has the statement prepared once for each session.
  const claim = {
    name: 'claim',
    text: 'SELECT * FROM awspool.claim_account($1, $2, $3)',
    values: ['acme', 'MP-0001', 'order-1'],
  };
  for (const attempt of [1, 2]) {
    const { rows: [account] } = await transaction((client) => client.query(claim));
    assert.equal(account.account_id, id(0));
  }
  const none = await pool.query({ ...claim, values: ['acme', 'MP-0002', 'order-2'] });
  assert.equal(none.rows.length, 0);

  // Join.
  const orders = await pool.query(
    `SELECT o.customer, a.account_id FROM orders o
     LEFT JOIN awspool.accounts a USING (order_id) ORDER BY o.order_id LIMIT 2`);
  assert.deepEqual(orders.rows, [
    { customer: 'Ada', account_id: id(0) },
    { customer: 'Grace', account_id: null }]);

  // Edit.
  await pool.query(
    "UPDATE awspool.accounts SET model = 'ECAM' WHERE account_id = $1", [id(1)]);

  // Close.  Name the status that you saw: whoever comes second changes no row.
  for (const changed of [1, 0]) {
    const { rowCount } = await pool.query(
      `UPDATE awspool.accounts SET status = 'allocated'
       WHERE account_id = $1 AND status = 'provisioning_in_progress'`, [id(0)]);
    assert.equal(rowCount, changed);
  }

  // Delete.
  const deleted = await pool.query(
    'DELETE FROM awspool.accounts WHERE account_id = $1', [id(2)]);
  assert.equal(deleted.rowCount, 1);

  // Errors are told apart by their code.
  await assert.rejects(
    pool.query("UPDATE awspool.accounts SET status = 'ready' WHERE account_id = $1", [id(0)]),
    { code: 'WS001' });
  await assert.rejects(
    pool.query("SELECT awspool.add_account('acme', $1, 'MP-0001', 'SPAM')", [id(1)]),
    { code: '23505', constraint: 'account_pkey', table: 'account' });

  // Warnings, such as that a commit did not wait for the standby.
  await transaction(async (client) => {
    const notices = [];
    const note = (notice) => notices.push(notice.message);
    client.on('notice', note);
    await client.query("DO $$ BEGIN RAISE WARNING 'heard'; END $$");
    client.off('notice', note);
    assert.deepEqual(notices, ['heard']);
  });
}

main().finally(() => pool.end());
