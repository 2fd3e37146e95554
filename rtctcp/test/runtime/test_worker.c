/* worker.c, mailbox.c, task_queue.c: loops, posts, holders, stops, end-of-turn tasks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/coroutine.h"
#include "runtime/worker_internal.h"
#include "support/descriptors.h"
#include "support/on_worker.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

/* Asserts of cmocka work on the test's own thread only: what runs on a worker with a thread of its
 * own notes here what it saw. */
typedef struct Seen {
  RtcWorker *worker;
  atomic_int count;
  atomic_int on_other_thread;
  atomic_int stopped;
  RtcError error;
  bool flag;
} Seen;

static void note_post(void *arg) {
  Seen *seen = arg;

  atomic_fetch_add(&seen->on_other_thread, !rtc_worker_is_current(seen->worker));
  atomic_fetch_add(&seen->count, 1);
}

static void note_stopped(void *arg) {
  Seen *seen = arg;

  atomic_fetch_add(&seen->stopped, 1);
}

static RtcWorker *new_own_worker(Seen *seen) {
  const RtcWorkerConfig config = {.on_stopped = note_stopped, .arg = seen};

  memset(seen, 0, sizeof *seen);
  assert_int_equal(rtc_worker_new(&seen->worker, &config), RTC_OK);
  return seen->worker;
}

static void stop_and_destroy(Seen *seen) {
  rtc_worker_stop(seen->worker);
  rtc_worker_join(seen->worker);
  assert_int_equal(atomic_load(&seen->stopped), 1);
  rtc_worker_destroy(seen->worker);
}

/* ---- Own loop -------------------------------------------------------------------------------- */

/* A worker with an own loop has a thread that runs what is posted, and leaves nothing behind. */
static void own_thread_runs_posts(void **state) {
  Seen seen;

  (void)state;
  stop_and_destroy((new_own_worker(&seen), &seen)); /* libuv opens its own descriptors */
  size_t descriptors = descriptors_open();
  RtcWorker *worker = new_own_worker(&seen);
  assert_false(rtc_worker_is_current(worker));
  assert_int_equal(rtc_worker_post(worker, note_post, &seen), RTC_OK);
  assert_int_equal(rtc_worker_post(worker, note_post, &seen), RTC_OK);
  stop_and_destroy(&seen);
  assert_int_equal(atomic_load(&seen.count), 2);
  assert_int_equal(atomic_load(&seen.on_other_thread), 0);
  assert_int_equal(descriptors_open(), descriptors);
}

/* Stopped with nothing on it, at once, twice; NULL is destroyed too. */
static void stop_may_be_called_twice(void **state) {
  Seen seen;

  (void)state;
  RtcWorker *worker = new_own_worker(&seen);
  rtc_worker_stop(worker);
  stop_and_destroy(&seen);
  rtc_worker_destroy(NULL);
}

/* Once a worker has stopped it takes no post, and says so. */
static void post_after_stop_is_closed(void **state) {
  Seen seen;

  (void)state;
  RtcWorker *worker = new_own_worker(&seen);
  rtc_worker_stop(worker);
  rtc_worker_join(worker);
  assert_int_equal(rtc_worker_post(worker, note_post, &seen), RTC_ERROR_CLOSED);
  rtc_worker_stop(worker);
  rtc_worker_destroy(worker);
  assert_int_equal(atomic_load(&seen.count), 0);
}

static void note_signals(void *arg) {
  Seen *seen = arg;
  sigset_t blocked;

  pthread_sigmask(SIG_SETMASK, NULL, &blocked);
  seen->flag = sigismember(&blocked, SIGTERM) && !sigismember(&blocked, SIGSEGV);
}

