/* RtcServer: a share of it on every worker, and what the host calls. */
#include "transport/listener.h"
#include "transport/rtc_connection_internal.h"
#include "transport/server_settings.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORKERS_MAX 4096 /* as many as a ufrag can name */

struct RtcServer {
  RtcServerSettings settings;
  RtcDtlsContext *dtls; /* owned */
  RtcAddress *bound;    /* owned: an array, one a listener */
  int *fds;             /* owned: an array, one a listener a worker; -1: given to its shard */
  size_t listener_count;
  bool no_reuse_port; /* all workers have the same sockets */
  RtcShard *shards;   /* owned: an array */
  size_t shard_count;
  int64_t drain_deadline_us; /* written before the shards are told of a drain, as undrained is */

  pthread_mutex_t lock; /* of what is below */
  size_t keepers;       /* shards that are not closed, and a rtc_server_close that runs */
  size_t undrained;     /* shards that a drain awaits */
  bool close_asked;
  void (*on_closed)(void *arg);
  void *arg; /* borrowed */
};

/* -- Making -- */

/* NULL: the system's. */
static const char *congestion_control(const RtcServerConfig *config, size_t listener) {
  return config->congestion_control ? config->congestion_control[listener] : NULL;
}

/* A worker's own socket on the first one's port. Where the system has no SO_REUSEPORT, or a sandbox
 * refuses it, it is another descriptor of the first one's: then all workers wake up for a conn, and
 * one of them accepts it. Either way a worker that stops takes nothing from the others. */
static RtcError open_another(int *fd, int first, RtcAddress *address,
                             const RtcListenerOptions *options) {
  RtcError error = rtc_listener_open(fd, address, true, options);
  return error == RTC_ERROR_UNSUPPORTED ? rtc_listener_share(fd, first) : error;
}

/* The first worker's socket fixes the port, if any free one will do. It is bound alone first: with
 * SO_REUSEPORT a port would be free that another server of this user serves. UNSUPPORTED may be
 * about the congestion control, too: then the first attempt says so. */
static RtcError open_first(RtcServer *server, int *fd, RtcAddress *address,
                           const RtcListenerOptions *options) {
  RtcError error = rtc_listener_open(fd, address, false, options);
  if (error || server->shard_count == 1 || server->no_reuse_port)
    return error;
  close(*fd);
  *fd = -1;
  error = rtc_listener_open(fd, address, true, options);
  if (error != RTC_ERROR_UNSUPPORTED)
    return error;
  server->no_reuse_port = true;
  return rtc_listener_open(fd, address, false, options);
}

static RtcError bind_sockets(RtcServer *server, const RtcServerConfig *config, size_t listener) {
  int *first = &server->fds[listener];
  RtcAddress *address = &server->bound[listener];
  const RtcListenerOptions options = {.congestion_control = congestion_control(config, listener),
                                      .notsent_lowat = server->settings.notsent_lowat};
  RtcError error = open_first(server, first, address, &options);
  for (size_t worker = 1; !error && worker < server->shard_count; worker++) {
    int *fd = &server->fds[worker * server->listener_count + listener];
    error = server->no_reuse_port ? rtc_listener_share(fd, *first)
                                  : open_another(fd, *first, address, &options);
  }
  return error;
}

static RtcError bind_listeners(RtcServer *server, const RtcServerConfig *config, size_t *failed) {
  for (size_t i = 0; i < server->listener_count; i++) {
    *failed = i;
    RtcError error = rtc_address_parse(&server->bound[i], config->listen[i], -1);
    if (!error)
      error = bind_sockets(server, config, i);
    if (error)
      return error;
  }
  if (server->no_reuse_port)
    RTC_LOG(rtc_worker_log(config->workers[0]), WARN,
            "the system refuses SO_REUSEPORT: all workers accept from one socket");
  return RTC_OK;
}

static RtcError make_parts(RtcServer *server, const RtcServerConfig *config, size_t *failed) {
  size_t sockets = config->listen_count * config->worker_count;
  /* Without listeners they hold nothing, but are there. */
  server->bound = calloc(config->listen_count + 1, sizeof *server->bound);
  server->fds = calloc(sockets + 1, sizeof *server->fds);
  server->shards = calloc(config->worker_count, sizeof *server->shards);
  for (size_t i = 0; server->fds && i < sockets; i++)
    server->fds[i] = -1;
  if (!server->bound || !server->fds || !server->shards)
    return RTC_ERROR_NO_MEMORY;
  server->listener_count = config->listen_count;
  server->shard_count = config->worker_count;
  RtcError error = bind_listeners(server, config, failed);
  if (error)
    return error;
  error = rtc_server_settings_candidates(&server->settings, config, server->bound, failed);
  if (error)
    return error;
  rtc_srtp_init(rtc_worker_log(config->workers[0]));
  error = rtc_dtls_context_new(&server->dtls, rtc_worker_log(config->workers[0]));
  for (size_t i = 0; !error && i < server->shard_count; i++)
    error = rtc_shard_init(&server->shards[i], server, config->workers[i], (unsigned)i,
                           &server->settings, server->dtls, server->listener_count);
  return error;
}

