/*-------------------------------------------------------------------------
 *
 * account.c
 *	  What an account looks like: the form of its values, and its public row.
 *
 * There is one validator.  The functions, the views, both ways to import and
 * the constraint of the base table all ask the table "forms" below.
 *
 * Names are counted in characters, so that a name has the same length in every
 * encoding that a backup is restored in.
 *
 * A name neither begins nor ends with a space of any kind.  Version 1.0 knew
 * ASCII's alone, so names that the others are at the end of may be there.  The
 * constraint lets them pass, or no backup with such a row could be restored;
 * and whoever names what is there, a provider that was granted or an order
 * that has an account, may go on.  New ones are refused.
 *
 *-------------------------------------------------------------------------
 */
#include "awspool.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(awspool_is_well_formed);

/* Bytes of a value that a message shows, at most. */
#define MAX_PRINTED_LENGTH	64

#define ACCOUNT_ID_LENGTH	12

/* The columns of the public row. */
const Oid	awspool_account_types[Natts_accounts] =
{
	TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID,
	TIMESTAMPTZOID, TEXTOID, TIMESTAMPTZOID, TEXTOID, TIMESTAMPTZOID, TEXTOID,
	INT8OID
};

static bool is_account_id(const char *value, size_t len);
static bool is_marketplace(const char *value, size_t len);
static bool is_model(const char *value, size_t len);
static bool is_name(const char *value, size_t len);
static bool is_provider(const char *value, size_t len);
static bool is_tidy(const char *value, size_t len);
static bool always(const char *value, size_t len);

static const struct
{
	const char *label;
	bool		(*fits) (const char *value, size_t len);	/* may be stored */
	bool		(*is_new) (const char *value, size_t len);	/* if it fits */
	const char *rule;			/* completes "It must be ..." */
}			forms[] =
{
	[FIELD_PROVIDER] = {
		"provider", is_provider, is_tidy,
		"1 to 64 characters, without control characters, without spaces of any kind at either end, and not \"*\""
	},
	[FIELD_ACCOUNT_ID] = {
		"account id", is_account_id, always, "exactly 12 digits"
	},
	[FIELD_MARKETPLACE] = {
		"marketplace", is_marketplace, always,
		"\"MP-\" and 4 to 61 digits"
	},
	[FIELD_MODEL] = {
		"model", is_model, always, "\"SPAM\" or \"ECAM\""
	},
	[FIELD_ORDER_ID] = {
		"order id", is_name, is_tidy,
		"1 to 64 characters, without control characters, without spaces of any kind at either end"
	},
};

static size_t digits(const char *value, size_t len);
static size_t characters(const char *value, size_t len);
static int	control_character(const char *value, size_t len);
static int	foreign_space(const char *value, size_t len);
static pg_wchar unicode(const char *value, size_t len, int *width);
static void refuse_value(AccountField field, const char *value);
static void append_problem(StringInfo problems, AccountField field,
						   const char *value);
static const char *clue(AccountField field, const char *value);

/*
 * awspool.is_well_formed(provider, account_id, marketplace, model, order_id)
 *
 * Whether each of the values that is not NULL has its form.  The constraint
 * of the base table; NOT NULL is the table's own affair.
 */
Datum
awspool_is_well_formed(PG_FUNCTION_ARGS)
{
	static const AccountField fields[] = {
		FIELD_PROVIDER, FIELD_ACCOUNT_ID, FIELD_MARKETPLACE, FIELD_MODEL,
		FIELD_ORDER_ID
	};

	for (size_t i = 0; i < lengthof(fields); i++)
	{
		text	   *value;

		if (PG_ARGISNULL(i))
			continue;
		value = PG_GETARG_TEXT_PP(i);
		if (!forms[fields[i]].fits(VARDATA_ANY(value),
								   VARSIZE_ANY_EXHDR(value)))
			PG_RETURN_BOOL(false);
	}
	PG_RETURN_BOOL(true);
}

/*
 * Whether the value has the form of the field.  NULL has not.
 */
