// What Adminer's table leaves to be said: which account each box and pencil is
// for, to whoever reads by ear.

selectClick = function () {};    // a click with Ctrl would open a field of which nothing becomes

addEventListener('DOMContentLoaded', function () {
	if (!qs('.trash')) {
		return;
	}
	qsa('#table tbody tr, #table > tr').forEach(function (row) {
		var trash = qs('.trash', row), pencil = qs('a.edit', row);

		if (trash) {
			qs('input', row).setAttribute('aria-label', 'Select ' + trash.dataset.id);
			pencil.setAttribute('aria-label', pencil.title = 'Edit ' + trash.dataset.id);
		}
	});
	qs('#all-page').setAttribute('aria-label', 'Select all on this page');
	qs('#table thead th:last-child').textContent = 'Delete';
});

// Below the list Adminer guesses how many rows there are: "~ 10,008 rows".
function wholeResult(rows, text) {
	var all = qs('[name=all]'), label = all.parentNode.lastChild;

	label.data = label.data.replace(/^~ [\d,]+/, text);
	all.onclick = function () {
		selectCount('selected', this.checked ? rows : formChecked(this, /check/));
	};
}
