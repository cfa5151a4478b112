<?php
/*
 * The portal: the pages on which a person looks after a pool of accounts.
 *
 * They are Debian's Adminer 4.8.1 with another face.  Adminer logs in to the
 * server as the role that the visitor names, and pages, sorts and edits; this
 * hangs on its hooks and says what is shown, and in which statement of the
 * extension each button ends.  What a role may see and do is for the extension
 * to decide: nothing here is a wall.
 *
 * What is left of Adminer is a list of accounts with its form, and two views.
 * Whatever else an address or a form asks for is dropped before Adminer sees
 * it.  The server and the database are those of PGHOST, PGPORT and PGDATABASE.
 *
 * Here are the pages and their tables; form.php has the form of one account,
 * changes.php what the buttons of the list do.
 */

require __DIR__ . '/form.php';
require __DIR__ . '/changes.php';

const ADMINER = '/usr/share/adminer/adminer.php';
const PAGES = array('accounts' => 'Accounts', 'pool_status' => 'Pool status', 'alerts' => 'Alerts');
const STATUSES = array('ready', 'provisioning_in_progress', 'allocated', 'provisioning_failed', 'invalid');
const COLUMNS = array('provider' => 'Provider', 'account_id' => 'Account ID', 'marketplace' => 'Marketplace', 'model' => 'Model',
	'status' => 'Status', 'order_id' => 'Order', 'position' => 'Added');

if (!is_readable(ADMINER) || preg_match('~^namespace ~m', file_get_contents(ADMINER, false, null, 0, 2000))) {
	exit('This portal needs the package adminer of Debian 12, version 4.8.1.');
}
if (!in_array(ini_get('filter.default'), array('', 'unsafe_raw'))) {
	exit('This portal needs filter.default of PHP to be unsafe_raw: with another, Adminer reads what was sent once more.');
}
if (!preg_match('~^[^\0]*$~uD', serialize(array($_GET, $_POST)))) {
	http_response_code(400);
	exit('What was sent is no text in UTF-8.');
}
chdir(__DIR__);    // where Adminer looks for adminer.css

// Adminer shall know of this server, these pages and these fields alone, speak English, and not ask for a newer one.
$_GET = array_intersect_key($_GET, array_flip(array('username', 'select', 'edit', 'where', 'find', 'order', 'desc', 'page', 'file', 'version')));
$_POST = array_intersect_key($_POST, array_flip(array('auth', 'token', 'logout', 'check', 'all', 'delete', 'trash', 'import', 'provider',
	'skip', 'fields', 'seen', 'upto', 'save', 'insert', 'referer')));
$_COOKIE = array('adminer_lang' => 'en', 'adminer_version' => '1') + $_COOKIE;
unset($_COOKIE['adminer_permanent']);
if (isset($_POST['auth'])) {
	$_POST['auth'] = array('driver' => 'pgsql', 'server' => '', 'db' => getenv('PGDATABASE')) + array_filter((array) $_POST['auth'], 'is_string');
	unset($_POST['auth']['permanent']);
}
if (isset($_GET['username'])) {
	$_GET += array('pgsql' => '', 'db' => getenv('PGDATABASE'), 'ns' => 'awspool');
	if (($_GET['edit'] ?? '') === 'accounts') {
		unset($_GET['select']);
	} elseif (!in_array($_GET['select'] ?? '', array_keys(PAGES), true) || isset($_GET['edit'])) {
		header('Location: ?' . http_build_query(array('pgsql' => '', 'username' => $_GET['username'], 'db' => $_GET['db'], 'ns' => 'awspool', 'select' => 'accounts')));
		exit;
	}
}
// The account of an edit, and what the form showed of it.
if (isset($_GET['where'])) {
	$_GET['where'] = array_intersect_key((array) $_GET['where'], array('provider' => 1, 'account_id' => 1))
		+ array_intersect_key((array) ($_POST['seen'] ?? array()), array('marketplace' => 1, 'model' => 1, 'status' => 1));
}

