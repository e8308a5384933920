/*
 * How a backup changes, for the model checker Spin: every interleaving of some requests with sweep, doctor and collection,
 * with crashes, lost responses, late requests and pauses of any length. What must hold is marked CLAIM. A rule names the
 * file that has it. FAULT leaves one rule out, and then a claim must fail: that shows that the claim is not empty.
 *
 * Left out is what only refuses: proofs, limits, and the comparison of numbers before blobs are deleted.
 */
#ifndef FAULT
#define FAULT 0
#endif
#define COMMIT_BEFORE_BLOB (FAULT == 1)
#define SWEEP_WITHOUT_GRACE (FAULT == 2)
#define COMMIT_AFTER_PAUSE (FAULT == 3)
#define REPEAT_WITHOUT_TOKEN (FAULT == 4)
#define DELETE_BEFORE_COMMIT (FAULT == 5)
#define REVISION_NOT_COMPARED (FAULT == 6)
#define NONCE_NOT_CONSUMED (FAULT == 7)
#define CONFLICT_AFTER_DOUBT (FAULT == 8)
#define BLOB_DELETED_IN_DOUBT (FAULT == 9)
#define COLLECTED_WITHOUT_TAKING (FAULT == 10)
#define DELETED_STATES_NOT_LISTED (FAULT == 11)
#define ROW_RELEASED_BLINDLY (FAULT == 12)
#define RESET_LEAVES_STATES (FAULT == 13)

#define WRITERS 2 /* processes of the service, each with one request */
#define DELETIONS 2
#define BLOBS (3 + WRITERS) /* names: 0 means none, 1 and 2 were there before, then one for each writer */
#define bit(n) (1 << (n))
#define has(set, n) (((set) & bit(n)) != 0)

/* Time is ages in ticks: what happens within a tick may be minutes apart, and any time passes between two ticks. */
#define LATE 0 /* src/storage/late-changes.ts: no commit if the writing of its blob began longer ago */
#define IN_FLIGHT 1 /* src/storage/aws/transactions.ts: the store refuses what was signed longer ago */
#define YOUNG 1 /* src/maintenance/unreferenced-blobs.ts: up to this age a blob may be about to be committed */
#define OLD 2 /* the last age */
#define older(age) (age < OLD -> age + 1 : OLD)

/* The blob store. A set of blobs has a bit for each; "none" is always stored. */
byte stored = bit(0), age[BLOBS];

/* The record store: a record with one version, its index row, and what deletions set aside. Revision 0: no record. */
byte revision, current, version;
bool row;
mtype = { UNUSED, KEPT, TAKEN, GONE };
mtype kept[DELETIONS] = UNUSED;
byte keptCurrent[DELETIONS], keptVersion[DELETIONS], deletions;
byte leftovers; /* blobs that a collection deletes: Change.collect */
byte consumed; /* a set of nonces */

/* The requests by their nonces, with the content that the client believes to be current. */
mtype = { CREATE, SYNC, RESTORE, DELETE, UNDELETE, RESET };
mtype operation[WRITERS];
byte believed[WRITERS];
byte sentAt[WRITERS]; /* ages of the signatures of commits, by writer */
byte ended; /* writers that ended or crashed */
byte committed, released; /* blobs that a commit referred to, and those that a request or a collection gave up */

#define ofRecord (bit(current) | bit(version))
#define ofState(n, what) (kept[n] == what -> bit(keptCurrent[n]) | bit(keptVersion[n]) : 0)
#define ofStates(what) (ofState(0, what) | ofState(1, what))
#define referenced (bit(0) | ofRecord | ofStates(KEPT))

/* CLAIM: what a record, its version, or a state that can be brought back refers to is stored.
   CLAIM: a record has its index row. */
#define blobsExist ((referenced & ~stored) == 0)
#define rowExists (revision == 0 || row)
active proctype Claims() { end: atomic { !blobsExist || !rowExists -> assert(blobsExist); assert(rowExists) } }

proctype Clock() {
  byte i;
  do
  :: d_step { ended < WRITERS ->
      for (i : 1 .. BLOBS - 1) { age[i] = older(age[i]) }
      for (i : 0 .. WRITERS - 1) { sentAt[i] = older(sentAt[i]) }
      i = 0 }
  :: ended == WRITERS -> break
  od
}

mtype = { COMMITTED, ALREADY_USED, REVISION, EXISTS, NOT_KEPT, TOO_LATE };

/* src/storage/contract.ts, RecordStore.commit: one step, all of the change or nothing. */
inline commit() {
  if
  :: made && !REPEAT_WITHOUT_TOKEN -> outcome = COMMITTED /* src/storage/aws/transactions.ts: the store knows the token */
  :: else ->
    outcome = (has(consumed, nonce) && !NONCE_NOT_CONSUMED -> ALREADY_USED :
      (expected == 0 && revision != 0 -> EXISTS :
      (expected != revision && !REVISION_NOT_COMPARED -> REVISION :
      ((has(states, 0) && kept[0] != KEPT) || (has(states, 1) && kept[1] != KEPT) -> NOT_KEPT : COMMITTED))));
    if :: outcome == COMMITTED -> carryOut() :: else fi
  fi
}

