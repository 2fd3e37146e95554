/* Starts and stops workers, RTC server and HTTP in the order that their threads need, see host.h.
 */
#include "host.h"

#include "log.h"
#include "routes.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

/* Sessions are told close_notify, and nothing else is waited for: the process is to be gone 2 s
 * after its signal. */
#define STOP_DEADLINE_MS 1500
#define ANSWER_DEADLINE_MS                                                                         \
  300 /* for the last answers of HTTP: to the DELETE that ended a drain                            \
       */

/* ---- Calls on a worker, for the main thread only: it may wait -------------------------------- */

typedef struct Call {
  RtcError (*fn)(HostWorker *worker);
  HostWorker *worker; /* borrowed */
  RtcError result;
  sem_t done;
} Call;

static void run_call(void *arg) {
  Call *call = arg;
  call->result = call->fn(call->worker);
  sem_post(&call->done);
}

/* Errors: NO_MEMORY, CLOSED (it was not called), or what fn returns */
static RtcError call_on_worker(HostWorker *worker, RtcError (*fn)(HostWorker *worker)) {
  Call call = {.fn = fn, .worker = worker};
  sem_init(&call.done, 0, 0);
  RtcError error = rtc_worker_post(worker->worker, run_call, &call);
  if (error == RTC_OK) {
    while (sem_wait(&call.done) != 0)
      ; /* EINTR */
    error = call.result;
  }
  sem_destroy(&call.done);
  return error;
}

/* ---- Workers --------------------------------------------------------------------------------- */

static RtcError open_worker(HostWorker *worker) {
  return rtc_source_manager_new(&worker->sources, worker->worker);
}

static RtcError close_worker(HostWorker *worker) {
  rtc_source_manager_destroy(worker->sources);
  worker->sources = NULL;
  return RTC_OK;
}

static RtcError start_worker(Host *host) {
  char name[32];
  HostWorker *worker = &host->workers[host->worker_count];
  snprintf(name, sizeof name, "worker-%zu", host->worker_count);
  RtcWorkerConfig config = {.name = name, .log = host->log};
  *worker = (HostWorker){.host = host, .index = (unsigned)host->worker_count};
  sessions_init(&worker->sessions, &host->session_count, host->options->sessions_max);
  RtcError error = rtc_worker_new(&worker->worker, &config);
  if (error != RTC_OK)
    return error;
  host->worker_count++;
  return call_on_worker(worker, open_worker);
}

static void stop_workers(Host *host) {
  for (size_t i = 0; i < host->worker_count; i++) {
    HostWorker *worker = &host->workers[i];
    if (call_on_worker(worker, close_worker) != RTC_OK)
      log_line(&host->log, RTC_LOG_LEVEL_WARN, "worker %zu: its sources are left to the exit", i);
    rtc_worker_stop(worker->worker);
  }
  for (size_t i = 0; i < host->worker_count; i++)
    rtc_worker_join(host->workers[i].worker);
}

static void destroy_workers(Host *host) {
  while (host->worker_count > 0)
    rtc_worker_destroy(host->workers[--host->worker_count].worker);
}

/* One stream's publisher and players may be on any of them. */
static RtcError join_workers(Host *host) {
  RtcSourceManager *managers[HOST_WORKERS_MAX];
  for (size_t i = 0; i < host->worker_count; i++)
    managers[i] = host->workers[i].sources;
  return rtc_source_managers_join(managers, host->worker_count);
}

HostWorker *host_pick_worker(Host *host) {
  const RtcWorker *picked = rtc_server_pick_worker(host->server);
  for (size_t i = 0; i < host->worker_count; i++)
    if (host->workers[i].worker == picked)
      return &host->workers[i];
  return NULL;
}

/* ---- The server ------------------------------------------------------------------------------ */

static void on_foreign_socket(int fd, const struct sockaddr *peer, socklen_t peer_len, void *arg) {
  Host *host = arg;
  http_add_socket(host->http, fd, peer, peer_len);
}

static void tell_refusal(const Options *options, RtcError error, size_t failed) {
  if (error == RTC_ERROR_INVALID_ARGUMENT)
    fprintf(stderr, "rtctcp-server: an address of --listen or --candidate can't be used\n");
  else if (error == RTC_ERROR_UNSUPPORTED && failed < options->listen_count)
    fprintf(stderr, "rtctcp-server: the kernel has no congestion control '%s'\n",
            options->congestion_control[failed]);
  else if (failed < options->listen_count)
    fprintf(stderr, "rtctcp-server: can't listen on %s: %s\n", options->listen[failed],
            rtc_error_text(error));
  else
    fprintf(stderr, "rtctcp-server: can't start: %s\n", rtc_error_text(error));
}

