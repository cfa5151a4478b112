// The portal as a person uses it, in a browser without a screen: each action by
// what the visitor sees, then by what the database has.  Run by contrib/portal.sh,
// on the pool of contrib/portal.sql; ends with "N passed, N failed".

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';

const { chromium } = createRequire(process.env.NODE_PATH + '/')('playwright-core');
const address = process.env.ADDRESS;
const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
	'--disable-background-networking', '--disable-component-update', '--disable-sync'];
const home = process.env.HOME;
const wrong = [];    // what no page may do
const counts = { passed: 0, failed: 0 };
const SECOND = 1000;    // nobody waits longer for the server, with 200,000 accounts

function sql(query) {
	return execFileSync('psql', ['-XqAt', '-v', 'ON_ERROR_STOP=1', '-c', query]).toString().trim();
}

async function test(name, act) {
	const began = Date.now();

	try {
		await act();
		assert.deepEqual(wrong.splice(0), [], 'nothing is wrong in the browser');
		counts.passed++;
		console.log(`ok - ${name} (${Date.now() - began} ms)`);
	} catch (error) {
		wrong.length = 0;
		counts.failed++;
		console.log(`not ok - ${name}\n${error.stack.replace(/^/gm, '# ')}`);
	}
}

// A browser of its own, as another person at another desk has.
async function browser() {
	const folder = fs.mkdtempSync(`${home}/browser-`);
	const context = await chromium.launchPersistentContext(folder, { executablePath: '/usr/bin/chromium',
		headless: true, viewport: { width: 1280, height: 800 }, args: flags });
	const page = context.pages()[0] ?? await context.newPage();

	page.setDefaultTimeout(60000);
	page.on('pageerror', error => wrong.push(error.message));
	page.on('console', message => message.type() == 'error' && !/403/.test(message.text()) && wrong.push(message.text()));
	page.on('request', request => request.url().startsWith(address) || request.url().startsWith('data:') || wrong.push(request.url()));
	page.on('dialog', dialog => { page.asked = dialog.message(); dialog.accept(); });
	return page;
}

async function logIn(page, role, password) {
	await page.context().clearCookies();
	await page.goto(address);
	await page.getByLabel('Role').fill(role);
	await page.getByLabel('Password').fill(password);
	await press(page, 'Log in');
}

async function press(page, button) {
	await Promise.all([page.waitForEvent('load'), page.getByRole('button', { name: button, exact: true }).click()]);
}

async function follow(page, link) {
	await Promise.all([page.waitForEvent('load'), page.getByRole('link', { name: link, exact: true }).click()]);
}

const row = (page, id) => page.locator('#table tbody tr', { hasText: id });
const said = page => page.locator('.message, .error').first().innerText();

async function search(page, what) {
	await follow(page, 'Accounts');
	for (const [label, value] of Object.entries(what)) {
		const field = page.locator('#form').getByLabel(label);
		await (label == 'Status' ? field.selectOption(value) : field.fill(value));
	}
	await press(page, 'Search');
}

async function add(page, id, marketplace, model) {
	await follow(page, 'New Account');
	await page.getByLabel('Account ID').fill(id);
	await page.getByLabel('Marketplace').fill(marketplace);
	await page.getByLabel('Model').selectOption(model);
	await press(page, 'Save');
}

async function edit(page, id) {
	await search(page, { 'Account ID': id });
	await follow(page, `Edit ${id}`);
}

async function importFile(page, content, skip = false) {
	await follow(page, 'Accounts');
	await page.getByText('Import Accounts').click();
	if (content !== null) {
		await page.getByLabel('File').setInputFiles(typeof content == 'string' && fs.existsSync(content) ? content
			: { name: 'accounts.csv', mimeType: 'text/csv', buffer: Buffer.from(content) });
	}
	await page.getByLabel('If rows are rejected').setChecked(skip);
	await press(page, 'Import');
}

