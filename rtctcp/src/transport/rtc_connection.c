/* RtcConnection: one WebRTC session's life: its state, its TCP conns, its end. */
#include "transport/rtc_connection_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

static void dispose(RtcResource *resource);
static void destroy(RtcResource *resource);

const RtcResourceType rtc_connection_type = {
    .name = "connection", .dispose = dispose, .destroy = destroy};

static void destroy_connection(RtcConnection *connection) {
  destroy(&connection->resource);
}

RTC_SHARED_DEFINE(RtcConnection, rtc_connection, resource.shared, destroy_connection);

static const RtcLog *log_of(const RtcConnection *connection) {
  return rtc_shard_log(connection->shard);
}

/* -- State -- */

/* Which states may follow one, as bits. */
static bool may_follow(RtcConnectionState from, RtcConnectionState to) {
#define BIT(name) (1u << RTC_CONNECTION_STATE_##name)
  static const unsigned next[] = {
      [RTC_CONNECTION_STATE_NEW] = BIT(CONNECTING) | BIT(CLOSED),
      [RTC_CONNECTION_STATE_CONNECTING] = BIT(CONNECTED) | BIT(DISCONNECTED) | BIT(CLOSED),
      [RTC_CONNECTION_STATE_CONNECTED] = BIT(DISCONNECTED) | BIT(CLOSED),
      [RTC_CONNECTION_STATE_DISCONNECTED] = BIT(CONNECTING) | BIT(CONNECTED) | BIT(CLOSED),
      [RTC_CONNECTION_STATE_CLOSED] = 0,
  };
#undef BIT
  return next[from] & (1u << to);
}

void rtc_connection_set_state(RtcConnection *connection, RtcConnectionState state) {
  assert(may_follow(connection->state, state));
  connection->state = state;
  connection->state_us = rtc_worker_now(connection->shard->worker);
  RTC_LOG(log_of(connection), INFO, "session=%s name=%s state=%s%s%s", connection->tag,
          connection->name ? connection->name : "", rtc_connection_state_name(state),
          state == RTC_CONNECTION_STATE_CLOSED ? " reason=" : "",
          state == RTC_CONNECTION_STATE_CLOSED ? rtc_close_name(connection->close) : "");
  rtc_connection_tell_state(connection, state);
}

void rtc_connection_drop(RtcConnection *connection, RtcDrop drop) {
  connection->stats.drops[drop]++;
}

/* -- TCP conns -- */

static void release_quietest_standby(RtcConnection *connection) {
  RtcTcpConn *const *tcp_conns = connection->tcp_conns;
  RtcTcpConn *worst = tcp_conns[tcp_conns[0] == connection->selected];
  for (size_t i = 1; i < connection->tcp_conn_count; i++)
    if (tcp_conns[i] != connection->selected && tcp_conns[i]->heard_us < worst->heard_us)
      worst = tcp_conns[i];
  rtc_connection_detach(connection, worst, RTC_TCP_CLOSE_REPLACED);
}

void rtc_connection_attach(RtcConnection *connection, RtcTcpConn *tcp) {
  assert(rtc_worker_is_current(connection->shard->worker) && tcp->shard == connection->shard);
  assert(connection->state != RTC_CONNECTION_STATE_CLOSED && !tcp->connection);
  if (connection->tcp_conn_count == RTC_CONNECTION_TCP_CONNS_MAX)
    release_quietest_standby(connection);
  connection->tcp_conns[connection->tcp_conn_count++] = rtc_tcp_conn_ref(tcp);
  connection->stats.tcp_conns_total++;
  tcp->connection = connection;
  rtc_tcp_conn_attached(tcp);
}

void rtc_connection_detach(RtcConnection *connection, RtcTcpConn *tcp, RtcTcpClose close) {
  assert(tcp->connection == connection);
  size_t i = 0;
  while (connection->tcp_conns[i] != tcp)
    i++;
  RtcTcpConn *handle = connection->tcp_conns[i];
  connection->tcp_conns[i] = connection->tcp_conns[--connection->tcp_conn_count];
  connection->tcp_conns[connection->tcp_conn_count] = NULL;
  if (connection->selected == tcp)
    connection->selected = NULL;
  tcp->connection = NULL;
  rtc_tcp_conn_detached(tcp, close);
  rtc_tcp_conn_unref(&handle);
}

/* STUN keeps a session from being silent, so a handshake that never ends has a deadline of its own,
 * which is later than that of silence. */