static RtcError start_server(Host *host) {
  const Options *options = host->options;
  RtcWorker *workers[HOST_WORKERS_MAX];
  RtcServerConfig config;
  size_t failed = SIZE_MAX;
  for (size_t i = 0; i < host->worker_count; i++)
    workers[i] = host->workers[i].worker;
  rtc_server_config_init(&config);
  config.workers = workers;
  config.worker_count = host->worker_count;
  config.listen = options->listen;
  config.listen_count = options->listen_count;
  config.congestion_control = options->congestion_control;
  config.candidates = options->candidates;
  config.candidate_count = options->candidate_count;
  config.connections_max = options->sessions_max;
  config.first_frame_timeout_ms = options->first_frame_timeout_ms;
  config.session_timeout_ms = options->session_timeout_ms;
  config.reconnect_grace_ms = options->reconnect_grace_ms;
  config.on_foreign_socket = on_foreign_socket;
  config.arg = host;
  RtcError error = rtc_server_new(&host->server, &config, &failed);
  if (error != RTC_OK)
    tell_refusal(options, error, failed);
  return error;
}

static void on_closed(void *arg) {
  Host *host = arg;
  sem_post(&host->server_closed);
}

static struct timespec deadline_in_ms(long ms) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  at.tv_sec += ms / 1000;
  at.tv_nsec += ms % 1000 * 1000000;
  if (at.tv_nsec >= 1000000000) {
    at.tv_nsec -= 1000000000;
    at.tv_sec++;
  }
  return at;
}

/* A drain may have closed it already. false: it was not closed in time. */
static bool close_server(Host *host, const struct timespec *deadline) {
  int result;
  if (sem_trywait(&host->server_closed) == 0)
    return true;
  rtc_server_close(host->server, on_closed, host);
  do
    result = sem_clockwait(&host->server_closed, CLOCK_MONOTONIC, deadline);
  while (result != 0 && errno == EINTR);
  return result == 0;
}

/* ---- All of it ------------------------------------------------------------------------------- */

static void finish(Host *host) {
  if (host->http)
    http_stop(host->http);
  stop_workers(host);
  rtc_server_destroy(host->server);
  destroy_workers(host);
  http_destroy(host->http);
  sem_destroy(&host->server_closed);
}

RtcError host_start(Host *host, const Options *options) {
  *host = (Host){.options = options};
  sem_init(&host->server_closed, 0, 0);
  host->log = (RtcLog){.level = options->log_level, .write = rtc_log_write_stderr};
  HttpConfig config = {.log = host->log, .route = routes_answer, .arg = host};
  RtcError error = http_new(&host->http, &config);
  for (size_t i = 0; error == RTC_OK && i < options->worker_count; i++)
    error = start_worker(host);
  if (error == RTC_OK)
    error = join_workers(host);
  if (error != RTC_OK) {
    fprintf(stderr, "rtctcp-server: can't start: %s\n", rtc_error_text(error));
    goto failed;
  }
  error = start_server(host);
  if (error != RTC_OK)
    goto failed;
  http_open(host->http);
  return RTC_OK;

failed:
  finish(host);
  return error;
}

static void on_drained(void *arg) {
  Host *host = arg;
  sem_post(&host->server_closed);
  host->on_drained(host->drained_arg);
}

void host_drain(Host *host, void (*told)(void *arg), void *arg) {
  uint32_t drain_ms = host->options->drain_ms;
  log_line(&host->log, RTC_LOG_LEVEL_INFO,
           "draining: no new sessions, live ones may go on for %g s; another signal ends them",
           drain_ms / 1000.0);
  host->on_drained = told;
  host->drained_arg = arg;
  atomic_store(&host->draining, true);
  rtc_server_drain(host->server, drain_ms, on_drained, host);
}

bool host_is_draining(const Host *host) {
  return atomic_load(&host->draining);
}

RtcError host_stop(Host *host) {
  struct timespec deadline = deadline_in_ms(STOP_DEADLINE_MS);
  http_close(host->http);
  /* First the server: it answers the jobs under way with CLOSED at the latest. */
  if (!close_server(host, &deadline) || !http_wait_idle(host->http, &deadline))
    return RTC_ERROR_TIMEOUT;
  deadline = deadline_in_ms(ANSWER_DEADLINE_MS);
  http_wait_answered(host->http, &deadline);
  finish(host);
  return RTC_OK;
}
