/*
 * claim.pml
 *	  A model of how a claim finds the oldest account: src/head.c, arrival.c
 *	  and pool_start.c.  test/model.sh has spin look at everything that it can
 *	  do; doc/model.md says what came of it.
 *
 * One pool with four positions.  Two sessions claim, each with a start, doubts
 * and settled positions of its own.  Each claim is in a savepoint; they roll
 * back that, or all savepoints, commit, roll back, or prepare, and somebody
 * decides that later.  Meanwhile accounts are added, moved in from another
 * pool, updated in place and deleted.
 *
 * What has to hold, as assertions:
 *
 *	 A claim gets the oldest account, or an older one, that was ready, committed
 *	 and not being changed when it began; none only if there was none.  What
 *	 its own transaction moved in counts, too.  What another claim took
 *	 meanwhile does not, nor what was deleted, nor what the claim has seen being
 *	 changed.  In the last try, which takes what it finds, nor what was changed
 *	 at all.
 *
 *	 A slice that looks before a start finds nothing, as long as nobody does
 *	 what nobody should.  With FAULT somebody does: a start and what is settled
 *	 become wrong.  Then the session misses accounts, but not for ever; and
 *	 from the claim on that notices it, all holds again.
 *
 *	 When all is over each session, with what it knows, claims all that is left,
 *	 oldest first.
 *
 * A row is a version with a fixed place in the index; these are in the order of
 * the index, and NEXT_PAGE begins its second page:
 *
 *	 version   0   1   2   3   4   5
 *	 position  1   1   2   2   3   4
 *
 * Versions 1, 2 and, if three positions were drawn, 4 are ready at first.  0 is
 * moved in, or what becomes of 1; 3 is what becomes of 2; the rest are added.
 *
 * Each safeguard is a switch (#ifndef NO_...), or has one that does it wrong.
 *
 * Left out: walks that go only a little way at first, whose end the next one
 * does not believe; other pools, but for one that shares the count of arrivals;
 * batches; sessions that store accounts while they claim; HOT, vacuum,
 * multixacts, the age of transaction ids; crash and promotion, which leave no
 * session and no note; errors within a walk.
 */
#ifndef DRAWN
#define DRAWN 3				/* positions drawn at first: 2 or 3 */
#endif
#ifndef ADD
#define ADD 0				/* transactions that add an account */
#endif
#ifndef EDIT
#define EDIT 0				/* what a transaction does, see editor; 0: nothing */
#endif
#ifndef CLAIMS_0
#define CLAIMS_0 2			/* claims of session 0; then of session 1 */
#endif
#ifndef CLAIMS_1
#define CLAIMS_1 1
#endif
#ifndef OWN
#define OWN 0				/* session 0 may move an account in itself */
#endif
#ifndef PREPARE
#define PREPARE 1			/* transactions may be prepared */
#endif
#ifndef LONG
#define LONG 0				/* all claims of a session are in one transaction */
#endif
#ifndef SLICES
#define SLICES 0			/* claims that find nothing look at slices */
#endif
#ifndef FAULT
#define FAULT 0				/* session 0 may come to have a wrong start */
#endif
#ifndef MAX_TRIES
#define MAX_TRIES 4
#endif
#ifndef NEAR_DOUBTS
#define NEAR_DOUBTS	1		/* ended doubts are looked at in one walk */
#endif
#define MAX_DOUBTS	2		/* that a walk gathers, and a start learns */
#define DOUBTS		4		/* that a list may have, after looking again */
#define VERSIONS	6
#ifndef NEXT_PAGE
#define NEXT_PAGE	3		/* the first version on it; VERSIONS: there is one page */
#endif
#define MAX_ASKS	10		/* two times around, whatever the slices */

/* Transaction ids: those of claims from 1 on, then adders, the editor. */
#define X_CLAIMS	(CLAIMS_0 + CLAIMS_1)
#define X_ADD		(X_CLAIMS + 1)
#define X_EDIT		(X_ADD + ADD)
#define X_OWN		12			/* session 0 moving an account in */
#define X_DRAIN		13			/* whoever claims when all is over; committed */
#define X_NOBODY	14			/* aborted: there is no such version */