const status = id => sql(`SELECT status FROM awspool.accounts WHERE account_id = '${id}'`);
const account = id => sql(`SELECT provider, marketplace, model FROM awspool.accounts WHERE account_id = '${id}'`);
const count = where => +sql(`SELECT count(*) FROM awspool.accounts WHERE ${where}`);

const page = await browser();
const other = await browser();

//
// Logging in
//

await test('a wrong password is refused', async () => {
	await logIn(page, 'acme_app', 'wrong');
	assert.match(await said(page), /password authentication failed/);
});

await test('a role logs in and sees its accounts, oldest first', async () => {
	await logIn(page, 'acme_app', 'acme');
	assert.equal(await page.locator('#table thead').innerText(), '\tAccount ID\tMarketplace\tModel\tStatus\tOrder\tAdded ↑\tDelete\n');
	assert.equal(await page.locator('#table tbody tr').count(), 50);
	assert.equal(await page.locator('[id$="[account_id]"]').nth(1).innerText(),
		sql("SELECT account_id FROM awspool.accounts WHERE provider = 'acme' ORDER BY position LIMIT 1"));
	assert.ok(!(await page.content()).includes('globex'));
	await page.screenshot({ path: `${home}/portal.png` });
});

await test('every field, button and box has a name', async () => {
	for (const link of ['Accounts', 'New Account']) {
		await follow(page, link);
		const nameless = await page.locator('input:not([type=hidden]), select, button, a.edit').evaluateAll(all => all.filter(element =>
			!(element.ariaLabel || element.labels?.length || element.value && element.type == 'submit' && element.tagName == 'INPUT'
				|| element.closest('#lang'))).map(element => element.outerHTML));
		assert.deepEqual(nameless, []);
	}
});

await test('the keyboard alone logs in and reaches a new account', async () => {
	await page.context().clearCookies();
	await page.goto(address);
	await page.keyboard.type('acme_app');
	await page.keyboard.press('Tab');
	await page.keyboard.type('acme');
	await Promise.all([page.waitForEvent('load'), page.keyboard.press('Enter')]);
	await page.getByRole('link', { name: 'New Account' }).focus();
	await Promise.all([page.waitForEvent('load'), page.keyboard.press('Enter')]);
	for (const text of ['400000000009', 'MP-0000']) {
		await page.keyboard.type(text);
		await page.keyboard.press('Tab');
	}
	await Promise.all([page.waitForEvent('load'), page.keyboard.press('Control+Enter')]);
	assert.equal(await said(page), 'Account 400000000009 was added.');
	assert.equal(account('400000000009'), 'acme|MP-0000|SPAM');
});

//
// One account
//

await test('New Account', async () => {
	await follow(page, 'Accounts');
	await follow(page, 'New Account');
	assert.deepEqual(await page.locator('#form label').allInnerTexts(), ['Account ID', 'Marketplace', 'Model']);
	await follow(page, 'Accounts');
	await add(page, '400000000001', 'MP-0000', 'ECAM');
	assert.equal(await said(page), 'Account 400000000001 was added.');
	assert.equal(account('400000000001'), 'acme|MP-0000|ECAM');
});

await test('New Account: Save and insert next', async () => {
	await follow(page, 'New Account');
	await page.getByLabel('Account ID').fill('400000000002');
	await page.getByLabel('Marketplace').fill('MP-0000');
	await press(page, 'Save and insert next');
	assert.equal(await said(page), 'Account 400000000002 was added.');
	assert.equal(await page.getByLabel('Account ID').inputValue(), '');
	assert.equal(account('400000000002'), 'acme|MP-0000|SPAM');
});

