/*
 * claim.pml
 *	  A model of how a claim finds the oldest account: src/head.c, arrival.c
 *	  and pool_start.c.  test/model.sh has spin look at everything that it can
 *	  do.
 *
 * One pool with four positions.  Two sessions claim, each with a start of its
 * own; commit, roll back, roll back to a savepoint, or prepare, and somebody
 * decides that later.  Meanwhile accounts are added, moved in from another
 * pool, updated in place and deleted.
 *
 * What has to hold, as assertions:
 *
 *	 A claim gets the oldest account, or an older one, that was ready, committed
 *	 and not being changed when it began; none only if there was none.  What
 *	 another claim took meanwhile does not count, nor what was deleted, nor
 *	 what the claim has seen being changed.  In the last try, which takes what
 *	 it finds, nor what was changed at all.
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
 * Left out: walks that go only a little way at first, walk_fully, which would
 * hide what else is wrong; HOT, vacuum, multixacts; crash and promotion, which
 * leave no session and no note; REPEATABLE READ; errors within a walk.
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
#ifndef MAX_TRIES
#define MAX_TRIES 3
#endif
#define MAX_DOUBTS 2
#define VERSIONS 6
#define NEXT_PAGE 3

/* Transaction ids: those of claims from 1 on, then adders, the editor. */
#define X_ADD		(CLAIMS_0 + CLAIMS_1 + 1)
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

/* Accounts are the bits 0 to 3, by position, and 4: the one that is moved in. */
#define MOVED		16
#define ACCOUNT(v)	((v) == 0 && moved_in -> MOVED : BIT(POSITION(v) - 1))
#define OLDEST(set)	((set) & (MOVED | 1) -> 1 : ((set) & 2 -> 2 : \
					((set) & 4 -> 3 : ((set) & 8 -> 4 : VERY_END))))

/* Transactions: neither running nor committed is aborted. */
short running = 0;
short committed = 1 | BIT(X_DRAIN);
short prepared[2];				/* of each session */

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
#define IS_FREE(v)	(HAS(entries, v) && HAS(committed, inserted_by[v]) && \
	(changed_by[v] == 0 || !(HAS(running, changed_by[v]) || HAS(committed, changed_by[v]))) && \
	(locked_by[v] == 0 || IS_OVER(locked_by[v])))

/* Adds an account: draws a position, stores the row, then its entry. */
proctype adder(byte x)
{
	byte v;

	d_step {
		ADD_TO(running, BIT(x));
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
		TAKE_FROM(running, BIT(x)); TAKE_FROM(drawing, BIT(x));
		unfinished--
	}
}

