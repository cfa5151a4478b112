// awspool from Node.js with TypeORM, on node-postgres.

const assert = require('node:assert/strict');
const { DataSource, EntitySchema, MoreThan } = require('typeorm');

// As a table: TypeORM does not write to what it calls a view.  With
// "synchronize: false" neither it nor its migrations touch it.
const fromServer = (type) => ({ type, nullable: true, insert: false, update: false });
const Account = new EntitySchema({
  name: 'Account',
  schema: 'awspool',
  tableName: 'accounts',
  synchronize: false,
  columns: {
    account_id: { type: 'text', primary: true },
    provider: fromServer('text'),
    marketplace: { type: 'text' },
    model: { type: 'text' },
    status: { type: 'text', nullable: true, insert: false },
    reason: { type: 'text', nullable: true, insert: false },
    order_id: fromServer('text'),
    added_at: fromServer('timestamptz'),
    position: fromServer('bigint'),
  },
});
const Order = new EntitySchema({
  name: 'Order',
  tableName: 'orders',
  columns: {
    order_id: { type: 'text', primary: true },
    customer: { type: 'text' },
  },
});

const id = (n) => `1111111111${String(n).padStart(2, '0')}`;
const source = new DataSource({
  type: 'postgres',
  host: process.env.PGHOST,
  port: Number(process.env.PGPORT),
  username: process.env.PGUSER,
  database: process.env.PGDATABASE,
  entities: [Account, Order],
  synchronize: false,
});

async function main() {
  await source.initialize();
  const accounts = source.getRepository(Account);

  // Add: insert(), or save(), which first looks whether it is there.
  await accounts.insert([0, 1, 2, 3, 4].map((n) => ({ account_id: id(n), marketplace: 'MP-0001', model: 'SPAM' })));
  await accounts.save({ account_id: id(5), marketplace: 'MP-0001', model: 'SPAM' });
  assert.equal((await accounts.findOneBy({ account_id: id(0) })).provider, 'acme');

  // List, a page at a time.  A position is a bigint, which comes as a string.
  const ready = [];
  for (let last = '0'; ;) {
    const page = await accounts.find({
      where: { status: 'ready', marketplace: 'MP-0001', position: MoreThan(last) },
      order: { position: 'ASC' },
      take: 4,
    });
    if (page.length === 0) break;
    ready.push(...page.map((account) => account.account_id));
    last = page.at(-1).position;
  }
  assert.deepEqual(ready, [0, 1, 2, 3, 4, 5].map(id));

  // Claim.  It counts once it is committed, which is where transaction() ends.
  const [account] = await source.transaction((manager) => manager.query(
    'SELECT * FROM awspool.claim_account($1, $2, $3)', ['acme', 'MP-0001', 'order-1']));
  assert.equal(account.account_id, id(0));

  // Join.
  const joined = await source.getRepository(Order).createQueryBuilder('o')
    .leftJoin(Account, 'a', 'a.order_id = o.order_id')
    .select(['o.customer AS customer', 'a.account_id AS account'])
    .orderBy('o.order_id').limit(2).getRawMany();
  assert.deepEqual(joined.map((row) => ({ ...row })), [
    { customer: 'Ada', account: id(0) },
    { customer: 'Grace', account: null }]);

  // Edit.
  const edited = await accounts.findOneBy({ account_id: id(1) });
  edited.model = 'ECAM';
  await accounts.save(edited);

  // Close.  Name the status that you saw: whoever comes second changes no row.
  for (const changed of [1, 0]) {
    const { affected } = await accounts.update(
      { account_id: id(0), status: 'provisioning_in_progress' }, { status: 'allocated' });
    assert.equal(affected, changed);
  }

  // Delete.
  assert.equal((await accounts.delete({ account_id: id(2) })).affected, 1);

  // Errors are told apart by their code.
  await assert.rejects(accounts.update({ account_id: id(0) }, { status: 'ready' }), { code: 'WS001' });
  await assert.rejects(
    accounts.insert({ account_id: id(1), marketplace: 'MP-0001', model: 'SPAM' }),
    { code: '23505', constraint: 'account_pkey', table: 'account' });
}

main().finally(() => source.destroy());