/* The host's signals go to the host's threads. */
static void own_thread_takes_no_signals(void **state) {
  Seen seen;
  struct sigaction pipe_action;

  (void)state;
  RtcWorker *worker = new_own_worker(&seen);
  assert_int_equal(rtc_worker_post(worker, note_signals, &seen), RTC_OK);
  stop_and_destroy(&seen);
  assert_true(seen.flag);
  assert_int_equal(sigaction(SIGPIPE, NULL, &pipe_action), 0);
  assert_true(pipe_action.sa_handler == SIG_DFL);
}

/* ---- Posts ----------------------------------------------------------------------------------- */

enum { POSTERS = 4, POSTS = 2000 };

typedef struct Poster {
  RtcWorker *worker;
  pthread_t thread;
  int next;        /* on the worker's thread: the number that must come now */
  int out_of_turn; /* on the worker's thread */
  int accepted;
} Poster;

typedef struct Numbered {
  Poster *poster;
  int number;
} Numbered;

static void check_number(void *arg) {
  Numbered *numbered = arg;
  Poster *poster = numbered->poster;

  poster->out_of_turn += numbered->number != poster->next;
  poster->next++;
  free(numbered);
}

static void *post_numbers(void *arg) {
  Poster *poster = arg;

  for (int i = 0; i < POSTS; i++) {
    Numbered *numbered = malloc(sizeof *numbered);
    if (!numbered)
      return NULL;
    *numbered = (Numbered){.poster = poster, .number = i};
    if (rtc_worker_post(poster->worker, check_number, numbered) != RTC_OK) {
      free(numbered);
      return NULL;
    }
    poster->accepted++;
  }
  return NULL;
}

static void post_from_threads(bool stop_meanwhile) {
  Seen seen;
  Poster posters[POSTERS];
  RtcWorker *worker = new_own_worker(&seen);

  for (size_t i = 0; i < POSTERS; i++) {
    posters[i] = (Poster){.worker = worker};
    assert_int_equal(pthread_create(&posters[i].thread, NULL, post_numbers, &posters[i]), 0);
  }
  if (stop_meanwhile)
    rtc_worker_stop(worker);
  for (size_t i = 0; i < POSTERS; i++)
    pthread_join(posters[i].thread, NULL);
  stop_and_destroy(&seen);
  for (size_t i = 0; i < POSTERS; i++) {
    assert_int_equal(posters[i].out_of_turn, 0);
    assert_int_equal(posters[i].next, posters[i].accepted);
    if (!stop_meanwhile)
      assert_int_equal(posters[i].accepted, POSTS);
  }
}

/* The posts of each thread are run, all of them, in its order. */
static void posts_of_a_thread_keep_their_order(void **state) {
  (void)state;
  post_from_threads(false);
}

/* While a worker stops, a post is either run or refused, never lost. */
static void accepted_post_is_run_during_a_stop(void **state) {
  (void)state;
  for (int i = 0; i < 20; i++)
    post_from_threads(true);
}

static void post_again(void *arg) {
  Seen *seen = arg;
  int before = atomic_load(&seen->count);

  if (before < 3) {
    seen->error = rtc_worker_post(seen->worker, post_again, seen);
    seen->flag |= atomic_load(&seen->count) != before; /* run inside the post */
  }
  atomic_fetch_add(&seen->count, 1);
}

/* A post made on the worker's own thread runs later too, and before the worker stops. */
static void post_from_a_post_runs_later(void **state) {
  Seen seen;

  (void)state;
  RtcWorker *worker = new_own_worker(&seen);
  assert_int_equal(rtc_worker_post(worker, post_again, &seen), RTC_OK);
  stop_and_destroy(&seen);
  assert_int_equal(seen.error, RTC_OK);
  assert_int_equal(atomic_load(&seen.count), 4);
  assert_false(seen.flag);
}

/* ---- A host's loop --------------------------------------------------------------------------- */

typedef struct Host {
  uv_loop_t loop;
  RtcWorker *worker; /* owned: destroyed in on_stopped */
  bool stopped;
} Host;

static void destroy_in_on_stopped(void *arg) {
  Host *host = arg;

  rtc_worker_destroy(host->worker);
  host->stopped = true;
}

