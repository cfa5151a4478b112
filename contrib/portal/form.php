<?php
/*
 * The form of one account, new or there already: what it asks for, and what it
 * says when it was sent.
 *
 * Each field of an account that is there carries what it was when it was shown
 * ("seen").  The account is changed or deleted where all of that still holds
 * (index.php puts it into the condition), and if nothing was changed, the page
 * says so.
 */

trait AccountForm {
	private function formLabel($name) {
		$fields = array('account_id', 'marketplace', 'model');
		if (isset($_GET['where'])) {
			array_push($fields, 'status', 'order_id', 'reason', 'provider');
		} elseif (count($this->providers()) != 1) {
			$fields[] = 'provider';
		}
		return in_array($name, $fields) ? "<label for='f-$name'>" . (COLUMNS[$name] ?? ucfirst($name)) . '</label>' : '';
	}

	private function providerInput($attrs, $value = '') {
		$providers = $this->providers();
		return $this->actsForAll()    // for new ones, too
			? "<input$attrs value='" . h($value) . "' list='providers'><datalist id='providers'>" . optionlist($providers) . '</datalist>'
			: "<select$attrs>" . optionlist($providers, $value) . '</select>';
	}

	function editInput($table, $field, $attrs, $value) {
		$name = $field['field'];
		$attrs .= " id='f-$name'";
		$seen = '';
		if (isset($_GET['where'])) {
			$shown = $_POST['seen'][$name] ?? (isset($_POST['save']) ? null : $value);
			$seen = $shown === null ? '' : "<input type='hidden' name='seen[$name]' value='" . h($shown) . "'>";
			if (!$this->mayChange() || !in_array($name, array('marketplace', 'model'))) {
				return "<output id='f-$name'>" . ($this->selectVal(h($shown), '', $field, $shown) ?: '–') . "</output>$seen";
			}
		}
		if ($name == 'provider') {
			return $this->providerInput($attrs, $value);
		}
		return ($name == 'model' ? "<select$attrs>" . optionlist(array('SPAM', 'ECAM'), $value) . '</select>'
			: "<input$attrs value='" . h($value) . "' autocomplete='off' autocapitalize='off'>") . $seen;
	}

	function editFunctions($field) {
		return array('');
	}

	function editHint($table, $field, $value) {
		$hints = isset($_GET['where']) ? array() : array('account_id' => '12 digits', 'marketplace' => 'such as MP-0000');
		return isset($hints[$field['field']]) ? " <small>{$hints[$field['field']]}</small>" : '';
	}

	function editRowPrint($table, $fields, $row, $update) {
		echo '<h2>' . ($update ? 'Account ' . h($_GET['where']['account_id']) : 'New Account') . "</h2>\n"
			. ($this->mayChange() ? '' : "<p class='look'>You may look at accounts, and change nothing.\n");
		if ($update && !$row) {
			echo "<p class='error gone'>There is no such account any more.\n";
		}
	}

	// False: not to be changed.
	function processInput($field, $value, $function = '') {
		return isset($_GET['where']) && !in_array($field['field'], array('marketplace', 'model')) ? false : q($value);
	}

	// Back to the list that was there, or to the next account, with the truth.
	private function leaveForm() {
		$account = 'Account ' . h($_GET['where']['account_id'] ?? $_POST['fields']['account_id']);
		$done = isset($_POST['delete']) ? 'deleted' : (isset($_GET['where']) ? 'saved' : 'added');
		redirect(isset($_POST['insert']) ? remove_from_uri() : $_POST['referer'] ?? ME . 'select=accounts',
			connection()->affected_rows ? "$account was $done."
			: "<strong class='error'>Nothing was changed.</strong> $account was changed or deleted by somebody else since this page was shown.");
	}
}
