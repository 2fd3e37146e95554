/* Walks in child processes: a crash, a leak and a difference are all seen from outside. The events
 * of a walk are recorded in shared memory, so that it can be played again with some left out. */
#include "walk/shrink.h"

#include "walk/clock.h"
#include "walk/walk.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define WALKS_A_CHILD   40
#define REPLAYS         3 /* of a walk that fails */
#define WALKS_AN_EXCUSE 500
#define DRAWS_MAX       100 /* for a place where an event of this kind is possible */
#define WHY_MAX         200
#define PATIENCE_US     (5 * RTC_US_PER_S)
#define PATIENCE_TRIES  (300 * RTC_US_PER_MS)
#define SHRINK_TIME_US  (120 * RTC_US_PER_S)

/* What a child leaves to its parent. */
typedef struct Record {
  WalkTotals totals;
  uint64_t seed; /* of the walk that runs */
  bool ended;    /* all walks of this child have */
  bool differs;  /* the last child ended by a difference, not by a signal or a sanitizer */
  bool possible[WALK_STEPS]; /* which of a trace's events were, when it was played */
  WalkEvent events[WALK_STEPS];
  size_t count;
  char why[WHY_MAX];
} Record;

typedef struct Trace {
  WalkEvent events[WALK_STEPS];
  size_t count;
} Trace;

static Record *record; /* shared with the children */

/* -- One walk, in a child -- */

static Walk *make_walk(int64_t patience_us, bool tells) {
  Walk *walk = calloc(1, sizeof *walk);
  if (!walk)
    abort();
  walk->patience_us = patience_us;
  walk->tells = tells;
  walk->why = record->why;
  walk->why_cap = sizeof record->why;
  walk_begin(walk);
  return walk;
}

static void end_walk(Walk *walk) {
  walk_end(walk);
  record->totals.handshakes += walk->handshakes;
  free(walk);
}

/* It is recorded first: it may be the last. */
static bool try_step(Walk *walk, const WalkEvent *event) {
  record->events[record->count++] = *event;
  bool possible = walk_step(walk, event);
  if (possible)
    record->totals.played[event->kind]++;
  else
    record->count--;
  return possible;
}

/* An event that goes on with the turn, if one is soon found. */
static bool go_on_with_turn(Walk *walk, WalkRandom *random) {
  for (int i = 0; walk->turn_conn != MODEL_NONE && i < DRAWS_MAX; i++) {
    WalkEvent event = walk_random_event(random);
    event.conn = (uint8_t)walk->turn_conn;
    if (walk_event_is_of_stream(&event) && try_step(walk, &event))
      return true;
  }
  return false;
}

/* Draws events until one is possible. */
static void make_step(Walk *walk, WalkRandom *random) {
  if (go_on_with_turn(walk, random))
    return;
  for (;;) {
    WalkEvent event = walk_random_event(random);
    for (int i = 0; i < DRAWS_MAX; i++) {
      if (try_step(walk, &event))
        return;
      walk_random_place(random, &event);
    }
  }
}

static void walk_at_random(uint64_t seed, int64_t end_us) {
  WalkRandom random = {seed};
  record->seed = seed;
  record->count = 0;
  Walk *walk = make_walk(PATIENCE_US, false);
  while (record->count < WALK_STEPS && walk_real_time() < end_us) {
    make_step(walk, &random);
    record->totals.steps++;
  }
  end_walk(walk);
  record->totals.walks++;
}

static void print_event(const WalkEvent *event) {
  char text[160];
  walk_event_describe(event, text, sizeof text);
  printf("  %s\n", text);
  fflush(stdout);
}

static void play_trace(const Trace *trace, bool tells) {
  Walk *walk = make_walk(PATIENCE_TRIES, tells);
  for (size_t i = 0; i < trace->count; i++) {
    if (tells)
      print_event(&trace->events[i]);
    record->possible[i] = true; /* before: it may be the last */
    record->possible[i] = walk_step(walk, &trace->events[i]);
  }
  end_walk(walk);
}

/* -- Children -- */

static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
static struct sigaction kept[sizeof faults / sizeof *faults];

void walk_keep_signals(void) {
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
    sigaction(faults[i], NULL, &kept[i]);
}

static pid_t fork_child(void) {
  fflush(NULL);
  pid_t child = fork();
  for (size_t i = 0; child == 0 && i < sizeof faults / sizeof *faults; i++)
    sigaction(faults[i], &kept[i], NULL);
  return child;
}

static void silence(void) {
  int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
  dup2(null, STDOUT_FILENO);
  dup2(null, STDERR_FILENO);
  close(null);
}