static void host_init(Host *host) {
  const RtcWorkerConfig config = {
      .name = "hosted", .loop = &host->loop, .on_stopped = destroy_in_on_stopped, .arg = host};

  host->stopped = false;
  assert_int_equal(uv_loop_init(&host->loop), 0);
  assert_int_equal(rtc_worker_new(&host->worker, &config), RTC_OK);
}

static RtcError stop_after_a_while(void *arg) {
  Host *host = arg;

  assert_true(rtc_worker_is_current(host->worker));
  assert_int_equal(rtc_coroutine_sleep(host->worker, RTC_US_PER_MS), RTC_OK);
  rtc_worker_stop(host->worker);
  return RTC_OK;
}

/* On a host's loop the worker runs as the host turns it, and may be destroyed in on_stopped; the
 * loop is empty then, and stays the host's. */
static void host_turns_its_own_loop(void **state) {
  Host host;
  RtcCoroutine *co;

  (void)state;
  host_init(&host);
  assert_string_equal(rtc_worker_name(host.worker), "hosted");
  rtc_worker_join(host.worker); /* returns at once */
  assert_int_equal(rtc_coroutine_spawn(&co, host.worker, "stopper", stop_after_a_while, &host),
                   RTC_OK);
  rtc_coroutine_detach(co);
  while (uv_run(&host.loop, UV_RUN_NOWAIT) != 0)
    usleep(100);
  assert_true(host.stopped);
  assert_int_equal(uv_loop_close(&host.loop), 0);
}

static void wake_in_prepare(uv_prepare_t *prepare) {
  rtc_coroutine_ready(prepare->data);
  uv_prepare_stop(prepare);
}

static RtcError park_then_stop(void *arg) {
  Host *host = arg;
  RtcError error = rtc_coroutine_park(host->worker, RTC_NEVER);

  rtc_worker_stop(host->worker);
  return error;
}

/* The host's callbacks may wake coroutines wherever they are in the loop's turn: the loop does not
 * block before these have run. */
static void wake_in_a_hosts_callback_is_not_slept_over(void **state) {
  Host host;
  RtcCoroutine *co;
  uv_prepare_t prepare;

  (void)state;
  host_init(&host);
  assert_int_equal(rtc_coroutine_spawn(&co, host.worker, "parked", park_then_stop, &host), RTC_OK);
  rtc_coroutine_detach(co);
  uv_run(&host.loop, UV_RUN_NOWAIT);
  uv_prepare_init(&host.loop, &prepare);
  prepare.data = co;
  uv_prepare_start(&prepare, wake_in_prepare);
  alarm(10); /* else the loop would block for ever */
  uv_run(&host.loop, UV_RUN_ONCE);
  uv_close((uv_handle_t *)&prepare, NULL);
  uv_run(&host.loop, UV_RUN_DEFAULT);
  alarm(0);
  assert_true(host.stopped);
  assert_int_equal(uv_loop_close(&host.loop), 0);
}

/* ---- Holders --------------------------------------------------------------------------------- */

typedef struct Holding {
  RtcWorkerHolder holder;
  RtcCoroutine *coroutine; /* borrowed: closes what we hold */
  int told;
  bool closed_in_peace; /* the coroutine could wait while the worker stopped */
  RtcError spawn_error; /* at on_stop */
  RtcError hold_error;
} Holding;

static RtcError nothing(void *arg) {
  (void)arg;
  return RTC_OK;
}

static void on_stop(void *arg) {
  Holding *holding = arg;
  RtcWorkerHolder another = {.on_stop = on_stop};
  RtcCoroutine *co;

  holding->told++;
  holding->hold_error = rtc_worker_hold(the_worker(), &another);
  holding->spawn_error = rtc_coroutine_spawn(&co, the_worker(), "late", nothing, NULL);
  if (!holding->spawn_error)
    rtc_coroutine_detach(co);
  rtc_coroutine_ready(holding->coroutine);
}