bool
awspool_has_form(AccountField field, const char *value)
{
	size_t		len;

	if (value == NULL)
		return false;
	len = strlen(value);
	return forms[field].fits(value, len) && forms[field].is_new(value, len);
}

/*
 * Raises 22023 unless the value has the form of the field.
 */
void
awspool_check_field(AccountField field, const char *value)
{
	if (!awspool_has_form(field, value))
		refuse_value(field, value);
}

static void
refuse_value(AccountField field, const char *value)
{
	const char *hint = value == NULL ? NULL : clue(field, value);

	if (value == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must not be null", forms[field].label)));

	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid %s: \"%s\"", forms[field].label,
					awspool_printable(value)),
			 errdetail("It must be %s.", forms[field].rule),
			 hint != NULL ?
			 errhint("%c%s.", pg_toupper((unsigned char) *hint), hint + 1) :
			 0));
}

/*
 * All that is wrong with the values of an account somebody wants to store, as
 * one text; NULL if nothing is.  Of one that was used they need not tell the
 * marketplace and model, but the order, unless it is invalid.  "old_order": its
 * order may be called as those of version 1.0.
 */
char *
awspool_problems(const NewAccount *account, bool old_order)
{
	StringInfoData problems = {0};
	const PastUse *use = account->use;

	append_problem(&problems, FIELD_ACCOUNT_ID, account->account_id);
	if (use != NULL &&
		(use->order_id != NULL || use->status != STATUS_INVALID) &&
		!(old_order && use->order_id != NULL &&
		  is_name(use->order_id, strlen(use->order_id))))
		append_problem(&problems, FIELD_ORDER_ID, use->order_id);
	if (use == NULL || account->marketplace != NULL)
		append_problem(&problems, FIELD_MARKETPLACE, account->marketplace);
	if (use == NULL || account->model != NULL)
		append_problem(&problems, FIELD_MODEL, account->model);
	return problems.data;
}

/* The buffer is made only for the few rows that have a problem. */
static void
append_problem(StringInfo problems, AccountField field, const char *value)
{
	const char *hint;

	if (awspool_has_form(field, value))
		return;

	if (problems->data == NULL)
		initStringInfo(problems);
	else
		appendStringInfoString(problems, "; ");

	if (value == NULL)
	{
		appendStringInfo(problems, "%s is missing", forms[field].label);
		return;
	}
	appendStringInfo(problems, "%s \"%s\" must be %s", forms[field].label,
					 awspool_printable(value), forms[field].rule);
	hint = clue(field, value);
	if (hint != NULL)
		appendStringInfo(problems, " (%s)", hint);
}

/*
 * How many bytes at the start of a file, or of the value that was read first
 * from one, are a byte order mark.  Who reads a UTF-8 file in the encoding of
 * the client, or as LATIN1, reads the three bytes of the mark as characters.
 */
size_t
awspool_byte_order_mark(const char *value, size_t len)
{
	unsigned char bytes[] = "\xEF\xBB\xBF";
	int			to = GetDatabaseEncoding();
	int			read_as[] = {to, pg_get_client_encoding(), PG_LATIN1};

	for (size_t i = 0; i < lengthof(read_as); i++)
	{
		unsigned char mark[MAX_CONVERSION_GROWTH * sizeof(bytes)];
		size_t		size;

		if (read_as[i] == to)
			memcpy(mark, bytes, sizeof(bytes));
		else
		{
			Oid			conversion = FindDefaultConversionProc(read_as[i], to);

			if (!OidIsValid(conversion) ||
				pg_do_encoding_conversion_buf(conversion, read_as[i], to,
											  bytes, sizeof(bytes) - 1, mark,
											  sizeof(mark), true) < 3)
				continue;
		}
		size = strlen((char *) mark);
		if (len >= size && memcmp(value, mark, size) == 0)
			return size;
	}
	return 0;
}

/*
 * A value as a message may show it: not too long, without characters that a
 * terminal obeys, and with those spaces to be seen that look like another one,
 * or like nothing.
 */