static void start_shard(void *arg) {
  RtcShard *shard = arg;
  RtcServer *server = shard->server;
  int *fds = server->fds + shard->index * server->listener_count;
  RtcError error = rtc_shard_start(shard, fds);
  for (size_t i = 0; i < server->listener_count; i++)
    fds[i] = -1;
  if (!error)
    return;
  rtc_load_close(&shard->load);
  if (error != RTC_ERROR_CLOSED) /* the worker was stopped at once: so be it */
    RTC_LOG(rtc_shard_log(shard), ERROR, "the server does not start on this worker: %s",
            rtc_error_text(error));
  rtc_server_let_go(server);
}

/* The kernel would go on to give them conns, which nobody would accept. */
static void close_sockets(RtcServer *server, const RtcShard *shard) {
  int *fds = server->fds + shard->index * server->listener_count;
  for (size_t i = 0; i < server->listener_count; i++) {
    close(fds[i]);
    fds[i] = -1;
  }
}

static RtcError start(RtcServer *server) {
  server->keepers = server->shard_count;
  for (size_t i = 0; i < server->shard_count; i++) {
    RtcShard *shard = &server->shards[i];
    shard->letters.start = (RtcLetter){.fn = start_shard, .arg = shard};
    RtcError error = rtc_worker_post_letter(shard->worker, &shard->letters.start);
    if (!error)
      continue;
    if (i == 0)
      return error;
    rtc_load_close(&shard->load);
    close_sockets(server, shard);
    rtc_server_let_go(server); /* the others serve */
  }
  return RTC_OK;
}

RtcError rtc_server_new(RtcServer **out, const RtcServerConfig *config, size_t *failed) {
  size_t failed_at = 0;
  if (config->worker_count == 0 || config->worker_count > WORKERS_MAX)
    return RTC_ERROR_INVALID_ARGUMENT;
  RtcServer *server = calloc(1, sizeof *server);
  if (!server)
    return RTC_ERROR_NO_MEMORY;
  pthread_mutex_init(&server->lock, NULL);
  rtc_server_settings_init(&server->settings, config);
  RtcError error = make_parts(server, config, &failed_at);
  if (!error)
    error = start(server);
  if (error) {
    if (failed)
      *failed = failed_at;
    rtc_server_destroy(server);
    return error;
  }
  *out = server;
  return RTC_OK;
}

/* -- Closing -- */

void rtc_server_keep(RtcServer *server) {
  pthread_mutex_lock(&server->lock);
  server->keepers++;
  pthread_mutex_unlock(&server->lock);
}

void rtc_server_let_go(RtcServer *server) {
  pthread_mutex_lock(&server->lock);
  bool closed = --server->keepers == 0 && server->close_asked;
  void (*on_closed)(void *arg) = server->on_closed;
  void *arg = server->arg;
  pthread_mutex_unlock(&server->lock);
  if (closed && on_closed) /* the host may free the server from here on */
    on_closed(arg);
}

static void close_shard(void *arg) {
  RtcShard *shard = arg;
  RtcServer *server = shard->server;
  rtc_shard_close(shard);
  rtc_server_let_go(server);
}

static void drain_shard(void *arg) {
  RtcShard *shard = arg;
  RtcServer *server = shard->server;
  rtc_shard_drain(shard, server->drain_deadline_us);
  rtc_server_let_go(server);
}

/* fn runs on the shard's worker, and lets go of the server. false: the worker has stopped, and has
 * closed the shard before */
static bool tell(RtcShard *shard, RtcLetter *letter, void (*fn)(void *arg)) {
  rtc_server_keep(shard->server);
  *letter = (RtcLetter){.fn = fn, .arg = shard};
  if (rtc_worker_post_letter(shard->worker, letter) == RTC_OK)
    return true;
  rtc_server_let_go(shard->server);
  return false;
}

/* The caller lets go of the server, too. */
static void ask_for_close(RtcServer *server, void (*on_closed)(void *arg), void *arg) {
  pthread_mutex_lock(&server->lock);
  server->close_asked = true;
  server->on_closed = on_closed;
  server->arg = arg;
  server->keepers++;
  pthread_mutex_unlock(&server->lock);
}

void rtc_server_close(RtcServer *server, void (*on_closed)(void *arg), void *arg) {
  ask_for_close(server, on_closed, arg);
  for (size_t i = 0; i < server->shard_count; i++)
    (void)tell(&server->shards[i], &server->shards[i].letters.close, close_shard);
  rtc_server_let_go(server);
}

