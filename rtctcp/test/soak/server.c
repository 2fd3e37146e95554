/* The soak's server process: workers, a server, and a thread that takes calls from the peers'
 * process and posts them to the workers, as a host's HTTP thread would. */
#include "soak/server.h"
#include "soak/session.h"

#include <malloc.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define CLOSE_S 20 /* for the last object to go */

typedef struct SoakServer {
  const SoakServerConfig *config; /* borrowed */
  SoakShard shards[SOAK_WORKERS_MAX];
  RtcServer *server; /* owned */
  sem_t answered;    /* what a worker was asked, it has answered */
  sem_t closed;      /* the server's last object has gone */
  bool quits;
} SoakServer;

/* -- Calls of a session, on its worker's thread -- */

typedef struct Call {
  SoakShard *shard; /* borrowed */
  int channel;      /* borrowed */
  SoakRequest request;
} Call;

static RtcError end_session(const Call *call) {
  RtcConnection *connection =
      rtc_server_find(call->shard->server, call->shard->worker, call->request.id);
  if (!connection)
    return RTC_ERROR_NOT_FOUND;
  RtcTcpConn *tcp = rtc_connection_tcp_conn(connection);
  if (call->request.verb == SOAK_VERB_CLOSE_TCP && tcp)
    rtc_tcp_conn_close(tcp);
  else
    rtc_connection_close(connection);
  return RTC_OK;
}

static RtcError restart_session(const Call *call, RtcSdpTransport *local) {
  RtcConnection *connection =
      rtc_server_find(call->shard->server, call->shard->worker, call->request.id);
  if (!connection)
    return RTC_ERROR_NOT_FOUND;
  RtcError error = rtc_connection_restart_ice(connection, &call->request.remote);
  rtc_connection_local_transport(connection, local);
  return error;
}

static void run_call(void *arg) {
  Call *call = arg;
  SoakAnswer answer = {.port = rtc_server_port(call->shard->server, 0)};
  if (call->request.verb == SOAK_VERB_OPEN)
    answer.error = soak_session_open(call->shard, &call->request, &answer);
  else if (call->request.verb == SOAK_VERB_RESTART)
    answer.error = restart_session(call, &answer.local);
  else
    answer.error = end_session(call);
  soak_control_send(call->channel, &answer, sizeof answer);
  free(call);
}

static bool post_call(SoakShard *shard, int channel, const SoakRequest *request) {
  Call *call = malloc(sizeof *call);
  if (!call)
    return false;
  *call = (Call){shard, channel, *request};
  if (rtc_worker_post(shard->worker, run_call, call) == RTC_OK)
    return true;
  free(call);
  return false;
}

/* -- Figures -- */

typedef struct Reading {
  SoakServer *server; /* borrowed */
  SoakShard *shard;   /* borrowed */
  SoakFigures *sum;   /* borrowed */
} Reading;

static void read_host(const SoakShard *shard, SoakFigures *sum) {
  for (int i = 0; i < SOAK_ENDING_COUNT; i++)
    for (int j = 0; j < RTC_CLOSE_COUNT; j++)
      sum->ends[i][j] += shard->ends[i][j];
  sum->late += shard->late;
  sum->wrong += shard->wrong;
  sum->after_closed += shard->after_closed;
}

static void read_shard(void *arg) {
  const Reading *reading = arg;
  const SoakShard *shard = reading->shard;
  SoakFigures *sum = reading->sum;
  RtcServerStats server;
  RtcWorkerStats worker;
  RtcSourceManagerStats sources;
  rtc_server_stats(shard->server, shard->worker, &server);
  rtc_worker_stats(shard->worker, &worker);
  rtc_source_manager_stats(shard->sources, &sources);
  soak_figures_add_stats(&sum->server, &server);
  sum->coroutines += worker.coroutines_live;
  sum->stacks_pooled += worker.stacks_pooled;
  if (worker.stack_high_water > sum->stack_high_water)
    sum->stack_high_water = worker.stack_high_water;
  sum->sources += sources.sources_live;
  sum->consumers += sources.consumers_live;
  sum->sources_total += sources.sources_total;
  sum->consumers_total += sources.consumers_total;
  read_host(shard, sum);
  sem_post(&reading->server->answered);
}

static void read_figures(SoakServer *server, SoakFigures *figures) {
  *figures = (SoakFigures){0};
  for (unsigned i = 0; i < server->config->workers; i++) {
    Reading reading = {server, &server->shards[i], figures};
    if (rtc_worker_post(server->shards[i].worker, read_shard, &reading) == RTC_OK)
      sem_wait(&server->answered);
  }
  soak_figures_of_process(figures);
}

/* -- Begin and end -- */

static void on_foreign_socket(int fd, const struct sockaddr *peer, socklen_t peer_len, void *arg) {
  (void)peer;
  (void)peer_len;
  (void)arg;
  close(fd);
}

