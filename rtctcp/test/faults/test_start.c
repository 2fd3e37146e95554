/* Workers and a server that start and stop while allocations and system calls fail, on the thread
 * of the host and on that of the worker: each comes to be or does not, says which, and ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "faults/sweep.h"
#include "support/descriptors.h"

#include <rtctcp/rtctcp.h>

#include <errno.h>
#include <semaphore.h>
#include <time.h>

#define WORKERS    2
#define DEADLINE_S 60
#define BIT(value) (1u << (value))

typedef struct Life {
  bool on_worker;  /* the first worker's calls fail, not the host's */
  bool drains;     /* it ends by rtc_server_drain */
  unsigned errors; /* that may come, as bits */
  RtcWorker *workers[WORKERS];
  RtcServer *server;
  sem_t closed;
} Life;

/* -- On a worker's thread -- */

typedef struct Post {
  void (*fn)(void *arg);
  void *arg;
  sem_t done;
} Post;

static void run_post(void *arg) {
  Post *post = arg;
  post->fn(post->arg);
  sem_post(&post->done);
}

static void on_worker(RtcWorker *worker, void (*fn)(void *arg), void *arg) {
  Post post = {.fn = fn, .arg = arg};
  sem_init(&post.done, 0, 0);
  assert_int_equal(rtc_worker_post(worker, run_post, &post), RTC_OK);
  while (sem_wait(&post.done) != 0)
    ;
  sem_destroy(&post.done);
}

static void arm(void *arg) {
  faults_arm(arg);
}

static void disarm(void *arg) {
  *(FaultCount *)arg = faults_disarm();
}

/* -- A life -- */

static void assert_may(const Life *life, RtcError error) {
  if (error && !(life->errors & BIT(error)))
    fail_msg("the error is %s", rtc_error_name(error));
}

static RtcError start_workers(Life *life) {
  const RtcWorkerConfig config = {.name = "faults"};
  for (int i = 0; i < WORKERS; i++) {
    RtcError error = rtc_worker_new(&life->workers[i], &config);
    if (error)
      return error;
  }
  return RTC_OK;
}

static RtcError start_server(Life *life) {
  static const char *const listen[] = {"127.0.0.1:0", "[::1]:0"};
  RtcServerConfig config;
  rtc_server_config_init(&config);
  config.workers = life->workers;
  config.worker_count = WORKERS;
  config.listen = listen;
  config.listen_count = 2;
  return rtc_server_new(&life->server, &config, NULL);
}

static void on_closed(void *arg) {
  sem_post(&((Life *)arg)->closed);
}

static void end_server(Life *life) {
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += DEADLINE_S;
  if (life->drains)
    rtc_server_drain(life->server, 2 * DEADLINE_S * 1000, on_closed, life);
  else
    rtc_server_close(life->server, on_closed, life);
  int waited;
  while ((waited = sem_timedwait(&life->closed, &until)) != 0 && errno == EINTR)
    ;
  if (waited != 0)
    fail_msg("the server does not close");
  rtc_server_destroy(life->server);
}

static void end_workers(Life *life) {
  for (int i = 0; i < WORKERS; i++) {
    if (!life->workers[i])
      continue;
    rtc_worker_stop(life->workers[i]);
    rtc_worker_join(life->workers[i]);
    rtc_worker_destroy(life->workers[i]);
  }
}

/* The host's thread fails from the making of the workers to their end. */
static FaultCount live_with_host(Life *life, const FaultPlan *plan) {
  faults_arm(plan);
  RtcError error = start_workers(life);
  if (!error)
    error = start_server(life);
  assert_may(life, error);
  if (!error)
    end_server(life);
  end_workers(life);
  return faults_disarm();
}

/* The worker's thread fails from the making of the server to its end. */
static FaultCount live_with_worker(Life *life, const FaultPlan *plan) {
  FaultPlan armed = *plan;
  FaultCount count;
  assert_int_equal(start_workers(life), RTC_OK);
  on_worker(life->workers[0], arm, &armed);
  assert_int_equal(start_server(life), RTC_OK);
  end_server(life);
  on_worker(life->workers[0], disarm, &count);
  end_workers(life);
  return count;
}

static FaultCount live(const FaultPlan *plan, void *arg) {
  Life life = *(const Life *)arg;
  size_t descriptors = descriptors_open();
  sem_init(&life.closed, 0, 0);
  FaultCount count = life.on_worker ? live_with_worker(&life, plan) : live_with_host(&life, plan);
  sem_destroy(&life.closed);
  assert_int_equal(descriptors_open(), descriptors);
  return count;
}

/* -- Cases -- */

