// The portal as a person uses it, in a browser without a screen: each action by
// what the visitor sees, then by what the database has.  Run by contrib/portal.sh,
// on the pool of contrib/portal.sql; ends with "N passed, N failed".

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import net from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';

const { chromium } = createRequire(process.env.NODE_PATH + '/')('playwright-core');
let address = process.env.ADDRESS;
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
		headless: true, ignoreHTTPSErrors: true, viewport: { width: 1280, height: 800 }, args: flags });
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

const wholeResult = page => page.locator('.footer label', { has: page.locator('[name=all]') });
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

// The address of a role's page.
const at = (role, what = 'select=accounts') => `${address}?pgsql=&username=${encodeURIComponent(role)}&db=pool&ns=awspool&${what}`;

// What a program sends that has the visitor's session and token; where it leads to, and what is said there.
async function forge(page, url, fields) {
	const token = await page.locator('[name=token]').first().inputValue();
	const answer = await page.request.post(url, { multipart: { token, ...fields }, maxRedirects: 0 });
	const leadsTo = answer.headers().location;
	const text = await (leadsTo === undefined ? answer : await page.request.get(new URL(leadsTo, url).href)).text();
	const cookies = answer.headersArray().filter(({ name }) => name.toLowerCase() == 'set-cookie').map(({ value }) => value);
	return { leadsTo, cookies, said: text.match(/<div class='(?:message|error)'>([^]*?)<\/div>/)?.[1] ?? '' };
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

await test('every field, button and link has a name', async () => {
	for (const what of ['select=accounts', 'select=pool_status', 'select=alerts', 'edit=accounts', 'edit=accounts&where[account_id]=104729205894']) {
		await page.goto(at('acme_app', what));
		const nameless = await page.locator('input:not([type=hidden]), select, button, a, summary').evaluateAll(all => all.filter(element =>
			element.checkVisibility() && !(element.ariaLabel || element.labels?.length || element.type == 'submit' && element.value
				|| element.innerText?.trim())).map(element => element.outerHTML));
		assert.deepEqual(nameless, [], what);
	}
	assert.equal(await page.locator('#form label').count(), 7);
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
	assert.match(await said(page), /^Nothing was changed\. 0 of 1 account deleted\. 1 in use: 400000000001 \(order "order-stale" is using it\)\./);
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
	assert.match(await said(page), /^1 of 2 accounts deleted\. 1 in use: 410000000010 \(order "order-box" is using it\)\.$/);
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

await test('a file with many bad rows: the first 200 are told', async () => {
	await importFile(page, 'account_id;marketplace_id,account_model\n' + Array.from({ length: 300 }, (_, i) => `${i};MP-0000;SPAM\n`).join(''));
	assert.match(await said(page), /^300 of 300 rows rejected, nothing imported[^]*… and 100 more\.$/);
	assert.match(await page.locator('.report tbody tr').last().innerText(), /^201\t199\taccount id "199" must be exactly 12 digits/);
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
	const tab = await page.context().newPage();    // of the same session
	let done = false;
	const importing = importFile(page, file).then(() => done = true);
	await page.waitForRequest(request => request.method() == 'POST');
	await tab.goto(at('acme_app', 'select=pool_status'));
	assert.ok(!done, 'nobody waits for who imports');
	await tab.close();
	await importing;
	assert.equal(await said(page), '200,000 imported, 0 were there already, 0 rejected.');
	assert.equal(count("account_id >= '600000000000'"), 200000);
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
	assert.match(await wholeResult(page).innerText(), /^5,000 rows/);
	console.log(`# ${waits.join(', ')} ms`);
	assert.ok(Math.max(...waits) < SECOND, `${waits}`);
});

await test('pages do not overlap, whatever they are sorted by', async () => {
	const seen = new Set();
	for (let i = 0; i < 3; i++) {
		await page.goto(at('acme_app', `select=accounts&order[0]=model&page=${i}`));
		(await page.locator('tbody [id$="[account_id]"]').allInnerTexts()).forEach(id => seen.add(id));
	}
	assert.equal(seen.size, 150);
});

await test('all of a result is deleted, but not what an order is using, or what came since', async () => {
	await search(page, { Marketplace: 'MP-1007' });
	sql("SELECT count(*) FROM generate_series(1, 3) i, awspool.claim_account('acme', 'MP-1007', 'order-all-' || i)");
	sql("SELECT awspool.add_account('acme', '600000200000', 'MP-1007', 'SPAM')");
	await wholeResult(page).locator('input').check();
	assert.match(await page.locator('.footer').innerText(), /Selected \(5,000\)/);
	await press(page, 'Delete Selected');
	assert.equal(await said(page), '4,997 of 5,000 accounts deleted. 3 in use: 600000000007 (order "order-all-1" is using it),'
		+ ' 600000000027 (order "order-all-2" is using it), 600000000047 (order "order-all-3" is using it).');
	assert.equal(count("marketplace = 'MP-1007'"), 4);
});

await test('two browsers delete the same at once: each account is counted once', async () => {
	await logIn(other, 'acme_app', 'acme');
	for (const browser of [page, other]) {
		await search(browser, { Marketplace: 'MP-1008' });
		await wholeResult(browser).locator('input').check();
	}
	await Promise.all([page, other].map(browser => press(browser, 'Delete Selected')));
	const deleted = await Promise.all([page, other].map(async browser =>
		+(await said(browser)).match(/^(?:Nothing was changed\. )?([\d,]+) of [\d,]+ accounts? deleted/)[1].replace(',', '')));
	assert.equal(deleted[0] + deleted[1], 5000);
	assert.equal(count("marketplace = 'MP-1008'"), 0);
});

await test('an error before the first deletion is told', async () => {
	await search(page, { Marketplace: 'MP-1009' });
	assert.match((await forge(page, page.url(), { delete: '1', all: '1', upto: 'x' })).said, /invalid input syntax for type bigint/);
	assert.equal(count("marketplace = 'MP-1009'"), 5000);
});

await test('all of a result of 100,000 is deleted', async () => {
	await search(page, { Marketplace: 'MP-2000' });
	assert.match(await wholeResult(page).innerText(), /^100,000 rows/);
	await wholeResult(page).locator('input').check();
	assert.match(await page.locator('.footer').innerText(), /Selected \(100,000\)/);
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
	await page.locator('details').getByLabel('Provider').selectOption('globex');
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
	await other.goto(at('globex_app', 'edit=accounts&where[account_id]=123456789012'));
	assert.match(await said(other), /There is no such account/);
});

await test('who may only look sees, and finds no buttons', async () => {
	await logIn(other, 'viewer_app', 'viewer');
	assert.ok(!await other.getByRole('link', { name: 'New Account' }).count());
	assert.ok(!await other.getByText('Import Accounts').count());
	assert.ok(!await other.getByRole('button', { name: 'Delete Selected' }).count());
	assert.match(await other.locator('.actions').innerText(), /You may look/);
	assert.equal(await other.locator('tbody tr').count(), 50);
	assert.equal(await other.locator(':is(#table, .footer) :is(input, button, a.edit):visible').count(), 0);
	await search(other, { Status: 'provisioning_failed' });
	await follow(other, '104729411788');
	assert.match(await other.locator('#form').innerText(), /no root login/);
	assert.equal(await other.locator('#form :is(input, select, button):visible').count(), 0);
});

await test('who may only look changes nothing, whatever is sent', async () => {
	const [id, ...was] = sql("SELECT account_id, position, status FROM awspool.accounts WHERE provider = 'acme' AND status = 'ready' LIMIT 1").split('|');
	const check = new URLSearchParams({ 'where[account_id]': id, 'where[position]': was[0], 'where[status]': was[1] }).toString();
	const csv = { name: 'a.csv', mimeType: 'text/csv', buffer: Buffer.from('700000000009;MP-0000;SPAM\n') };
	const list = at('viewer_app'), one = at('viewer_app', `edit=accounts&where[account_id]=${id}`);
	const before = sql('SELECT count(*), md5(string_agg(a::text, E\'\\n\' ORDER BY position)) FROM awspool.accounts a');
	for (const [url, fields] of [
		[at('viewer_app', 'edit=accounts'), { save: '1', 'fields[provider]': 'acme', 'fields[account_id]': '700000000009', 'fields[marketplace]': 'MP-0000', 'fields[model]': 'SPAM' }],
		[one, { save: '1', 'fields[marketplace]': 'MP-0099', 'fields[model]': 'SPAM' }],
		[one, { delete: '1' }],
		[list, { trash: check }],
		[list, { delete: '1', 'check[]': check }],
		[list, { delete: '1', all: '1', upto: '999999999' }],
		[list, { import: '1', provider: 'acme', csv_file: csv }],
	]) {
		assert.match((await forge(other, url, fields)).said, /permission denied/, JSON.stringify(fields));
	}
	assert.equal(sql('SELECT count(*), md5(string_agg(a::text, E\'\\n\' ORDER BY position)) FROM awspool.accounts a'), before);
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

//
// Whoever means harm
//

const quote = text => `'${text.replaceAll("'", "''")}'`;
const hostile = 'o\'hara "<b>\\';                  // a role
const html = '<i onclick="x">\'&amp;';             // its provider
const long = 'п'.repeat(64);                       // another

await test('names that look like HTML or like addresses are text', async () => {
	const orders = ['"><script>document.title = 1</script>', 'https://evil.example/?a=b'];
	sql(`CREATE ROLE "${hostile.replaceAll('"', '""')}" LOGIN PASSWORD 'it''s'`);
	for (const name of [html, long]) {
		sql(`SELECT awspool.grant_provider(${quote(name)}, ${quote(hostile)})`);
	}
	sql(`INSERT INTO awspool.accounts (provider, account_id, marketplace, model)
		SELECT ${quote(html)}, 800000000000 + i, 'MP-0000', 'SPAM' FROM generate_series(1, 2) i ORDER BY i`);
	sql(`INSERT INTO awspool.accounts (provider, account_id, marketplace, model)
		SELECT ${quote(long)}, 800000000100 + i, 'MP-30' || i, 'SPAM' FROM generate_series(10, 69) i`);
	sql(`SELECT awspool.configure_pool(${quote(long)}, 'MP-3010', low_water => 20)`);
	orders.forEach(order => sql(`SELECT awspool.claim_account(${quote(html)}, 'MP-0000', ${quote(order)})`));
	sql(`SELECT awspool.fail_account(${quote(html)}, '800000000001', '<img src=x onerror="x">', ${quote(orders[0])})`);

	await logIn(page, hostile, "it's");
	assert.equal(await page.locator('.role').innerText(), hostile);
	await search(page, { 'Account ID': '80000000000' });
	assert.deepEqual(await page.locator('tbody [id$="[provider]"]').allInnerTexts(), [html, html]);
	assert.deepEqual(await page.locator('tbody [id$="[order_id]"]').allInnerTexts(), orders);
	assert.equal(await page.locator(':is(tbody, .alert) :is(a:not(.edit), i, b, img)').count(), 0);
	await follow(page, 'Edit 800000000001');
	assert.match(await page.locator('#form').innerText(), /<img src=x onerror="x">/);
	await follow(page, 'Alerts');
	assert.deepEqual((await page.locator('tbody [id$="[action]"]').allInnerTexts()).sort(), sql(`SELECT action FROM awspool.alerts
		WHERE provider IN (${quote(html)}, ${quote(long)})`).split('\n').sort(), 'none is cut');
});

await test('accounts of a provider with a long name are edited and deleted', async () => {
	await edit(page, '800000000110');
	await page.getByLabel('Model').selectOption('ECAM');
	await press(page, 'Save');
	assert.equal(await said(page), 'Account 800000000110 was saved.');
	assert.equal(account('800000000110'), `${long}|MP-3010|ECAM`);
	await page.getByLabel('Select 800000000110').check();
	await press(page, 'Delete Selected');
	assert.equal(await said(page), '1 of 1 account deleted.');
});

await test('more pools than fit on a page are on the next', async () => {
	const pools = +sql(`SELECT count(*) FROM awspool.pool_status WHERE provider IN (${quote(html)}, ${quote(long)})`);
	await follow(page, 'Pool status');
	assert.equal(await page.locator('tbody tr').count(), 50);
	await follow(page, '2');
	assert.equal(await page.locator('tbody tr').count(), pools - 50);
	await follow(page, 'MP-3069');
	assert.equal(await page.locator('tbody tr').count(), 1);
	assert.equal(await page.locator('#form').getByLabel('Provider').inputValue(), long);
});

await test('who searches for SQL finds nothing, and nothing happens', async () => {
	await logIn(page, 'acme_app', 'acme');
	await search(page, { 'Account ID': "'", Marketplace: "' OR true --", Order: '\\' });
	assert.equal(await said(page), 'No rows.');
	for (const text of ["'", "' OR true --", "'; DELETE FROM awspool.accounts; --", '\\', "\\' OR true --", '%', '"', ') OR (true']) {
		for (const field of ['account_id', 'marketplace', 'order_id', 'status', 'provider']) {
			const answer = await page.request.get(at('acme_app', `select=accounts&find[${field}]=${encodeURIComponent(text)}`));
			assert.match(await answer.text(), /<p class='message'>No rows\./, `${field}: ${text}`);
		}
	}
});

await test('an address that was tampered with is answered by a page', async () => {
	for (const what of ['select=accounts&page=x', 'select=accounts&page[]=1', 'select=accounts&find=x', 'select=accounts&find[account_id][]=x',
		'select=accounts&order=x', 'select=accounts&order[0][]=x', 'select=accounts&order[0]=nothing', 'select=pool_status&find[status]=x',
		'edit=accounts&where=x', 'edit=accounts&where[account_id][]=x', 'edit=accounts&where[account_id]=x&where[md5("x")]=1', 'edit=accounts&null[]=order_id']) {
		const answer = await page.request.get(at('acme_app', what));
		assert.equal(answer.status(), 200, what);
		assert.match(await answer.text(), /id='tables'/, what);
	}
	assert.equal((await page.request.get(at('acme_app', 'select=accounts&find[order_id]=%ff'))).status(), 400);
	assert.match(await (await page.request.get(`${address}?username[]=acme_app`)).text(), /Password/);
});

const accounts = () => sql("SELECT count(*), md5(string_agg(a::text, E'\\n' ORDER BY position)) FROM awspool.accounts a");

await test('the address of an account without its id is no form for them all', async () => {
	const before = accounts();
	for (const where of ['where[provider]=acme', 'where[position]=1', 'where[status]=ready', 'where[]=x']) {
		for (const fields of [{ delete: '1' }, { save: '1', 'fields[marketplace]': 'MP-0000', 'fields[model]': 'SPAM' }]) {
			await forge(page, at('acme_app', `edit=accounts&${where}`), fields);
			assert.equal(accounts(), before, where);
		}
		await page.goto(at('acme_app', `edit=accounts&${where}`));
		assert.match(page.url(), /select=accounts$/, where);
	}
});

await test('a form changes no other column, and no other table', async () => {
	const row = id => sql(`SELECT a::text FROM awspool.accounts a WHERE account_id = '${id}'`);
	const others = { 'fields[status]': 'allocated', 'fields[order_id]': 'o', 'fields[order_model]': 'ECAM', 'fields[reason]': 'r', 'fields[added_at]': '2020-01-01',
		'fields[added_by]': 'x', 'fields[position]': '1', 'fields[provider]': 'globex', 'function[marketplace]': 'NULL' };
	await follow(page, 'Accounts');
	await add(page, '820000000001', 'MP-0020', 'SPAM');
	const before = row('820000000001');
	const saved = await forge(page, at('acme_app', 'edit=accounts&where[account_id]=820000000001'),
		{ ...others, save: '1', 'fields[marketplace]': 'MP-0020', 'fields[model]': 'ECAM', 'fields[account_id]': '820000000009' });
	assert.equal(saved.said, 'Account 820000000001 was saved.');
	assert.equal(row('820000000001'), before.replace('SPAM', 'ECAM'));
	await forge(page, at('acme_app', 'edit=accounts'),
		{ ...others, save: '1', 'fields[marketplace]': 'MP-0020', 'fields[model]': 'SPAM', 'fields[account_id]': '820000000002' });
	assert.match(row('820000000002'), /^\(acme,820000000002,MP-0020,SPAM,ready,,,,[^,]*,acme_app,,,,,\d+\)$/);

	const tables = () => ['account', 'provider_role', 'pool_setting'].map(table => sql(`SELECT count(*), md5(string_agg(t::text, ' ' ORDER BY t::text)) FROM awspool.${table} t`));
	const all = tables();
	for (const what of ['edit=account', 'edit=provider_role', 'edit=pool_setting', 'select=account', 'select=provider_role', 'select=accounts&edit=account', 'sql=', 'import=']) {
		const { leadsTo } = await forge(page, at('acme_app', what), { save: '1', delete: '1', all: '1', upto: '999999999', query: 'DELETE FROM accounts', 'fields[provider]': 'x' });
		assert.match(leadsTo, /select=accounts$/, what);
	}
	assert.deepEqual(tables(), all);
});

await test('a form leads back to our list, whoever linked to it', async () => {
	await page.goto(at('acme_app', 'edit=accounts&where[account_id]=820000000001'), { referer: 'http://evil.example/?a&select=accounts' });
	assert.match(await page.locator('[name=referer]').inputValue(), /evil/);
	await press(page, 'Save');
	assert.equal(new URL(page.url()).host, new URL(address).host);
	assert.equal(await said(page), 'Account 820000000001 was saved.');
	assert.ok(await page.locator('tbody tr').count() > 0);
	const next = await forge(page, at('acme_app', 'edit=accounts'),
		{ save: '1', insert: '1', 'fields[account_id]': '820000000003', 'fields[marketplace]': 'MP-0020', 'fields[model]': 'SPAM' });
	assert.equal(account('820000000003'), 'acme|MP-0020|SPAM');
	assert.match(next.leadsTo, /^\?/, 'of //evil.example/?... as well');
});

await test('a form that comes without a session is forgotten, also when its visitor then logs in', async () => {
	await search(page, { Marketplace: 'MP-0020' });
	await page.getByLabel('Select all on this page').check();
	await page.context().clearCookies();
	await press(page, 'Delete Selected');
	assert.match(await page.locator('#content').innerText(), /Nothing was changed\./);
	await page.getByLabel('Role').fill('acme_app');
	await page.getByLabel('Password').fill('acme');
	await press(page, 'Log in');
	await follow(page, 'Accounts');
	assert.equal(count("marketplace = 'MP-0020'"), 3);
	await forge(page, at('acme_app'), { 'auth[username]': 'acme_app', 'auth[password]': 'acme', 'auth[driver]': 'pgsql', 'auth[server]': '', 'auth[db]': 'pool',
		delete: '1', all: '1', upto: '999999999' });
	assert.equal(count("marketplace = 'MP-0020'"), 3);
});

await test('nobody logs in to another server or database, or for longer than a session', async () => {
	const { leadsTo, cookies } = await forge(page, address, { 'auth[username]': 'acme_app', 'auth[password]': 'acme', 'auth[server]': '127.0.0.1:22',
		'auth[driver]': 'sqlite', 'auth[db]': 'postgres', 'auth[permanent]': '1' });
	assert.match(leadsTo, /\?pgsql=&username=acme_app&db=pool$/);
	assert.deepEqual(cookies.map(cookie => cookie.split('=')[0]).sort(), ['adminer_lang', 'adminer_sid']);
	cookies.forEach(cookie => assert.match(cookie, /; HttpOnly; SameSite=Lax$/i));
	await logIn(page, 'acme_app', 'acme');
});

await test('nothing else of Adminer is there', async () => {
	for (const what of ['sql=', 'dump=', 'table=accounts', 'select=account', 'edit=account', 'database=', 'processlist=', 'import=', 'variables=',
		'script=kill', 'select=accounts&edit=account', 'select[]=accounts', 'select=account_log', 'edit=pool_status', 'privileges=', 'schema=']) {
		await page.goto(at('acme_app', what));
		assert.match(page.url(), /select=accounts$/, what);
	}
	await page.goto(`${address}?pgsql=127.0.0.1:22&username=acme_app&db=postgres&ns=pg_catalog&select=accounts`);
	assert.ok(await page.locator('tbody tr').count() > 0, 'server, database and schema are ours');
	await page.goto(`${address}?sqlite=x&username=acme_app&select=accounts`);
	assert.ok(await page.locator('tbody tr').count() > 0);
});

await test('a forged form without its token changes nothing', async () => {
	await page.goto(at('acme_app', 'edit=accounts'));
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
			await page.goto(at('acme_app'));
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
	await page.goto(at('acme_app'));
	assert.ok(await page.getByLabel('Password').isVisible());
});

// The server is the same, and hears of it on a port of its own.
await test("make portal, on a pool of one's own", async () => {
	const port = net.createServer(client => {
		const server = net.connect(`${process.env.PGHOST}/.s.PGSQL.5432`);
		client.pipe(server).pipe(client);
		[client, server].forEach(end => end.on('error', () => { client.destroy(); server.destroy(); }));
	}).listen(0, '127.0.0.1');
	await once(port, 'listening');
	const made = spawn('make', ['-s', 'portal'], { detached: true, stdio: ['ignore', 'pipe', 'ignore'],
		env: { ...process.env, PGHOST: '127.0.0.1', PGPORT: port.address().port, PGDATABASE: 'pool' } });
	const ours = address;
	try {
		const [said] = await once(made.stdout, 'data');
		address = `${said}`.match(/^(http:\S+) is the portal on the server at 127\.0\.0\.1; \^C ends it\./)[1];
		while (!await fetch(address).catch(() => null)) {
			await wait(200);
		}
		await logIn(other, 'acme_app', 'acme');
		assert.equal(await other.locator('tbody tr').count(), 50);
	} finally {
		process.kill(-made.pid, 'SIGINT');    // as ^C does
		await once(made, 'close');
		address = ours;
		port.close();
	}
	assert.deepEqual(fs.readdirSync(home).filter(name => /^awspool\./.test(name)), [], 'nothing is left of it');
});

await test('the files of SECURITY.md for php-fpm and nginx', async () => {
	const ours = address;
	try {
		address = process.env.RECIPE;
		await logIn(other, 'acme_app', 'acme');
		assert.equal(await other.locator('tbody tr').count(), 50);
		assert.equal(await row(other, '').first().evaluate(found => getComputedStyle(found.closest('table')).borderCollapse), 'collapse', 'the style sheet came');
		const cookies = (await other.context().cookies()).filter(({ name }) => name != 'adminer_version');
		assert.ok(cookies.length >= 2);
		assert.deepEqual(cookies.filter(({ httpOnly, secure }) => !httpOnly || !secure).map(({ name }) => name), []);
		for (const file of ['request.php', 'form.php']) {
			assert.doesNotMatch(await (await other.request.get(address + file)).text(), /<\?php/, file);
		}
	} finally {
		address = ours;
	}
});

await test('a PHP that filters what is sent, which Adminer would undo, is refused', async () => {
	for (const setting of ['filter.default=special_chars', 'filter.default_flags=4']) {
		assert.match(execFileSync('php', ['-d', setting, 'contrib/portal/index.php']).toString(), /^This portal needs filter\.default/);
	}
});

// Adminer itself warns of a row that it did not find.
await test('PHP had nothing to say', async () => {
	assert.equal(fs.readFileSync(process.env.PHP_LOG, 'utf8').split('\n').filter(line => /PHP (Fatal|Parse)|PHP .*portal.\w+\.php/.test(line)).join('\n'), '');
});

await page.context().close();
await other.context().close();
console.log(`${counts.passed} passed, ${counts.failed} failed`);
process.exit(counts.failed > 0 ? 1 : 0);