for (const [id, marketplace, why] of [['12', 'MP-0000', /must be exactly 12 digits/], ['400000000003', 'MP-1', /marketplace/],
	['400000000001', 'MP-0000', /already|taken|exists/], ["4'); DROP--", 'MP-0000', /12 digits/]]) {
	await test(`New Account: ${id} in ${marketplace} is refused, and the form stays`, async () => {
		const before = count('true');
		await follow(page, 'Accounts');
		await add(page, id, marketplace, 'ECAM');
		assert.match(await said(page), why);
		assert.doesNotMatch(await said(page), /ERROR|CONTEXT/);
		assert.equal(await page.getByLabel('Account ID').inputValue(), id);
		assert.equal(await page.getByLabel('Model').inputValue(), 'ECAM');
		assert.equal(count('true'), before);
	});
}

await test('the pencil: marketplace and model', async () => {
	await edit(page, '400000000001');
	assert.equal(await page.locator('#form [name^=fields]').count(), 2);
	await page.getByLabel('Model').selectOption('SPAM');
	await page.getByLabel('Marketplace').fill('MP-0003');
	await press(page, 'Save');
	assert.equal(await said(page), 'Account 400000000001 was saved.');
	assert.equal(await row(page, '400000000001').count(), 1, 'back on the list that was there');
	assert.equal(account('400000000001'), 'acme|MP-0003|SPAM');
});

await test('the pencil: what the extension refuses', async () => {
	const id = sql("SELECT account_id FROM awspool.accounts WHERE status = 'allocated' LIMIT 1");
	const before = account(id);
	await edit(page, id);
	await page.getByLabel('Marketplace').fill('MP-0009');
	await press(page, 'Save');
	assert.match(await said(page), /marketplace/);
	assert.equal(account(id), before);
	await page.getByLabel('Marketplace').fill('MP-0000');
	await page.getByLabel('Model').selectOption(before.endsWith('SPAM') ? 'ECAM' : 'SPAM');
	await press(page, 'Save');
	assert.match(await said(page), /was saved/);
});

await test('a stale form of an account that was edited changes nothing and says so', async () => {
	await logIn(other, 'acme_app', 'acme');
	await edit(page, '400000000002');
	await edit(other, '400000000002');
	await other.getByLabel('Model').selectOption('ECAM');
	await press(other, 'Save');
	await page.getByLabel('Marketplace').fill('MP-0007');
	await press(page, 'Save');
	assert.match(await said(page), /^Nothing was changed\. Account 400000000002 was changed or deleted by somebody else/);
	assert.equal(account('400000000002'), 'acme|MP-0000|ECAM');
});

await test('a stale form of an account that was deleted, likewise', async () => {
	await edit(page, '400000000002');
	await edit(other, '400000000002');
	await press(other, 'Delete');
	assert.equal(await said(other), 'Account 400000000002 was deleted.');
	await page.getByLabel('Model').selectOption('SPAM');
	await press(page, 'Save');
	assert.match(await said(page), /^Nothing was changed/);
	assert.equal(account('400000000002'), '');
	await page.goBack();
	await page.reload();
	assert.match(await said(page), /There is no such account any more/);
	assert.ok(!await page.locator('#form').isVisible());
});

await test('a stale form of an account that was claimed, likewise', async () => {
	await edit(page, '400000000001');
	sql("SELECT awspool.claim_account('acme', 'MP-0003', 'order-stale')");
	await press(page, 'Delete');
	assert.match(await said(page), /^Nothing was changed/);
	assert.equal(status('400000000001'), 'provisioning_in_progress');
});

//
// Deleting
//

await test('the trash can asks, and deletes', async () => {
	await search(page, { 'Account ID': '400000000009' });
	await press(page, 'Delete 400000000009');
	assert.equal(page.asked, 'Delete account 400000000009?');
	assert.equal(await said(page), '1 of 1 account deleted.');
	assert.equal(account('400000000009'), '');
});

await test('the trash can of an account in use', async () => {
	await search(page, { 'Account ID': '400000000001' });
	await press(page, 'Delete 400000000001');
	assert.match(await said(page), /^Nothing was changed\. 0 of 1 account deleted\. 1 in use by an order: 400000000001\./);
	assert.equal(status('400000000001'), 'provisioning_in_progress');
});

