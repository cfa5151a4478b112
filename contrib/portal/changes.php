<?php
/*
 * What the buttons of the list do: a file is imported, accounts are deleted.
 * Each ends in statements of the extension, and on the list again, which says
 * what became of it.
 */

const AT_ONCE = 1000;    // accounts deleted in one transaction
const REPORTED = 200;    // rejected lines shown
const NAMED = 5;         // accounts in use that are named

trait AccountChanges {
	private $report = '';    // rejected lines of a file, as HTML

	private function importForm() {
		return "<details><summary class='button'>Import Accounts</summary><form action='' method='post' enctype='multipart/form-data'>"
			. (count($this->providers()) != 1 ? '<label>Provider ' . $this->providerInput(" name='provider'") . '</label>' : '')
			. "<label>File <input type='file' name='csv_file' accept='.csv,.txt'></label>"
			. "<label><input type='checkbox' name='skip' value='1'> If rows are rejected, import the others; else nothing</label>"
			. "<input type='submit' name='import' value='Import'><input type='hidden' name='token' value='" . get_token() . "'></form></details>";
	}

	// The hook that sees a list's form first; nothing is left to Adminer.
	function selectEmailProcess($where, $foreignKeys) {
		$back = remove_from_uri('page');
		if (isset($_POST['import'])) {
			$this->import($back);
		} elseif (isset($_POST['delete'], $_POST['all'])) {
			$where[] = 'position <= ' . q($_POST['upto']);    // what came since the page was shown is not meant
			$this->deleteAccounts($back, implode(' AND ', $where));
		} elseif (isset($_POST['delete']) || isset($_POST['trash'])) {
			$seen = array();
			foreach (isset($_POST['trash']) ? array($_POST['trash']) : $_POST['check'] ?? array() as $check) {
				parse_str($check, $row);
				$row = $row['where'];
				$seen[] = '(' . q($row['account_id']) . ', ' . q($row['position']) . ', ' . q($row['status']) . ')';
			}
			$this->deleteAccounts($back, '(account_id, position, status) IN (' . implode(', ', $seen ?: array("('', 0, '')")) . ')', count($seen));
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
		$arguments = q(count($providers) == 1 ? $providers[0] : $_POST['provider']) . ', ' . q($csv);
		$row = $this->summary("import_csv($arguments, " . (isset($_POST['skip']) ? 'true' : 'false') . ')');
		$error = connection()->error;
		$this->report = $this->rejected($row ?: $this->summary("check_csv($arguments)"));
		if (!$row) {
			return $this->refuse($back, $this->report ? strtok($error, "\n") : $error);
		}
		redirect($back, format_number($row['added']) . ' imported, ' . format_number($row['present']) . ' were there already, '
			. format_number($row['rejected']) . " rejected.$this->report");
	}

	// Of a file's report: how many lines came to what, and the first that were rejected.  Null if the call failed.
	private function summary($call) {
		$result = connection()->query("WITH report AS (SELECT * FROM awspool.$call)"
			. " SELECT count(*) FILTER (WHERE outcome = 'added') AS added, count(*) FILTER (WHERE outcome = 'present') AS present,"
			. " count(*) FILTER (WHERE outcome = 'rejected') AS rejected, (SELECT json_agg(r) FROM (SELECT line, account_id, detail"
			. " FROM report WHERE outcome = 'rejected' ORDER BY line LIMIT " . REPORTED . ') r) AS lines FROM report');
		return $result ? $result->fetch_assoc() : null;
	}

	private function rejected($row) {
		if (!$row || !$row['rejected']) {
			return '';
		}
		$report = "<table class='report'><thead><tr><th>Line<th>Account ID<th>Why it was rejected</thead>";
		foreach (json_decode($row['lines'], true) as $line) {
			$report .= '<tr><td>' . implode('<td>', array_map('h', $line));
		}
		$more = $row['rejected'] - REPORTED;
		return "$report</table>" . ($more > 0 ? '<p>… and ' . format_number($more) . ' more.' : '');
	}

	// Deletes the accounts for which the condition holds, and holds still, and tells of the others.
	private function deleteAccounts($back, $condition, $meant = null) {
		$ids = get_vals("SELECT account_id FROM awspool.accounts WHERE $condition ORDER BY position");
		$error = connection()->error;
		$meant = $meant ?? count($ids);
		$deleted = $inUse = 0;
		$users = '';
		foreach (array_chunk($ids, AT_ONCE) as $some) {
			$row = $this->deleteSome(implode(', ', array_map('q', $some)), $condition);
			if (!$row) {
				$error = connection()->error;
				break;
			}
			$deleted += $row['deleted'];
			$inUse += $row['in_use'];
			$users = $users ?: $row['users'];
		}
		$message = format_number($deleted) . ' of ' . format_number($meant) . ' account' . ($meant == 1 ? '' : 's') . ' deleted.'
			. ($inUse ? ' ' . format_number($inUse) . ' in use: ' . $users . ($inUse > NAMED ? ', …' : '') . '.' : '');
		if ($error != '') {
			return $this->refuse($back, "$error\n$message");
		}
		$gone = $meant - $deleted - $inUse;
		$message .= $gone ? ' ' . format_number($gone) . ' changed or gone since this page was shown.' : '';
		redirect($back, ($deleted ? '' : "<strong class='error'>Nothing was changed.</strong> ") . h($message));
	}

	// Nobody can claim an account between the look and the deletion: that would fail, and is tried again.  Null if it failed.
	private function deleteSome($ids, $condition) {
		for ($tries = 5; $tries > 0; $tries--) {
			connection()->query('BEGIN ISOLATION LEVEL REPEATABLE READ');
			$result = connection()->query("SELECT count(*) FILTER (WHERE outcome = 'deleted') AS deleted,"
				. " count(*) FILTER (WHERE outcome = 'in_use') AS in_use, array_to_string((array_agg(d.account_id || ' (' || d.detail || ')'"
				. " ORDER BY d.account_id) FILTER (WHERE outcome = 'in_use'))[:" . NAMED . "], ', ') AS users"
				. ' FROM (SELECT provider, array_agg(account_id) AS ids FROM awspool.accounts'
				. " WHERE account_id IN ($ids) AND $condition GROUP BY provider) p"
				. ' CROSS JOIN LATERAL awspool.delete_accounts(p.provider, p.ids) d');
			$error = connection()->error;
			if (connection()->query($result ? 'COMMIT' : 'ROLLBACK') && $result) {
				return $result->fetch_assoc();
			}
			connection()->error = $error ?: connection()->error;
		}
		return null;
	}

	// The list again, and what was wrong.
	private function refuse($back, $error) {
		queries('SELECT 1');    // whose error it takes for ours
		connection()->error = $error;
		queries_redirect($back, '', false);
	}
}