static RtcError close_when_told(void *arg) {
  Holding *holding = arg;

  assert_int_equal(rtc_coroutine_park(the_worker(), RTC_NEVER), RTC_OK);
  holding->closed_in_peace = rtc_coroutine_sleep(the_worker(), 5 * RTC_US_PER_MS) == RTC_OK;
  rtc_worker_let_go(the_worker(), &holding->holder);
  rtc_worker_let_go(the_worker(), &holding->holder); /* fine twice */
  /* Nobody holds any more: the rest is interrupted. */
  assert_int_equal(rtc_coroutine_park(the_worker(), RTC_NEVER), RTC_ERROR_CANCELED);
  RtcCoroutine *co;
  assert_int_equal(rtc_coroutine_spawn(&co, the_worker(), "too late", nothing, NULL),
                   RTC_ERROR_CLOSED);
  return RTC_OK;
}

static RtcError hold_two(void *arg) {
  Holding *holdings = arg;

  for (size_t i = 0; i < 2; i++) {
    holdings[i].holder = (RtcWorkerHolder){.on_stop = on_stop, .arg = &holdings[i]};
    assert_int_equal(rtc_worker_hold(the_worker(), &holdings[i].holder), RTC_OK);
    assert_int_equal(rtc_coroutine_spawn(&holdings[i].coroutine, the_worker(), "closer",
                                         close_when_told, &holdings[i]),
                     RTC_OK);
    rtc_coroutine_detach(holdings[i].coroutine);
  }
  assert_int_equal(rtc_coroutine_yield(the_worker()), RTC_OK);
  return RTC_OK;
}

/* A stop tells every holder once, and waits for it with its coroutines running as ever; only then
 * are coroutines interrupted, and no new ones made. */
static void stop_waits_for_holders(void **state) {
  Holding holdings[2] = {{.told = 0}};

  (void)state;
  on_worker(hold_two, holdings);
  for (size_t i = 0; i < 2; i++) {
    assert_int_equal(holdings[i].told, 1);
    assert_int_equal(holdings[i].hold_error, RTC_ERROR_CLOSED);
    assert_int_equal(holdings[i].spawn_error, RTC_OK);
    assert_true(holdings[i].closed_in_peace);
  }
}

typedef struct Crowd {
  RtcWorkerHolder holders[3];
  int told;
} Crowd;

static void let_all_go(void *arg) {
  Crowd *crowd = arg;

  crowd->told++;
  for (size_t i = 0; i < 3; i++)
    rtc_worker_let_go(the_worker(), &crowd->holders[i]);
}

static RtcError hold_three(void *arg) {
  Crowd *crowd = arg;

  for (size_t i = 0; i < 3; i++) {
    crowd->holders[i] = (RtcWorkerHolder){.on_stop = let_all_go, .arg = crowd};
    assert_int_equal(rtc_worker_hold(the_worker(), &crowd->holders[i]), RTC_OK);
  }
  return RTC_OK;
}

/* The first that is told lets go for the others too: they are not told any more. */
static void holder_may_let_go_for_others_in_on_stop(void **state) {
  Crowd crowd = {.told = 0};

  (void)state;
  on_worker(hold_three, &crowd);
  assert_int_equal(crowd.told, 1);
}

/* ---- End-of-turn tasks ----------------------------------------------------------------------- */

typedef struct Note {
  RtcTask task;
  struct Notes *notes; /* back */
  char letter;
  RtcTask *cancels; /* borrowed: out of the queue when this one runs; NULL: none */
  int again;        /* queues itself that often */
} Note;

typedef struct Notes {
  Note a, b, c;
  char text[16];
  size_t len;
} Notes;

static void note_letter(Notes *notes, char letter) {
  notes->text[notes->len++] = letter;
  notes->text[notes->len] = '\0';
}