#define BIT(n)		(1 << (n))
#define HAS(set, n)	(((set) >> (n)) & 1)
#define ADD_TO(set, bits)		set = (set) | (bits)
#define TAKE_FROM(set, bits)	set = (set) & (~(bits))
#define MIN(a, b)	((a) < (b) -> (a) : (b))
#define MAX(a, b)	((a) > (b) -> (a) : (b))

#define POSITION(v)	((v) < 4 -> (v) / 2 + 1 : (v) - 1)
#define VERY_START	1
#define VERY_END	9
#define NO_VERSION	7

/* A doubt; transaction 0: look in any case. */
#define DOUBT(first, last, xid)	((xid) << 8 | (first) << 4 | (last))
#define FIRST(doubt)	(((doubt) >> 4) & 15)
#define LAST(doubt)		((doubt) & 15)
#define XID(doubt)		((doubt) >> 8)

/* Accounts are the bits 0 to 3, by position, and 4: the one that is moved in. */
#define MOVED		16
#define ACCOUNT(v)	((v) == 0 && moved_in -> MOVED : BIT(POSITION(v) - 1))
#define OLDEST(set)	((set) & (MOVED | 1) -> 1 : ((set) & 2 -> 2 : \
					((set) & 4 -> 3 : ((set) & 8 -> 4 : VERY_END))))

/*
 * Who has changed rows, by savepoint, and has not ended; neither running nor
 * committed is aborted.  And the topmost transactions that have not ended.
 */
short running = 0;
short committed = 1 | BIT(X_DRAIN);
short tops = 0;
byte top_of[X_CLAIMS + 1];		/* of the savepoint of each claim */
short prepared[2];				/* of each session */
byte prepared_top[2];

/* Rolled back to savepoints, of which others were not told yet; and messages. */
short untold = 0;
byte undone = 0;

/* The table and its index. */
byte inserted_by[VERSIONS] = X_NOBODY;
byte changed_by[VERSIONS] = 0;	/* or deleted; 0: by nobody */
byte locked_by[VERSIONS] = 0;
byte entries = 0;				/* versions that are in the index */
bit moved_in = 0;

byte last_drawn = DRAWN;
short drawing = 0;				/* who holds the lock that nextval() takes */
byte arrivals = 0;				/* awspool.arrival_count */
byte note = VERY_START;			/* awspool.pool_start */
byte note_arrivals = 0;

/* What the assertions need: accounts, by session, since its claim began. */
byte owed[2];					/* that it should not miss */
byte touched[2];				/* that somebody has changed */
byte unfinished = 3 + ADD + (EDIT != 0);	/* sessions and others not done yet */
bit drainer;

#define IS_OVER(x)	(!HAS(running, x))
#define TOP(x)		((x) <= X_CLAIMS -> top_of[x] : (x))
#define HAS_SAVEPOINTS(x)	((x) <= X_CLAIMS || (x) == X_OWN)

/* Whether a version is ready, and those that have changed it have rolled back. */
#define IS_FREE(v, own)	(HAS(entries, v) && \
	(HAS(committed, inserted_by[v]) || HAS(own, inserted_by[v])) && \
	(changed_by[v] == 0 || !HAS(running | committed | untold, changed_by[v])) && \
	(locked_by[v] == 0 || !HAS(running | untold, locked_by[v])))

/* Adds an account: draws a position, stores the row, then its entry. */
proctype adder(byte x)
{
	byte v;

	d_step {
		ADD_TO(running, BIT(x)); ADD_TO(tops, BIT(x));
#ifndef LOCK_AFTER_DRAWING
		ADD_TO(drawing, BIT(x));
#endif
	}
	d_step { last_drawn++; v = last_drawn + 1; inserted_by[v] = x }
#ifdef LOCK_AFTER_DRAWING
	ADD_TO(drawing, BIT(x));
#endif
	ADD_TO(entries, BIT(v));
	atomic {
		if :: ADD_TO(committed, BIT(x)) :: skip fi;
		TAKE_FROM(running, BIT(x)); TAKE_FROM(tops, BIT(x));
		TAKE_FROM(drawing, BIT(x)); unfinished--
	}
}

inline begin()
{
	ADD_TO(running, BIT(x)); ADD_TO(tops, BIT(x))
}