await test('the trash can of an account that was sold meanwhile', async () => {
	sql("SELECT awspool.add_account('acme', '400000000020', 'MP-0005', 'SPAM')");
	await search(page, { 'Account ID': '400000000020' });
	sql("SELECT awspool.claim_account('acme', 'MP-0005', 'order-trash'); SELECT awspool.allocate_account('acme', '400000000020', 'order-trash')");
	await press(page, 'Delete 400000000020');
	assert.match(await said(page), /^Nothing was changed\. 0 of 1 account deleted\. 1 changed or gone since this page was shown/);
	assert.equal(status('400000000020'), 'allocated');
});

await test('check boxes and Delete Selected: what goes, and what stays', async () => {
	sql("INSERT INTO awspool.accounts (provider, account_id, marketplace, model) SELECT 'acme', '4100000000' || i, 'MP-0006', 'SPAM' FROM generate_series(10, 13) i");
	await search(page, { Marketplace: 'MP-0006' });
	assert.ok(await page.getByRole('button', { name: 'Delete Selected' }).isDisabled());
	for (const id of ['410000000010', '410000000011', '410000000013']) {
		await page.getByLabel(`Select ${id}`).check();
	}
	assert.match(await page.locator('.footer').innerText(), /Selected \(3\)/);
	sql("SELECT awspool.claim_account('acme', 'MP-0006', 'order-box'); SELECT awspool.delete_account('acme', '410000000011')");
	await press(page, 'Delete Selected');
	assert.match(await said(page), /^1 of 3 accounts deleted\. 2 changed or gone since this page was shown\.$/);
	assert.equal(sql("SELECT string_agg(account_id, ' ' ORDER BY account_id) FROM awspool.accounts WHERE marketplace = 'MP-0006'"), '410000000010 410000000012');
});

await test("the heading's box selects the page, and deletes what it can", async () => {
	await search(page, { Marketplace: 'MP-0006' });
	await page.getByLabel('Select all on this page').check();
	assert.equal(await page.locator('tbody :checked').count(), 2);
	await press(page, 'Delete Selected');
	assert.match(await said(page), /^1 of 2 accounts deleted\. 1 in use by an order: 410000000010\.$/);
	assert.equal(count("marketplace = 'MP-0006'"), 1);
});

//
// Importing
//

await test('the documented file, twice', async () => {
	await importFile(page, 'test/data/accounts.csv');
	assert.equal(await said(page), '2 imported, 0 were there already, 0 rejected.');
	assert.equal(account('123456789013'), 'acme|MP-0000|ECAM');
	await importFile(page, 'test/data/accounts.csv');
	assert.equal(await said(page), '0 imported, 2 were there already, 0 rejected.');
});

const bad = 'account_id;marketplace_id,account_model\n500000000001;MP-0000;SPAM\n50000000002;MP-0000;ECAM\n500000000003;MP-0000;SPAN\n'
	+ '<b>x</b>;MP-0000;SPAM\n271828202957;MP-0000;SPAM\n';

await test('a file with bad rows: nothing is stored, each is told', async () => {
	await importFile(page, bad);
	assert.match(await said(page), /^4 of 5 rows rejected, nothing imported/);
	assert.equal((await page.locator('.report thead').innerText()).trim(), 'Line\tAccount ID\tWhy it was rejected');
	assert.deepEqual((await page.locator('.report tbody tr').allInnerTexts()).map(line => line.replace(/\t/g, '|').slice(0, 30)),
		['3|50000000002|account id "50000', '4|500000000003|model "SPAN" mus', '5|<b>x</b>|account id "<b>x</b', '6|271828202957|account id "2718'].map(line => line.slice(0, 30)));
	assert.equal(count("account_id LIKE '50000000%'"), 0);
});

await test('the same, and the good row is wanted', async () => {
	await importFile(page, bad, true);
	assert.match(await said(page), /^1 imported, 0 were there already, 4 rejected\./);
	assert.equal(await page.locator('.report tbody tr').count(), 4);
	assert.equal(count("account_id LIKE '50000000%'"), 1);
});