inline change(old, new, account)
{
	ADD_TO(running, BIT(x));
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
 * new entry is before or behind the old one, or deletes one of them (4, 5); 9:
 * any of these.
 */
proctype editor(byte x)
{
	byte v = NO_VERSION;
	bit arrives = 1;

	if
	:: d_step { (EDIT == 1 || EDIT == 9) && inserted_by[0] == X_NOBODY ->
		ADD_TO(running, BIT(x)); moved_in = 1; v = 0; inserted_by[v] = x }
	:: d_step { (EDIT == 2 || EDIT == 9) && inserted_by[0] == X_NOBODY && IS_FREE(1) ->
		change(1, 0, 1); inserted_by[v] = x }
	:: d_step { (EDIT == 3 || EDIT == 9) && IS_FREE(2) ->
		change(2, 3, 2); inserted_by[v] = x }
	:: d_step { (EDIT == 4 || EDIT == 9) && IS_FREE(1) ->
		change(1, NO_VERSION, 1); arrives = 0; excuse(1) }
	:: d_step { (EDIT == 5 || EDIT == 9) && IS_FREE(2) ->
		change(2, NO_VERSION, 2); arrives = 0; excuse(2) }
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
		:: d_step { TAKE_FROM(running, BIT(x)); unfinished-- }	/* rolls back */
		:: true ->
#if !defined NO_COUNT && !defined COUNT_AFTER_COMMIT
			if :: arrives -> arrivals++ :: else fi;
#endif
			d_step { TAKE_FROM(running, BIT(x)); ADD_TO(committed, BIT(x)) };
#ifdef COUNT_AFTER_COMMIT
			if :: arrives -> arrivals++ :: else fi;
#endif
			unfinished--
		fi
	fi
}

/* Decides what was prepared. */
proctype resolver()
{
	byte s;

end:
	do
	:: atomic { prepared[0] != 0 -> s = 0; goto decide }
	:: atomic { prepared[1] != 0 -> s = 1; goto decide }
	:: atomic { unfinished == 1 && prepared[0] == 0 && prepared[1] == 0 -> unfinished--; break }
	od;
	goto done;
decide:
	atomic {
		if :: ADD_TO(committed, prepared[s]) :: skip fi;
		TAKE_FROM(running, prepared[s]); prepared[s] = 0; s = 0;
		goto end
	}
done:
	skip
}

/* What a session knows is start, doubts (ndoubts of them) and settled. */
inline copy_doubt(to, from)
{
	first[to] = first[from]; last[to] = last[from]; xid[to] = xid[from]
}

inline clear_doubts()			/* equal states have to look equal */
{
	for (j : 0 .. MAX_DOUBTS - 1) {
		if :: j >= ndoubts -> first[j] = 0; last[j] = 0; xid[j] = 0 :: else fi
	}
	j = 0
}

inline forget_before()
{
	learnt = 0; b_start = 0; b_ndoubts = 0;
	for (j : 0 .. MAX_DOUBTS - 1) { b_first[j] = 0; b_last[j] = 0; b_xid[j] = 0 }
	j = 0
}

inline begin_learning()
{
	if
	:: !learnt ->
		learnt = 1; b_start = start; b_ndoubts = ndoubts;
		for (j : 0 .. MAX_DOUBTS - 1) { b_first[j] = first[j]; b_last[j] = last[j]; b_xid[j] = xid[j] }
		j = 0
	:: else
	fi
}

inline unlearn()
{
	if
	:: learnt ->
		start = b_start; ndoubts = b_ndoubts;
		for (j : 0 .. MAX_DOUBTS - 1) { first[j] = b_first[j]; last[j] = b_last[j]; xid[j] = b_xid[j] }
		j = 0
	:: else
	fi
}

inline get_pool()
{
	if
#ifdef NO_OWN_FORGET
	:: pool_arrivals != arrivals || !known ->
#else
	:: pool_arrivals != arrivals || !known || arrived ->
#endif
		pool_arrivals = arrivals; known = 1;
		start = VERY_START; ndoubts = 0; clear_doubts(); forget_before();
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

/* In a walk: clear_to, wndoubts and their w_first, w_last, w_xid. */
inline begin_walk()
{
	clear_to = VERY_END; wndoubts = 0; reserved = NO_VERSION; gave_up = 0; page = 0; page_from = 0; v = 0;
	for (j : 0 .. MAX_DOUBTS - 1) { w_first[j] = 0; w_last[j] = 0; w_xid[j] = 0 }
	j = 0
}

inline stay_before()			/* position q */
{
	clear_to = MIN(clear_to, q)
}

inline add_doubt()				/* at position q, of transaction y */
{
	TAKE_FROM(owed[s], ACCOUNT(v));		/* it has seen it being changed */
	if
	:: q >= clear_to
	:: q < clear_to && wndoubts > 0 && w_xid[wndoubts - 1] == y -> w_last[wndoubts - 1] = q
	:: q < clear_to && wndoubts < MAX_DOUBTS && (wndoubts == 0 || w_xid[wndoubts - 1] != y) ->
		w_first[wndoubts] = q; w_last[wndoubts] = q; w_xid[wndoubts] = y; wndoubts++
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

#define IS_LAST		(tries == MAX_TRIES)

/* Tries to lock what was shown. */
inline try_lock()
{
	if
	:: (changed_by[v] == 0 || !(HAS(running, changed_by[v]) || HAS(committed, changed_by[v]))) &&
		(locked_by[v] == 0 || IS_OVER(locked_by[v]) || HAS(mine, locked_by[v])) ->
		locked_by[v] = me; changed_by[v] = 0;
		if :: !draining -> ADD_TO(running, BIT(me)); ADD_TO(mine, BIT(me)) :: else fi;
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

inline learn()
{
	begin_learning();
	p = clear_to;
#ifndef LEARN_UNSETTLED
	p = MIN(p, settled + 1);
#endif
	do
	:: j < wndoubts && w_first[j] < p && (!is_long || ndoubts == MAX_DOUBTS) -> p = w_first[j]; break
	:: j < wndoubts && w_first[j] < p && is_long && ndoubts < MAX_DOUBTS ->
		first[ndoubts] = w_first[j]; last[ndoubts] = MIN(w_last[j], p - 1); xid[ndoubts] = w_xid[j];
		ndoubts++; j++
	:: else -> break
	od;
	start = MAX(start, p);
	j = 0; p = 0
}

inline keep()
{
	p = clear_to;
#ifndef NOTE_UNSETTLED
	p = MIN(p, settled + 1);
#endif
#ifdef NOTE_OVER_OLDER_DOUBTS
	if :: wndoubts > 0 -> p = MIN(p, w_first[0]) :: else fi;
#elif !defined NOTE_OVER_DOUBTS
	if :: ndoubts > 0 -> p = MIN(p, first[0]) :: else fi;
#endif
	if
	:: note_arrivals < pool_arrivals || (note_arrivals == pool_arrivals && note < p) ->
		note = p; note_arrivals = pool_arrivals
	:: else
	fi;
	p = 0
}

#ifdef NOTE_OWN_CHANGES
#define MAY_KEEP	true
#else
#define MAY_KEEP	(!wrote)
#endif

proctype session(bit s; byte claims)
{
	/* what it remembers of the pool, and what before this transaction */
	bit known, learnt;
	byte start, ndoubts, settled, pool_arrivals;
	byte first[MAX_DOUBTS], last[MAX_DOUBTS], xid[MAX_DOUBTS];
	byte b_start, b_ndoubts;
	byte b_first[MAX_DOUBTS], b_last[MAX_DOUBTS], b_xid[MAX_DOUBTS];
	/* its transaction: its ids, whether it has changed rows, or moved one in */
	short mine = 0;
	bit wrote, arrived, draining;
	byte me = (s == 0 -> 1 : 1 + CLAIMS_0);
	/* the claim and its walk */
	byte tries;
	bit doubtful, shown, gave_up, is_long;
	byte from, to, page, page_from, v, clear_to, wndoubts, reserved = NO_VERSION;
	byte w_first[MAX_DOUBTS], w_last[MAX_DOUBTS], w_xid[MAX_DOUBTS];
	short snapshot;
	byte i, j, kept, p, q, y;

	if :: claims == 0 -> goto over :: else fi;

claim:
#if OWN
	if
	:: true
	:: d_step { s == 0 && !draining && inserted_by[0] == X_NOBODY ->
		moved_in = 1; inserted_by[0] = X_OWN; ADD_TO(entries, BIT(0));
		ADD_TO(running, BIT(X_OWN)); ADD_TO(mine, BIT(X_OWN)); arrived = 1; wrote = 1 }
	fi;
#endif
	atomic { skip; d_step {
		tries = 1; owed[s] = 0; touched[s] = 0;
		for (v : 0 .. VERSIONS - 1) {
			if :: IS_FREE(v) -> ADD_TO(owed[s], ACCOUNT(v)) :: else fi
		}
		v = 0;
		if :: draining -> me = X_DRAIN :: else fi;
		get_pool()
	} }
	goto look_at_doubts;

try_again:
	atomic { skip; d_step { tries++; get_pool() } }

look_at_doubts:
	if
	:: ndoubts == 0 -> goto walk_from_start
	:: else -> d_step { begin_learning(); snapshot = running & (~mine); doubtful = 1; i = 0; kept = 0 }
	fi;
next_doubt:
	if
	:: i == ndoubts -> goto doubts_done
#ifdef NO_LOOK_AGAIN
	:: i < ndoubts ->
		d_step { copy_doubt(kept, i); kept++; i++ }
		goto next_doubt
#else
	:: i < ndoubts && (reserved != NO_VERSION || HAS(snapshot, xid[i])) ->
		d_step { copy_doubt(kept, i); kept++; i++ }
		goto next_doubt
	:: i < ndoubts && reserved == NO_VERSION && !HAS(snapshot, xid[i]) && first[i] != last[i] ->
		d_step { start = first[i]; i = ndoubts }
		goto doubts_done
	:: i < ndoubts && reserved == NO_VERSION && !HAS(snapshot, xid[i]) && first[i] == last[i] ->
		d_step { from = first[i]; to = last[i] }
		goto walk
#endif
	fi;
doubt_walked:
	atomic { skip; d_step {
		if
		:: clear_to == VERY_END && wndoubts == 1 -> first[i] = w_first[0]; last[i] = w_last[0]; xid[i] = w_xid[0]
		:: else
		fi;
		if
#ifdef DROP_RESERVED_DOUBT
		:: reserved == NO_VERSION && (clear_to < VERY_END || wndoubts > 0) -> copy_doubt(kept, i); kept++
#else
		:: clear_to < VERY_END || wndoubts > 0 -> copy_doubt(kept, i); kept++
#endif
		:: else
		fi;
		i++
	} }
	goto next_doubt;
doubts_done:
	atomic { skip; d_step { ndoubts = kept; clear_doubts(); i = 0; kept = 0; snapshot = 0; doubtful = 0 } }
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
	d_step { shown = 0; try_lock(); q = 0 }
	if :: reserved == NO_VERSION -> goto next_row :: else fi;
walked:
	atomic { skip; d_step { page = 0; page_from = 0; v = 0; from = 0; to = 0; q = 0; y = 0; gave_up = 0; shown = 0 } }
	if :: doubtful -> goto doubt_walked :: else fi;
#ifdef SETTLE_AFTER_WALK
	d_step { if :: start >= settled -> settle() :: else fi }
#endif
	if :: is_long = 0 :: !draining -> is_long = 1 fi;
	if
	:: settled > 0 && !arrived -> d_step { learn() }
		if :: is_long && MAY_KEEP -> d_step { keep() } :: else fi
	:: else
	fi;
	d_step { is_long = 0; clear_to = 0; wndoubts = 0;
		for (j : 0 .. MAX_DOUBTS - 1) { w_first[j] = 0; w_last[j] = 0; w_xid[j] = 0 }
		j = 0 }
	if
	:: reserved != NO_VERSION -> goto take_reserved
	:: else
	fi;
	if
#ifndef NO_RETRY
	:: pool_arrivals != arrivals && !IS_LAST -> goto try_again
#endif
	:: else
	fi;
	assert((IS_LAST -> owed[s] & (~touched[s]) : owed[s]) == 0);
	if :: draining -> goto done :: else -> goto claimed fi;

take_reserved:
	atomic { skip; d_step { changed_by[reserved] = me; locked_by[reserved] = 0; reserved = NO_VERSION;
		clear_to = 0; wndoubts = 0;
		for (j : 0 .. MAX_DOUBTS - 1) { w_first[j] = 0; w_last[j] = 0; w_xid[j] = 0 }
		if :: draining -> forget_before() :: else -> wrote = 1; me++ fi;
		j = 0 } }
	if :: draining -> goto claim :: else fi;

claimed:
	atomic { skip; d_step { owed[s] = 0; touched[s] = 0; tries = 0; claims-- } }
	if
	:: claims > 0				/* goes on in this transaction */
	:: claims > 0 && HAS(mine, me - 1) -> d_step {	/* takes the last claim back */
		TAKE_FROM(running, BIT(me - 1)); TAKE_FROM(mine, BIT(me - 1));
#ifndef NO_UNLEARN_SAVEPOINT
		unlearn()
#endif
		}
	:: claims > 0 && mine != 0 && !arrived -> d_step {	/* takes all of them back */
		TAKE_FROM(running, mine); mine = 0;
#ifndef NO_UNLEARN_SAVEPOINT
		unlearn()
#endif
		}
	:: arrived -> arrivals++;	/* commits, or prepares, what it moved in */
		if
		:: d_step { ADD_TO(committed, mine); TAKE_FROM(running, mine); mine = 0 }
		:: d_step { prepared[s] == 0 -> prepared[s] = mine; mine = 0 }
		fi;
		d_step { wrote = 0; arrived = 0; forget_before() }
	:: !arrived -> d_step {		/* commits */
		ADD_TO(committed, mine); TAKE_FROM(running, mine); mine = 0; wrote = 0; forget_before() }
	:: mine != 0 -> d_step {	/* rolls back */
		TAKE_FROM(running, mine); mine = 0; wrote = 0; arrived = 0;
#ifndef NO_UNLEARN_ABORT
		unlearn();
#endif
		forget_before() }
	:: mine != 0 && !arrived && prepared[s] == 0 -> d_step {
		prepared[s] = mine; mine = 0; wrote = 0;
#ifndef NO_UNLEARN_PREPARE
		unlearn();
#endif
		forget_before() }
	fi;
	if :: claims > 0 -> goto claim :: else fi;

over:
	/* One of the two gets all that is left when nobody else does anything. */
	atomic { skip; d_step { unfinished--; me = 0 } }
	if
	:: drainer == s -> unfinished == 0; draining = 1; goto claim
	:: else
	fi;
done:
	skip
}

init
{
	atomic {
		inserted_by[1] = 0; inserted_by[2] = 0; entries = BIT(1) | BIT(2);
		if :: DRAWN == 3 -> inserted_by[4] = 0; ADD_TO(entries, BIT(4)) :: else fi;
		if :: drainer = 0 :: drainer = 1 fi;
		run session(0, CLAIMS_0);
		run session(1, CLAIMS_1);
		run resolver();
		if :: ADD > 0 -> run adder(X_ADD) :: else fi;
		if :: ADD > 1 -> run adder(X_ADD + 1) :: else fi;
		if :: EDIT != 0 -> run editor(X_EDIT) :: else fi
	}
}