static bool start_worker(SoakServer *server, unsigned index) {
  char name[16];
  snprintf(name, sizeof name, "soak-%u", index);
  RtcWorkerConfig config = {.name = name};
  if (getenv("RTC_TEST_LOG"))
    config.log = (RtcLog){.level = RTC_LOG_LEVEL_DEBUG, .write = rtc_log_write_stderr};
  SoakShard *shard = &server->shards[index];
  return rtc_worker_new(&shard->worker, &config) == RTC_OK;
}

static bool start_server(SoakServer *server) {
  const SoakServerConfig *own = server->config;
  const char *listen[] = {"127.0.0.1:0"};
  RtcWorker *workers[SOAK_WORKERS_MAX];
  RtcServerConfig config;
  rtc_server_config_init(&config);
  for (unsigned i = 0; i < own->workers; i++)
    workers[i] = server->shards[i].worker;
  config.workers = workers;
  config.worker_count = own->workers;
  config.listen = listen;
  config.listen_count = 1;
  config.session_timeout_ms = own->session_timeout_ms;
  config.first_frame_timeout_ms = own->first_frame_timeout_ms;
  config.reconnect_grace_ms = own->grace_ms;
  /* All strangers of the soak come from one address. */
  config.unauthenticated_per_address_max = config.unauthenticated_max;
  config.on_foreign_socket = on_foreign_socket;
  return rtc_server_new(&server->server, &config, NULL) == RTC_OK;
}

static void make_sources(void *arg) {
  Reading *reading = arg;
  SoakShard *shard = reading->shard;
  if (rtc_source_manager_new(&shard->sources, shard->worker) != RTC_OK)
    shard->sources = NULL;
  sem_post(&reading->server->answered);
}

static bool start_sources(SoakServer *server, SoakShard *shard) {
  Reading reading = {.server = server, .shard = shard};
  shard->server = server->server;
  if (rtc_worker_post(shard->worker, make_sources, &reading) != RTC_OK)
    return false;
  sem_wait(&server->answered);
  return shard->sources;
}

static bool start(SoakServer *server) {
  unsigned workers = server->config->workers;
  for (unsigned i = 0; i < workers; i++)
    if (!start_worker(server, i))
      return false;
  if (!start_server(server))
    return false;
  for (unsigned i = 0; i < workers; i++)
    if (!start_sources(server, &server->shards[i]))
      return false;
  return true;
}

static void on_closed(void *arg) {
  sem_post(&((SoakServer *)arg)->closed);
}

/* false: an object of the server is still held, so that it does not close. */
static bool close_server(SoakServer *server) {
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += CLOSE_S;
  rtc_server_close(server->server, on_closed, server);
  if (sem_timedwait(&server->closed, &until) == 0)
    return true;
  fputs("the server does not close\n", stderr);
  return false;
}

/* What is left then belongs to the process. */
static void stop(SoakServer *server) {
  for (unsigned i = 0; i < server->config->workers; i++) {
    SoakShard *shard = &server->shards[i];
    rtc_worker_stop(shard->worker);
    rtc_worker_join(shard->worker);
    rtc_source_manager_destroy(shard->sources);
    soak_shard_finish(shard);
  }
  rtc_server_destroy(server->server);
  for (unsigned i = 0; i < server->config->workers; i++)
    rtc_worker_destroy(server->shards[i].worker);
}

/* -- The thread that takes calls -- */

static bool take_call(SoakServer *server, size_t index) {
  const SoakServerConfig *config = server->config;
  int channel = config->channels[index];
  SoakRequest request;
  SoakFigures figures = {0};
  if (!soak_control_receive(channel, &request, sizeof request))
    return false;
  switch (request.verb) {
  case SOAK_VERB_TRIM:
    malloc_trim(0);
    /* fall through */
  case SOAK_VERB_FIGURES:
    read_figures(server, &figures);
    return soak_control_send(channel, &figures, sizeof figures);
  case SOAK_VERB_QUIT:
    if (!close_server(server))
      return false;
    stop(server);
    soak_figures_of_process(&figures);
    server->quits = true;
    return soak_control_send(channel, &figures, sizeof figures);
  default:
    return post_call(&server->shards[index % config->workers], channel, &request);
  }
}

static bool serve(SoakServer *server, struct pollfd *items) {
  const SoakServerConfig *config = server->config;
  for (size_t i = 0; i < config->channel_count; i++)
    items[i] = (struct pollfd){.fd = config->channels[i], .events = POLLIN};
  while (!server->quits) {
    if (poll(items, config->channel_count, -1) < 0)
      continue;
    for (size_t i = 0; i < config->channel_count && !server->quits; i++)
      if (items[i].revents && !take_call(server, i))
        return false;
  }
  return true;
}

int soak_server_run(const SoakServerConfig *config) {
  static SoakServer server;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  server.config = config;
  sem_init(&server.answered, 0, 0);
  sem_init(&server.closed, 0, 0);
  struct pollfd *items = calloc(config->channel_count, sizeof *items);
  if (!items || !start(&server)) {
    fputs("the server does not start\n", stderr);
    return 1;
  }
  bool served = serve(&server, items);
  free(items);
  return served ? 0 : 1;
}