function adminer_object() {
	class AwspoolPortal extends Adminer {
		use AccountForm, AccountChanges;

		function name() { return 'awspool'; }

		function credentials() {
			return array(getenv('PGHOST') . ':' . (getenv('PGPORT') ?: '5432'), $_GET['username'], get_password());
		}

		function csp() {
			$csp = csp();
			return array(array('default-src' => "'self'", 'img-src' => "'self' data:", 'style-src' => "'self' 'unsafe-inline'",
				'frame-src' => "'none'", 'frame-ancestors' => "'none'") + $csp[0]);
		}

		function head() {
			echo "<meta name='viewport' content='width=device-width, initial-scale=1'>\n", script_src('portal.js?' . filemtime('portal.js'));
			return true;
		}

		function loginForm() {
			echo "<p><label for='username'>Role</label><input id='username' name='auth[username]' value='" . h($_GET['username'])
				. "' autocomplete='username' autocapitalize='off' autofocus>"
				. "<p><label for='password'>Password</label><input id='password' type='password' name='auth[password]' autocomplete='current-password'>"
				. "<p><input type='submit' value='Log in'>\n";
		}

		function navigation($missing) {
			echo "<h1>awspool</h1>\n";
			if ($missing != 'auth') {
				echo "<ul id='tables'>";
				foreach (PAGES as $page => $name) {
					echo '<li><a href="' . h(ME) . "select=$page\"" . (in_array($page, array($_GET['select'], $_GET['edit'])) ? " aria-current='page'" : '') . ">$name</a>";
				}
				echo "</ul><span class='role'>" . h($_GET['username']) . "</span>\n";
			}
		}

		// For whom the caller may act; empty for who may only look.
		private function providers() {
			static $providers;
			return $providers ?? $providers = get_vals('SELECT unnest(awspool.my_providers()) UNION SELECT provider FROM awspool.pool_status'
				. ' WHERE awspool.acts_for_all() ORDER BY 1');
		}

		private function actsForAll() {
			static $all;
			return $all ?? $all = connection()->result('SELECT awspool.acts_for_all()') == 't';
		}

		private function mayChange() { return $this->providers() || $this->actsForAll(); }

		// What else Adminer would show.
		function selectQuery($query, $start, $failed = false) { return ''; }
		function selectColumnsPrint($select, $columns) {}
		function selectOrderPrint($order, $columns, $indexes) {}
		function selectLimitPrint($limit) {}
		function selectActionPrint($indexes) {}
		function selectLengthPrint($length) {}
		function selectImportPrint() { return false; }
		function dumpFormat() { return array(); }

		function tableName($status) {
			return (string) (PAGES[$status['Name']] ?? '');
		}

		// What a page shows of a row; the providers only if there are several.
		function fieldName($field, $order = 0) {
			$name = $field['field'];
			if ($_GET['edit'] == 'accounts') {
				return $this->formLabel($name);
			}
			if ($name == 'provider' && count($this->providers()) == 1) {
				return '';
			}
			$label = COLUMNS[$name] ?? ($_GET['select'] == 'accounts' ? ''
				: ucfirst(strtr($name, array('provisioning_' => '', '24h' => '24 h', '7d' => '7 days', '_' => ' '))));
			$sorted = $name == ($_GET['order'][0] ?? 'position');
			return $label . ($label && $sorted ? isset($_GET['desc'][0]) ? ' ↓' : ' ↑' : '');
		}

		// The age of an account shows as its date.
		function rowDescriptions($rows, $foreignKeys) {
			foreach ($rows as $i => $row) {
				if (isset($row['position'])) {
					$rows[$i]['position'] = $row['added_at'];
				}
			}
			return $rows;
		}

		function selectVal($val, $link, $field, $original) {
			if ($val === null) {
				return '';
			}
			if (in_array($field['field'], array('status', 'severity'))) {
				return "<span class='status $val'>" . strtr($val, '_', ' ') . '</span>';
			}
			$val = $field['field'] == 'days_left' ? round($val, 1) : $val;
			$val = preg_match('~^(\d{4}-\d\d-\d\d \d\d:\d\d):[\d.:+-]+$~', $val, $date) ? "<time title='$val'>$date[1]</time>" : $val;
			return $link ? "<a href='" . h($link) . "'>$val</a>" : $val;
		}

		// From a pool to its accounts, and from an alert to its account.
		function selectLink($val, $field) {
			return $val !== null && $_GET['select'] != 'accounts' && in_array($field['field'], array('marketplace', 'account_id'))
				? ME . "select=accounts&find[$field[field]]=" . urlencode($val) : null;
		}

		// Whatever changes data comes by here.  What the server objects to is shown without its jargon.
		function messageQuery($query, $time, $failed = false) {
			if ($failed) {
				connection()->error = preg_replace('~^(ERROR|DETAIL|HINT): +|^CONTEXT: [\s\S]*~m', '', connection()->error);
				return $this->report;
			}
			return $_GET['edit'] == 'accounts' ? $this->leaveForm() : '';
		}

		// Above a table: what is wrong, and what can be done.
		function selectLinks($status, $set = '') {
			$page = $status['Name'];
			if ($page != 'alerts') {
				$alerts = get_rows("SELECT * FROM awspool.alerts ORDER BY severity, since LIMIT 4");
				foreach (array_slice($alerts, 0, 3) as $alert) {
					echo "<p role='alert' class='alert " . h($alert['severity']) . "'><strong>" . h("$alert[severity]: $alert[alert]") . '</strong> '
						. h("$alert[provider] $alert[marketplace] $alert[account_id]") . " <span>" . h($alert['detail']) . "</span>\n";
				}
				echo count($alerts) > 3 ? "<p class='alert more'><a href='" . h(ME) . "select=alerts'>All alerts</a>\n" : '';
			}
			echo '<h2>' . PAGES[$page] . "</h2>\n<div class='actions $page" . ($this->mayChange() ? '' : ' look') . "'>";
			if ($page == 'accounts') {
				echo $this->mayChange() ? "<a class='button' href='" . h(ME) . "edit=accounts'>New Account</a>" . $this->importForm()
					: '<p>You may look at accounts, and change nothing.';
			}
			echo "</div>\n";
		}

		function selectSearchPrint($where, $columns, $indexes) {
			if ($_GET['select'] != 'accounts') {
				return;
			}
			foreach (array('account_id' => 'Account ID', 'marketplace' => 'Marketplace', 'order_id' => 'Order') as $name => $label) {
				echo "<label>$label <input type='search' name='find[$name]' value='" . h($_GET['find'][$name]) . "'></label>\n";
			}
			echo "<label>Status <select name='find[status]'><option value=''>any";
			foreach (STATUSES as $status) {
				echo "<option value='$status'" . ($_GET['find']['status'] == $status ? ' selected' : '') . '>' . strtr($status, '_', ' ');
			}
			echo "</select></label> <input type='submit' value='Search'>" . ($where ? " <a href='" . h(ME) . "select=accounts'>Show all</a>" : '') . "\n";
		}

		function selectSearchProcess($fields, $indexes) {
			$where = array();
			foreach ($_GET['select'] == 'accounts' ? array_filter((array) $_GET['find'], 'is_string') : array() as $name => $value) {
				$value = trim($value);
				if ($value != '' && in_array($name, array('account_id', 'marketplace', 'order_id', 'status'))) {
					$where[] = $name == 'account_id' && strlen($value) < 12 ? "strpos(account_id, " . q($value) . ') > 0' : "$name = " . q($value);
				}
			}
			return $where;
		}

		// The oldest first; what is alike, too, so that pages do not overlap.
		function selectOrderProcess($fields, $indexes) {
			$orders = array('accounts' => 'position', 'pool_status' => 'provider, marketplace', 'alerts' => 'severity, since');
			$name = $_GET['order'][0] ?? '';
			$order = isset($fields[$name]) ? array(idf_escape($name) . (isset($_GET['desc'][0]) ? ' DESC' : '')) : array();
			return $name == 'position' ? $order : array_merge($order, array($orders[$_GET['select']]));
		}

		// A trash can at the end of each row.
		function backwardKeys($table, $name) {
			return $table == 'accounts' ? array(1) : array();
		}

		function backwardKeysPrint($keys, $row) {
			if ($keys) {
				$id = h($row['account_id']);
				$check = http_build_query(array('where' => array_intersect_key($row, array('provider' => 1, 'account_id' => 1, 'status' => 1))));
				echo "<button class='trash' name='trash' value='" . h($check) . "' data-id='$id' title='Delete $id' aria-label='Delete $id'></button>"
					. confirm("Delete account $id?", "qsl('button')");
			}
		}

		function selectCommandPrint() {
			if ($_GET['select'] == 'accounts' && $this->mayChange()) {
				echo "<input type='hidden' name='upto' value='" . connection()->result('SELECT max(position) FROM awspool.accounts') . "'>"
					. "<fieldset><legend>Selected <span id='selected'></span></legend><div><input type='submit' name='delete' value='Delete Selected'>"
					. confirm('Delete the selected accounts? Those that an order is using stay.') . "</div></fieldset>\n";
			}
			return false;
		}
	}

	return new AwspoolPortal;
}

include ADMINER;
