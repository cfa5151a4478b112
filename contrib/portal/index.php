<?php
/*
 * The portal: the pages on which a person looks after a pool of accounts.
 *
 * They are Debian's Adminer 4.8.1 with another face.  Adminer logs in to the
 * server as the role that the visitor names, and pages, sorts and edits; this
 * file hangs on its hooks and says what is shown, and in which statement of the
 * extension each button ends.  What a role may see and do is for the extension
 * to decide: nothing here is a wall.
 *
 * What is left of Adminer is a list of accounts with its form, and two views.
 * Whatever else an address or a form asks for is dropped before Adminer sees
 * it.  The server and the database are those of PGHOST, PGPORT and PGDATABASE.
 *
 * A form may be stale: others claim, edit and delete meanwhile.  So a change is
 * made where the account still is what the page showed, and a page that changed
 * nothing says that.
 */

const ADMINER = '/usr/share/adminer/adminer.php';
const PAGES = array('accounts' => 'Accounts', 'pool_status' => 'Pool status', 'alerts' => 'Alerts');
const STATUSES = array('ready', 'provisioning_in_progress', 'allocated', 'provisioning_failed', 'invalid');
const AT_ONCE = 1000;    // accounts deleted in one transaction
const REPORTED = 200;    // rejected lines shown

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
		private $report = '';    // rejected lines of a file, as HTML

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
			// A click with Ctrl would open a field of which nothing becomes.  The boxes and pencils of a table get their names.
			echo "<meta name='viewport' content='width=device-width, initial-scale=1'>\n", script("selectClick = function () {};
				addEventListener('DOMContentLoaded', function () {
					qsa('#table tbody tr, #table > tr').forEach(function (row) {
						var trash = qs('.trash', row), id = trash && trash.dataset.id;
						if (id) {
							qs('input', row).setAttribute('aria-label', 'Select ' + id);
							qs('a.edit', row).setAttribute('aria-label', 'Edit ' + id);
							qs('a.edit', row).title = 'Edit ' + id;
						}
					});
					if (qs('.trash')) {
						qs('#all-page').setAttribute('aria-label', 'Select all on this page');
						qs('#table thead th:last-child').textContent = 'Delete';
					}
				});");
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

		private function mayChange() {
			return $this->providers() || connection()->result('SELECT awspool.acts_for_all()') == 't';
		}

		private function providerInput($attrs, $value = '') {
			$providers = $this->providers();
			return connection()->result('SELECT awspool.acts_for_all()') == 't'
				? "<input$attrs value='" . h($value) . "' list='providers'><datalist id='providers'>" . optionlist($providers) . '</datalist>'
				: "<select$attrs>" . optionlist($providers, $value) . '</select>';
		}

		// What else Adminer would show.
		function editFunctions($field) { return array(''); }
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
			$shown = array('account_id' => 'Account ID', 'marketplace' => 'Marketplace', 'model' => 'Model');
			if ($_GET['edit'] == 'accounts') {
				$shown += isset($_GET['where']) ? array('status' => 'Status', 'order_id' => 'Order', 'reason' => 'Reason') : array();
				$shown += isset($_GET['where']) || count($this->providers()) != 1 ? array('provider' => 'Provider') : array();
				return isset($shown[$name]) ? "<label for='f-$name'>$shown[$name]</label>" : '';
			}
			if ($name == 'provider' && count($this->providers()) == 1) {
				return '';
			}
			$shown += array('provider' => 'Provider', 'status' => 'Status', 'order_id' => 'Order', 'position' => 'Added');
			$label = $shown[$name] ?? ($_GET['select'] == 'accounts' ? ''
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
			$val = preg_match('~^(\d{4}-\d\d-\d\d \d\d:\d\d):[\d.:+-]+$~', $val, $date) ? "<time title='$val'>$date[1]</time>" : $val;
			return $link ? "<a href='" . h($link) . "'>$val</a>" : $val;
		}

		// From a pool to its accounts, and from an alert to its account.
		function selectLink($val, $field) {
			return $val !== null && $_GET['select'] != 'accounts' && in_array($field['field'], array('marketplace', 'account_id'))
				? ME . "select=accounts&find[$field[field]]=" . urlencode($val) : null;
		}

		// A field of the form, with what it was when it was shown; of an account that exists only two can be changed.
		function editInput($table, $field, $attrs, $value) {
			$name = $field['field'];
			$attrs .= " id='f-$name'";
			$seen = '';
			if (isset($_GET['where'])) {
				$shown = $_POST['seen'][$name] ?? (isset($_POST['save']) ? null : $value);
				$seen = $shown === null ? '' : "<input type='hidden' name='seen[$name]' value='" . h($shown) . "'>";
				if (!in_array($name, array('marketplace', 'model'))) {
					return "<output id='f-$name'>" . ($this->selectVal(h($shown), '', $field, $shown) ?: '–') . "</output>$seen";
				}
			}
			switch ($name) {
				case 'provider':
					return $this->providerInput($attrs, $value);
				case 'model':
					return "<select$attrs>" . optionlist(array('SPAM', 'ECAM'), $value) . "</select>$seen";
			}
			return "<input$attrs value='" . h($value) . "' autocomplete='off' autocapitalize='off'>$seen";
		}

		function editHint($table, $field, $value) {
			$hints = isset($_GET['where']) ? array() : array('account_id' => '12 digits', 'marketplace' => 'such as MP-0000');
			return isset($hints[$field['field']]) ? " <small>{$hints[$field['field']]}</small>" : '';
		}

		function editRowPrint($table, $fields, $row, $update) {
			$id = $_GET['where']['account_id'] ?? '';
			echo '<h2>' . ($update ? 'Account ' . h($id) : 'New Account') . "</h2>\n";
			if ($update && !$row) {
				echo "<p class='error gone'>There is no such account any more.\n";
			}
		}

		function processInput($field, $value, $function = '') {
			return isset($_GET['where']) && !in_array($field['field'], array('marketplace', 'model')) ? false : q($value);
		}

		// Whatever changes data comes by here.  The form of one account goes back to the list and tells the truth; what the server
		// objects to is shown without its jargon.
		function messageQuery($query, $time, $failed = false) {
			if ($failed) {
				connection()->error = preg_replace('~^(ERROR|DETAIL|HINT): +|^CONTEXT: [\s\S]*~m', '', connection()->error);
				return $this->report;
			}
			if ($_GET['edit'] == 'accounts') {
				$account = 'Account ' . h($_GET['where']['account_id'] ?? $_POST['fields']['account_id']);
				$done = isset($_POST['delete']) ? 'deleted' : (isset($_GET['where']) ? 'saved' : 'added');
				$back = preg_match('~^[^?]*\?.*&select=accounts~', $_POST['referer']) ? $_POST['referer'] : ME . 'select=accounts';
				redirect(isset($_POST['insert']) ? $_SERVER['REQUEST_URI'] : $back, connection()->affected_rows ? "$account was $done."
					: "<strong class='error'>Nothing was changed.</strong> $account was changed or deleted by somebody else since this page was shown.");
			}
			return '';
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
			if ($page == 'accounts' && $this->mayChange()) {
				echo "<a class='button' href='" . h(ME) . "edit=accounts'>New Account</a>"
					. "<details><summary class='button'>Import Accounts</summary><form action='' method='post' enctype='multipart/form-data'>"
					. (count($this->providers()) != 1 ? "<label>Provider " . $this->providerInput(" name='provider'") . '</label>' : '')
					. "<label>File <input type='file' name='csv_file' accept='.csv,.txt'></label>"
					. "<label><input type='checkbox' name='skip' value='1'> If rows are rejected, import the others; else nothing</label>"
					. "<input type='submit' name='import' value='Import'><input type='hidden' name='token' value='" . get_token() . "'></form></details>";
			}
			echo $page == 'accounts' && !$this->mayChange() ? '<p>You may look at accounts, and change nothing.' : '', "</div>\n";
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

		// What the buttons of the list do; nothing is left to Adminer.
		function selectEmailProcess($where, $foreignKeys) {
			$back = remove_from_uri('page');
			if (isset($_POST['import'])) {
				$this->import($back);
			} elseif (isset($_POST['delete'], $_POST['all'])) {
				$where[] = 'position <= ' . q($_POST['upto']);    // what came since the page was shown is not meant
				$where = implode(' AND ', $where);
				$this->deleteAccounts($back, get_vals("SELECT account_id FROM awspool.accounts WHERE $where ORDER BY position"), $where);
			} elseif (isset($_POST['delete']) || isset($_POST['trash'])) {
				$ids = $seen = array();
				foreach (isset($_POST['trash']) ? array($_POST['trash']) : (array) $_POST['check'] as $check) {
					parse_str($check, $row);
					$ids[] = $row['where']['account_id'];
					$seen[] = '(' . q($row['where']['provider']) . ', ' . q($row['where']['account_id']) . ', ' . q($row['where']['status']) . ')';
				}
				$this->deleteAccounts($back, $ids, '(provider, account_id, status) IN (' . ($seen ? implode(', ', $seen) : "('', '', '')") . ')');
			}
			return true;
		}

		// One statement stores the file, or says why not; then each rejected line is told.
		private function import($back) {
			$csv = get_file('csv_file');
			if (!is_string($csv)) {
				return $this->refuse($back, $csv == UPLOAD_ERR_NO_FILE ? 'Choose a file first.' : upload_error($csv));
			}
			if (strpos($csv, "\0") !== false || !preg_match('~~u', $csv)) {
				return $this->refuse($back, 'The file is no text in UTF-8: nothing was imported. Save it as "CSV UTF-8".');
			}
			$providers = $this->providers();
			$call = '(' . q(count($providers) == 1 ? $providers[0] : $_POST['provider']) . ', ' . q($csv);
			$counts = "SELECT count(*) FILTER (WHERE outcome = 'added'), count(*) FILTER (WHERE outcome = 'present'), count(*) FILTER (WHERE outcome = 'rejected'),
				(array_agg(line || E'\\t' || coalesce(account_id, '') || E'\\t' || detail ORDER BY line) FILTER (WHERE outcome = 'rejected'))[:" . REPORTED . '] FROM ';
			$result = connection()->query("SELECT * FROM ($counts awspool.import_csv$call, " . (isset($_POST['skip']) ? 'true' : 'false') . ')) r (added, present, rejected, lines)');
			$error = connection()->error;
			$row = ($result ?: connection()->query("SELECT * FROM ($counts awspool.check_csv$call)) r (added, present, rejected, lines)"));
			$row = $row ? $row->fetch_assoc() : array('rejected' => 0);
			if ($row['rejected']) {
				$this->report = "<table class='report'><thead><tr><th>Line<th>Account ID<th>Why it was rejected</thead>";
				foreach (get_vals('SELECT unnest(' . q($row['lines']) . '::text[])') as $line) {
					$this->report .= '<tr><td>' . implode('<td>', array_map('h', explode("\t", $line, 3)));
				}
				$this->report .= '</table>' . ($row['rejected'] > REPORTED ? '<p>… and ' . ($row['rejected'] - REPORTED) . ' more.' : '');
			}
			if (!$result) {
				return $this->refuse($back, $this->report ? strtok($error, "\n") : $error);
			}
			redirect($back, format_number($row['added']) . ' imported, ' . format_number($row['present']) . ' were there already, '
				. format_number($row['rejected']) . " rejected.$this->report");
		}

		// Deletes those of the accounts for which the condition still holds, and tells of the others.  Nobody can claim one between the
		// look and the deletion: that would fail, and is tried again.
		private function deleteAccounts($back, $ids, $condition) {
			$outcomes = array('deleted' => array(0, ''), 'in_use' => array(0, ''));
			$done = true;
			$told = 0;
			foreach (array_chunk($ids, AT_ONCE) as $some) {
				for ($tries = 5; $tries > 0; $tries--) {
					connection()->query('BEGIN ISOLATION LEVEL REPEATABLE READ');
					$result = connection()->query("SELECT d.outcome, count(*), array_to_string((array_agg(d.account_id))[:10], ', ') FROM"
						. ' (SELECT provider, array_agg(account_id) AS ids FROM awspool.accounts WHERE account_id IN (' . implode(', ', array_map('q', $some))
						. ") AND $condition GROUP BY provider) p CROSS JOIN LATERAL awspool.delete_accounts(p.provider, p.ids) d GROUP BY d.outcome");
					$error = connection()->error;
					$done = connection()->query($result ? 'COMMIT' : 'ROLLBACK') && $result;
					if ($done) {
						break;
					}
				}
				if (!$done) {
					break;
				}
				while ($row = $result->fetch_row()) {
					$outcomes[$row[0]][0] += $row[1];
					$outcomes[$row[0]][1] = $outcomes[$row[0]][1] ?: $row[2];
					$told += $row[1];
				}
			}
			$count = count($ids);
			$message = format_number($outcomes['deleted'][0]) . ' of ' . format_number($count) . ' account' . ($count == 1 ? '' : 's') . ' deleted.';
			if ($outcomes['in_use'][0]) {
				$message .= ' ' . format_number($outcomes['in_use'][0]) . ' in use by an order: ' . h($outcomes['in_use'][1]) . ($outcomes['in_use'][0] > 10 ? ', …' : '') . '.';
			}
			if ($done && $told < $count) {
				$message .= ' ' . format_number($count - $told) . ' changed or gone since this page was shown.';
			}
			if (!$done) {
				return $this->refuse($back, "$error\n$message");
			}
			redirect($back, $outcomes['deleted'][0] ? $message : "<strong class='error'>Nothing was changed.</strong> $message");
		}

		private function refuse($back, $error) {
			queries('SELECT 1');    // whose error it takes for ours
			connection()->error = $error;
			queries_redirect($back, '', false);
		}
	}

	return new AwspoolPortal;
}

include ADMINER;