for (const [name, content, why] of [['no file', null, /Choose a file first/], ['broken quoting', '"500000000010;MP-0000;SPAM\n', /quot/],
	['a NUL byte', '500000000010;MP-0000;SPAM\0\n', /no text in UTF-8/], ['no UTF-8', Buffer.from([0xff, 0x41, 0x3b, 0x41]), /no text in UTF-8/]]) {
	await test(`a file that is none: ${name}`, async () => {
		const before = count('true');
		await importFile(page, content);
		assert.match(await said(page), why);
		assert.equal(count('true'), before);
	});
}

//
// Many
//

await test('200,000 accounts are imported', async () => {
	const file = `${home}/many.csv`;
	fs.writeFileSync(file, 'account_id;marketplace_id,account_model\n' + Array.from({ length: 200000 },
		(_, i) => `${600000000000 + i};MP-${i < 100000 ? 1000 + i % 20 : 2000};${i % 3 ? 'SPAM' : 'ECAM'}\n`).join(''));
	await importFile(page, file);
	assert.equal(await said(page), '200,000 imported, 0 were there already, 0 rejected.');
	assert.equal(count("account_id >= '600000000000'"), 200000);
	sql('ANALYZE awspool.account');    // as autovacuum will in a minute: until then a page may count by guess, with a "~"
});

await test('they are paged, sorted and searched without a wait', async () => {
	const first = () => page.locator('[id$="[account_id]"]').nth(1).innerText();
	const waits = [];
	const took = () => page.evaluate("performance.getEntriesByType('navigation')[0].responseEnd");
	const quickly = async act => {    // the machine may have been busy, but not three times
		await act();
		let wait = await took();
		for (let i = 0; wait >= SECOND && i < 2; i++) {
			await page.reload();
			wait = Math.min(wait, await took());
		}
		waits.push(Math.round(wait));
	};
	await follow(page, 'Accounts');
	for (const column of ['Status', 'Marketplace', 'Account ID', 'Added']) {
		for (const arrow of ['↑', '↓']) {
			await quickly(() => Promise.all([page.waitForEvent('load'), page.locator('thead').getByText(column).click()]));
			assert.match(await page.locator('thead').innerText(), new RegExp(`${column} ${arrow}`));
		}
	}
	assert.equal(await first(), '600000199999');
	await quickly(() => Promise.all([page.waitForEvent('load'), page.locator('.footer').getByRole('link', { name: /^4,?\d+$|^last$/ }).click()]));
	assert.equal(await page.locator('[id$="[account_id]"]').last().innerText(),
		sql("SELECT account_id FROM awspool.accounts WHERE provider = 'acme' ORDER BY position LIMIT 1"));
	await quickly(() => search(page, { Marketplace: 'MP-1007', Status: 'ready' }));
	assert.match(await page.locator('.footer').innerText(), /5,000 rows/);
	console.log(`# ${waits.join(', ')} ms`);
	assert.ok(Math.max(...waits) < SECOND, `${waits}`);
});

await test('pages do not overlap, whatever they are sorted by', async () => {
	const seen = new Set();
	for (let i = 0; i < 3; i++) {
		await page.goto(`${address}?username=acme_app&pgsql=&db=pool&ns=awspool&select=accounts&order[0]=model&page=${i}`);
		(await page.locator('tbody [id$="[account_id]"]').allInnerTexts()).forEach(id => seen.add(id));
	}
	assert.equal(seen.size, 150);
});

await test('all of a result is deleted, but not what an order is using, or what came since', async () => {
	await search(page, { Marketplace: 'MP-1007' });
	sql("SELECT count(*) FROM generate_series(1, 3) i, awspool.claim_account('acme', 'MP-1007', 'order-all-' || i)");
	sql("SELECT awspool.add_account('acme', '600000200000', 'MP-1007', 'SPAM')");
	await page.locator('.footer').getByLabel(/rows/).check();
	await press(page, 'Delete Selected');
	assert.equal(await said(page), '4,997 of 5,000 accounts deleted. 3 in use by an order: 600000000007, 600000000027, 600000000047.');
	assert.equal(count("marketplace = 'MP-1007'"), 4);
});

