/* io.c: waiting for a descriptor. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/io.h"
#include "runtime/worker_loop.h"
#include "support/on_worker.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MS   RTC_US_PER_MS
#define BOTH (RTC_IO_READABLE | RTC_IO_WRITABLE)

static unsigned epoll_ctl_calls;

/* Stands before libc's, to count how often libuv changes what it watches. */
__attribute__((visibility("default"))) int epoll_ctl(int epfd, int op, int fd,
                                                     struct epoll_event *event) {
  epoll_ctl_calls++;
  return (int)syscall(SYS_epoll_ctl, epfd, op, fd, event);
}

/* A socket of ours, watched, and the peer's end of it. */
typedef struct Pair {
  RtcIo io;
  int ours;
  int peer;
} Pair;

static void pair_init(Pair *pair) {
  int fds[2];

  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
  pair->ours = fds[0];
  pair->peer = fds[1];
  assert_int_equal(rtc_io_init(&pair->io, the_worker(), pair->ours), RTC_OK);
}

static void pair_finish(Pair *pair) {
  rtc_io_finish(&pair->io);
  close(pair->ours);
  close(pair->peer);
}

static void fill(int fd) {
  char octets[4096] = {0};

  while (write(fd, octets, sizeof octets) > 0)
    ;
  assert_int_equal(errno, EAGAIN);
}

static void drain(int fd) {
  char octets[4096];

  while (read(fd, octets, sizeof octets) > 0)
    ;
}

static void sleep_ms(int64_t ms) {
  assert_int_equal(rtc_coroutine_sleep(the_worker(), ms * MS), RTC_OK);
}

static int64_t in_ms(int64_t ms) {
  return rtc_clock_now_us() + ms * MS;
}

static void expect_events(Pair *pair, unsigned expected) {
  unsigned events = 0;

  assert_int_equal(rtc_io_wait(&pair->io, in_ms(2000), &events), RTC_OK);
  assert_int_equal(events, expected);
}

static void expect_timeout(Pair *pair) {
  unsigned events = 77;
  int64_t deadline_us = in_ms(10);

  assert_int_equal(rtc_io_wait(&pair->io, deadline_us, &events), RTC_ERROR_TIMEOUT);
  assert_true(rtc_clock_now_us() >= deadline_us);
  assert_int_equal(events, 77);
}

static RtcCoroutine *spawn(RtcCoroutineFn fn, void *arg) {
  RtcCoroutine *co;

  assert_int_equal(rtc_coroutine_spawn(&co, the_worker(), "other", fn, arg), RTC_OK);
  return co;
}

static RtcError join(RtcCoroutine *co) {
  RtcError result = RTC_OK;

  assert_int_equal(rtc_coroutine_join(co, RTC_NEVER, &result), RTC_OK);
  return result;
}

/* ---- Events ---------------------------------------------------------------------------------- */

static RtcError wait_for_each(void *arg) {
  Pair pair;

  (void)arg;
  pair_init(&pair);
  rtc_io_set_interest(&pair.io, RTC_IO_READABLE);
  expect_timeout(&pair);
  assert_int_equal(write(pair.peer, "ab", 2), 2);
  expect_events(&pair, RTC_IO_READABLE);
  expect_events(&pair, RTC_IO_READABLE); /* it has not been read */
  rtc_io_set_interest(&pair.io, BOTH);
  expect_events(&pair, BOTH);
  drain(pair.ours);
  rtc_io_set_interest(&pair.io, RTC_IO_WRITABLE);
  expect_events(&pair, RTC_IO_WRITABLE);
  rtc_io_set_interest(&pair.io, RTC_IO_READABLE);
  expect_timeout(&pair);
  rtc_io_set_interest(&pair.io, 0);
  expect_timeout(&pair);
  pair_finish(&pair);
  return RTC_OK;
}

/* What has come is told, as long as it is there, and only what was asked for. */
static void ready_descriptor_is_told(void **state) {
  (void)state;
  on_worker(wait_for_each, NULL);
}

static RtcError drain_later(void *arg) {
  Pair *pair = arg;

  sleep_ms(10);
  drain(pair->peer);
  return RTC_OK;
}

static RtcError wait_for_room(void *arg) {
  Pair pair;

  (void)arg;
  pair_init(&pair);
  fill(pair.ours);
  rtc_io_set_interest(&pair.io, RTC_IO_WRITABLE);
  expect_timeout(&pair);
  RtcCoroutine *reader = spawn(drain_later, &pair);
  expect_events(&pair, RTC_IO_WRITABLE);
  assert_int_equal(join(reader), RTC_OK);
  pair_finish(&pair);
  return RTC_OK;
}