static void sweep(Life life, FaultPlan plan, size_t stride) {
  for (int drains = 0; drains < 2; drains++) {
    life.drains = drains;
    faults_sweep(&(Sweep){.plan = plan, .stride = stride, .live = live, .arg = &life});
  }
}

static void memory_of_the_host_may_fail(void **state) {
  (void)state;
  const Life life = {.errors = BIT(RTC_ERROR_NO_MEMORY)};
  sweep(life, (FaultPlan){.point = FAULT_MEMORY}, 1);
  sweep(life, (FaultPlan){.point = FAULT_MEMORY, .times = FAULT_FOR_EVER}, 1);
  sweep(life, (FaultPlan){.point = FAULT_MEMORY_LIBUV}, 1);
}

static void memory_of_openssl_may_fail(void **state) {
  (void)state;
  Life life = {.errors = BIT(RTC_ERROR_NO_MEMORY)};
  faults_sweep(&(Sweep){.plan = {.point = FAULT_MEMORY_OPENSSL},
                        .stride = 3 * faults_slowness(),
                        .live = live,
                        .arg = &life});
}

/* The host has its server before the worker knows: what fails there is logged, and still ends. */
static void memory_of_the_worker_may_fail(void **state) {
  (void)state;
  const Life life = {.on_worker = true};
  sweep(life, (FaultPlan){.point = FAULT_MEMORY}, 1);
  sweep(life, (FaultPlan){.point = FAULT_MEMORY, .times = FAULT_FOR_EVER}, 1);
  sweep(life, (FaultPlan){.point = FAULT_MEMORY_LIBUV}, 1);
}

/* eventfd is not among them: without it libuv 1.44's uv_loop_init leaves its epoll descriptor open,
 * which the library can't close, as it does not know of it. */
static void calls_of_the_host_may_fail(void **state) {
  static const struct {
    FaultPoint point;
    int error;
    RtcError told;
  } rows[] = {
      {FAULT_EPOLL_CREATE, EMFILE, RTC_ERROR_SYSTEM},
      {FAULT_EPOLL_CREATE, ENOMEM, RTC_ERROR_NO_MEMORY},
      {FAULT_PTHREAD_CREATE, EAGAIN, RTC_ERROR_SYSTEM},
      {FAULT_SOCKET, EMFILE, RTC_ERROR_SYSTEM},
      {FAULT_SOCKET, ENOBUFS, RTC_ERROR_SYSTEM},
      {FAULT_SETSOCKOPT, ENOMEM, RTC_ERROR_SYSTEM},
      {FAULT_BIND, EADDRINUSE, RTC_ERROR_ADDRESS_IN_USE},
      {FAULT_BIND, EACCES, RTC_ERROR_ACCESS},
      {FAULT_LISTEN, EADDRINUSE, RTC_ERROR_ADDRESS_IN_USE},
      {FAULT_GETSOCKNAME, ENOBUFS, RTC_ERROR_SYSTEM},
      {FAULT_CLOSE, EIO, RTC_OK},
  };
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    sweep((Life){.errors = BIT(rows[i].told)},
          (FaultPlan){.point = rows[i].point, .error = rows[i].error}, 1);
}

static void calls_of_the_worker_may_fail(void **state) {
  static const struct {
    FaultPoint point;
    int error;
  } rows[] = {
      {FAULT_MMAP, ENOMEM},      {FAULT_MPROTECT, ENOMEM},  {FAULT_MADVISE, EINVAL},
      {FAULT_EPOLL_CTL, ENOSPC}, {FAULT_EPOLL_CTL, ENOMEM}, {FAULT_EPOLL_WAIT, EINTR},
      {FAULT_CLOSE, EIO},
  };
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    sweep((Life){.on_worker = true}, (FaultPlan){.point = rows[i].point, .error = rows[i].error},
          1);
}

/* What the process opens and caches with its first worker and server. */
static int warm_up(void **state) {
  Life life = {.on_worker = false};
  (void)state;
  for (int i = 0; i < 2; i++) {
    sem_init(&life.closed, 0, 0);
    if (start_workers(&life) || start_server(&life))
      return -1;
    end_server(&life);
    end_workers(&life);
    sem_destroy(&life.closed);
  }
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(memory_of_the_host_may_fail),   cmocka_unit_test(memory_of_openssl_may_fail),
      cmocka_unit_test(memory_of_the_worker_may_fail), cmocka_unit_test(calls_of_the_host_may_fail),
      cmocka_unit_test(calls_of_the_worker_may_fail),
  };
  return cmocka_run_group_tests(tests, warm_up, NULL);
}
