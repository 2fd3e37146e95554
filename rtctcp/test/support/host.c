/* The tests' host: its worker, its server, and the check that nothing is left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "protocol/srtp.h"
#include "support/descriptors.h"
#include "support/host.h"

#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define POLL_MS 2

/* -- The worker's thread -- */

typedef struct Call {
  void (*fn)(void *arg);
  void *arg;
  sem_t done;
} Call;

static void run_call(void *arg) {
  Call *call = arg;
  call->fn(call->arg);
  sem_post(&call->done);
}

void host_run(Host *host, void (*fn)(void *arg), void *arg) {
  Call call = {.fn = fn, .arg = arg};
  assert_int_equal(sem_init(&call.done, 0, 0), 0);
  assert_int_equal(rtc_worker_post(host->worker, run_call, &call), RTC_OK);
  while (sem_wait(&call.done) != 0)
    ;
  sem_destroy(&call.done);
}

static void take_foreign(int fd, const struct sockaddr *peer, socklen_t peer_len, void *arg) {
  Host *host = arg;
  (void)peer;
  (void)peer_len;
  pthread_mutex_lock(&host->lock);
  if (host->foreign_fd >= 0)
    close(host->foreign_fd);
  host->foreign_fd = fd;
  host->foreign_count++;
  pthread_cond_broadcast(&host->changed);
  pthread_mutex_unlock(&host->lock);
}

static void server_closed(void *arg) {
  Host *host = arg;
  pthread_mutex_lock(&host->lock);
  host->server_gone = true;
  pthread_cond_broadcast(&host->changed);
  pthread_mutex_unlock(&host->lock);
}

/* -- Figures -- */

typedef struct Figures {
  Host *host;
  RtcServerStats server;
  RtcWorkerStats worker;
} Figures;

static void read_figures(void *arg) {
  Figures *figures = arg;
  rtc_server_stats(figures->host->server, figures->host->worker, &figures->server);
  rtc_worker_stats(figures->host->worker, &figures->worker);
}

void host_stats(Host *host, RtcServerStats *stats) {
  Figures figures = {.host = host};
  host_run(host, read_figures, &figures);
  *stats = figures.server;
}

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void pause_ms(long ms) {
  struct timespec time = {.tv_nsec = ms * 1000000};
  nanosleep(&time, NULL);
}

void host_await_stat(Host *host, size_t offset, uint64_t value) {
  int64_t deadline_ms = now_ms() + HOST_DEADLINE_MS;
  uint64_t seen;
  for (;;) {
    RtcServerStats stats;
    host_stats(host, &stats);
    memcpy(&seen, (const uint8_t *)&stats + offset, sizeof seen);
    if (seen == value)
      return;
    if (now_ms() > deadline_ms)
      fail_msg("the figure at %zu is %llu, not %llu", offset, (unsigned long long)seen,
               (unsigned long long)value);
    pause_ms(POLL_MS);
  }
}

static bool is_idle(Host *host, Figures *figures, size_t *descriptors) {
  figures->host = host;
  host_run(host, read_figures, figures);
  *descriptors = descriptors_open();
  return !figures->server.connections.live && !figures->server.tcp_conns.live &&
         !figures->server.unauthenticated &&
         figures->worker.coroutines_live == host->coroutines_idle &&
         (host->config.shares_process || *descriptors == host->descriptors_idle);
}

void host_await_idle(Host *host) {
  int64_t deadline_ms = now_ms() + HOST_DEADLINE_MS;
  for (;;) {
    Figures figures;
    size_t descriptors;
    if (is_idle(host, &figures, &descriptors))
      return;
    if (now_ms() > deadline_ms)
      fail_msg("left: connections %llu, TCP conns %llu, coroutines %llu of %llu, descriptors %zu "
               "of %zu",
               (unsigned long long)figures.server.connections.live,
               (unsigned long long)figures.server.tcp_conns.live,
               (unsigned long long)figures.worker.coroutines_live,
               (unsigned long long)host->coroutines_idle, descriptors, host->descriptors_idle);
    pause_ms(POLL_MS);
  }
}

/* -- Setup -- */

static const char *address_of(const char *listen) {
  return listen[0] == '[' ? "::1" : "127.0.0.1";
}

static void start_server(Host *host) {
  const HostConfig *own = &host->config;
  const char *listen[] = {own->listen ? own->listen : "127.0.0.1:0", own->also_listen};
  RtcServerConfig config;
  rtc_server_config_init(&config);
  config.workers = &host->worker;
  config.worker_count = 1;
  config.listen = listen;
  config.listen_count = own->also_listen ? 2 : 1;
  if (own->first_frame_ms)
    config.first_frame_timeout_ms = own->first_frame_ms;
  if (own->session_timeout_ms)
    config.session_timeout_ms = own->session_timeout_ms;
  if (own->grace_ms)
    config.reconnect_grace_ms = own->grace_ms < 0 ? 0 : (uint32_t)own->grace_ms;
  if (own->unauthenticated_max)
    config.unauthenticated_max = own->unauthenticated_max;
  if (own->per_address_max)
    config.unauthenticated_per_address_max = own->per_address_max;
  if (own->takes_foreign)
    config.on_foreign_socket = take_foreign;
  config.arg = host;
  assert_int_equal(rtc_server_new(&host->server, &config, NULL), RTC_OK);
  host->port = rtc_server_port(host->server, 0);
  host->address = address_of(listen[0]);
  if (!own->also_listen)
    return;
  host->also_port = rtc_server_port(host->server, 1);
  host->also_address = address_of(own->also_listen);
}