const char *
awspool_printable(const char *value)
{
	size_t		len = strlen(value);
	size_t		shown = pg_mbcliplen(value, len, MAX_PRINTED_LENGTH);
	StringInfoData result;

	initStringInfo(&result);
	for (size_t i = 0; i < shown;)
	{
		int			hidden = control_character(value + i, shown - i);

		if (hidden == 0)
			hidden = foreign_space(value + i, shown - i);
		if (hidden == 0)
		{
			int			width = pg_encoding_mblen(GetDatabaseEncoding(),
												  value + i);

			appendBinaryStringInfo(&result, value + i, width);
			i += width;
		}
		for (; hidden > 0; hidden--)
			appendStringInfo(&result, "\\x%02x", (unsigned char) value[i++]);
	}
	if (shown < len)
		appendStringInfoString(&result, "...");
	return result.data;
}

/*
 * Argument n as a string, or NULL.
 */
char *
awspool_text_argument(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(n));
}

/*
 * Argument n as a value of the field; raises 22023 if it is not one.
 */
char *
awspool_field_argument(FunctionCallInfo fcinfo, int n, AccountField field)
{
	char	   *value = awspool_text_argument(fcinfo, n);

	awspool_check_field(field, value);
	return value;
}

/*
 * The same, where NULL means "not given" and comes back as NULL.
 */
char *
awspool_optional_field_argument(FunctionCallInfo fcinfo, int n,
								AccountField field)
{
	return PG_ARGISNULL(n) ? NULL : awspool_field_argument(fcinfo, n, field);
}

/*
 * Argument n as the name of an order, or NULL.  Raises 22023 if no order is
 * called so; but one that was claimed for under version 1.0 may be, so whoever
 * finds nothing under that name has to check the field.
 */
char *
awspool_order_argument(FunctionCallInfo fcinfo, int n)
{
	return awspool_order_name(awspool_text_argument(fcinfo, n));
}

/*
 * The same for a value that is not an argument of its own.
 */
char *
awspool_order_name(char *value)
{
	if (value != NULL && !is_name(value, strlen(value)))
		refuse_value(FIELD_ORDER_ID, value);
	return value;
}

/*
 * A text for a string; for NULL, a Datum that nobody may look at.
 */
Datum
awspool_text_datum(const char *value)
{
	return value == NULL ? (Datum) 0 : CStringGetTextDatum(value);
}

/*
 * The public row of an account, in the caller's memory context.  "accounts"
 * describes view awspool.accounts, or rows like its.
 */
HeapTuple
awspool_public_row(TupleDesc accounts, TupleTableSlot *account)
{
	Datum	   *values = account->tts_values;
	bool	   *isnull = account->tts_isnull;

	slot_getsomeattrs(account, Min(accounts->natts, Natts_accounts));
	if (accounts->natts > Natts_accounts)	/* the view was given more */
	{
		values = palloc0(accounts->natts * sizeof(Datum));
		isnull = palloc(accounts->natts * sizeof(bool));
		memset(isnull, true, accounts->natts * sizeof(bool));
		memcpy(values, account->tts_values, Natts_accounts * sizeof(Datum));
		memcpy(isnull, account->tts_isnull, Natts_accounts * sizeof(bool));
	}
	return heap_form_tuple(accounts, values, isnull);
}

/*
 * A public row with as many columns as "accounts" describes: view
 * awspool.accounts has one less by the script of version 1.0, and may have been
 * given more.
 */
HeapTuple
awspool_fit_row(TupleDesc accounts, HeapTuple row)
{
	Datum	   *values;
	bool	   *isnull;

	if (HeapTupleHeaderGetNatts(row->t_data) == accounts->natts)
		return row;
	values = palloc(accounts->natts * sizeof(Datum));
	isnull = palloc(accounts->natts * sizeof(bool));
	heap_deform_tuple(row, accounts, values, isnull);
	return heap_form_tuple(accounts, values, isnull);
}

/*
 * Prepares to return rows of "natts" columns of these types; they go to
 * setResult of what is returned, and setDesc there describes them.
 */