inline carryOut() {
  assert(!has(consumed, nonce)); /* CLAIM: no request is carried out twice */
  made = true; consumed = consumed | bit(nonce);
  assert(!refused); /* CLAIM: what was reported as refused is not carried out afterwards */
  if
  :: op == CREATE -> current = mine; version = 0; row = true
  :: op == SYNC || op == RESTORE ->
    assert(current == believed[nonce]); /* CLAIM: no content is replaced by a client that did not know it */
    if
    :: op == SYNC -> released = released | bit(version); version = current; current = mine
    :: else -> current = version; version = believed[nonce]
    fi
  :: op == DELETE -> /* src/backups/deletion.ts */
    kept[deletions] = KEPT; keptCurrent[deletions] = current; keptVersion[deletions] = version; deletions++;
    current = 0; version = 0; row = false
  :: op == UNDELETE -> /* src/backups/deleted-states.ts, bringingBack */
    n = (has(states, 1) -> 1 : 0);
    current = keptCurrent[n]; version = keptVersion[n]; kept[n] = GONE; row = true; n = 0
  :: op == RESET -> /* src/backups/reset.ts */
    leftovers = leftovers | dropped; released = released | dropped; current = 0; version = 0; row = false;
    if :: has(states, 0) && !RESET_LEAVES_STATES -> kept[0] = GONE :: else fi;
    if :: has(states, 1) && !RESET_LEAVES_STATES -> kept[1] = GONE :: else fi
  fi;
  committed = committed | ofRecord; age[mine] = OLD; /* from now on it does not matter */
  revision = (current == 0 -> 0 : 2 + me) /* a new one: each writer commits once */
}

#define writesBlob (op == CREATE || op == SYNC)
#define discard(set) stored = (stored & ~(set)) | bit(0)

proctype Writer(byte me, nonce) {
  byte expected, states, dropped, mine, attempts, n;
  bool made, doubt, refused;
  mtype op = operation[nonce], outcome;
read:
  atomic {
    attempts++;
    if :: believed[nonce] == 0 -> believed[nonce] = current :: else fi;
    expected = (op == CREATE || op == UNDELETE -> 0 : revision);
    dropped = (op == RESET -> ofRecord : (op == SYNC -> bit(version) : 0));
    if /* src/backups/rules.ts, requireManifestHash; restore-version.ts; delete-backup.ts */
    :: (op == SYNC || op == RESTORE) && (current == 0 || current != believed[nonce]) -> goto refuse
    :: op == RESTORE && version == 0 -> goto refuse
    :: op == DELETE && revision == 0 -> goto refuse
    :: op == RESET || op == UNDELETE -> skip
    :: else -> goto write
    fi
  };
  atomic {
    states = (kept[0] == KEPT -> bit(0) : 0) | (kept[1] == KEPT -> bit(1) : 0);
    if
    :: op == UNDELETE && has(states, 1) -> states = bit(1) /* the latest */
    :: op == RESET -> dropped = dropped | ofStates(KEPT)
    :: else
    fi;
    if :: expected == 0 && states == 0 -> goto refuse :: else fi
  };
write:
  atomic {
    if
    :: writesBlob && mine == 0 -> /* src/backups/new-content.ts; its age is that of the writing's begin */
      mine = 3 + me; age[mine] = 0;
      if :: !COMMIT_BEFORE_BLOB -> stored = stored | bit(mine) :: else fi
    :: else -> goto send
    fi
  };
send:
  atomic {
    if
    :: writesBlob && age[mine] > LATE && !COMMIT_AFTER_PAUSE ->
      if :: doubt -> goto unknown :: else -> outcome = TOO_LATE; goto refuse fi
    :: else -> sentAt[me] = 0; if :: DELETE_BEFORE_COMMIT -> discard(dropped) :: else fi
    fi
  };
  if
  :: atomic { sentAt[me] <= IN_FLIGHT -> commit();
      if
      :: doubt = true; goto send /* the response is lost */
      :: goto unknown /* and the process crashes, or gives up */
      :: outcome == COMMITTED -> assert(made) /* CLAIM: what is acknowledged was carried out */
      :: outcome == REVISION && attempts < 2 -> doubt = false; goto read /* src/backups/change.ts, sync.ts */
      :: outcome != COMMITTED && (outcome != REVISION || attempts == 2) -> goto refuse
      fi }
  :: atomic { sentAt[me] > IN_FLIGHT -> goto send }
  :: atomic { doubt = true; goto send } /* the request is under way for long, and sent again */
  :: goto unknown
  fi;
  if :: COMMIT_BEFORE_BLOB -> stored = stored | bit(mine) :: else fi;
  if :: discard(dropped) :: skip fi; /* src/backups/change.ts: in the background, unless the process crashes */
  goto over;
refuse:
  atomic {
    /* src/storage/aws/transactions.ts, mayPass: an earlier attempt may be carried out when the conflict is over */
    if :: doubt && outcome == EXISTS && !CONFLICT_AFTER_DOUBT -> goto unknown :: else fi;
    assert(!made); /* CLAIM: what is reported as refused was not carried out before */
    refused = true
  };
  if :: discard(bit(mine)) :: skip fi;
unknown: /* an attempt that nobody waits for may still be carried out */
  if
  :: atomic { doubt && sentAt[me] <= IN_FLIGHT -> commit() }
  :: BLOB_DELETED_IN_DOUBT -> discard(bit(mine))
  :: skip
  fi;
over:
  atomic { nonce = 0; expected = 0; states = 0; dropped = 0; mine = 0; attempts = 0; made = false; doubt = false;
    refused = false; op = 0; outcome = 0; sentAt[me] = OLD; ended++ }
}