/* The accept loop and the manager start in the worker's own time. */
static void note_idle(Host *host) {
  Figures figures = {.host = host};
  for (int turn = 0; turn < 5; turn++) {
    pause_ms(POLL_MS);
    host_run(host, read_figures, &figures);
  }
  host->coroutines_idle = figures.worker.coroutines_live;
  host->descriptors_idle = descriptors_open();
}

/* The library and the test peer share the process's libsrtp2, whose one initialisation takes no two
 * threads: let the library's come first. */
static void start_libsrtp(void) {
  RtcSrtp *srtp;
  const RtcSrtpKeys keys = {.profile = RTC_SRTP_PROFILE_AEAD_AES_128_GCM, .len = 16 + 12};
  if (rtc_srtp_new(&srtp, &keys) == RTC_OK)
    rtc_srtp_destroy(srtp);
}

/* What the libraries open once for the process: libuv keeps a pipe from the first loop on. */
static void start_libraries(void) {
  static bool done;
  RtcWorker *worker;
  const RtcWorkerConfig config = {0};
  if (done)
    return;
  done = true;
  start_libsrtp();
  assert_int_equal(rtc_worker_new(&worker, &config), RTC_OK);
  rtc_worker_stop(worker);
  rtc_worker_join(worker);
  rtc_worker_destroy(worker);
}

int host_setup(void **state) {
  Host *host = calloc(1, sizeof *host);
  if (!host)
    return -1;
  if (*state)
    host->config = *(const HostConfig *)*state;
  *state = host;
  pthread_mutex_init(&host->lock, NULL);
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&host->changed, &attributes);
  pthread_condattr_destroy(&attributes);
  host->foreign_fd = -1;
  start_libraries();
  host->descriptors_before = descriptors_open();
  RtcWorkerConfig config = {.name = "test"};
  if (getenv("RTC_TEST_LOG"))
    config.log = (RtcLog){.level = RTC_LOG_LEVEL_DEBUG, .write = rtc_log_write_stderr};
  assert_int_equal(rtc_worker_new(&host->worker, &config), RTC_OK);
  start_server(host);
  note_idle(host);
  return 0;
}

/* -- Teardown -- */

static void finish_connection(void *arg) {
  HostSession *session = arg;
  if (!session->connection)
    return;
  rtc_connection_close(session->connection);
  rtc_connection_unref(&session->connection);
}

static void finish_sessions(Host *host) {
  for (size_t i = 0; i < host->session_count; i++) {
    HostSession *session = &host->sessions[i];
    peer_destroy(session->peer);
    session->peer = NULL;
    if (!host->worker_stopped)
      host_run(host, finish_connection, session);
    assert_int_equal(session->after_closed, 0);
  }
  if (host->foreign_fd >= 0)
    close(host->foreign_fd);
  host->foreign_fd = -1;
}

void host_await_server_gone(Host *host) {
  if (!host->stopped) /* a worker that stops takes its share along, and nobody is told */
    host_close_server(host);
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_sec += HOST_DEADLINE_MS / 1000;
  pthread_mutex_lock(&host->lock);
  int waited = 0;
  while (!host->server_gone && waited == 0)
    waited = pthread_cond_timedwait(&host->changed, &host->lock, &until);
  bool gone = host->server_gone;
  pthread_mutex_unlock(&host->lock);
  assert_true(gone);
}

void host_close_server(Host *host) {
  host->stopped = true;
  rtc_server_close(host->server, server_closed, host);
}

void host_drain_server(Host *host, uint32_t deadline_ms) {
  host->stopped = true;
  rtc_server_drain(host->server, deadline_ms, server_closed, host);
}

void host_stop_worker(Host *host) {
  for (size_t i = 0; i < host->session_count; i++)
    assert_null(host->sessions[i].connection);
  host->worker_stopped = true;
  rtc_worker_stop(host->worker);
}

int host_teardown(void **state) {
  Host *host = *state;
  finish_sessions(host);
  if (!host->stopped && !host->worker_stopped)
    host_await_idle(host);
  host_await_server_gone(host);
  rtc_worker_stop(host->worker);
  rtc_worker_join(host->worker);
  if (host->config.last) /* nothing of the worker runs any more */
    rtc_server_stats(host->server, host->worker, host->config.last);
  rtc_server_destroy(host->server);
  rtc_worker_destroy(host->worker);
  pthread_cond_destroy(&host->changed);
  pthread_mutex_destroy(&host->lock);
  size_t before = host->descriptors_before;
  bool counted = !host->config.shares_process;
  free(host);
  *state = NULL;
  if (counted)
    assert_int_equal(descriptors_open(), before);
  return 0;
}
