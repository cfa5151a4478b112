<?php
/*
 * What is left of what a browser sent.
 *
 * Adminer edits whatever database, table and column it is asked for, on
 * whatever server, and has pages for SQL.  It shall know of our server, pages
 * and fields alone, so nothing else stays in an address or a form.
 */

const ADDRESS = array('texts' => array('username', 'select', 'edit', 'page', 'file', 'version'),
	'lists' => array('where', 'find', 'order', 'desc'));
const FORM = array('texts' => array('token', 'logout', 'all', 'delete', 'trash', 'upto', 'import', 'provider', 'skip', 'save', 'insert',
		'referer'), 'lists' => array('auth', 'check', 'fields', 'seen'));

function restrict_request() {
	if (!in_array(ini_get('filter.default'), array('', 'unsafe_raw')) || ini_get('filter.default_flags')) {
		exit('This portal needs filter.default of PHP to be unsafe_raw, without flags: else Adminer reads anew what was sent.');
	}
	if (!preg_match('~^[^\0]*$~uD', serialize(array($_GET, $_POST)))) {
		http_response_code(400);
		exit('What was sent is no text in UTF-8.');
	}
	$_GET = named($_GET, ADDRESS);
	$_POST = named($_POST, FORM);
	$_COOKIE = array('adminer_lang' => 'en', 'adminer_version' => '1') + $_COOKIE;    // English; ask nobody for a newer one
	unset($_COOKIE['adminer_permanent']);

	if (isset($_POST['auth'])) {    // alone: who logs in does not send a form that somebody else has filled in
		$_POST = array('auth' => array('driver' => 'pgsql', 'server' => '', 'db' => getenv('PGDATABASE'), 'permanent' => '') + $_POST['auth']);
	}
	if (isset($_GET['username'])) {
		restrict_address();
	}
}

// Those texts and lists of texts that have these names.
function named($sent, $names) {
	$kept = array_filter(array_intersect_key($sent, array_flip($names['texts'])), 'is_string');
	foreach (array_filter(array_intersect_key($sent, array_flip($names['lists'])), 'is_array') as $name => $list) {
		$kept[$name] = array_filter($list, 'is_string');
	}
	return $kept;
}

// One of the pages, or the form of a new account or of one that is named; else the list.
function restrict_address() {
	$_GET += array('pgsql' => '', 'db' => getenv('PGDATABASE'), 'ns' => 'awspool');
	$list = '?' . http_build_query(array('pgsql' => '', 'username' => $_GET['username'], 'db' => $_GET['db'], 'ns' => 'awspool',
		'select' => 'accounts'));
	$where = $_GET['where'] ?? null;
	if (($_GET['edit'] ?? '') === 'accounts' && ($where === null || isset($where['account_id']))) {
		unset($_GET['select']);
	} elseif (isset($_GET['edit']) || !isset(PAGES[$_GET['select'] ?? ''])) {
		header("Location: $list");
		exit;
	}
	if ($where !== null) {    // which account, and what the form showed of it
		$_GET['where'] = array_intersect_key($where, array('account_id' => 1, 'position' => 1))
			+ array_intersect_key($_POST['seen'] ?? array(), array('marketplace' => 1, 'model' => 1, 'status' => 1));
	}
	if (isset($_POST['referer'])) {    // what led to the form, if that was this visitor's list
		$_POST['referer'] = strstr($_POST['referer'], $list) ?: $list;
	}
	if (!preg_match('~^(\d{1,9}|last)$~D', $_GET['page'] ?? '')) {
		unset($_GET['page']);
	}
}