static void await_handshake(RtcConnection *connection) {
  const RtcShard *shard = connection->shard;
  rtc_timer_start(&connection->timer,
                  rtc_worker_now(shard->worker) + 2 * shard->settings->session_timeout_us);
  rtc_connection_set_state(connection, RTC_CONNECTION_STATE_CONNECTING);
}

void rtc_connection_resume(RtcConnection *connection) {
  bool fresh = connection->state == RTC_CONNECTION_STATE_NEW;
  rtc_timer_stop(&connection->timer);
  if (connection->srtp)
    rtc_connection_set_state(connection, RTC_CONNECTION_STATE_CONNECTED);
  else
    await_handshake(connection);
  if (!fresh || connection->state != RTC_CONNECTION_STATE_CONNECTING)
    return;
  rtc_dtls_start(connection->dtls);
  rtc_connection_dtls_changed(connection); /* it may have failed */
}

/* -- ICE restart -- */

/* On the active side TCP conns that are still to prove the new credentials go with them. */
static void forget_restart(RtcConnection *connection) {
  if (!connection->restart)
    return;
  RtcConnection *handle =
      rtc_registry_take(&connection->shard->registry, connection->restart->ufrag);
  rtc_connection_unref(&handle);
  free(connection->restart);
  connection->restart = NULL;
  for (size_t i = connection->tcp_conn_count; i-- > 0;) {
    RtcTcpConn *tcp = connection->tcp_conns[i];
    if (tcp->restarted && tcp->state != RTC_TCP_CONN_STATE_PACKETS)
      rtc_connection_detach(connection, tcp, RTC_TCP_CLOSE_ICE_RESTART);
    else
      tcp->restarted = false;
  }
}

static RtcError begin_restart(RtcConnection *connection, const char *remote_ufrag) {
  RtcShard *shard = connection->shard;
  RtcIceCredentials *credentials;
  RtcError error = rtc_ice_credentials_new(&credentials, shard, remote_ufrag);
  if (error)
    return error;
  error = rtc_registry_add(&shard->registry, credentials->ufrag, connection);
  if (error) {
    free(credentials);
    return error;
  }
  forget_restart(connection);
  connection->restart = credentials;
  RTC_LOG(log_of(connection), INFO, "session=%s restarts ICE as ufrag=%s", connection->tag,
          credentials->ufrag);
  return RTC_OK;
}

RtcError rtc_connection_restart_ice(RtcConnection *connection, const RtcSdpTransport *remote) {
  bool awaits_remote =
      connection->active && connection->restart && !connection->restart->remote_pwd;
  if (remote ? !*remote->ufrag || !*remote->pwd : !connection->active)
    return RTC_ERROR_INVALID_ARGUMENT;
  if (connection->state == RTC_CONNECTION_STATE_CLOSED)
    return RTC_ERROR_CLOSED;
  if (connection->active && !connection->dtls)
    return RTC_ERROR_INVALID_STATE;
  RtcError error = RTC_OK;
  if (!remote || !awaits_remote)
    error = begin_restart(connection, remote ? remote->ufrag : "");
  if (!error && remote && connection->active)
    error = rtc_connection_active_restart(connection, remote);
  return error;
}

void rtc_connection_complete_restart(RtcConnection *connection) {
  RtcConnection *handle = rtc_registry_take(&connection->shard->registry, connection->ice->ufrag);
  rtc_connection_unref(&handle);
  free(connection->ice);
  connection->ice = connection->restart;
  connection->restart = NULL;
  for (size_t i = connection->tcp_conn_count; i-- > 0;) {
    RtcTcpConn *tcp = connection->tcp_conns[i];
    if (!tcp->restarted)
      rtc_connection_detach(connection, tcp, RTC_TCP_CLOSE_ICE_RESTART);
    else
      tcp->restarted = false;
  }
}

/* -- Binding -- */

void rtc_connection_bound(RtcConnection *connection, RtcTcpConn *tcp,
                          const RtcIceCredentials *proven, const RtcStunOutcome *request) {
  bool restarted = proven == connection->restart;
  rtc_tcp_conn_heard(tcp);
  tcp->restarted = tcp->restarted || restarted;
  if (!connection->selected)
    rtc_connection_select(connection, tcp);
  if (request->use_candidate)
    rtc_connection_nominate(connection, tcp, request->priority, restarted);
  if (restarted && request->use_candidate)
    rtc_connection_complete_restart(connection);
  if (connection->state == RTC_CONNECTION_STATE_NEW ||
      connection->state == RTC_CONNECTION_STATE_DISCONNECTED)
    rtc_connection_resume(connection);
}

