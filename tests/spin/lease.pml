/* lease.pml: one task, two servers on one store, two workers, a person, crashes and the clock.
 *
 * What is modelled is what the engine promises to do: a server reads a row, decides on what it has
 * read, and writes under the condition that the row's version is still that one; an answer goes out
 * behind the write. Everything between can go wrong: servers crash, answers are lost, workers stand
 * still, give up, ask twice, or go on long after their lease; the clock jumps when a server is
 * started. A sweep is decided like everything else, by either server.
 *
 * proof/spin looks at all states. Each of these must lead to a counter-example:
 *   NO_FENCE      the token of a call is not compared
 *   BLIND_SWEEP   the sweep writes without looking whether the row is what it has read
 *   WORKER_CLOCK  the end of a lease comes from the worker's clock, which is behind
 *   EARLY_ANSWER  the answer goes out before the write
 */
#ifndef CLAIMS
#define CLAIMS 2    /* claims at most, so that there is an end to it */
#endif
#define ATTEMPTS 2  /* maxAttempts of the task */
#define LEASE 2     /* in ticks */
#define WORKERS 2
#define PERSON 2    /* the wire of the person who cancels, once */

mtype = { nothing, claim, beat, complete, fail, release, cancel, sweep, yes, no,
          pending, running, completed, failed, abandoned, cancelled };

#define IS_FINAL (status != pending && status != running)

/* The row, durable. What a server has read of it is still so unless it is `stale`: that is the
 * comparison of versions, without numbers that would make states differ which do not. */
mtype status = pending;
byte fence;     /* the token of the latest claim; each gets a number of its own */
byte attempts;
byte left;      /* of its lease, by the clock of the store */
bit wanted;     /* somebody has asked for it to be cancelled */
bit stale[2];   /* the row has changed since that server read it */

/* A wire has one request under way: what is asked, by which token, and what was answered. */
typedef wire_of { mtype verb = nothing; byte token; mtype answer = nothing };
wire_of wire[WORKERS + 1];

byte busy;      /* servers that have read and not written */

/* What the model watches and no server knows. */
bit accepted;   /* a result was */
byte promised;  /* for how long the present holder may go on, by its last answer */

inline changed() { stale[0] = 1; stale[1] = 1 }

inline row_ends(how) {
  assert(!IS_FINAL);
  status = how;
  left = 0;
  promised = 0;
  changed()
}

/* The row goes to nobody: no token is good any more. */
inline row_goes_back() {
  assert(!IS_FINAL);
  status = pending;
  left = 0;
  promised = 0;
  changed()
}

#ifdef NO_FENCE
#define HOLDS (status == running)
#else
#define HOLDS (status == running && fence == token)
#endif

#ifdef WORKER_CLOCK
#define LENGTH (LEASE - 1)
#else
#define LENGTH LEASE
#endif

#ifdef BLIND_SWEEP
#define MAY_WRITE (!stale[me] || doing == sweep)
#else
#define MAY_WRITE (!stale[me])
#endif

/* Behind the write, unless the one who asked has turned to something else. The answer to a claim
 * brings the token. */
inline tell(what) {
  if
  :: wire[whose].verb == doing && wire[whose].token == token && wire[whose].answer == nothing ->
    wire[whose].answer = what;
    if
    :: doing == claim && what == yes -> wire[whose].token = fence
    :: else
    fi
  :: else
  fi
}

inline decide_claim() {
  if
  :: status == pending && fence < CLAIMS ->
    assert(attempts < ATTEMPTS);
    status = running;
    fence++;
    attempts++;
    left = LENGTH;
    promised = LEASE;
    changed();
    tell(yes)
  :: else -> tell(no)
  fi
}

inline decide_move() {
  if
  :: HOLDS ->
    /* Whoever moves the task is the one who has it. */
    assert(token == fence);
    if
    :: doing == beat ->
      if
      :: !wanted ->
        left = LENGTH;
        promised = LEASE;
        changed()
      :: else  /* it may not go on for longer: the lease is as it was */
      fi
    :: doing == complete ->
      row_ends(completed);
      assert(!accepted);
      accepted = 1
    :: doing == fail ->
      if
      :: wanted -> row_ends(cancelled)
      :: !wanted && attempts < ATTEMPTS -> row_goes_back()
      :: else -> row_ends(failed)
      fi
    :: doing == release ->
      if
      :: wanted -> row_ends(cancelled)
      :: else -> attempts--; row_goes_back()
      fi
    fi;
    tell(yes)
  :: doing == complete && status == completed && fence == token -> tell(yes)  /* asked again */
  :: else -> tell(no)
  fi
}