inline change(old, new, account)
{
	begin();
	changed_by[old] = x;
	v = new;
	ADD_TO(touched[0], account); ADD_TO(touched[1], account)
}

inline excuse(account)
{
	TAKE_FROM(owed[0], account); TAKE_FROM(owed[1], account)
}

/*
 * Moves an account in (1), updates the oldest (2) or second (3) in place, whose
 * new entry is before or behind the old one, deletes one of them (4, 5), or
 * moves one into a pool with the same count of arrivals (6); 9: any of these.
 */
proctype editor(byte x)
{
	byte v = NO_VERSION;
	bit arrives = 1;

	if
	:: d_step { (EDIT == 1 || EDIT == 9) && inserted_by[0] == X_NOBODY ->
		begin(); moved_in = 1; v = 0; inserted_by[v] = x }
	:: d_step { (EDIT == 2 || EDIT == 9) && inserted_by[0] == X_NOBODY && IS_FREE(1, 0) ->
		change(1, 0, 1); inserted_by[v] = x }
	:: d_step { (EDIT == 3 || EDIT == 9) && IS_FREE(2, 0) ->
		change(2, 3, 2); inserted_by[v] = x }
	:: d_step { (EDIT == 4 || EDIT == 9) && IS_FREE(1, 0) ->
		change(1, NO_VERSION, 1); arrives = 0; excuse(1) }
	:: d_step { (EDIT == 5 || EDIT == 9) && IS_FREE(2, 0) ->
		change(2, NO_VERSION, 2); arrives = 0; excuse(2) }
	:: d_step { EDIT == 6 || EDIT == 9 -> begin() }
	:: d_step { unfinished--; x = 0 }	/* nothing after all */
	fi;
	if
	:: x == 0
	:: else ->
#ifdef COUNT_BEFORE_ENTRY
		if :: arrives -> d_step { arrivals++; arrives = 0 } :: else fi;
#endif
		if :: v != NO_VERSION -> ADD_TO(entries, BIT(v)) :: else fi;
		if
		:: d_step { TAKE_FROM(running, BIT(x)); TAKE_FROM(tops, BIT(x)); unfinished-- }	/* rolls back */
		:: true ->
#if !defined NO_COUNT && !defined COUNT_AFTER_COMMIT
			if :: arrives -> arrivals++ :: else fi;
#endif
			d_step { TAKE_FROM(running, BIT(x)); TAKE_FROM(tops, BIT(x)); ADD_TO(committed, BIT(x)) };
#ifdef COUNT_AFTER_COMMIT
			if :: arrives -> arrivals++ :: else fi;
#endif
			unfinished--
		fi
	fi
}

inline decide(s)
{
	if :: ADD_TO(committed, prepared[s]) :: skip fi;
	TAKE_FROM(running, prepared[s]); prepared[s] = 0;
	TAKE_FROM(tops, BIT(prepared_top[s])); prepared_top[s] = 0
}

/* Decides what was prepared. */
proctype resolver()
{
end:
	do
	:: atomic { prepared_top[0] != 0 -> decide(0) }
	:: atomic { prepared_top[1] != 0 -> decide(1) }
	:: atomic { unfinished == 1 && prepared_top[0] == 0 && prepared_top[1] == 0 -> unfinished--; break }
	od
}

/* Equal states have to look equal. */
#define clear(list, n)	for (j : 0 .. (n) - 1) { list[j] = 0 } j = 0

inline forget_before()			/* the transaction is over, or all is forgotten */
{
	learnt = 0; b_start = 0; b_n = 0; b_undone = 0; clear(b_doubts, DOUBTS)
}

inline begin_learning()
{
	if
	:: !learnt ->
		learnt = 1; b_start = start; b_n = n; b_undone = list_undone;
		for (j : 0 .. DOUBTS - 1) { b_doubts[j] = doubts[j] }
		j = 0
	:: else
	fi
}

inline unlearn()
{
	if
	:: learnt ->
		start = b_start; n = b_n; list_undone = b_undone;
		for (j : 0 .. DOUBTS - 1) { doubts[j] = b_doubts[j] }
		j = 0
	:: else
	fi
}