/* A full socket becomes writable when the peer reads. */
static void writable_comes_with_room(void **state) {
  (void)state;
  on_worker(wait_for_room, NULL);
}

static RtcError wait_for_hang_up(void *arg) {
  Pair pair;
  char octet;

  (void)arg;
  pair_init(&pair);
  rtc_io_set_interest(&pair.io, RTC_IO_READABLE);
  close(pair.peer);
  expect_events(&pair, RTC_IO_READABLE);
  assert_int_equal(read(pair.ours, &octet, 1), 0);
  expect_events(&pair, RTC_IO_READABLE); /* for ever */
  pair.peer = -1;
  pair_finish(&pair);
  return RTC_OK;
}

/* A hang-up is readable: the read tells. */
static void hang_up_wakes_a_reader(void **state) {
  (void)state;
  on_worker(wait_for_hang_up, NULL);
}

/* Two ends of a TCP connection over loopback. */
static void tcp_pair(int *ours, int *peer) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t len = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM, 0);

  assert_int_equal(bind(listener, (struct sockaddr *)&address, len), 0);
  assert_int_equal(listen(listener, 1), 0);
  assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
  *peer = socket(AF_INET, SOCK_STREAM, 0);
  assert_int_equal(connect(*peer, (struct sockaddr *)&address, len), 0);
  *ours = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
  assert_true(*ours >= 0);
  close(listener);
}