ReturnSetInfo *
awspool_begin_rows(FunctionCallInfo fcinfo, int natts, const Oid *types)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	bool		fits;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);

	/* Another version of the script may return other rows. */
	fits = rsinfo->setDesc->natts == natts ||
		(types == awspool_account_types &&
		 rsinfo->setDesc->natts == NATTS_ACCOUNTS_1_0);
	for (int i = 0; fits && i < rsinfo->setDesc->natts; i++)
		fits = TupleDescAttr(rsinfo->setDesc, i)->atttypid == types[i];
	if (!fits)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("library and script of extension \"awspool\" do not fit together"),
				 errhint("Connect anew; if that does not help, run ALTER EXTENSION awspool UPDATE.")));
	return rsinfo;
}

/*
 * The first columns of a row, whose relation may have been given more, or, by
 * the script of another version, fewer; those are null.
 */
void
awspool_first_columns(HeapTuple tuple, TupleDesc desc, int n, Datum *values,
					  bool *isnull)
{
	for (int i = 0; i < n; i++)
	{
		isnull[i] = true;
		values[i] = i < desc->natts ?
			heap_getattr(tuple, i + 1, desc, &isnull[i]) : (Datum) 0;
	}
}

/*
 * What a trigger function was called with.  Raises an error if it was not
 * called as a trigger, or not as the install script has it: on that relation
 * of schema awspool, then (BEFORE_ROW and so on), on one of those operations
 * (ON_INSERT and so on).
 */
TriggerData *
awspool_trigger_data(FunctionCallInfo fcinfo, const char *relation,
					 TriggerEvent when, int operations)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo) ||
		strcmp(RelationGetRelationName(trigdata->tg_relation), relation) != 0 ||
		RelationGetNamespace(trigdata->tg_relation) !=
		get_namespace_oid("awspool", false) ||
		(trigdata->tg_event &
		 (TRIGGER_EVENT_TIMINGMASK | TRIGGER_EVENT_ROW)) != when ||
		!(operations & (1 << (trigdata->tg_event & TRIGGER_EVENT_OPMASK))))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("this function is for the triggers that extension \"awspool\" has on awspool.%s",
						relation)));
	return trigdata;
}

static bool
is_account_id(const char *value, size_t len)
{
	return len == ACCOUNT_ID_LENGTH && digits(value, len) == len;
}

static bool
is_marketplace(const char *value, size_t len)
{
	return len >= strlen("MP-0000") && len <= AWSPOOL_NAME_LENGTH &&
		memcmp(value, "MP-", 3) == 0 && digits(value + 3, len - 3) == len - 3;
}

static bool
is_model(const char *value, size_t len)
{
	return len == 4 &&
		(memcmp(value, "SPAM", 4) == 0 || memcmp(value, "ECAM", 4) == 0);
}

static bool
is_name(const char *value, size_t len)
{
	if (len == 0 || len > AWSPOOL_NAME_BYTES ||
		characters(value, len) > AWSPOOL_NAME_LENGTH ||
		value[0] == ' ' || value[len - 1] == ' ')
		return false;

	for (size_t i = 0; i < len; i++)
	{
		if (control_character(value + i, len - i) > 0)
			return false;
	}
	return true;
}

/* "*" means every provider where roles are granted; nobody is called so. */
static bool
is_provider(const char *value, size_t len)
{
	return is_name(value, len) && !(len == 1 && value[0] == '*');
}

/* A name without other spaces than ASCII's at either end. */
static bool
is_tidy(const char *value, size_t len)
{
	size_t		last = pg_mbcliplen(value, len, len - 1);

	if (GetDatabaseEncoding() == PG_SQL_ASCII)	/* see unicode() */
	{
		while (last > 0 && (value[last] & 0xc0) == 0x80)
			last--;
	}
	return foreign_space(value, len) == 0 &&
		foreign_space(value + last, len - last) == 0;
}

static bool
always(const char *value, size_t len)
{
	return true;
}

/* How many of the first bytes are ASCII digits. */
static size_t
digits(const char *value, size_t len)
{
	size_t		n = 0;

	while (n < len && value[n] >= '0' && value[n] <= '9')
		n++;
	return n;
}

/*
 * How many characters a value has.  Where the server does not know, those of
 * UTF-8: a database in SQL_ASCII may have got them from one that does.
 */