inline forget_pool()
{
	start = VERY_START; n = 0; list_undone = 0; clear(doubts, DOUBTS);
	seen_to = VERY_START;
#ifndef FORGET_NOT_BEFORE
	forget_before()
#endif
}

inline get_pool()
{
	my_undone = undone;
	if
#ifdef NO_OWN_FORGET
	:: pool_arrivals != arrivals || !known ->
#else
	:: pool_arrivals != arrivals || !known || arrived ->
#endif
		pool_arrivals = arrivals; known = 1;
		forget_pool();
		if
#ifdef NOTE_OF_ANY_COUNT
		:: !arrived && note <= last_drawn + 1 -> start = note
#else
		:: !arrived && note_arrivals == pool_arrivals && note <= last_drawn + 1 -> start = note
#endif
		:: else
		fi
	:: else
	fi
}

inline settle()
{
	if :: drawing == 0 -> settled = last_drawn :: else fi
}

/* In a walk: clear_to, and w_n of w_doubts. */
inline begin_walk()
{
	clear_to = VERY_END; w_n = 0; clear(w_doubts, MAX_DOUBTS);
	page = 0; page_from = 0; v = 0
}

inline stay_before()			/* position q */
{
	clear_to = MIN(clear_to, q)
}

/*
 * At position q, of transaction y.  A doubt waits for the topmost one, as
 * resolve_savepoints() makes it.
 */
inline add_doubt()
{
	if :: !slicing -> TAKE_FROM(owed[s], ACCOUNT(v)) :: else fi;	/* it has seen it being changed */
	y = TOP(y);
	if
	:: q >= clear_to || slicing
	:: q < clear_to && !slicing && w_n > 0 && XID(w_doubts[w_n - 1]) == y ->
		w_doubts[w_n - 1] = DOUBT(FIRST(w_doubts[w_n - 1]), q, y)
	:: q < clear_to && !slicing && w_n < MAX_DOUBTS && (w_n == 0 || XID(w_doubts[w_n - 1]) != y) ->
		w_doubts[w_n] = DOUBT(q, q, y); w_n++
	:: else -> stay_before()
	fi
}

/* Reads an index page as a whole. */
inline read_page()
{
	for (v : 0 .. VERSIONS - 1) {
		if
		:: v >= page_from && (page_from == NEXT_PAGE || v < NEXT_PAGE) && HAS(entries, v) &&
			POSITION(v) >= from && POSITION(v) <= to -> ADD_TO(page, BIT(v))
		:: else
		fi
	}
	v = 0;
	page_from = (page_from < NEXT_PAGE -> NEXT_PAGE : VERSIONS)
}

/* Looks at the next row with a dirty snapshot: to be claimed, or in doubt? */
inline look()
{
	v = 0;
	do :: HAS(page, v) -> break :: else -> v++ od;
	TAKE_FROM(page, BIT(v));
	q = POSITION(v); shown = 0;
	if
	:: HAS(committed, inserted_by[v]) || HAS(mine, inserted_by[v]) ->
		if
		:: changed_by[v] == 0 -> shown = 1
		:: changed_by[v] != 0 && HAS(mine, changed_by[v])	/* dead to us */
		:: changed_by[v] != 0 && !HAS(mine, changed_by[v]) && HAS(running, changed_by[v]) -> y = changed_by[v]; add_doubt()
		:: changed_by[v] != 0 && IS_OVER(changed_by[v]) -> shown = !HAS(committed, changed_by[v])
		fi
	:: else ->
		if :: HAS(running, inserted_by[v]) -> y = inserted_by[v]; add_doubt() :: else fi
	fi;
	y = 0
}

#define MAY_END		(!LONG || claims == 0)
#define IS_LAST		(tries == MAX_TRIES)