void rtc_server_drain(RtcServer *server, uint32_t deadline_ms, void (*on_closed)(void *arg),
                      void *arg) {
  server->drain_deadline_us = rtc_clock_now_us() + (int64_t)deadline_ms * RTC_US_PER_MS;
  server->undrained = server->shard_count;
  ask_for_close(server, on_closed, arg);
  for (size_t i = 0; i < server->shard_count; i++)
    if (!tell(&server->shards[i], &server->shards[i].letters.drain, drain_shard))
      rtc_server_shard_drained(server);
  rtc_server_let_go(server);
}

void rtc_server_shard_drained(RtcServer *server) {
  pthread_mutex_lock(&server->lock);
  bool last = --server->undrained == 0;
  pthread_mutex_unlock(&server->lock);
  for (size_t i = 0; last && i < server->shard_count; i++)
    (void)tell(&server->shards[i], &server->shards[i].letters.drained, close_shard);
}

void rtc_server_destroy(RtcServer *server) {
  if (!server)
    return;
  for (size_t i = 0; server->shards && i < server->shard_count; i++)
    rtc_shard_finish(&server->shards[i]);
  for (size_t i = 0; server->fds && i < server->shard_count * server->listener_count; i++)
    if (server->fds[i] >= 0)
      close(server->fds[i]);
  rtc_server_settings_finish(&server->settings);
  rtc_dtls_context_destroy(server->dtls);
  free(server->shards);
  free(server->fds);
  free(server->bound);
  pthread_mutex_destroy(&server->lock);
  free(server);
}

/* -- What a host asks -- */

RtcShard *rtc_server_shard_of_worker(const RtcServer *server, const RtcWorker *worker) {
  for (size_t i = 0; i < server->shard_count; i++)
    if (server->shards[i].worker == worker)
      return &server->shards[i];
  return NULL;
}

RtcShard *rtc_server_shard_of_ufrag(const RtcServer *server, const char *ufrag, size_t len) {
  char number[RTC_UFRAG_SHARD_LEN];
  for (size_t i = 0; len >= sizeof number && i < server->shard_count; i++) {
    rtc_shard_write_number(&server->shards[i], number);
    if (memcmp(number, ufrag, sizeof number) == 0)
      return &server->shards[i];
  }
  return NULL;
}

RtcWorker *rtc_server_pick_worker(RtcServer *server) {
  int64_t now_us = rtc_clock_now_us();
  RtcShard *best = NULL;
  uint64_t least = UINT64_MAX;
  for (size_t i = 0; i < server->shard_count; i++) {
    uint64_t weight = rtc_load_weigh(&server->shards[i].load, now_us);
    if (weight >= least)
      continue;
    best = &server->shards[i];
    least = weight;
  }
  if (!best)
    return NULL;
  rtc_load_promise(&best->load);
  return best->worker;
}

uint16_t rtc_server_port(const RtcServer *server, size_t listener) {
  return listener < server->listener_count ? rtc_address_port(&server->bound[listener]) : 0;
}

RtcError rtc_connection_new(RtcConnection **connection, RtcServer *server, RtcWorker *worker,
                            const RtcConnectionConfig *config) {
  RtcShard *shard = rtc_server_shard_of_worker(server, worker);
  if (!shard || !(config->active || rtc_connection_can_be_proven(config->remote)))
    return RTC_ERROR_INVALID_ARGUMENT;
  if (!config->active && server->listener_count == 0)
    return RTC_ERROR_INVALID_STATE;
  if (shard->state != RTC_SHARD_STATE_CLOSE || shard->draining)
    return RTC_ERROR_CLOSED;
  if (shard->stats.connections.live >= server->settings.connections_max)
    return RTC_ERROR_LIMIT;
  return rtc_connection_open(connection, shard, config);
}

RtcConnection *rtc_server_find(const RtcServer *server, const RtcWorker *worker,
                               uint64_t connection_id) {
  const RtcShard *shard = rtc_server_shard_of_worker(server, worker);
  if (!shard || !shard->manager)
    return NULL;
  RtcResource *resource = rtc_resource_manager_find_by_id(shard->manager, connection_id);
  bool found = resource && resource->type == &rtc_connection_type;
  return found ? (RtcConnection *)resource : NULL;
}

static void add_live(RtcResource *resource, void *arg) {
  if (resource->type == &rtc_connection_type)
    rtc_connection_add_to((RtcConnection *)resource, arg);
}

void rtc_server_stats(const RtcServer *server, const RtcWorker *worker, RtcServerStats *stats) {
  const RtcShard *shard = rtc_server_shard_of_worker(server, worker);
  *stats = shard ? shard->stats : (RtcServerStats){0};
  if (!shard || !shard->manager)
    return;
  stats->unauthenticated = shard->admission.count;
  stats->pool_lent_octets = shard->pool.lent_octets;
  stats->pool_kept_octets = shard->pool.kept_octets;
  stats->pool_made = shard->pool.made;
  rtc_resource_manager_each(shard->manager, add_live, stats);
}
