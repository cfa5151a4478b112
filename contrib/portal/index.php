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
 * Here are the pages and their tables; request.php has what is dropped,
 * form.php the form of one account, changes.php what the buttons of the list do.
 */

require __DIR__ . '/request.php';
require __DIR__ . '/form.php';
require __DIR__ . '/changes.php';

const ADMINER = '/usr/share/adminer/adminer.php';
const PAGES = array('accounts' => 'Accounts', 'pool_status' => 'Pool status', 'alerts' => 'Alerts');
const COLUMNS = array('provider' => 'Provider', 'account_id' => 'Account ID', 'marketplace' => 'Marketplace',
	'model' => 'Model', 'status' => 'Status', 'order_id' => 'Order', 'position' => 'Added');
const STATUSES = array('ready', 'provisioning_in_progress', 'allocated', 'provisioning_failed', 'invalid');
const SEARCHED = array('provider', 'account_id', 'marketplace', 'order_id', 'status');

if (!is_readable(ADMINER) || preg_match('~^namespace ~m', file_get_contents(ADMINER, false, null, 0, 2000))) {
	exit('This portal needs the package adminer of Debian 12, version 4.8.1.');
}
restrict_request();
chdir(__DIR__);    // where Adminer looks for adminer.css
ini_set('session.cookie_samesite', 'Lax');    // somebody else's page cannot send a form in the visitor's session