static RtcError wait_for_reset(void *arg) {
  const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
  Pair pair;
  char octet;

  (void)arg;
  tcp_pair(&pair.ours, &pair.peer);
  assert_int_equal(rtc_io_init(&pair.io, the_worker(), pair.ours), RTC_OK);
  rtc_io_set_interest(&pair.io, BOTH);
  setsockopt(pair.peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close(pair.peer);
  expect_events(&pair, BOTH);
  expect_events(&pair, BOTH); /* and again: libuv's own stop at an error must not lose it */
  assert_int_equal(read(pair.ours, &octet, 1), -1);
  assert_int_equal(errno, ECONNRESET);
  pair.peer = -1;
  pair_finish(&pair);
  return RTC_OK;
}

/* An error of the socket is both readable and writable. */
static void reset_wakes_both_ways(void **state) {
  (void)state;
  on_worker(wait_for_reset, NULL);
}

/* ---- Changes while parked -------------------------------------------------------------------- */

typedef struct Change {
  Pair pair;
  unsigned interest;
} Change;

static RtcError change_interest(void *arg) {
  Change *change = arg;

  sleep_ms(5);
  rtc_io_set_interest(&change->pair.io, change->interest);
  return RTC_OK;
}

static RtcError change_while_parked(void *arg) {
  Change change;

  (void)arg;
  pair_init(&change.pair);
  rtc_io_set_interest(&change.pair.io, RTC_IO_READABLE);
  change.interest = BOTH;
  RtcCoroutine *other = spawn(change_interest, &change);
  expect_events(&change.pair, RTC_IO_WRITABLE);
  assert_int_equal(join(other), RTC_OK);
  pair_finish(&change.pair);
  return RTC_OK;
}

/* A waiter that is parked is woken by an interest that is added meanwhile. */
static void interest_may_change_while_parked(void **state) {
  (void)state;
  on_worker(change_while_parked, NULL);
}

static RtcError take_interest_then_write(void *arg) {
  Change *change = arg;

  sleep_ms(5);
  rtc_io_set_interest(&change->pair.io, 0);
  assert_int_equal(write(change->pair.peer, "x", 1), 1);
  sleep_ms(20);
  rtc_io_set_interest(&change->pair.io, RTC_IO_READABLE);
  return RTC_OK;
}

static RtcError pause_while_parked(void *arg) {
  Change change;
  int64_t begin_us = rtc_clock_now_us();

  (void)arg;
  pair_init(&change.pair);
  rtc_io_set_interest(&change.pair.io, RTC_IO_READABLE);
  RtcCoroutine *other = spawn(take_interest_then_write, &change);
  expect_events(&change.pair, RTC_IO_READABLE);
  assert_true(rtc_clock_now_us() - begin_us >= 25 * MS);
  assert_int_equal(join(other), RTC_OK);
  pair_finish(&change.pair);
  return RTC_OK;
}

/* What comes while the interest is taken away wakes the waiter when it is given back. */
static void interest_may_pause_while_parked(void **state) {
  (void)state;
  on_worker(pause_while_parked, NULL);
}

static RtcError finish_other(void *arg) {
  Pair *pair = arg;

  sleep_ms(5);
  pair_finish(pair); /* the descriptor is closed in the same breath */
  return RTC_OK;
}

static RtcError finish_while_parked(void *arg) {
  Pair pair;
  unsigned events;

  (void)arg;
  pair_init(&pair);
  rtc_io_set_interest(&pair.io, RTC_IO_READABLE);
  RtcCoroutine *other = spawn(finish_other, &pair);
  assert_int_equal(rtc_io_wait(&pair.io, RTC_NEVER, &events), RTC_ERROR_INVALID_STATE);
  assert_int_equal(join(other), RTC_OK);
  assert_int_equal(rtc_io_wait(&pair.io, RTC_NEVER, &events), RTC_ERROR_INVALID_STATE);
  rtc_io_set_interest(&pair.io, BOTH);
  rtc_io_finish(&pair.io);
  return RTC_OK;
}

/* Finished under a waiter: it wakes, and nothing can be waited for any more. */
static void finish_wakes_the_waiter(void **state) {
  (void)state;
  on_worker(finish_while_parked, NULL);
}

static RtcError reuse_descriptor(void *arg) {
  Pair first;
  Pair second;

  (void)arg;
  pair_init(&first);
  rtc_io_set_interest(&first.io, RTC_IO_READABLE);
  expect_timeout(&first); /* armed */
  int number = first.ours;
  pair_finish(&first);
  memset(&first.io, 0x55, sizeof first.io); /* the value's memory is free as well */
  pair_init(&second);
  assert_int_equal(second.ours, number);
  rtc_io_set_interest(&second.io, RTC_IO_READABLE);
  assert_int_equal(write(second.peer, "x", 1), 1);
  expect_events(&second, RTC_IO_READABLE);
  pair_finish(&second);
  return RTC_OK;
}

/* The descriptor's number may be used again at once, in the same turn. */
static void descriptor_is_free_after_finish(void **state) {
  (void)state;
  on_worker(reuse_descriptor, NULL);
}

static RtcError interrupt_other(void *arg) {
  rtc_coroutine_interrupt(arg);
  return RTC_OK;
}

static RtcError wait_interrupted(void *arg) {
  Pair pair;
  unsigned events;

  (void)arg;
  pair_init(&pair);
  rtc_io_set_interest(&pair.io, RTC_IO_READABLE);
  assert_int_equal(write(pair.peer, "x", 1), 1);
  rtc_coroutine_detach(spawn(interrupt_other, rtc_coroutine_current(the_worker())));
  assert_int_equal(rtc_io_wait(&pair.io, RTC_NEVER, &events), RTC_ERROR_CANCELED);
  assert_int_equal(rtc_io_wait(&pair.io, RTC_NEVER, &events), RTC_ERROR_CANCELED);
  pair_finish(&pair);
  return RTC_OK;
}

/* An interrupt wins over an event that comes with it. */
static void interrupt_ends_the_wait(void **state) {
  (void)state;
  on_worker(wait_interrupted, NULL);
}

static RtcError bad_descriptors(void *arg) {
  RtcIo io;
  RtcIo zeroed;
  int file = open("/proc/self/exe", O_RDONLY);

  (void)arg;
  memset(&zeroed, 0, sizeof zeroed);
  rtc_io_finish(&zeroed);
  assert_int_equal(rtc_io_init(&io, the_worker(), 9999), RTC_ERROR_SYSTEM);
  assert_int_equal(rtc_io_init(&io, the_worker(), file), RTC_ERROR_SYSTEM);
  close(file);
  return RTC_OK;
}

/* A descriptor that is not open, or can't be waited for, is refused. */
static void bad_descriptor_is_refused(void **state) {
  (void)state;
  on_worker(bad_descriptors, NULL);
}

/* ---- What it costs --------------------------------------------------------------------------- */

static void count_turn(uv_prepare_t *prepare) {
  ++*(int *)prepare->data;
}

/* The turns of the loop during some milliseconds of sleep. */
static int turns_asleep(int64_t ms) {
  uv_prepare_t *prepare = malloc(sizeof *prepare);
  int turns = 0;

  assert_non_null(prepare);
  uv_prepare_init(rtc_worker_loop(the_worker()), prepare);
  prepare->data = &turns;
  uv_prepare_start(prepare, count_turn);
  sleep_ms(ms);
  uv_close((uv_handle_t *)prepare, (uv_close_cb)free);
  return turns;
}

static RtcError sleep_beside_events(void *arg) {
  Pair pair;

  (void)arg;
  pair_init(&pair);
  rtc_io_set_interest(&pair.io, BOTH);
  expect_events(&pair, RTC_IO_WRITABLE); /* armed for both from here on */
  assert_int_equal(write(pair.peer, "x", 1), 1);
  assert_in_range(turns_asleep(50), 1, 20);
  expect_events(&pair, BOTH); /* it was not forgotten */
  close(pair.peer);
  assert_in_range(turns_asleep(50), 1, 20); /* a hang-up neither */
  pair.peer = -1;
  pair_finish(&pair);
  return RTC_OK;
}

/* A ready descriptor that nobody waits for does not keep the loop busy. */
static void loop_sleeps_when_nobody_waits(void **state) {
  (void)state;
  on_worker(sleep_beside_events, NULL);
}

static RtcError wait_uninterested(void *arg) {
  Pair *pair = arg;
  unsigned events;

  return rtc_io_wait(&pair->io, in_ms(80), &events);
}

static RtcError sleep_beside_a_waiter(void *arg) {
  Pair pair;

  (void)arg;
  pair_init(&pair);
  rtc_io_set_interest(&pair.io, BOTH);
  expect_events(&pair, RTC_IO_WRITABLE); /* armed for both */
  rtc_io_set_interest(&pair.io, RTC_IO_READABLE);
  RtcCoroutine *waiter = spawn(wait_uninterested, &pair); /* and it is writable all the time */
  assert_in_range(turns_asleep(50), 1, 20);
  assert_int_equal(join(waiter), RTC_ERROR_TIMEOUT);
  pair_finish(&pair);
  return RTC_OK;
}

/* Nor does one that is ready for something that its waiter does not want any more. */
static void loop_sleeps_when_nobody_wants_it(void **state) {
  (void)state;
  on_worker(sleep_beside_a_waiter, NULL);
}

static RtcError echo(void *arg) {
  int fd = *(int *)arg;
  Pair pair = {.ours = fd};
  char octet = 0;

  assert_int_equal(rtc_io_init(&pair.io, the_worker(), fd), RTC_OK);
  rtc_io_set_interest(&pair.io, RTC_IO_READABLE);
  while (octet != 'q') {
    expect_events(&pair, RTC_IO_READABLE);
    assert_int_equal(read(fd, &octet, 1), 1);
    assert_int_equal(write(fd, &octet, 1), 1);
  }
  rtc_io_finish(&pair.io);
  return RTC_OK;
}

static RtcError ping_pong(void *arg) {
  Pair pair;
  char octet = 'p';
  unsigned calls = 0;

  (void)arg;
  pair_init(&pair);
  rtc_io_set_interest(&pair.io, RTC_IO_READABLE);
  RtcCoroutine *other = spawn(echo, &pair.peer);
  for (int i = 0; i < 100; i++) {
    assert_int_equal(write(pair.ours, &octet, 1), 1);
    expect_events(&pair, RTC_IO_READABLE);
    assert_int_equal(read(pair.ours, &octet, 1), 1);
    if (i == 10)
      calls = epoll_ctl_calls;
  }
  assert_int_equal(epoll_ctl_calls, calls);
  octet = 'q';
  assert_int_equal(write(pair.ours, &octet, 1), 1);
  assert_int_equal(join(other), RTC_OK);
  pair_finish(&pair);
  return RTC_OK;
}

/* Packet after packet, the loop's watch list does not change: a wait costs no system call. */
static void wait_a_packet_changes_no_watch(void **state) {
  (void)state;
  epoll_ctl_calls = 0;
  on_worker(ping_pong, NULL);
  assert_true(epoll_ctl_calls > 0); /* the count works */
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ready_descriptor_is_told),
      cmocka_unit_test(writable_comes_with_room),
      cmocka_unit_test(hang_up_wakes_a_reader),
      cmocka_unit_test(reset_wakes_both_ways),
      cmocka_unit_test(interest_may_change_while_parked),
      cmocka_unit_test(interest_may_pause_while_parked),
      cmocka_unit_test(finish_wakes_the_waiter),
      cmocka_unit_test(descriptor_is_free_after_finish),
      cmocka_unit_test(interrupt_ends_the_wait),
      cmocka_unit_test(bad_descriptor_is_refused),
      cmocka_unit_test(loop_sleeps_when_nobody_waits),
      cmocka_unit_test(loop_sleeps_when_nobody_wants_it),
      cmocka_unit_test(wait_a_packet_changes_no_watch),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