#define aged(n) (age[n] > (SWEEP_WITHOUT_GRACE -> 0 - 1 : YOUNG) -> bit(n) : 0)
#define oldBlobs (aged(1) | aged(2) | aged(3) | aged(4))

/*
 * src/maintenance/unreferenced-blobs.ts: records, then deleted states and leftovers, twice. They may change in between.
 * A sweep deletes what two calls have found, and the doctor what a third listing lacks too. This is the worst of both.
 * Two listings miss a blob that an undelete, a deletion and an undelete move at three exact moments, which takes more
 * requests than there are here. The sweep has four listings, in two calls, and the doctor three.
 */
inline sweep() {
  seen = ofRecord; seen = seen | (DELETED_STATES_NOT_LISTED -> 0 : ofStates(KEPT) | ofStates(TAKEN));
  suspects = stored & oldBlobs & ~(seen | leftovers | bit(0));
  seen = ofRecord; seen = seen | (DELETED_STATES_NOT_LISTED -> 0 : ofStates(KEPT) | ofStates(TAKEN));
  suspects = suspects & ~(seen | leftovers);
  atomic { discard(suspects); suspects = 0; seen = 0 }
}

/* src/maintenance/doctor/index-rows.ts: a commit that expects no record. */
inline releaseRow() {
  if
  :: row && revision == 0 -> if :: atomic { revision == 0 || ROW_RELEASED_BLINDLY -> row = false } :: else fi
  :: else
  fi
}

/* src/maintenance/leftovers.ts: leftovers, and the deleted state n if its time is over, which is at any time here. */
inline collect(n) {
  atomic {
    if
    :: kept[n] == KEPT && !COLLECTED_WITHOUT_TAKING -> kept[n] = TAKEN; released = released | ofState(n, TAKEN)
    :: else
    fi;
    suspects = leftovers | ofState(n, (COLLECTED_WITHOUT_TAKING -> KEPT : TAKEN))
  };
  seen = ofRecord;
  atomic { if :: !COLLECTED_WITHOUT_TAKING -> seen = seen | ofStates(KEPT) :: else fi };
  discard(suspects & ~seen);
  atomic {
    leftovers = leftovers & ~suspects; suspects = 0; seen = 0;
    if :: kept[n] == TAKEN || COLLECTED_WITHOUT_TAKING -> kept[n] = GONE :: else fi
  }
}

proctype Maintenance() {
  byte seen, suspects;
  if :: true -> sweep() :: true -> releaseRow() :: true -> collect(0); collect(1) fi;
  atomic {
    ended == WRITERS;
    assert((committed & ~released & ~referenced) == 0); /* CLAIM: no content is lost that nobody gave up */
    age[1] = OLD; age[2] = OLD; age[3] = OLD; age[4] = OLD;
    collect(0); collect(1); sweep(); releaseRow();
    assert(stored == referenced); /* CLAIM: in the end no blob is left that nothing refers to */
    assert(row == (revision != 0)) /* CLAIM: nor an index row */
  }
}

/* Between two requests with one nonce, another device restores the version: what the client believes is true again. */
proctype Restoration() {
end:
  d_step { version != 0 -> byte n; n = current; current = version; version = n; n = 0; revision = 2 + WRITERS }
}

/* A client without a response sends the same request again, perhaps to another process: two have the same nonce then. */
inline start(n) {
  if :: operation[n] = CREATE :: operation[n] = SYNC :: operation[n] = RESTORE :: operation[n] = DELETE
     :: operation[n] = UNDELETE :: operation[n] = RESET fi;
  if
  :: n > 0 -> operation[n] = operation[0]; run Writer(n, 0); run Restoration()
  :: n == 0 || operation[n] >= operation[n - 1] -> run Writer(n, n)
  fi
}

init {
  byte n;
  atomic {
    if
    :: row = true :: row = false /* no backup; a crash may have left an index row */
    :: row = true; revision = 1; current = 1; version = 2
    :: deletions = 1; kept[0] = KEPT; keptCurrent[0] = 1; keptVersion[0] = 2
    fi;
    if :: current == 0 && deletions == 0 -> skip :: else -> stored = bit(0) | bit(1) | bit(2); committed = stored fi;
    for (n : 1 .. BLOBS - 1) { age[n] = OLD }
    for (n : 0 .. WRITERS - 1) { sentAt[n] = OLD; start(n) }
    n = 0; run Clock(); run Maintenance()
  }
}