void rtc_connection_disconnect(RtcConnection *connection) {
  const RtcServerSettings *settings = connection->shard->settings;
  if (settings->reconnect_grace_us == 0) {
    rtc_connection_end(connection, RTC_CLOSE_TCP_LOST);
    return;
  }
  rtc_send_queue_clear(&connection->send_queue);
  rtc_timer_start(&connection->timer,
                  rtc_worker_now(connection->shard->worker) + settings->reconnect_grace_us);
  rtc_connection_set_state(connection, RTC_CONNECTION_STATE_DISCONNECTED);
}

void rtc_connection_lost(RtcConnection *connection, RtcTcpConn *tcp, RtcTcpClose close) {
  bool cut = connection->selected == tcp && rtc_connection_is_cut(connection);
  bool ready = tcp->state == RTC_TCP_CONN_STATE_PACKETS;
  rtc_connection_detach(connection, tcp, close);
  if (connection->active) {
    rtc_connection_active_lost(connection, tcp, ready, cut, close);
    return;
  }
  if (connection->tcp_conn_count > 0) {
    if (!connection->selected)
      rtc_connection_fail_over(connection, cut);
    return;
  }
  /* The last one: it was silent for the session's timeout, or it is gone. */
  if (close == RTC_TCP_CLOSE_SILENCE)
    rtc_connection_end(connection, RTC_CLOSE_TIMEOUT);
  else if (close == RTC_TCP_CLOSE_WORKER_STOP)
    rtc_connection_end(connection, RTC_CLOSE_WORKER_STOP);
  else
    rtc_connection_disconnect(connection);
}

/* -- End -- */

static void waited_in_vain(void *arg) {
  RtcConnection *connection = arg;
  if (connection->state == RTC_CONNECTION_STATE_NEW)
    rtc_connection_end(connection, RTC_CLOSE_NEVER_CONNECTED);
  else if (connection->state == RTC_CONNECTION_STATE_CONNECTING)
    rtc_connection_end(connection, RTC_CLOSE_TIMEOUT);
  else
    rtc_connection_end(connection, RTC_CLOSE_TCP_LOST);
}

void rtc_connection_end(RtcConnection *connection, RtcClose close) {
  if (connection->state == RTC_CONNECTION_STATE_CLOSED)
    return;
  RtcShard *shard = connection->shard;
  assert(rtc_worker_is_current(shard->worker));
  connection->close = close;
  shard->stats.closes[close]++;
  if (connection->dtls)
    rtc_dtls_close(connection->dtls);
  if (connection->selected)
    rtc_tcp_conn_flush_control(connection->selected);
  while (connection->tcp_conn_count > 0)
    rtc_connection_detach(connection, connection->tcp_conns[0], RTC_TCP_CLOSE_SESSION);
  rtc_timer_stop(&connection->timer);
  rtc_send_queue_clear(&connection->send_queue);
  forget_restart(connection);
  RtcConnection *handle = rtc_registry_take(&shard->registry, connection->ice->ufrag);
  rtc_connection_set_state(connection, RTC_CONNECTION_STATE_CLOSED);
  connection->callbacks = (RtcConnectionCallbacks){0};
  connection->observer_count = 0;
  RtcResource *resource = &handle->resource;
  rtc_resource_manager_remove(shard->manager, &resource);
  rtc_shard_check_drained(shard);
}

void rtc_connection_close(RtcConnection *connection) {
  rtc_connection_end(connection, RTC_CLOSE_HOST);
}

/* What costs memory goes now, even if the host keeps its handle. Fine twice. */
static void release_parts(RtcConnection *connection) {
  rtc_timer_finish(&connection->timer);
  rtc_send_queue_finish(&connection->send_queue);
  rtc_srtp_destroy(connection->srtp);
  connection->srtp = NULL;
  rtc_dtls_destroy(connection->dtls);
  connection->dtls = NULL;
}

static void dispose(RtcResource *resource) {
  RtcConnection *connection = (RtcConnection *)resource;
  assert(connection->state == RTC_CONNECTION_STATE_CLOSED && connection->tcp_conn_count == 0);
  release_parts(connection);
}

