/* Starts and stops the worker threads, and calls them, see crew.h. */
#include "crew.h"

#include "clock.h"
#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VISIT_TICK_MS   5
#define VISIT_ROUND_MS  500 /* each session is visited once in it */
#define TIMEOUT_SPARE_S 60  /* beyond a stall: on this side no session may end for it */

/* ---- A worker's thread ----------------------------------------------------------------------- */

/* A share of the sessions each tick, so that what they send is spread over time. */
static void on_visits(uv_timer_t *timer) {
  CrewWorker *worker = timer->data;
  size_t share = (worker->session_count * VISIT_TICK_MS + VISIT_ROUND_MS - 1) / VISIT_ROUND_MS;
  uint64_t now_ns = clock_ns();
  for (; share > 0 && worker->session_count > 0; share--) {
    if (worker->visited >= worker->session_count)
      worker->visited = 0;
    session_visit(worker->sessions[worker->visited++], now_ns);
  }
}

static void on_stopped(void *arg) {
  CrewWorker *worker = arg;
  uv_close((uv_handle_t *)&worker->visits, NULL);
}

static bool open_loop(CrewWorker *worker) {
  char name[32];
  snprintf(name, sizeof name, "load-%zu", (size_t)(worker - worker->crew->workers));
  RtcWorkerConfig config = {
      .name = name,
      .loop = &worker->loop,
      .log = {.level = worker->crew->options->log_level, .write = rtc_log_write_stderr},
      .on_stopped = on_stopped,
      .arg = worker,
  };
  if (uv_loop_init(&worker->loop) != 0)
    return false;
  uv_timer_init(&worker->loop, &worker->visits);
  worker->visits.data = worker;
  uv_timer_start(&worker->visits, on_visits, VISIT_TICK_MS, VISIT_TICK_MS);
  if (rtc_worker_new(&worker->rtc, &config) == RTC_OK)
    return true;
  uv_close((uv_handle_t *)&worker->visits, NULL);
  uv_run(&worker->loop, UV_RUN_DEFAULT);
  uv_loop_close(&worker->loop);
  return false;
}

static void *run_worker(void *arg) {
  CrewWorker *worker = arg;
  worker->started = open_loop(worker);
  bool runs = worker->started; /* the main thread may free a worker that does not */
  sem_post(&worker->crew->told);
  if (!runs)
    return NULL;
  uv_run(&worker->loop, UV_RUN_DEFAULT);
  uv_loop_close(&worker->loop);
  return NULL;
}

/* ---- Calls from the main thread -------------------------------------------------------------- */

static void await_told(Crew *crew) {
  while (sem_wait(&crew->told) != 0)
    ; /* EINTR */
}

typedef struct CrewCall {
  CrewWorker *worker;
  void (*fn)(CrewWorker *worker, void *arg);
  void *arg;
} CrewCall;

static void run_call(void *arg) {
  const CrewCall *call = arg;
  call->fn(call->worker, call->arg);
  sem_post(&call->worker->crew->told);
}

/* One worker after the other, so that fn may write to what arg points at. */
static void call_all(Crew *crew, void (*fn)(CrewWorker *worker, void *arg), void *arg) {
  for (size_t i = 0; i < crew->worker_count; i++) {
    CrewCall call = {.worker = &crew->workers[i], .fn = fn, .arg = arg};
    if (rtc_worker_post(call.worker->rtc, run_call, &call) == RTC_OK)
      await_told(crew);
  }
}

typedef struct OpenCall {
  CrewWorker *worker; /* borrowed */
  SessionPlan plan;
} OpenCall;

static void run_open(void *arg) {
  OpenCall *call = arg;
  session_open(call->worker, &call->plan);
  free(call);
}

bool crew_open(Crew *crew, const SessionPlan *plan) {
  OpenCall *call = malloc(sizeof *call);
  if (!call)
    return false;
  *call = (OpenCall){.worker = &crew->workers[crew->next_worker], .plan = *plan};
  crew->next_worker = (crew->next_worker + 1) % crew->worker_count;
  if (rtc_worker_post(call->worker->rtc, run_open, call) == RTC_OK)
    return true;
  free(call);
  return false;
}

/* ---- What is done on the workers ------------------------------------------------------------- */

static void set_pace(CrewWorker *worker, void *arg) {
  const Pace *pace = arg;
  for (size_t i = 0; i < worker->session_count; i++)
    if (worker->sessions[i]->publisher)
      publisher_set_pace(worker->sessions[i]->publisher, *pace);
}

