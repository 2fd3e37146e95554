/* A session whose system calls fail, each in turn, once and for a while: it goes on, on another TCP
 * conn where it must, and what could not be had is counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "faults/rig.h"

#include <errno.h>

#define COUNTER(member) offsetof(RtcServerStats, member)

typedef struct Row {
  FaultPoint point;
  int error;
  size_t while_;  /* how many fail in the row's second sweep; 0: there is none */
  size_t counter; /* see RigVerdict */
  RtcError call;  /* that the host's call reports; RTC_OK: none fails */
} Row;

static void sweep_rows(Rig *rig, const Row *rows, size_t count) {
  for (size_t i = 0; i < count; i++) {
    const Row *row = &rows[i];
    const RigVerdict verdict = {.errors = RIG_BIT(row->call), .counter = row->counter};
    FaultPlan plan = {.point = row->point, .error = row->error};
    size_t stride = faults_slowness() > 1 ? 5 + faults_slowness() / 5 : 1;
    rig_sweep(rig, &plan, stride, &verdict);
    plan.times = row->while_;
    if (plan.times)
      rig_sweep(rig, &plan, 5 * stride, &verdict);
  }
}

#define SWEEP(rig, rows) sweep_rows((rig), (rows), sizeof(rows) / sizeof *(rows))

/* Without descriptors or memory the listener waits and goes on; an error of the conn's own is the
 * conn's. */
static void accept_may_fail(void **state) {
  static const Row rows[] = {
      {FAULT_ACCEPT, EMFILE, 3, COUNTER(accept_errors), RTC_OK},
      {FAULT_ACCEPT, ENFILE, 0, COUNTER(accept_errors), RTC_OK},
      {FAULT_ACCEPT, ENOBUFS, 0, COUNTER(accept_errors), RTC_OK},
      {FAULT_ACCEPT, ENOMEM, 0, COUNTER(accept_errors), RTC_OK},
      {FAULT_ACCEPT, ECONNABORTED, 3, COUNTER(accept_errors), RTC_OK},
      {FAULT_ACCEPT, EPERM, 0, COUNTER(accept_errors), RTC_OK},
      {FAULT_ACCEPT, EINTR, 100, COUNTER(accept_errors), RTC_OK},
      {FAULT_ACCEPT, EAGAIN, 3, 0, RTC_OK},
  };
  SWEEP(*state, rows);
}

/* What is spurious changes nothing; what is fatal costs the TCP conn. Octet by octet is enough. */
static void recv_may_fail(void **state) {
  static const Row rows[] = {
      {FAULT_RECV, EAGAIN, 20, 0, RTC_OK},
      {FAULT_RECV, EINTR, 20, 0, RTC_OK},
      {FAULT_RECV, ECONNRESET, 3, 0, RTC_OK},
      {FAULT_RECV, ENOMEM, 3, 0, RTC_OK},
      {FAULT_RECV, FAULT_PARTIAL, 1000000, 0, RTC_OK},
  };
  SWEEP(*state, rows);
}

/* A frame that was begun is finished, or the TCP conn goes. */
static void send_may_fail(void **state) {
  static const Row rows[] = {
      {FAULT_SEND, EAGAIN, 20, 0, RTC_OK},
      {FAULT_SEND, EINTR, 20, 0, RTC_OK},
      {FAULT_SEND, ENOBUFS, 3, 0, RTC_OK},
      {FAULT_SEND, ENOMEM, 3, 0, RTC_OK},
      {FAULT_SEND, EPIPE, 3, 0, RTC_OK},
      {FAULT_SEND, ECONNRESET, 3, 0, RTC_OK},
      {FAULT_SEND, FAULT_PARTIAL, 1000000, 0, RTC_OK},
  };
  SWEEP(*state, rows);
}

/* A loop that is woken for nothing goes back to sleep. A descriptor that can't be watched is a TCP
 * conn refused. */
static void epoll_may_fail(void **state) {
  static const Row rows[] = {
      {FAULT_EPOLL_WAIT, EINTR, 50, 0, RTC_OK},
      {FAULT_EPOLL_CTL, ENOSPC, 3, COUNTER(tcp_closes[RTC_TCP_CLOSE_REFUSED]), RTC_OK},
      {FAULT_EPOLL_CTL, ENOMEM, 3, COUNTER(tcp_closes[RTC_TCP_CLOSE_NO_MEMORY]), RTC_OK},
  };
  SWEEP(*state, rows);
}

/* Without randomness there is no session and no restart, rather than a guessable one. */
static void getrandom_may_fail(void **state) {
  static const Row rows[] = {
      {FAULT_GETRANDOM, ENOSYS, 3, 0, RTC_ERROR_SYSTEM},
      {FAULT_GETRANDOM, EINTR, 3, 0, RTC_ERROR_SYSTEM},
  };
  SWEEP(*state, rows);
}

/* What only makes things better is done without. */
static void conveniences_may_fail(void **state) {
  static const Row rows[] = {
      {FAULT_SETSOCKOPT, ENOBUFS, 3, 0, RTC_OK}, {FAULT_SHUTDOWN, ENOTCONN, 3, 0, RTC_OK},
      {FAULT_CLOSE, EINTR, 3, 0, RTC_OK},        {FAULT_CLOSE, EIO, 3, 0, RTC_OK},
      {FAULT_MINCORE, EAGAIN, 3, 0, RTC_OK},     {FAULT_MADVISE, EAGAIN, 3, 0, RTC_OK},
  };
  SWEEP(*state, rows);
}

/* A coroutine without a stack: its TCP conn is refused, and counted. */
static void a_stack_may_not_be_had(void **state) {
  (void)state;
  const RigVerdict refused = {.counter = COUNTER(tcp_closes[RTC_TCP_CLOSE_NO_MEMORY])};
  const RigVerdict nothing = {0};
  rig_sweep(NULL, &(FaultPlan){.point = FAULT_MMAP, .error = ENOMEM}, 1, &refused);
  rig_sweep(NULL, &(FaultPlan){.point = FAULT_MMAP, .error = ENOMEM, .times = 3}, 1, &refused);
  rig_sweep(NULL, &(FaultPlan){.point = FAULT_MPROTECT, .error = ENOMEM}, 1, &refused);
  rig_sweep(NULL, &(FaultPlan){.point = FAULT_MADVISE, .error = EINVAL}, 1, &nothing);
  rig_sweep(NULL, &(FaultPlan){.point = FAULT_MADVISE, .error = EINVAL, .times = 100}, 1, &nothing);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(accept_may_fail, rig_setup, rig_teardown),
      cmocka_unit_test_setup_teardown(recv_may_fail, rig_setup, rig_teardown),
      cmocka_unit_test_setup_teardown(send_may_fail, rig_setup, rig_teardown),
      cmocka_unit_test_setup_teardown(epoll_may_fail, rig_setup, rig_teardown),
      cmocka_unit_test_setup_teardown(getrandom_may_fail, rig_setup, rig_teardown),
      cmocka_unit_test_setup_teardown(conveniences_may_fail, rig_setup, rig_teardown),
      cmocka_unit_test(a_stack_may_not_be_had),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