static size_t
characters(const char *value, size_t len)
{
	size_t		n = 0;

	if (GetDatabaseEncoding() != PG_SQL_ASCII)
		return pg_mbstrlen_with_len(value, len);
	for (size_t i = 0; i < len; i++)
		n += (value[i] & 0xc0) != 0x80;
	return n;
}

/*
 * The length of the control character (Unicode category Cc) that the value
 * begins with; 0 if it begins with something else.  ISO 8859 has those from
 * 0x80 on in a byte.
 */
static int
control_character(const char *value, size_t len)
{
	unsigned char first = value[0];
	int			encoding = GetDatabaseEncoding();

	if (first < 0x20 || first == 0x7f)
		return 1;
	if (first == 0xc2 && len > 1 && (unsigned char) value[1] < 0xa0 &&
		encoding == PG_UTF8)
		return 2;
	if (first >= 0x80 && first < 0xa0 &&
		((encoding >= PG_LATIN1 && encoding <= PG_LATIN10) ||
		 (encoding >= PG_ISO_8859_5 && encoding <= PG_ISO_8859_8)))
		return 1;
	return 0;
}

/*
 * The length of the space, other than ASCII's, that the value begins with: of
 * Unicode category Z, or of no width, or a filler of Hangul; 0 if it begins with
 * something else.
 */
static int
foreign_space(const char *value, size_t len)
{
	static const struct
	{
		pg_wchar	first;
		pg_wchar	last;
	}			spaces[] = {
		{0xa0, 0xa0}, {0x115f, 0x1160}, {0x1680, 0x1680},
		{0x180e, 0x180e}, {0x2000, 0x200d}, {0x2028, 0x2029},
		{0x202f, 0x202f}, {0x205f, 0x2060}, {0x3000, 0x3000},
		{0x3164, 0x3164}, {0xfeff, 0xfeff}, {0xffa0, 0xffa0}
	};
	int			width = 0;
	pg_wchar	c = unicode(value, len, &width);

	for (size_t i = 0; i < lengthof(spaces); i++)
	{
		if (c >= spaces[i].first && c <= spaces[i].last)
			return width;
	}
	return 0;
}

/*
 * The character that the value begins with, in Unicode, and how many bytes it
 * has; 0 if that is ASCII's, or not known.  In a database in SQL_ASCII it is
 * read as UTF-8, as where characters are counted.
 */
static pg_wchar
unicode(const char *value, size_t len, int *width)
{
	unsigned char converted[MAX_CONVERSION_GROWTH * MAX_MULTIBYTE_CHAR_LEN + 1];
	const unsigned char *c = (const unsigned char *) value;
	int			encoding = GetDatabaseEncoding();

	if (*c < 0x80)
		return 0;
	if (encoding == PG_SQL_ASCII)
		encoding = PG_UTF8;
	*width = pg_encoding_mblen(encoding, value);
	if ((size_t) *width > len)
		return 0;
	if (encoding != PG_UTF8)
	{
		Oid			conversion = FindDefaultConversionProc(encoding, PG_UTF8);

		if (!OidIsValid(conversion) ||
			pg_do_encoding_conversion_buf(conversion, encoding, PG_UTF8,
										  unconstify(unsigned char *, c),
										  *width, converted,
										  sizeof(converted), true) < *width)
			return 0;
		c = converted;
	}
	return pg_utf8_islegal(c, pg_utf_mblen(c)) ? utf8_to_unicode(c) : 0;
}

/*
 * What may be the matter with a value that does not fit, as a sentence without
 * its capital and full stop; NULL if nothing comes to mind.
 */
static const char *
clue(AccountField field, const char *value)
{
	size_t		len = strlen(value);

	if (awspool_byte_order_mark(value, len) > 0)
		return "it begins with a byte order mark";
	if (field != FIELD_ACCOUNT_ID)
		return NULL;
	if (len == ACCOUNT_ID_LENGTH - 1 && digits(value, len) == len)
		return "a spreadsheet may have dropped a leading zero";
	if (pg_strncasecmp(value, "sep=", 4) == 0)
		return "it tells a spreadsheet what separates the fields";
	return NULL;
}