static void run_note(void *arg) {
  Note *note = arg;

  note_letter(note->notes, note->letter);
  if (note->cancels)
    rtc_worker_cancel_task(the_worker(), note->cancels);
  if (note->again-- > 0)
    rtc_worker_at_end_of_turn(the_worker(), &note->task);
}

static void note_init(Note *note, Notes *notes, char letter) {
  *note = (Note){.task = {.run = run_note, .arg = note}, .notes = notes, .letter = letter};
}

static void notes_init(Notes *notes) {
  note_init(&notes->a, notes, 'a');
  note_init(&notes->b, notes, 'b');
  note_init(&notes->c, notes, 'c');
  notes->len = 0;
  notes->text[0] = '\0';
}

static RtcError note_a_step(void *arg) {
  note_letter(arg, '.');
  return RTC_OK;
}

static RtcError queue_tasks(void *arg) {
  Notes notes;
  RtcCoroutine *co;

  (void)arg;
  notes_init(&notes);
  assert_int_equal(rtc_coroutine_yield(the_worker()), RTC_OK);
  assert_int_equal(rtc_coroutine_spawn(&co, the_worker(), "dot", note_a_step, &notes), RTC_OK);
  rtc_coroutine_detach(co);
  notes.b.again = 1;
  rtc_worker_at_end_of_turn(the_worker(), &notes.b.task);
  rtc_worker_at_end_of_turn(the_worker(), &notes.a.task);
  rtc_worker_at_end_of_turn(the_worker(), &notes.b.task); /* is queued already */
  assert_string_equal(notes.text, "");
  assert_int_equal(rtc_coroutine_yield(the_worker()), RTC_OK);
  assert_string_equal(notes.text, "ba."); /* and b once more, in the next turn */
  assert_int_equal(rtc_coroutine_yield(the_worker()), RTC_OK);
  assert_string_equal(notes.text, "ba.b");
  assert_int_equal(rtc_coroutine_sleep(the_worker(), 2 * RTC_US_PER_MS), RTC_OK);
  assert_string_equal(notes.text, "ba.b");
  return RTC_OK;
}

/* Tasks run once, in order, when the ready coroutines have run; one queued by a task waits a turn.
 */
static void tasks_run_at_the_end_of_the_turn(void **state) {
  (void)state;
  on_worker(queue_tasks, NULL);
}

static RtcError cancel_tasks(void *arg) {
  Notes notes;

  (void)arg;
  notes_init(&notes);
  rtc_worker_at_end_of_turn(the_worker(), &notes.a.task);
  rtc_worker_at_end_of_turn(the_worker(), &notes.b.task);
  rtc_worker_at_end_of_turn(the_worker(), &notes.c.task);
  rtc_worker_cancel_task(the_worker(), &notes.a.task);
  rtc_worker_cancel_task(the_worker(), &notes.c.task); /* the last: the queue's end moves */
  rtc_worker_cancel_task(the_worker(), &notes.c.task);
  rtc_worker_at_end_of_turn(the_worker(), &notes.a.task);
  assert_int_equal(rtc_coroutine_yield(the_worker()), RTC_OK);
  assert_string_equal(notes.text, "ba");

  notes.a.cancels = &notes.b.task; /* while they run */
  rtc_worker_at_end_of_turn(the_worker(), &notes.a.task);
  rtc_worker_at_end_of_turn(the_worker(), &notes.b.task);
  rtc_worker_at_end_of_turn(the_worker(), &notes.c.task);
  assert_int_equal(rtc_coroutine_yield(the_worker()), RTC_OK);
  assert_string_equal(notes.text, "baac");
  return RTC_OK;
}

/* A canceled task does not run, even canceled by the one before it, and can be queued anew. */
static void canceled_task_does_not_run(void **state) {
  (void)state;
  on_worker(cancel_tasks, NULL);
}

static RtcError queue_and_leave(void *arg) {
  Notes *notes = arg;

  notes_init(notes);
  notes->a.again = 3;
  rtc_worker_at_end_of_turn(the_worker(), &notes->a.task);
  return RTC_OK;
}