await test('all of a result of 100,000 is deleted', async () => {
	await search(page, { Marketplace: 'MP-2000' });
	await page.locator('.footer').getByLabel(/rows/).check();
	await press(page, 'Delete Selected');
	assert.equal(await said(page), '100,000 of 100,000 accounts deleted.');
	assert.equal(count("marketplace = 'MP-2000'"), 0);
});

//
// Others
//

await test('a role of two providers chooses', async () => {
	await logIn(page, 'both_app', 'both');
	assert.match(await page.locator('thead').innerText(), /Provider/);
	await follow(page, 'New Account');
	await page.getByLabel('Provider').selectOption('globex');
	await page.getByLabel('Account ID').fill('700000000001');
	await page.getByLabel('Marketplace').fill('MP-0000');
	await press(page, 'Save');
	assert.equal(account('700000000001'), 'globex|MP-0000|SPAM');
	await follow(page, 'Accounts');
	await page.getByText('Import Accounts').click();
	await page.getByLabel('Provider').selectOption('globex');
	await page.getByLabel('File').setInputFiles({ name: 'a.csv', mimeType: 'text/csv', buffer: Buffer.from('700000000002;MP-0000;SPAM\n') });
	await press(page, 'Import');
	assert.equal(account('700000000002'), 'globex|MP-0000|SPAM');
	await search(page, { 'Account ID': '70000000000' });
	await page.getByLabel('Select all on this page').check();
	await press(page, 'Delete Selected');
	assert.equal(await said(page), '2 of 2 accounts deleted.');
});

await test('another provider sees and takes nothing', async () => {
	await logIn(other, 'globex_app', 'globex');
	assert.equal(await other.locator('tbody tr').count(), 12);
	await search(other, { 'Account ID': '123456789012' });
	assert.equal(await said(other), 'No rows.');
	await other.goto(`${address}?username=globex_app&pgsql=&db=pool&ns=awspool&edit=accounts&where[provider]=acme&where[account_id]=123456789012`);
	assert.match(await said(other), /There is no such account/);
});

await test('who may only look finds no buttons, and a forged form changes nothing', async () => {
	await logIn(other, 'viewer_app', 'viewer');
	assert.ok(!await other.getByRole('link', { name: 'New Account' }).count());
	assert.ok(!await other.getByText('Import Accounts').count());
	assert.ok(!await other.getByRole('button', { name: 'Delete Selected' }).count());
	assert.match(await other.locator('.actions').innerText(), /You may look/);
	assert.equal(await other.locator('tbody tr').count(), 50);
	const before = count('true');
	await other.goto(`${address}?username=viewer_app&pgsql=&db=pool&ns=awspool&edit=accounts`);
	await other.locator('[name="fields[provider]"]').evaluate(select => select.innerHTML = '<option>acme');
	await other.getByLabel('Account ID').fill('700000000009');
	await other.getByLabel('Marketplace').fill('MP-0000');
	await press(other, 'Save');
	assert.match(await said(other), /permission denied/);
	assert.equal(count('true'), before);
});

await test('pool status', async () => {
	await logIn(page, 'acme_app', 'acme');
	await follow(page, 'Pool status');
	assert.equal(await page.locator('tbody tr', { hasText: 'MP-0006' }).locator('[id$="[provisioning_in_progress]"]').innerText(), '1');
	await follow(page, 'MP-0006');
	assert.equal(await page.locator('tbody tr').count(), 1);
});