function adminer_object() {
	class AwspoolPortal extends Adminer {
		use AccountForm, AccountChanges;

		private $loggedIn = false;
		private $forgotten = false;    // a form came, and no session to it
		private $rowProvider = null;   // of the row that is being shown

		function name() { return 'awspool'; }

		function credentials() {
			return array(getenv('PGHOST') . ':' . (getenv('PGPORT') ?: '5432'), $_GET['username'], get_password());
		}

		function login($role, $password) {
			return $this->loggedIn = $password != '';
		}

		function csp() {
			$csp = csp();
			return array(array('default-src' => "'self'", 'img-src' => "'self' data:", 'style-src' => "'self' 'unsafe-inline'",
				'frame-src' => "'none'", 'frame-ancestors' => "'none'") + $csp[0]);
		}

		// A page begins.  Adminer would keep a form until its visitor has logged in and then do
		// what it says, whoever filled it in: it is forgotten instead.
		function head() {
			if (!$this->loggedIn) {
				$this->forgotten = (bool) $_POST;
				$_POST = array();
			}
			echo "<meta name='viewport' content='width=device-width, initial-scale=1'>\n", script_src('portal.js?' . filemtime('portal.js'));
			return true;
		}

		function loginForm() {
			echo $this->forgotten ? "<p class='error'>Nothing was changed.\n" : '';
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
					$here = in_array($page, array($_GET['select'], $_GET['edit'])) ? " aria-current='page'" : '';
					echo '<li><a href="' . h(ME) . "select=$page\"$here>$name</a>";
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

		// What else Adminer would show, and where it would cut a text.
		function selectQuery($query, $start, $failed = false) { return ''; }
		function selectColumnsPrint($select, $columns) {}
		function selectOrderPrint($order, $columns, $indexes) {}
		function selectLimitPrint($limit) {}
		function selectActionPrint($indexes) {}
		function selectLengthPrint($length) {}
		function selectImportPrint() { return false; }
		function dumpFormat() { return array(); }
		function selectLengthProcess() { return ''; }
		function queryTimeout() { return 1; }    // second, in which a list is counted; else its length is a guess

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
			$name = $field['field'];
			if ($val === null) {
				return '';
			}
			if (in_array($name, array('status', 'severity'))) {
				return "<span class='status $val'>" . strtr($val, '_', ' ') . '</span>';
			}
			if ($name == 'position' || $field['type'] == 'timestamptz') {
				return "<time title='$val'>" . substr($val, 0, 16) . '</time>';
			}
			$val = $name == 'days_left' ? round($val, 1) : $val;
			return $link ? "<a href='" . h($link) . "'>$val</a>" : $val;
		}

		// From a pool to its accounts, and to an account from an alert, or for who may only look.
		// Not null: of that, Adminer makes a link if the text looks like one.
		function selectLink($val, $field) {
			$name = $field['field'];
			if ($name == 'provider') {
				$this->rowProvider = $val;
			}
			if ($name == 'marketplace' && $_GET['select'] != 'accounts') {
				return ME . 'select=accounts&' . http_build_query(array('find' => array('provider' => $this->rowProvider, 'marketplace' => $val)));
			}
			return $name == 'account_id' && $val && !($_GET['select'] == 'accounts' && $this->mayChange())
				? ME . "edit=accounts&where[account_id]=" . urlencode($val) : '';
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
				$this->alertsPrint();
			}
			echo '<h2>' . PAGES[$page] . "</h2>\n<div class='actions $page" . ($this->mayChange() ? '' : ' look') . "'>";
			if ($page == 'accounts') {
				echo $this->mayChange() ? "<a class='button' href='" . h(ME) . "edit=accounts'>New Account</a>" . $this->importForm()
					: '<p>You may look at accounts, and change nothing.';
			}
			echo "</div>\n";
		}

		private function alertsPrint() {
			$alerts = get_rows('SELECT * FROM awspool.alerts ORDER BY severity, since LIMIT 4');
			foreach (array_slice($alerts, 0, 3) as $alert) {
				echo "<p role='alert' class='alert " . h($alert['severity']) . "'><strong>" . h("$alert[severity]: $alert[alert]") . '</strong> '
					. h("$alert[provider] $alert[marketplace] $alert[account_id]") . ' <span>' . h($alert['detail']) . "</span>\n";
			}
			echo count($alerts) > 3 ? "<p class='alert more'><a href='" . h(ME) . "select=alerts'>All alerts</a>\n" : '';
		}

		function selectSearchPrint($where, $columns, $indexes) {
			if ($_GET['select'] != 'accounts') {
				return;
			}
			foreach (SEARCHED as $name) {
				$value = $_GET['find'][$name];
				if ($name == 'status') {
					echo "<label>Status <select name='find[status]'><option value=''>any" . optionlist(array_combine(STATUSES,
						array_map(function ($status) { return strtr($status, '_', ' '); }, STATUSES)), $value) . "</select></label>\n";
				} elseif ($name != 'provider' || count($this->providers()) != 1) {
					echo '<label>' . COLUMNS[$name] . " <input type='search' name='find[$name]' value='" . h($value) . "'></label>\n";
				}
			}
			echo "<input type='submit' value='Search'>" . ($where ? " <a href='" . h(ME) . "select=accounts'>Show all</a>" : '') . "\n";
		}

		function selectSearchProcess($fields, $indexes) {
			$where = array();
			foreach ($_GET['select'] == 'accounts' ? SEARCHED : array() as $name) {
				$value = trim((string) $_GET['find'][$name]);
				if ($value != '') {
					$where[] = $name == 'account_id' && strlen($value) < 12 ? 'strpos(account_id, ' . q($value) . ') > 0' : "$name = " . q($value);
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
				$check = http_build_query(array('where' => array_intersect_key($row, array_flip(array('account_id', 'position', 'status')))));
				echo "<button class='trash' name='trash' value='" . h($check) . "' data-id='$id' title='Delete $id' aria-label='Delete $id'></button>"
					. confirm("Delete account $id?", "qsl('button')");
			}
		}

		// Below the list: how many there are, which Adminer guesses, and what to do with those that are selected.
		function selectCommandPrint() {
			if ($_GET['select'] != 'accounts') {
				return false;
			}
			foreach (slow_query(count_rows('accounts', $this->selectSearchProcess(null, null), false, array())) as $rows) {
				echo script("wholeResult($rows, '" . format_number($rows) . "');");
			}
			if ($this->mayChange()) {
				echo "<input type='hidden' name='upto' value='" . connection()->result('SELECT position FROM awspool.accounts ORDER BY position DESC LIMIT 1') . "'>"
					. "<fieldset><legend>Selected <span id='selected'></span></legend><div><input type='submit' name='delete' value='Delete Selected'>"
					. confirm('Delete the selected accounts? Those that an order is using stay.') . "</div></fieldset>\n";
			}
			return false;
		}
	}

	return new AwspoolPortal;
}

include ADMINER;