/* Tries to lock what was shown. */
inline try_lock()
{
	if
	:: (changed_by[v] == 0 || !HAS(running | committed, changed_by[v])) &&
		(locked_by[v] == 0 || IS_OVER(locked_by[v]) || HAS(mine, locked_by[v])) ->
		locked_by[v] = me; changed_by[v] = 0;
		if
		:: !draining ->
			if :: top == 0 -> top = me; ADD_TO(tops, BIT(me)) :: else fi;
			top_of[me] = top;
			ADD_TO(running, BIT(me)); ADD_TO(mine, BIT(me))
		:: else
		fi;
		reserved = v;
		TAKE_FROM(owed[1 - s], ACCOUNT(v));
		assert(POSITION(v) <= OLDEST(IS_LAST -> owed[s] & (~touched[s]) : owed[s]))
#ifdef STAY_BEHIND_RESERVED
		; q++
#endif
		; stay_before()
	:: else ->
		TAKE_FROM(owed[s], ACCOUNT(v));
#ifndef NO_STAY_BEFORE_LOCKED
		stay_before()
#endif
	fi
}

inline append(doubt)			/* to what is left after looking again */
{
	assert(l_n < DOUBTS);
	left[l_n] = doubt; l_n++
}

#define MUST_LOOK(doubt)	(XID(doubt) == 0 || !HAS(snapshot, XID(doubt)) || \
	(savepoints && HAS_SAVEPOINTS(XID(doubt))))

/* Whether there is something to look at again. */
inline find_ended()
{
	snapshot = tops & (~BIT(top)); savepoints = 0; shown = 0;
	for (j : 0 .. DOUBTS - 1) {
		if
		:: j < n && XID(doubts[j]) != 0 && HAS_SAVEPOINTS(XID(doubts[j])) && list_undone != my_undone -> savepoints = 1
		:: else
		fi
	}
	for (j : 0 .. DOUBTS - 1) {
		if :: j < n && MUST_LOOK(doubts[j]) -> shown = 1 :: else fi
	}
	j = 0
}

/* The last doubt of those that are looked at together with i. */
inline end_of_group()
{
	p = i;
	for (j : 0 .. DOUBTS - 1) {
		if
		:: j > i && j < n && ((NEAR_DOUBTS && MUST_LOOK(doubts[j])) || FIRST(doubts[j]) <= LAST(doubts[p])) -> p = j
		:: else
		fi
	}
	j = 0; i = p; p = 0
}

inline learn()
{
	begin_learning();
	p = clear_to;
#ifndef LEARN_UNSETTLED
	p = MIN(p, settled + 1);
#endif
	do
	:: j < w_n && FIRST(w_doubts[j]) < p && (!is_long || n >= MAX_DOUBTS) -> p = FIRST(w_doubts[j]); break
	:: j < w_n && FIRST(w_doubts[j]) < p && is_long && n < MAX_DOUBTS ->
		doubts[n] = DOUBT(FIRST(w_doubts[j]), MIN(LAST(w_doubts[j]), p - 1), XID(w_doubts[j]));
		list_undone = my_undone; n++; j++
	:: else -> break
	od;
	start = MAX(start, p);
	j = 0; p = 0
}

inline keep()
{
	p = start;
#ifdef NOTE_OVER_PASSED
	p = MIN(clear_to, settled + 1);
#endif
#ifdef NOTE_UNSETTLED
	p = clear_to;
#endif
#ifdef NOTE_OVER_OLDER_DOUBTS
	if :: w_n > 0 -> p = MIN(p, FIRST(w_doubts[0])) :: else fi;
#elif !defined NOTE_OVER_DOUBTS
	if :: n > 0 -> p = MIN(p, FIRST(doubts[0])) :: else fi;
#endif
	if
	:: note_arrivals < pool_arrivals || (note_arrivals == pool_arrivals && note < p) ->
		note = p; note_arrivals = pool_arrivals
	:: else
	fi;
	p = 0
}

/* A wrong start would be kept for others. */
#ifdef NOTE_OWN_CHANGES
#define MAY_KEEP	(!FAULT)
#else
#define MAY_KEEP	(!FAULT && !wrote)
#endif

/* Whether position q is within a doubt. */
inline find_doubt()
{
	in_doubt = 0;
#ifndef SLICE_OVER_DOUBTS
	for (j : 0 .. DOUBTS - 1) {
		if :: j < n && FIRST(doubts[j]) <= q && q <= LAST(doubts[j]) -> in_doubt = 1 :: else fi
	}
	j = 0
#endif
}

inline note_owed()
{
	owed[s] = 0; touched[s] = 0;
	for (v : 0 .. VERSIONS - 1) {
		if :: IS_FREE(v, mine) -> ADD_TO(owed[s], ACCOUNT(v)) :: else fi
	}
	v = 0
}