static bool await_child(pid_t child) {
  int status;
  if (child < 0 || waitpid(child, &status, 0) != child)
    abort();
  record->differs = WIFEXITED(status) && WEXITSTATUS(status) == WALK_FAILED;
  if (WIFSIGNALED(status))
    snprintf(record->why, WHY_MAX, "signal %d", WTERMSIG(status));
  else if (WEXITSTATUS(status) != 0 && !*record->why)
    snprintf(record->why, WHY_MAX, "exit status %d: a sanitizer's, or a leak", WEXITSTATUS(status));
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Walks from this seed on, until the end of their number or of the time. */
static bool run_child(uint64_t seed, uint64_t walks, int64_t end_us) {
  record->ended = false;
  *record->why = '\0';
  pid_t child = fork_child();
  if (child == 0) {
    for (uint64_t i = 0; i < walks && walk_real_time() < end_us; i++)
      walk_at_random(seed + i, end_us);
    record->ended = true;
    exit(0); /* and here a sanitizer looks for leaks */
  }
  return await_child(child);
}

static bool passes(const Trace *trace, bool tells) {
  *record->why = '\0';
  memset(record->possible, 0, sizeof record->possible);
  pid_t child = fork_child();
  if (child == 0) {
    if (!tells)
      silence();
    play_trace(trace, tells);
    exit(0);
  }
  return await_child(child);
}

/* -- Shrinking -- */

/* What was not possible, or came behind the failure, did nothing. */
static void keep_possible(Trace *trace) {
  size_t count = 0;
  for (size_t i = 0; i < trace->count; i++)
    if (record->possible[i])
      trace->events[count++] = trace->events[i];
  trace->count = count;
}

/* Leaves out so many events from one on, if the rest still fails. */
static bool leave_out(Trace *trace, size_t from, size_t count) {
  static Trace shorter;
  if (count > trace->count - from)
    count = trace->count - from;
  shorter.count = trace->count - count;
  memcpy(shorter.events, trace->events, from * sizeof *trace->events);
  memcpy(shorter.events + from, trace->events + from + count,
         (trace->count - from - count) * sizeof *trace->events);
  if (passes(&shorter, false))
    return false;
  *trace = shorter;
  keep_possible(trace);
  return true;
}

/* Pieces from the end, each half as long as the last: what comes late is most often of no use. */
static void shrink(Trace *trace) {
  int64_t end_us = walk_real_time() + SHRINK_TIME_US;
  size_t piece = trace->count / 2;
  while (piece > 0) {
    bool any = false;
    for (size_t end = trace->count; end > 0 && walk_real_time() < end_us;) {
      size_t from = end > piece ? end - piece : 0;
      any |= leave_out(trace, from, end - from);
      end = from < trace->count ? from : trace->count;
    }
    if (!any || piece > 1)
      piece /= 2;
    if (walk_real_time() >= end_us)
      return;
  }
}

/* When a socket takes more is in the kernel's hands, and so, on a busy machine, is the turn in
 * which a full queue calls the host. A difference that no replay shows is told, and a few are
 * excused. */
static bool is_excused(const Trace *trace) {
  if (!record->differs)
    return false;
  for (int i = 0; i < REPLAYS; i++)
    if (!passes(trace, false))
      return false;
  printf("Played again %d times it does not fail: it was in the kernel's hands.\n", REPLAYS);
  record->totals.excused++;
  return record->totals.excused <= 1 + record->totals.walks / WALKS_AN_EXCUSE;
}

/* true: it is excused */
static bool tell_failure(void) {
  static Trace trace;
  printf("\nThe walk with seed %" PRIu64 " fails at step %zu: %s\n", record->seed, record->count,
         record->why);
  trace.count = record->count;
  memcpy(trace.events, record->events, trace.count * sizeof *trace.events);
  fflush(stdout);
  if (is_excused(&trace))
    return true;
  shrink(&trace);
  printf("Shrunk to %zu events:\n", trace.count);
  passes(&trace, true);
  printf("It fails: %s\n", record->why);
  return false;
}

/* A leak shows only when a child ends: of which of its walks is it? */
static void find_leak(uint64_t seed) {
  for (uint64_t i = 0; i < WALKS_A_CHILD; i++)
    if (!run_child(seed + i, 1, INT64_MAX))
      return;
}

static uint64_t walks_of(uint64_t steps) {
  uint64_t walks = (steps + WALK_STEPS - 1) / WALK_STEPS;
  return walks < WALKS_A_CHILD ? walks : WALKS_A_CHILD;
}

bool walk_run(uint64_t seed, uint64_t steps, int64_t time_us, WalkTotals *totals) {
  record = mmap(NULL, sizeof *record, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (record == MAP_FAILED)
    abort();
  int64_t begin_us = walk_real_time();
  int64_t end_us = time_us ? begin_us + time_us : INT64_MAX;
  bool ok = true;
  while (ok && record->totals.steps < steps && walk_real_time() < end_us) {
    ok = run_child(seed, walks_of(steps - record->totals.steps), end_us);
    if (!ok && record->ended)
      find_leak(seed);
    if (!ok)
      ok = tell_failure();
    seed += WALKS_A_CHILD;
  }
  *totals = record->totals;
  totals->took_us = walk_real_time() - begin_us;
  munmap(record, sizeof *record);
  return ok;
}