await test('alerts are the first thing seen', async () => {
	await follow(page, 'Accounts');
	const first = page.getByRole('alert').first();
	assert.equal(await first.innerText(), sql("SELECT format('%s: %s %s %s %s', severity, alert, provider, marketplace, detail) FROM awspool.alerts"
		+ " WHERE provider = 'acme' ORDER BY severity, since LIMIT 1"));
	assert.match(await first.innerText(), /^critical: dry acme MP-000\d no ready account/);
	assert.ok((await first.boundingBox()).y < (await page.locator('#content h2').last().boundingBox()).y);
	await follow(page, 'Alerts');
	assert.ok(await page.locator('tbody tr', { hasText: 'MP-0003' }).count() > 0);
});

await test('nothing else of Adminer is there', async () => {
	for (const what of ['sql=', 'dump=', 'table=accounts', 'select=account', 'edit=account', 'database=', 'processlist=', 'import=', 'variables=', 'script=kill', 'select=accounts&edit=account', 'select[]=accounts']) {
		await page.goto(`${address}?pgsql=&username=acme_app&db=pool&ns=awspool&${what}`);
		assert.match(page.url(), /select=accounts$/, what);
	}
	await page.goto(`${address}?pgsql=127.0.0.1:22&username=acme_app&db=postgres&ns=pg_catalog&select=accounts`);
	assert.ok(await page.locator('tbody tr').count() > 0, 'server, database and schema are ours');
	await page.goto(`${address}?sqlite=x&username=acme_app&select=accounts`);
	assert.ok(await page.locator('tbody tr').count() > 0);
});

await test('a forged form without its token changes nothing', async () => {
	await page.goto(`${address}?pgsql=&username=acme_app&db=pool&ns=awspool&edit=accounts`);
	await page.locator('#form [name=token]').evaluate(field => field.value = '1:2');
	await page.getByLabel('Account ID').fill('700000000003');
	await page.getByLabel('Marketplace').fill('MP-0000');
	await press(page, 'Save');
	assert.match(await said(page), /Invalid CSRF token/);
	assert.equal(account('700000000003'), '');
});

// What is as wide as the page may be wider in a frame of its own, but at a desk.
const fits = page => page.evaluate(() => document.documentElement.scrollWidth <= innerWidth
	&& (innerWidth < 1280 || [...document.querySelectorAll('.scrollable')].every(frame => frame.scrollWidth <= frame.clientWidth)));

for (const [width, height, desk] of [[1280, 800, 'of a desk'], [390, 844, 'of a phone']]) {
	await test(`on the width ${desk} nothing is cut off`, async () => {
		await page.setViewportSize({ width, height });
		for (const link of ['Accounts', 'Pool status', 'Alerts', 'New Account', 'a pencil', 'Import']) {
			await page.goto(`${address}?pgsql=&username=acme_app&db=pool&ns=awspool&select=accounts`);
			if (link == 'a pencil') {
				await Promise.all([page.waitForEvent('load'), page.locator('a.edit').first().click()]);
			} else if (link == 'Import') {
				await importFile(page, bad);
			} else {
				await follow(page, link);
			}
			assert.ok(await fits(page), link);
			await page.screenshot({ path: `${home}/portal-${width}-${link.replace(/.* /, '')}.png` });
		}
		await page.setViewportSize({ width: 1280, height: 800 });
	});
}

await test('logging out', async () => {
	await press(page, 'Logout');
	assert.ok(await page.getByLabel('Password').isVisible());
	await page.goto(`${address}?pgsql=&username=acme_app&db=pool&ns=awspool&select=accounts`);
	assert.ok(await page.getByLabel('Password').isVisible());
});

// Adminer itself warns of a row that it did not find.
await test('PHP had nothing to say', async () => {
	assert.equal(fs.readFileSync(process.env.PHP_LOG, 'utf8').split('\n').filter(line => /PHP (Fatal|Parse)|PHP .*portal.\w+\.php/.test(line)).join('\n'), '');
});

await page.context().close();
await other.context().close();
console.log(`${counts.passed} passed, ${counts.failed} failed`);
process.exit(counts.failed > 0 ? 1 : 0);