/* The transaction ends, or is prepared: its savepoints, and what was learnt. */
inline end_transaction()
{
	mine = 0; top = 0; wrote = 0; arrived = 0; forget_before()
}

proctype session(bit s; byte claims)
{
	/* what it remembers of the pool, and what before this transaction */
	bit known, learnt;
	byte start, n, list_undone, settled, pool_arrivals, seen_to = VERY_START;
	short doubts[DOUBTS];
	byte b_start, b_n, b_undone;
	short b_doubts[DOUBTS];
	/* its transaction: its ids, whether it has changed rows, or moved one in */
	short mine = 0;
	byte top = 0;
	bit wrote, arrived, draining;
	byte me = (s == 0 -> 1 : 1 + CLAIMS_0);
	/* the claim and its walk */
	byte tries, my_undone;
	bit doubtful, shown, gave_up, is_long, savepoints;
	byte from, to, page, page_from, v, clear_to, w_n, reserved = NO_VERSION;
	short w_doubts[MAX_DOUBTS];
	short snapshot;
	byte i, j, p, q, y, l_n;
	short left[DOUBTS];
	/* looking back, and a start that is wrong */
	bit slicing, in_doubt, wrong, was_wrong;
	byte asks;

	if :: claims == 0 -> goto over :: else fi;

claim:
#if OWN
	if
	:: true
	:: d_step { s == 0 && !draining && inserted_by[0] == X_NOBODY ->
		moved_in = 1; inserted_by[0] = X_OWN; ADD_TO(entries, BIT(0));
		if :: top == 0 -> top = X_OWN; ADD_TO(tops, BIT(X_OWN)) :: else fi;
		ADD_TO(running, BIT(X_OWN)); ADD_TO(mine, BIT(X_OWN)); arrived = 1; wrote = 1 }
	fi;
#endif
#if FAULT
	if
	:: true
	:: d_step { s == 0 && !was_wrong && known ->
		wrong = 1; was_wrong = 1; start = last_drawn + 1; settled = VERY_END;
		n = 0; clear(doubts, DOUBTS); forget_before() }
	fi;
#endif
	atomic { skip; d_step {
		tries = 1;
		note_owed();
		if :: wrong -> owed[s] = 0 :: else fi;
		if :: draining -> me = X_DRAIN :: else fi;
		get_pool()
	} }
	goto look_at_doubts;

try_again:
	atomic { skip; d_step { tries++; get_pool() } }

look_at_doubts:
	atomic { skip; d_step { find_ended() } }
	if
	:: !shown -> goto nothing_ended
	:: else -> d_step { shown = 0; begin_learning(); doubtful = 1; i = 0 }
	fi;
next_doubt:
	if
	:: i >= n -> goto doubts_done
#ifdef NO_LOOK_AGAIN
	:: i < n -> d_step { append(doubts[i]); i++ }
		goto next_doubt
#else
	:: i < n && MUST_LOOK(doubts[i]) && reserved == NO_VERSION ->
		d_step { from = FIRST(doubts[i]); end_of_group(); to = LAST(doubts[i]) }
		goto walk
	:: i < n && MUST_LOOK(doubts[i]) && reserved != NO_VERSION ->
#ifdef WAIT_FOR_ENDED
		d_step { append(doubts[i]); i++ }
#else
		d_step { append(DOUBT(FIRST(doubts[i]), LAST(doubts[i]), 0)); i++ }
#endif
		goto next_doubt
	:: i < n && !MUST_LOOK(doubts[i]) -> d_step { append(doubts[i]); i++ }
		goto next_doubt
#endif
	fi;
doubt_walked:
	atomic { skip; d_step {
		for (p : 0 .. MAX_DOUBTS - 1) { if :: p < w_n -> append(w_doubts[p]) :: else fi }
		p = LAST(doubts[i]);
		if
#ifdef DROP_RESERVED_DOUBT
		:: clear_to < VERY_END && reserved == NO_VERSION -> append(DOUBT(clear_to, p, 0))
#else
		:: clear_to < VERY_END -> append(DOUBT(clear_to, p, 0))
#endif
		:: else
		fi;
		i++; p = 0; clear_to = 0; w_n = 0; clear(w_doubts, MAX_DOUBTS)
	} }
	goto next_doubt;
doubts_done:
	atomic { skip; d_step {
		for (j : 0 .. DOUBTS - 1) { doubts[j] = left[j]; left[j] = 0 }
		n = l_n; list_undone = (n > 0 -> my_undone : 0); l_n = 0; i = 0; j = 0; doubtful = 0
	} }
nothing_ended:
	atomic { skip; d_step { snapshot = 0; savepoints = 0 } }
	if :: reserved != NO_VERSION -> goto take_reserved :: else fi;

walk_from_start:
	atomic { skip; d_step {
#ifndef SETTLE_AFTER_WALK
		if :: start >= settled -> settle() :: else fi;
#endif
		from = start; to = VERY_END } }

walk:
	atomic { skip; d_step { begin_walk(); read_page() } }
next_row:
	if
	:: page == 0 && page_from < VERSIONS -> d_step { read_page() } goto next_row
	:: page == 0 && page_from == VERSIONS -> goto walked
	:: page != 0 -> d_step { look() }
	fi;
	if :: slicing -> goto row_of_slice :: else fi;
	if
	:: !shown -> goto next_row
	:: else
	fi;
#ifndef NO_COUNT_BEFORE_LOCK
	d_step {
		shown = 0;
		if :: !IS_LAST && pool_arrivals != arrivals -> gave_up = 1; stay_before() :: else fi
	}
	if :: gave_up -> goto walked :: else fi;
#endif
lock_row:
	atomic { skip; d_step { shown = 0; try_lock(); q = 0 } }
	if :: reserved == NO_VERSION -> goto next_row :: else fi;
walked:
	atomic { skip; d_step { page = 0; page_from = 0; v = 0; from = 0; to = 0; q = 0; y = 0; gave_up = 0; shown = 0 } }
	if :: slicing -> goto slice_done :: else fi;
	if :: doubtful -> goto doubt_walked :: else fi;
#ifdef SETTLE_AFTER_WALK
	d_step { if :: start >= settled -> settle() :: else fi }
#endif
	if :: is_long = 0 :: !draining -> is_long = 1 fi;
	if
	:: settled > 0 && !arrived -> d_step { learn() }
		/* Of a short walk, it is kept now and then. */
		if
		:: MAY_KEEP && (is_long || !draining) -> d_step { keep() }
		:: !MAY_KEEP || !is_long
		fi
	:: else
	fi;
	d_step { is_long = 0; clear_to = 0; w_n = 0; clear(w_doubts, MAX_DOUBTS) }
	if
	:: reserved != NO_VERSION -> goto take_reserved
	:: else
	fi;
#if SLICES
	if
	:: start > VERY_START -> d_step { slicing = 1; from = seen_to; to = start - 1; p = from; seen_to = VERY_START }
		goto walk
	:: start == VERY_START || !draining
	fi;
#endif
	goto nothing_found;

row_of_slice:
	if
	:: q > p -> seen_to = q; goto walked	/* enough; this one is the next */
	:: !shown -> goto next_row
	:: shown -> d_step { shown = 0; find_doubt() }
		if :: in_doubt -> in_doubt = 0; goto next_row :: else fi
	fi;
	d_step {
#ifndef SLICE_IN_ANY_CASE
		if :: pool_arrivals != arrivals -> gave_up = 1 :: else fi
#else
		skip
#endif
	}
	if :: gave_up -> goto walked :: else fi;
	assert(wrong);				/* or the start is not */
	d_step {
		wrong = 0; slicing = 0; p = 0;
		y = v; note_owed(); v = y; y = 0;	/* from now on */
#ifndef SLICE_LEAVES_SETTLED
		settled = 0;
#endif
#ifndef SLICE_LEAVES_START
		forget_pool();
#endif
	}
#ifdef SLICE_TAKES
	goto lock_row;
#else
	d_step { page = 0; page_from = 0; v = 0; q = 0; clear_to = 0; w_n = 0 }
	goto walk_from_start;
#endif
slice_done:
	atomic { skip; d_step { slicing = 0; p = 0; clear_to = 0;
#ifdef SLICE_ONCE
		if :: seen_to == VERY_START -> seen_to = start :: else fi
#endif
	} }

nothing_found:
	if
#ifndef NO_RETRY
	:: pool_arrivals != arrivals && !IS_LAST -> goto try_again
#endif
	:: else
	fi;
	assert((IS_LAST -> owed[s] & (~touched[s]) : owed[s]) == 0);
	if
	:: draining && FAULT && asks < MAX_ASKS -> asks++; goto claim
	:: draining && !(FAULT && asks < MAX_ASKS) -> goto drained
	:: !draining -> goto claimed
	fi;

take_reserved:
	atomic { skip; d_step { changed_by[reserved] = me; locked_by[reserved] = 0; reserved = NO_VERSION;
		clear_to = 0; w_n = 0; asks = 0; clear(w_doubts, MAX_DOUBTS);
		if :: draining -> forget_before() :: else -> wrote = 1; me++ fi } }
	if :: draining -> goto claim :: else fi;

claimed:
	atomic { skip; d_step { owed[s] = 0; touched[s] = 0; tries = 0; my_undone = 0; claims-- } }
	if
	:: claims > 0				/* goes on in this transaction */
	:: claims > 0 && HAS(mine, me - 1) -> p = BIT(me - 1); goto roll_back_to
	:: claims > 0 && mine != 0 && !arrived -> p = mine; goto roll_back_to
	:: MAY_END && arrived -> arrivals++;	/* commits, or prepares, what it moved in */
		if
		:: d_step { ADD_TO(committed, mine); TAKE_FROM(running, mine); TAKE_FROM(tops, BIT(top)) }
		:: d_step { prepared_top[s] == 0 -> prepared[s] = mine; prepared_top[s] = top }
		fi;
		d_step { end_transaction() }
	:: MAY_END && !arrived -> d_step {		/* commits */
		ADD_TO(committed, mine); TAKE_FROM(running, mine); TAKE_FROM(tops, BIT(top));
		end_transaction() }
	:: MAY_END && top != 0 -> d_step {		/* rolls back */
		TAKE_FROM(running, mine); TAKE_FROM(tops, BIT(top));
#ifndef NO_UNLEARN_ABORT
		unlearn();
#endif
		end_transaction() }
	:: PREPARE && MAY_END && top != 0 && !arrived && prepared_top[s] == 0 -> d_step {
		prepared[s] = mine; prepared_top[s] = top;
#ifndef NO_UNLEARN_PREPARE
		unlearn();
#endif
		end_transaction() }
	fi;
	if :: claims > 0 -> goto claim :: else -> goto over fi;

roll_back_to:					/* a savepoint, and with it p */
#ifdef TELL_BEFORE
	undone++;
#endif
	atomic { skip; d_step { TAKE_FROM(running, p); TAKE_FROM(mine, p); ADD_TO(untold, p);
#ifndef NO_UNLEARN_SAVEPOINT
		unlearn()
#endif
	} }
	d_step { TAKE_FROM(untold, p); p = 0;
#if !defined NO_TELL_UNDONE && !defined TELL_BEFORE
		undone++
#endif
	}
	goto claim;

over:
	/* One of the two gets all that is left when nobody else does anything. */
	atomic { skip; d_step { unfinished--; me = 0 } }
	if
	:: drainer == s -> unfinished == 0; draining = 1; goto claim
	:: else -> goto done
	fi;
drained:
	atomic { skip; d_step { note_owed() } }
	assert(owed[s] == 0);
done:
	skip
}

init
{
	atomic {
		inserted_by[1] = 0; inserted_by[2] = 0; entries = BIT(1) | BIT(2);
		if :: DRAWN == 3 -> inserted_by[4] = 0; ADD_TO(entries, BIT(4)) :: else fi;
		if :: drainer = 0 :: !FAULT -> drainer = 1 fi;
		run session(0, CLAIMS_0);
		run session(1, CLAIMS_1);
		run resolver();
		if :: ADD > 0 -> run adder(X_ADD) :: else fi;
		if :: ADD > 1 -> run adder(X_ADD + 1) :: else fi;
		if :: EDIT != 0 -> run editor(X_EDIT) :: else fi
	}
}