void crew_set_pace(Crew *crew, Pace pace) {
  call_all(crew, set_pace, &pace);
}

static void begin_phase(CrewWorker *worker, void *arg) {
  const Phase *phase = arg;
  for (size_t i = 0; i < worker->session_count; i++)
    if (worker->sessions[i]->publisher)
      publisher_begin_phase(worker->sessions[i]->publisher, *phase);
}

void crew_begin_phase(Crew *crew, Phase phase) {
  call_all(crew, begin_phase, &phase);
}

static void stall(CrewWorker *worker, void *arg) {
  const bool *stalled = arg;
  for (size_t i = 0; i < worker->session_count; i++) {
    Session *session = worker->sessions[i];
    if (!session->relay)
      continue;
    if (!*stalled)
      recovery_resume(&session->recovery, clock_ns());
    relay_stall(session->relay, *stalled);
  }
}

void crew_stall(Crew *crew, bool stalled) {
  call_all(crew, stall, &stalled);
}

static void end_sessions(CrewWorker *worker, void *arg) {
  const LoadRole *role = arg;
  for (size_t i = 0; i < worker->session_count; i++)
    if (worker->sessions[i]->plan.role == *role)
      session_end(worker->sessions[i]);
}

void crew_end_sessions(Crew *crew, LoadRole role) {
  call_all(crew, end_sessions, &role);
}

/* ---- What is read from the workers ----------------------------------------------------------- */

typedef struct CountCall {
  MeterGroup group;
  Phase phase;
  PhaseCount *count;
} CountCall;

static void count_worker(CrewWorker *worker, void *arg) {
  const CountCall *call = arg;
  PhaseCount *count = call->count;
  const Meter *meter = &worker->meters[call->group][call->phase];
  count->delivered += atomic_load(&meter->delivered);
  count->octets += meter->octets;
  count->gaps += meter->gaps;
  count->out_of_order += meter->out_of_order;
  count->expected += meter->expected_lost;
  for (size_t i = 0; i < worker->session_count; i++) {
    const Session *session = worker->sessions[i];
    bool of_group = session->plan.stalls == (call->group == METER_STALLS);
    if (of_group && session->connected_once && !session->lost)
      count->expected += reception_expected(&session->reception, call->phase, CHANNEL_NO_FRAME);
    if (session->publisher && publisher_late_ns(session->publisher) > count->late_ns)
      count->late_ns = publisher_late_ns(session->publisher);
  }
}

void crew_count(Crew *crew, MeterGroup group, Phase phase, PhaseCount *count) {
  CountCall call = {.group = group, .phase = phase, .count = count};
  *count = (PhaseCount){0};
  call_all(crew, count_worker, &call);
}

typedef struct LatencyCall {
  MeterGroup group;
  Phase phase;
  Histogram *histogram;
} LatencyCall;

static void add_latency(CrewWorker *worker, void *arg) {
  const LatencyCall *call = arg;
  histogram_merge(call->histogram, &worker->meters[call->group][call->phase].latency);
}

void crew_add_latency(Crew *crew, MeterGroup group, Phase phase, Histogram *histogram) {
  LatencyCall call = {.group = group, .phase = phase, .histogram = histogram};
  call_all(crew, add_latency, &call);
}

typedef struct RecoveryCall {
  RecoveryMoment *first_frame, *picture;
} RecoveryCall;

/* The later one. known: of both */
static void take_worse(RecoveryMoment *worst, const RecoveryMoment *moment) {
  bool known = worst->known && moment->known;
  if (moment->after_ns > worst->after_ns)
    worst->after_ns = moment->after_ns;
  if (moment->age_ns > worst->age_ns)
    worst->age_ns = moment->age_ns;
  worst->known = known;
}

static void take_recoveries(CrewWorker *worker, void *arg) {
  const RecoveryCall *call = arg;
  for (size_t i = 0; i < worker->session_count; i++) {
    const Session *session = worker->sessions[i];
    if (!session->plan.stalls)
      continue;
    take_worse(call->first_frame, &session->recovery.first_frame);
    take_worse(call->picture, &session->recovery.picture);
  }
}

void crew_recovery(Crew *crew, RecoveryMoment *first_frame, RecoveryMoment *picture) {
  RecoveryCall call = {.first_frame = first_frame, .picture = picture};
  *first_frame = *picture = (RecoveryMoment){.known = true};
  call_all(crew, take_recoveries, &call);
}

