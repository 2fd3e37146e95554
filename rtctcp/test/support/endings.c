/* A cell of the matrix from its setup to the comparison, and all cells of a program as its tests.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/descriptors.h"
#include "support/endings.h"
#include "support/endings_matrix.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CELLS_MAX (ENDING_COUNT * MOMENT_COUNT)
#define TRIES     5 /* of a beginning that must be quick */
/* What libraries keep for a thread, and malloc's caches, come and go; a session's DTLS and SRTP are
 * far above that [octets]. */
#define OCTETS_LEFT_MAX (8 * 1024)
#define WARM_CELLS      8 /* that fill these caches first */

typedef struct Group {
  EndingsCell cells[CELLS_MAX];
  size_t count;
  size_t run;                /* cells that were */
  size_t silences;           /* that are not over */
  size_t descriptors_before; /* the first of them */
} Group;

static Group group;

/* -- Memory -- */

/* 0: not known, where another allocator is in malloc's place. */
static size_t octets_in_use(void) {
  return endings_slowness() == 1 ? mallinfo2().uordblks : 0;
}

/* -- Beginning -- */

static void set_up(EndingsCell *cell) {
  void *state = &cell->config;
  endings_prepare(cell);
  cell->config.last = &cell->figures;
  cell->was_held = false;
  cell->rest_len = 0;
  cell->stream = NULL;
  sem_init(&cell->inside, 0, 0);
  sem_init(&cell->go_on, 0, 0);
  sem_init(&cell->done, 0, 0);
  cell->octets_before = octets_in_use();
  assert_int_equal(host_setup(&state), 0);
  cell->host = state;
  if (cell->ending == ENDING_SILENCE && group.silences++ == 0)
    group.descriptors_before = cell->host->descriptors_before;
}

static void tear_down(EndingsCell *cell) {
  void *state = cell->host;
  if (cell->is_held)
    endings_let_go(cell);
  sem_post(&cell->go_on); /* after a failure: what was to be held, and comes yet, is not */
  cell->host = NULL;
  group.silences -= cell->ending == ENDING_SILENCE;
  host_teardown(&state);
  sem_destroy(&cell->inside);
  sem_destroy(&cell->go_on);
  sem_destroy(&cell->done);
}

static void act_on_worker(void *arg) {
  endings_host_act(arg);
}

static void begin(EndingsCell *cell) {
  set_up(cell);
  endings_reach(cell);
  endings_peer_act(cell);
  if (cell->is_held)
    endings_let_go(cell);
  else
    host_run(cell->host, act_on_worker, cell);
}

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The timeout runs from the session's opening on: one that was slow to come to its moment, on a
 * machine that had other things to do, says nothing, and is begun again. */
static void begin_silence(EndingsCell *cell) {
  for (int i = 0; i < TRIES; i++) {
    int64_t begin_ms = now_ms();
    begin(cell);
    if (now_ms() - begin_ms < cell->config.session_timeout_ms / 2)
      return;
    tear_down(cell);
  }
  fail_msg("%s is not reached in time", moment_name(cell->moment));
}

/* -- End -- */

/* Of each conn that the peer has kept, the server has closed its side. */
static void assert_peer_sees_end(EndingsCell *cell) {
  RtcPeer *peer = cell->session->peer;
  for (int conn = 0; conn < ENDINGS_CONNS_MAX; conn++) {
    if (peer_fd(peer, conn) < 0)
      continue;
    int end = peer_wait_closed(peer, conn, PEER_TIMEOUT_MS);
    assert_true(end == PEER_EOF || end == PEER_CUT || end == PEER_RESET);
  }
}

/* An idle peer is told why, whenever this side has ended it. */
static void assert_peer_was_notified(EndingsCell *cell) {
  static const unsigned told =
      1u << RTC_CLOSE_HOST | 1u << RTC_CLOSE_WORKER_STOP | 1u << RTC_CLOSE_DRAIN;
  bool idle = cell->moment == MOMENT_IDLE || cell->moment == MOMENT_CLIENT_DONE ||
              cell->moment == MOMENT_HALF_FRAME;
  if (idle && (told & 1u << cell->reason))
    assert_true(peer_close_notify_received(cell->session->peer));
}

/* All of it goes by itself, while the peer still has its sockets; but for what is the peer's to
 * close. */
static void await_gone(EndingsCell *cell, const EndingsOutcome *expected) {
  Host *host = cell->host;
  for (int conn = 0; expected->stranger_stays && conn < ENDINGS_CONNS_MAX; conn++)
    peer_close(cell->session->peer, conn);
  if (!host->worker_stopped)
    host_drop_handle(cell->session);
  if (endings_ends_server(cell)) {
    host_await_server_gone(host);
    return;
  }
  HOST_AWAIT(host, connections.live, 0);
  HOST_AWAIT(host, tcp_conns.live, 0);
}

static void observe(EndingsCell *cell) {
  const HostSession *session = cell->session;
  pthread_mutex_lock(&cell->host->lock);
  memcpy(cell->states, session->states, sizeof cell->states);
  cell->state_count = session->state_count;
  cell->reason = session->reason;
  pthread_mutex_unlock(&cell->host->lock);
}

