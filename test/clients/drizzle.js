// awspool from Node.js with Drizzle, on node-postgres.

const assert = require('node:assert/strict');
const { Pool } = require('pg');
const { drizzle } = require('drizzle-orm/node-postgres');
const { and, asc, eq, gt, sql } = require('drizzle-orm');
const { bigint, pgSchema, pgTable, text, timestamp } = require('drizzle-orm/pg-core');

// As a table: Drizzle does not write to what it calls a view.  Leave the schema
// out of drizzle-kit's migrations (schemaFilter).
const accounts = pgSchema('awspool').table('accounts', {
  accountId: text('account_id').primaryKey(),
  provider: text('provider'),
  marketplace: text('marketplace').notNull(),
  model: text('model').notNull(),
  status: text('status'),
  orderId: text('order_id'),
  reason: text('reason'),
  addedAt: timestamp('added_at', { withTimezone: true }),
  position: bigint('position', { mode: 'bigint' }),
});
const orders = pgTable('orders', {
  orderId: text('order_id').primaryKey(),
  customer: text('customer').notNull(),
});

const id = (n) => `1111111111${String(n).padStart(2, '0')}`;
const pool = new Pool();
const db = drizzle(pool);

async function main() {
  // Add.
  const added = await db.insert(accounts)
    .values([0, 1, 2, 3, 4, 5].map((n) => ({ accountId: id(n), marketplace: 'MP-0001', model: 'SPAM' })))
    .returning({ provider: accounts.provider, status: accounts.status });
  assert.deepEqual(added[0], { provider: 'acme', status: 'ready' });

  // List, a page at a time.
  const ready = [];
  for (let last = 0n; ;) {
    const page = await db.select().from(accounts)
      .where(and(eq(accounts.status, 'ready'), eq(accounts.marketplace, 'MP-0001'), gt(accounts.position, last)))
      .orderBy(asc(accounts.position)).limit(4);
    if (page.length === 0) break;
    ready.push(...page.map((account) => account.accountId));
    last = page.at(-1).position;
  }
  assert.deepEqual(ready, [0, 1, 2, 3, 4, 5].map(id));

  // Claim.  It counts once it is committed, which is where transaction() ends.
  const claimed = await db.transaction((tx) => tx.execute(
    sql`SELECT account_id, model FROM awspool.claim_account(${'acme'}, ${'MP-0001'}, ${'order-1'})`));
  assert.equal(claimed.rows[0].account_id, id(0));

  // Join.
  const joined = await db.select({ customer: orders.customer, account: accounts.accountId })
    .from(orders).leftJoin(accounts, eq(accounts.orderId, orders.orderId))
    .orderBy(orders.orderId).limit(2);
  assert.deepEqual(joined, [
    { customer: 'Ada', account: id(0) },
    { customer: 'Grace', account: null }]);

  // Edit.
  const [edited] = await db.update(accounts).set({ model: 'ECAM' })
    .where(eq(accounts.accountId, id(1))).returning();
  assert.equal(edited.model, 'ECAM');

  // Close.  Name the status that you saw: whoever comes second changes no row.
  for (const changed of [1, 0]) {
    const { rowCount } = await db.update(accounts).set({ status: 'allocated' })
      .where(and(eq(accounts.accountId, id(0)), eq(accounts.status, 'provisioning_in_progress')));
    assert.equal(rowCount, changed);
  }

  // Delete.
  const deleted = await db.delete(accounts).where(eq(accounts.accountId, id(2))).returning();
  assert.equal(deleted.length, 1);

  // Errors are told apart by the code of the driver's, which Drizzle wraps.
  const code = (error) => (error.cause ?? error).code;
  await assert.rejects(
    db.update(accounts).set({ status: 'ready' }).where(eq(accounts.accountId, id(0))),
    (error) => code(error) === 'WS001');
  await assert.rejects(
    db.insert(accounts).values({ accountId: id(1), marketplace: 'MP-0001', model: 'SPAM' }),
    (error) => code(error) === '23505');
}

main().finally(() => pool.end());