/* A running task is not torn from its worker: its lease ends now, with no grace, and until a sweep
 * comes by the worker may still end it. */
inline decide_cancel() {
  if
  :: status == pending ->
    row_ends(cancelled);
    tell(yes)
  :: status == running && !wanted ->
    wanted = 1;
    left = 0;
    promised = 0;
    changed();
    tell(no)
  :: else -> tell(no)
  fi
}

inline decide_sweep() {
  assert(promised == 0);  /* no lease ends before its holder was told */
  if
  :: wanted -> row_ends(cancelled)
  :: !wanted && attempts < ATTEMPTS -> row_goes_back()
  :: else -> row_ends(abandoned)
  fi
}

inline forget() { busy--; doing = nothing; whose = 0; token = 0; stale[me] = 0 }

#define WAITS(w) (doing == nothing && wire[w].verb != nothing && wire[w].answer == nothing)

inline take(w) { busy++; stale[me] = 0; whose = w; doing = wire[w].verb; token = wire[w].token }

proctype server(bit me) {
  mtype doing = nothing;
  byte whose, token;
  end:
  do
  /* load */
  :: atomic { WAITS(0) -> take(0) }
  :: atomic { WAITS(1) -> take(1) }
  :: atomic { WAITS(PERSON) -> take(PERSON) }
  :: atomic { doing == nothing && status == running && left == 0 ->
      busy++;
      stale[me] = 0;
      doing = sweep }
#ifdef EARLY_ANSWER
  :: atomic { doing == complete && !stale[me] && HOLDS && wire[whose].answer == nothing ->
      tell(yes) }
#endif
  /* decide and write, or decide again upon what is there now */
  :: atomic { doing != nothing ->
      if
      :: MAY_WRITE ->
        if
        :: doing == claim -> decide_claim()
        :: doing == cancel -> decide_cancel()
        :: doing == sweep -> decide_sweep()
        :: else -> decide_move()
        fi
      :: else
      fi;
      forget() }
  /* killed: what it had in memory is gone, what it wrote stays */
  :: atomic { doing != nothing -> forget() }
  od
}

inline hang_up(w) { wire[w].verb = nothing; wire[w].token = 0; wire[w].answer = nothing }

proctype worker(byte me) {
  byte token;
  end:
  do
  :: atomic { wire[me].verb == nothing && token == 0 -> wire[me].verb = claim }
  :: atomic { wire[me].verb == nothing && token != 0 ->
      wire[me].token = token;
      if
      :: wire[me].verb = beat
      :: wire[me].verb = complete
      :: wire[me].verb = fail
      :: wire[me].verb = release
      fi }
  /* the answer is read */
  :: atomic { wire[me].answer == yes ->
      if
      :: wire[me].verb == claim -> token = wire[me].token
      :: wire[me].verb == complete ->
        assert(status == completed);  /* what was acknowledged stays */
        token = 0
      :: wire[me].verb == fail || wire[me].verb == release -> token = 0
      :: else
      fi;
      hang_up(me) }
  :: atomic { wire[me].answer == no -> token = 0; hang_up(me) }
  /* the connection is lost, before or after the server has done it: the worker knows nothing, and
     may ask again with the token that it has, while the request may still be carried out */
  :: atomic { wire[me].verb != nothing -> hang_up(me) }
  od
}

proctype person() {
  atomic { wire[PERSON].verb = cancel }
  end:
  if
  :: atomic { wire[PERSON].answer == yes -> assert(status == cancelled); hang_up(PERSON) }
  :: atomic { wire[PERSON].answer == no -> hang_up(PERSON) }
  :: atomic { wire[PERSON].answer == nothing -> hang_up(PERSON) }
  fi
}

proctype time() {
  end:
  do
  :: atomic { left > 0 || promised > 0 ->
      if
      :: left > 0 -> left--
      :: else
      fi;
      if
      :: promised > 0 -> promised--
      :: else
      fi }
  /* the store is started again, by a clock that was set back or ahead: only ahead may end a lease
     before the time that its holder was told */
  :: atomic { busy == 0 && status == running && left <= LEASE -> left++; promised++ }
  :: atomic { busy == 0 && left > 0 -> left--; promised = 0 }
  od
}

init {
  atomic {
    run server(0);
    run server(1);
    run worker(0);
    run worker(1);
    run person();
    run time()
  }
}