typedef struct StrayCall {
  uint64_t *not_sent, *foreign;
} StrayCall;

static uint64_t drops_out(const RtcConnection *connection) {
  RtcConnectionStats stats;
  rtc_connection_stats(connection, &stats);
  return stats.drops[RTC_DROP_QUEUE_FULL] + stats.drops[RTC_DROP_QUEUE_LATE] +
         stats.drops[RTC_DROP_AWAIT_KEYFRAME] + stats.drops[RTC_DROP_NOT_CONNECTED];
}

static void count_strays(CrewWorker *worker, void *arg) {
  const StrayCall *call = arg;
  *call->foreign += worker->foreign;
  for (size_t i = 0; i < worker->session_count; i++) {
    const Session *session = worker->sessions[i];
    *call->foreign += session->reception.foreign;
    if (session->publisher)
      *call->not_sent += drops_out(session->connection);
  }
}

void crew_strays(Crew *crew, uint64_t *not_sent, uint64_t *foreign) {
  StrayCall call = {.not_sent = not_sent, .foreign = foreign};
  *not_sent = *foreign = 0;
  call_all(crew, count_strays, &call);
}

uint64_t crew_delivered(const Crew *crew) {
  uint64_t sum = 0;
  for (size_t i = 0; i < crew->worker_count; i++)
    for (size_t group = 0; group < METER_GROUP_COUNT; group++)
      for (size_t phase = 0; phase < PHASE_COUNT; phase++)
        sum += atomic_load_explicit(&crew->workers[i].meters[group][phase].delivered,
                                    memory_order_relaxed);
  return sum;
}

/* ---- From the beginning to the end ----------------------------------------------------------- */

static bool start_worker(Crew *crew) {
  CrewWorker *worker = &crew->workers[crew->worker_count];
  worker->crew = crew;
  if (pthread_create(&worker->thread, NULL, run_worker, worker) != 0)
    return false;
  await_told(crew);
  if (worker->started) {
    crew->worker_count++;
    return true;
  }
  pthread_join(worker->thread, NULL);
  return false;
}

static RtcError start_server(Crew *crew) {
  RtcWorker *workers[OPTIONS_WORKERS_MAX];
  RtcServerConfig config;
  for (size_t i = 0; i < crew->worker_count; i++)
    workers[i] = crew->workers[i].rtc;
  rtc_server_config_init(&config);
  config.workers = workers;
  config.worker_count = crew->worker_count;
  config.connections_max = 2 * OPTIONS_SESSIONS_MAX;
  double timeout_s = crew->options->stall + TIMEOUT_SPARE_S;
  if (crew->options->slow > 0)
    config.session_timeout_ms = (uint32_t)(timeout_s * 1000);
  return rtc_server_new(&crew->server, &config, NULL);
}

static bool start_all(Crew *crew) {
  const Options *options = crew->options;
  crew->workers = calloc(options->workers, sizeof *crew->workers);
  if (!crew->workers)
    return false;
  for (size_t i = 0; i < options->workers; i++)
    if (!start_worker(crew))
      return false;
  RtcError error = start_server(crew);
  if (error != RTC_OK) {
    fprintf(stderr, "rtctcp-load: the library does not start: %s\n", rtc_error_text(error));
    return false;
  }
  crew->http = http_client_start(options->parallel, options->timeout, options->token);
  return crew->http;
}

bool crew_start(Crew *crew, const Options *options) {
  *crew = (Crew){.options = options};
  sem_init(&crew->told, 0, 0);
  if (start_all(crew))
    return true;
  fprintf(stderr, "rtctcp-load: can't start\n");
  crew_stop(crew);
  return false;
}

static void on_server_closed(void *arg) {
  sem_post(arg);
}

void crew_stop(Crew *crew) {
  http_client_stop(crew->http);
  if (crew->server) {
    rtc_server_close(crew->server, on_server_closed, &crew->told);
    await_told(crew);
  }
  for (size_t i = 0; i < crew->worker_count; i++)
    rtc_worker_stop(crew->workers[i].rtc);
  for (size_t i = 0; i < crew->worker_count; i++)
    pthread_join(crew->workers[i].thread, NULL);
  rtc_server_destroy(crew->server);
  for (size_t i = 0; i < crew->worker_count; i++) {
    rtc_worker_destroy(crew->workers[i].rtc);
    free(crew->workers[i].sessions);
  }
  free(crew->workers);
  sem_destroy(&crew->told);
}