/* What was queued runs before the worker has stopped. */
static void tasks_run_before_the_worker_stops(void **state) {
  Notes notes;

  (void)state;
  on_worker(queue_and_leave, &notes);
  assert_string_equal(notes.text, "aaaa");
}

/* ---- Other ----------------------------------------------------------------------------------- */

static RtcError watch_the_clock(void *arg) {
  (void)arg;
  assert_int_equal(rtc_coroutine_yield(the_worker()), RTC_OK);
  int64_t begin_us = rtc_worker_now(the_worker());
  usleep(3000);
  assert_int_equal(rtc_worker_now(the_worker()), begin_us);
  assert_int_equal(rtc_coroutine_yield(the_worker()), RTC_OK);
  int64_t end_us = rtc_worker_now(the_worker());
  assert_true(end_us - begin_us >= 3000);
  assert_true(rtc_clock_now_us() >= end_us);
  return RTC_OK;
}

/* Within a turn the time stands still; the next turn has a new one. */
static void clock_is_read_once_a_turn(void **state) {
  (void)state;
  on_worker(watch_the_clock, NULL);
}

static RtcError fill_buffers(void *arg) {
  uint8_t *receive = rtc_worker_receive_buffer(the_worker());
  uint8_t *send = rtc_worker_send_buffer(the_worker());

  (void)arg;
  memset(receive, 1, RTC_WORKER_BUFFER_SIZE);
  memset(send, 2, RTC_WORKER_BUFFER_SIZE);
  assert_int_equal(receive[RTC_WORKER_BUFFER_SIZE - 1], 1);
  assert_ptr_equal(rtc_worker_receive_buffer(the_worker()), receive);
  return RTC_OK;
}

/* The two shared buffers are two, whole, and always the same. */
static void shared_buffers_are_apart(void **state) {
  (void)state;
  on_worker(fill_buffers, NULL);
}

static void spawn_on_it(void *arg) {
  Seen *seen = arg;
  RtcCoroutine *co;

  seen->error = rtc_coroutine_spawn(&co, seen->worker, "own", nothing, NULL);
  if (!seen->error)
    rtc_coroutine_detach(co);
}

/* Workers on threads of their own know nothing of one another. */
static void workers_run_side_by_side(void **state) {
  Seen seen[4];

  (void)state;
  for (size_t i = 0; i < 4; i++)
    new_own_worker(&seen[i]);
  for (int round = 0; round < 50; round++) {
    for (size_t i = 0; i < 4; i++)
      assert_int_equal(rtc_worker_post(seen[i].worker, spawn_on_it, &seen[i]), RTC_OK);
  }
  for (size_t i = 0; i < 4; i++) {
    stop_and_destroy(&seen[i]);
    assert_true(seen[i].error == RTC_OK || seen[i].error == RTC_ERROR_CLOSED);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(own_thread_runs_posts),
      cmocka_unit_test(stop_may_be_called_twice),
      cmocka_unit_test(post_after_stop_is_closed),
      cmocka_unit_test(own_thread_takes_no_signals),
      cmocka_unit_test(posts_of_a_thread_keep_their_order),
      cmocka_unit_test(accepted_post_is_run_during_a_stop),
      cmocka_unit_test(post_from_a_post_runs_later),
      cmocka_unit_test(host_turns_its_own_loop),
      cmocka_unit_test(wake_in_a_hosts_callback_is_not_slept_over),
      cmocka_unit_test(stop_waits_for_holders),
      cmocka_unit_test(holder_may_let_go_for_others_in_on_stop),
      cmocka_unit_test(tasks_run_at_the_end_of_the_turn),
      cmocka_unit_test(canceled_task_does_not_run),
      cmocka_unit_test(tasks_run_before_the_worker_stops),
      cmocka_unit_test(clock_is_read_once_a_turn),
      cmocka_unit_test(shared_buffers_are_apart),
      cmocka_unit_test(workers_run_side_by_side),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