static void add_to_totals(const RtcConnection *connection) {
  RtcServerStats *totals = &connection->shard->stats;
  totals->packets_in += connection->stats.packets_in;
  totals->octets_in += connection->stats.octets_in;
  totals->packets_out += connection->stats.packets_out;
  totals->octets_out += connection->stats.octets_out;
  for (int i = 0; i < RTC_DROP_COUNT; i++)
    totals->drops[i] += connection->stats.drops[i];
}

static void destroy(RtcResource *resource) {
  RtcConnection *connection = (RtcConnection *)resource;
  RtcShard *shard = connection->shard;
  release_parts(connection); /* one that never came to life was not disposed of */
  add_to_totals(connection);
  rtc_connection_free_active(connection);
  free(connection->restart);
  free(connection->ice);
  free(connection->name);
  DL_DELETE(shard->connections, connection);
  free(connection);
  shard->stats.connections.live--;
  rtc_shard_check_closed(shard);
}

/* -- Begin -- */

bool rtc_connection_can_be_proven(const RtcSdpTransport *remote) {
  return remote && *remote->ufrag && *remote->pwd && remote->fingerprint_count > 0;
}

RtcError rtc_connection_make_dtls(RtcConnection *connection, const RtcSdpTransport *remote) {
  const RtcDtlsCallbacks output = {.output = rtc_connection_dtls_output, .arg = connection};
  return rtc_dtls_new(&connection->dtls, connection->shard->dtls, connection->role,
                      remote->fingerprints, remote->fingerprint_count, &output, log_of(connection),
                      connection->tag);
}

/* An offer of either role leaves the choice to us: the passive side waits (RFC 8842 5.3). */
static RtcError make_side(RtcConnection *connection, const RtcConnectionConfig *config) {
  if (config->active)
    return rtc_connection_make_active(connection, config->setup);
  connection->role =
      config->remote->setup == RTC_SETUP_PASSIVE ? RTC_DTLS_ROLE_CLIENT : RTC_DTLS_ROLE_SERVER;
  return rtc_connection_make_dtls(connection, config->remote);
}

static RtcError make_parts(RtcConnection *connection, const RtcConnectionConfig *config) {
  RtcShard *shard = connection->shard;
  const char *remote_ufrag = config->active ? "" : config->remote->ufrag;
  RtcError error = rtc_ice_credentials_new(&connection->ice, shard, remote_ufrag);
  if (error)
    return error;
  memcpy(connection->tag, connection->ice->ufrag, sizeof connection->tag);
  connection->name = config->name ? strdup(config->name) : NULL;
  if (config->name && !connection->name)
    return RTC_ERROR_NO_MEMORY;
  error = make_side(connection, config);
  if (error)
    return error;
  return rtc_timer_init(&connection->timer, shard->worker, waited_in_vain, connection);
}

static RtcError enlist(RtcConnection *connection) {
  RtcShard *shard = connection->shard;
  RtcError error = rtc_resource_manager_add(shard->manager, &connection->resource,
                                            rtc_resource_manager_next_id(shard->manager), NULL);
  if (error)
    return error;
  error = rtc_registry_add(&shard->registry, connection->ice->ufrag, connection);
  if (!error)
    return RTC_OK;
  RtcResource *resource = rtc_resource_ref(&connection->resource);
  rtc_resource_manager_remove(shard->manager, &resource);
  return error;
}

RtcError rtc_connection_open(RtcConnection **out, RtcShard *shard,
                             const RtcConnectionConfig *config) {
  assert(rtc_worker_is_current(shard->worker));
  RtcConnection *connection = calloc(1, sizeof *connection);
  if (!connection)
    return RTC_ERROR_NO_MEMORY;
  rtc_resource_init(&connection->resource, &rtc_connection_type);
  connection->shard = shard;
  connection->made_us = connection->state_us = rtc_worker_now(shard->worker);
  connection->callbacks = config->callbacks;
  connection->arg = config->arg;
  rtc_send_queue_init(&connection->send_queue, &rtc_send_limits_default, connection->stats.drops);
  DL_APPEND(shard->connections, connection);
  shard->stats.connections.live++;
  RtcError error = make_parts(connection, config);
  if (!error)
    error = enlist(connection);
  if (error) {
    connection->state = RTC_CONNECTION_STATE_CLOSED; /* nobody was told of it */
    rtc_connection_unref(&connection);
    return error;
  }
  shard->stats.connections.total++;
  rtc_timer_start(&connection->timer,
                  rtc_worker_now(shard->worker) + shard->settings->session_timeout_us);
  *out = connection;
  return RTC_OK;
}