static void end(EndingsCell *cell, const EndingsOutcome *expected) {
  if (expected->goes_on)
    endings_go_on(cell);
  host_await_state(cell->session, RTC_CONNECTION_STATE_CLOSED);
  await_gone(cell, expected);
  observe(cell);
  assert_peer_sees_end(cell);
  assert_peer_was_notified(cell);
  tear_down(cell); /* which finds no coroutine and no descriptor left, nor a late callback */
}

/* -- Comparing -- */

static bool same_states(const EndingsCell *cell, const EndingsOutcome *expected, bool skip) {
  const RtcConnectionState *parts[] = {stage_states(moment_stage(cell->moment)), expected->states};
  size_t at = 0;
  for (size_t part = 0; part < 2; part++) {
    for (const RtcConnectionState *state = parts[part]; *state != RTC_CONNECTION_STATE_NEW;
         state++) {
      if (skip && part == 1 && *state == RTC_CONNECTION_STATE_DISCONNECTED)
        continue;
      if (at >= cell->state_count || cell->states[at++] != *state)
        return false;
    }
  }
  return at == cell->state_count;
}

static uint64_t sum(const uint64_t *counts, size_t count) {
  uint64_t total = 0;
  for (size_t i = 0; i < count; i++)
    total += counts[i];
  return total;
}

/* Can each TCP conn be given one of its reasons, so that none is left? */
static bool tcp_reasons_match(uint64_t *counts, const unsigned *sets, size_t set) {
  if (set == ENDINGS_CONNS_MAX || !sets[set])
    return sum(counts, RTC_TCP_CLOSE_COUNT) == 0;
  for (unsigned reason = 0; reason < RTC_TCP_CLOSE_COUNT; reason++) {
    if (!counts[reason] || !(sets[set] & 1u << reason))
      continue;
    counts[reason]--;
    if (tcp_reasons_match(counts, sets, set + 1))
      return true;
    counts[reason]++;
  }
  return false;
}

static void compare(const EndingsCell *cell, const EndingsOutcome *expected) {
  const RtcServerStats *figures = &cell->figures;
  uint64_t counts[RTC_TCP_CLOSE_COUNT];
  char text[ENDINGS_TEXT_MAX];
  memcpy(counts, figures->tcp_closes, sizeof counts);
  endings_describe(cell, text);
  bool states = same_states(cell, expected, false) ||
                (expected->may_skip_disconnect && same_states(cell, expected, true));
  bool reason = expected->reasons & 1u << cell->reason && figures->closes[cell->reason] == 1 &&
                sum(figures->closes, RTC_CLOSE_COUNT) == 1;
  bool tcp_reasons = tcp_reasons_match(counts, expected->tcp_reasons, 0);
  if (!states || !reason || !tcp_reasons)
    fail_msg("not as expected:%s%s%s: %s", states ? "" : " states", reason ? "" : " reason",
             tcp_reasons ? "" : " TCP reasons", text);
  assert_true(figures->connections.total == 1 && figures->connections.live == 0);
  assert_true(figures->tcp_conns.live == 0 && figures->unauthenticated == 0);
  assert_true(figures->handshakes <= 1);
  assert_int_equal(cell->after_closed, 0);
}

static void compare_memory(const EndingsCell *cell) {
  size_t now = octets_in_use();
  if (cell->ending == ENDING_SILENCE || group.run < WARM_CELLS)
    return;
  if (now > cell->octets_before + OCTETS_LEFT_MAX)
    fail_msg("%zu octets are left", now - cell->octets_before);
}

/* -- Running -- */

static void run_cell(void **state) {
  EndingsCell *cell = *state;
  const EndingsOutcome expected = endings_expected(cell->ending, cell->moment);
  if (!cell->host)
    begin(cell);
  end(cell, &expected);
  compare(cell, &expected);
  compare_memory(cell);
  if (cell->ending == ENDING_SILENCE && group.silences == 0)
    assert_int_equal(descriptors_open(), group.descriptors_before);
  group.run++;
  cell->passed = true;
}

static int clean_up(void **state) {
  EndingsCell *cell = *state;
  if (cell->host)
    tear_down(cell);
  return 0;
}

/* Silences last, so they pass together. */
static int begin_silences(void **state) {
  (void)state;
  for (size_t i = 0; i < group.count; i++)
    if (group.cells[i].ending == ENDING_SILENCE)
      begin_silence(&group.cells[i]);
  return 0;
}

static int tell_matrix(void **state) {
  const char *path = getenv("RTC_TEST_MATRIX");
  (void)state;
  return path ? endings_tell(path, group.cells, group.count) : 0;
}

static void add_cells(Ending ending) {
  for (Moment moment = 0; moment < MOMENT_COUNT; moment++) {
    if (!endings_expected(ending, moment).applies)
      continue;
    EndingsCell *cell = &group.cells[group.count++];
    cell->ending = ending;
    cell->moment = moment;
    snprintf(cell->name, sizeof cell->name, "%s, %s", ending_name(ending), moment_name(moment));
  }
}

int endings_run(const char *name, const Ending *endings, size_t count) {
  static struct CMUnitTest tests[CELLS_MAX]; /* cmocka passes over those without a name */
  for (size_t i = 0; i < count; i++)
    add_cells(endings[i]);
  for (size_t i = 0; i < group.count; i++)
    tests[i] = (struct CMUnitTest){.name = group.cells[i].name,
                                   .test_func = run_cell,
                                   .teardown_func = clean_up,
                                   .initial_state = &group.cells[i]};
  return cmocka_run_group_tests_name(name, tests, begin_silences, tell_matrix);
}
