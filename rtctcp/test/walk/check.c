/* Compares the library with the model: states, who holds what, counts, deadlines. */
#include "walk/walk.h"

#include <rtctcp/debug.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define OWN_COROUTINES 2 /* the manager's and the listener's */

#define MUST(condition, text)                                                                      \
  do {                                                                                             \
    if (!(condition))                                                                              \
      return text;                                                                                 \
  } while (0)

/* -- TCP conns -- */

static const char *check_live_conn(const Walk *walk, int index) {
  const ModelConn *model = &walk->model.conns[index];
  const WalkConn *conn = &walk->conns[index];
  const RtcTcpConn *tcp = walk_conn_find(walk, index);
  bool attached = model->state == MODEL_CONN_PACKETS;
  MUST(tcp, "a TCP conn has gone from the library");
  MUST(tcp->state == (attached ? RTC_TCP_CONN_STATE_PACKETS : RTC_TCP_CONN_STATE_FIRST_FRAME),
       "a TCP conn's state");
  MUST(rtc_resource_state(&tcp->resource) == RTC_RESOURCE_STATE_LIVE, "a TCP conn is not managed");
  MUST(tcp->executor, "a TCP conn has no executor");
  MUST(rtc_resource_handles(&tcp->resource) == 1u + attached + model->held, "a TCP conn's handles");
  MUST((tcp->connection != NULL) == attached, "a TCP conn's back pointer");
  MUST(!attached || tcp->connection == walk->sessions[model->session].connection,
       "a TCP conn's back pointer is another session's");
  MUST(tcp->heard_us == model->heard_us, "when a TCP conn was heard");
  MUST(tcp->restarted == model->restarted, "whether a TCP conn knows the restart's credentials");
  MUST(tcp->admitted == !attached, "whether a TCP conn counts as a stranger");
  MUST(tcp->reader.header_len + tcp->reader.partial_len == conn->out_sent, "a frame that is cut");
  MUST(tcp->fd >= 0, "a TCP conn's socket");
  MUST(!conn->eof, "a live TCP conn's socket was shut");
  MUST(!conn->reading || model->owed_count == 0, "an answer has not come");
  MUST(!conn->reading || (!tcp->blocked && rtc_frame_writer_unsent(&tcp->writer) == 0),
       "what waited has not gone out");
  return NULL;
}

static const char *check_ended_conn(const Walk *walk, int index) {
  const ModelConn *model = &walk->model.conns[index];
  const WalkConn *conn = &walk->conns[index];
  const RtcTcpConn *tcp = conn->tcp;
  bool refused = model->close == RTC_TCP_CLOSE_NO_SUCH_SESSION ||
                 model->close == RTC_TCP_CLOSE_DRAIN ||
                 model->close == RTC_TCP_CLOSE_FIRST_FRAME_UNAUTHENTICATED;
  MUST(conn->fd < 0 || conn->eof, "an ended TCP conn's socket was not shut");
  MUST(conn->fd < 0 || !refused || model->owed_count == 0, "a refusal has not come");
  if (model->held == 0)
    return NULL;
  MUST(tcp->state == RTC_TCP_CONN_STATE_DISPOSAL && !tcp->connection && !tcp->executor,
       "a TCP conn that the host holds has not ended");
  MUST(rtc_resource_state(&tcp->resource) == RTC_RESOURCE_STATE_DISPOSED,
       "a TCP conn that the host holds is not disposed of");
  MUST(rtc_resource_handles(&tcp->resource) == model->held, "an ended TCP conn's handles");
  MUST(tcp->close == model->close, "an ended TCP conn's reason");
  return NULL;
}

static const char *check_conn(const Walk *walk, int index) {
  switch (walk->model.conns[index].state) {
  case MODEL_CONN_FIRST_FRAME:
  case MODEL_CONN_PACKETS:
    return check_live_conn(walk, index);
  case MODEL_CONN_ENDED:
    return check_ended_conn(walk, index);
  case MODEL_CONN_FREE:
    break;
  }
  return NULL;
}

/* -- Sessions -- */

static const char *check_told(const Walk *walk, int index) {
  const ModelSession *model = &walk->model.sessions[index];
  const WalkSession *session = &walk->sessions[index];
  MUST(session->told_count == model->told_count, "how many states were told");
  MUST(memcmp(session->told, model->told, model->told_count * sizeof *model->told) == 0,
       "which states were told");
  MUST(session->rtp == model->rtp && session->rtcp == model->rtcp, "how much media was told");
  return NULL;
}

static const char *check_attached(const Walk *walk, int index, const RtcConnection *connection) {
  const ModelSession *model = &walk->model.sessions[index];
  size_t count = 0;
  for (int c = 0; c < MODEL_CONNS; c++) {
    const RtcTcpConn *tcp = model->conns & 1u << c ? walk_conn_find(walk, c) : NULL;
    bool found = false;
    for (size_t i = 0; tcp && i < connection->tcp_conn_count; i++)
      found |= connection->tcp_conns[i] == tcp;
    MUST(!tcp || found, "a TCP conn that a session does not know of");
    count += found;
  }
  MUST(count == connection->tcp_conn_count, "how many TCP conns a session has");
  const RtcTcpConn *selected =
      model->selected == MODEL_NONE ? NULL : walk_conn_find(walk, model->selected);
  MUST(connection->selected == selected, "which TCP conn is selected");
  return NULL;
}

/* What the host has sent has gone out, waits, or was dropped and counted. */
static const char *check_sent(const WalkSession *session, const RtcConnection *connection) {
  const RtcConnectionStats *stats = &connection->stats;
  uint64_t dropped = stats->drops[RTC_DROP_QUEUE_FULL] + stats->drops[RTC_DROP_QUEUE_LATE] +
                     stats->drops[RTC_DROP_AWAIT_KEYFRAME] + stats->drops[RTC_DROP_NOT_CONNECTED];
  uint64_t waiting = rtc_send_queue_packets(&connection->send_queue);
  MUST(session->pushed == stats->packets_out + waiting + dropped, "packets were lost uncounted");
  return NULL;
}

static const char *check_drops(const ModelSession *model, const RtcConnection *connection) {
  static const RtcDrop compared[] = {
      RTC_DROP_UNKNOWN_PACKET, RTC_DROP_STUN,         RTC_DROP_EARLY_MEDIA,
      RTC_DROP_SRTP_AUTH,      RTC_DROP_SRTP_REPLAY,  RTC_DROP_SRTP_MALFORMED,
      RTC_DROP_SSRC_LIMIT,     RTC_DROP_UNKNOWN_SSRC, RTC_DROP_RTCP};
  for (size_t i = 0; i < sizeof compared / sizeof *compared; i++)
    MUST(connection->stats.drops[compared[i]] == model->drops[compared[i]],
         rtc_drop_name(compared[i]));
  return NULL;
}

static const char *check_live_session(const Walk *walk, int index,
                                      const RtcConnection *connection) {
  const ModelSession *model = &walk->model.sessions[index];
  const WalkSession *session = &walk->sessions[index];
  bool pending = model->pending != MODEL_NONE;
  MUST(rtc_resource_state(&connection->resource) == RTC_RESOURCE_STATE_LIVE,
       "a session is not managed");
  MUST(rtc_resource_handles(&connection->resource) == 1u + pending + model->held,
       "a session's handles");
  MUST((connection->restart != NULL) == pending, "whether an ICE restart is pending");
  MUST((connection->srtp != NULL) == model->keys, "whether a session has keys");
  MUST(rtc_timer_running(&connection->timer) == (model->deadline_us != MODEL_NEVER),
       "whether a session has a deadline");
  MUST(model->deadline_us == MODEL_NEVER || connection->timer.deadline_us == model->deadline_us,
       "a session's deadline");
  MUST(model->keys || session->forged || !walk_peer_must_connect(&session->peer),
       "the handshake has not ended");
  MUST(!session->forged || !walk_peer_must_know(&session->peer), "another certificate is taken");
  bool reads = model->selected != MODEL_NONE && walk->conns[model->selected].reading;
  MUST(model->state != RTC_CONNECTION_STATE_CONNECTED || !reads ||
           walk_peer_connected(&session->peer),
       "the library's last flight has not come");
  return check_attached(walk, index, connection);
}

static const char *check_closed_session(const Walk *walk, int index,
                                        const RtcConnection *connection) {
  const ModelSession *model = &walk->model.sessions[index];
  MUST(rtc_resource_state(&connection->resource) == RTC_RESOURCE_STATE_DISPOSED,
       "a closed session is not disposed of");
  MUST(rtc_resource_handles(&connection->resource) == model->held, "a closed session's handles");
  MUST(connection->close == model->close, "a closed session's reason");
  MUST(connection->tcp_conn_count == 0 && !connection->selected, "a closed session has TCP conns");
  MUST(!connection->dtls && !connection->srtp, "a closed session has parts");
  return NULL;
}

static const char *check_session(Walk *walk, int index) {
  const ModelSession *model = &walk->model.sessions[index];
  const WalkSession *session = &walk->sessions[index];
  if (!model->used)
    return NULL;
  const char *why = check_told(walk, index);
  const RtcConnection *connection = why ? NULL : walk_host_reach(walk, index);
  MUST(!why, why);
  MUST(session->closed == !model_alive(&walk->model, index), "whether CLOSED was told");
  MUST(!model->notifies || !walk->conns[model->last_conn].read_all_along ||
           !walk_peer_connected(&session->peer) || walk_peer_notified(&session->peer),
       "the peer was not told of the end");
  if (!connection)
    return NULL;
  MUST(connection->state == model->state, "a session's state");
  why = session->closed ? check_closed_session(walk, index, connection)
                        : check_live_session(walk, index, connection);
  if (!why)
    why = check_drops(model, connection);
  return why ? why : check_sent(session, connection);
}

/* -- The whole -- */

static size_t count_sessions(const Model *model, bool (*counts)(const Model *model, int session)) {
  size_t count = 0;
  for (int s = 0; s < MODEL_SESSIONS; s++)
    count += counts(model, s);
  return count;
}

static size_t count_ufrags(const Model *model) {
  size_t count = 0;
  for (int s = 0; s < MODEL_SESSIONS; s++)
    count += model_alive(model, s) ? 1u + (model->sessions[s].pending != MODEL_NONE) : 0;
  return count;
}

static size_t count_held_conns(const Model *model) {
  size_t count = 0;
  for (int c = 0; c < MODEL_CONNS; c++)
    count += model->conns[c].state == MODEL_CONN_ENDED && model->conns[c].held > 0;
  return count;
}

static const char *check_counts(const Walk *walk) {
  const Model *model = &walk->model;
  const RtcShard *shard = walk->shard;
  size_t strangers = model_count(model, MODEL_CONN_FIRST_FRAME);
  size_t conns = strangers + model_count(model, MODEL_CONN_PACKETS);
  size_t alive = count_sessions(model, model_alive);
  RtcWorkerStats worker;
  rtc_worker_stats(walk->worker, &worker);
  MUST(shard->stats.connections.live == count_sessions(model, model_reachable),
       "how many sessions there are");
  MUST(shard->stats.tcp_conns.live == conns + count_held_conns(model),
       "how many TCP conns there are");
  MUST(shard->registry.count == count_ufrags(model), "how many ufrags are registered");
  MUST(shard->admission.count == strangers, "how many strangers are counted");
  MUST(rtc_resource_manager_live(shard->manager) == alive + conns, "how many resources are live");
  MUST(rtc_resource_manager_in_disposal(shard->manager) == 0, "a resource is in disposal");
  MUST(worker.coroutines_live == conns + (model->open ? OWN_COROUTINES : OWN_COROUTINES - 1),
       "how many coroutines there are");
  return NULL;
}

/* What the debug view tells must add up: what is nobody else's is the host's. */
typedef struct Held {
  size_t connections, tcp_conns;       /* objects */
  size_t of_connections, of_tcp_conns; /* handles of the host */
} Held;

static void add_connection(const RtcDebugConnection *connection, void *arg) {
  Held *held = arg;
  held->connections++;
  held->of_connections += connection->holders.others;
}

static void add_tcp_conn(const RtcDebugTcpConn *tcp, void *arg) {
  Held *held = arg;
  held->tcp_conns++;
  held->of_tcp_conns += tcp->holders.others;
}

static const char *check_debug_view(const Walk *walk) {
  Held held = {0};
  const RtcDebugVisitor visitor = {
      .on_connection = add_connection, .on_tcp_conn = add_tcp_conn, .arg = &held};
  rtc_server_debug(walk->server, walk->worker, &visitor);
  for (int s = 0; s < MODEL_SESSIONS; s++)
    held.of_connections -= walk->model.sessions[s].held;
  for (int c = 0; c < MODEL_CONNS; c++)
    held.of_tcp_conns -= walk->model.conns[c].held;
  MUST(held.connections == walk->shard->stats.connections.live &&
           held.tcp_conns == walk->shard->stats.tcp_conns.live,
       "what the debug view lists");
  MUST(held.of_connections == 0 && held.of_tcp_conns == 0,
       "what the debug view says of the host's handles");
  return NULL;
}

static const char *check_reasons(const Walk *walk) {
  const RtcServerStats *stats = &walk->shard->stats;
  for (int i = 0; i < RTC_CLOSE_COUNT; i++)
    MUST(stats->closes[i] == walk->model.closes[i], rtc_close_name((RtcClose)i));
  for (int i = 0; i < RTC_TCP_CLOSE_COUNT; i++)
    MUST(stats->tcp_closes[i] == walk->model.tcp_closes[i], rtc_tcp_close_name((RtcTcpClose)i));
  return NULL;
}

const char *walk_check(Walk *walk) {
  const Model *model = &walk->model;
  const char *why = NULL;
  for (int s = 0; !why && s < MODEL_SESSIONS; s++)
    why = check_session(walk, s);
  for (int c = 0; !why && c < MODEL_CONNS; c++)
    why = check_conn(walk, c);
  MUST(!why, why);
  bool gone = model_gone(model);
  MUST(walk->server_closed == (gone && model->close_asked), "whether the server has closed");
  MUST(walk->worker_stopped == (gone && model->worker_stops), "whether the worker has stopped");
  if (!gone)
    why = check_counts(walk);
  if (!why)
    why = check_debug_view(walk);
  return why ? why : check_reasons(walk);
}

/* -- Showing -- */

static const char *state_name(ModelConnState state) {
  static const char *const names[] = {"free", "first-frame", "packets", "ended"};
  return names[state];
}

static void show_session(Walk *walk, int index) {
  const ModelSession *model = &walk->model.sessions[index];
  const WalkSession *session = &walk->sessions[index];
  if (!model->used)
    return;
  printf(
      "  session %d: model: %s, %s, conns %#x, selected %d, held %u, pending %d, deadline %" PRId64
      "; told",
      index, rtc_connection_state_name(model->state), rtc_close_name(model->close), model->conns,
      model->selected, model->held, model->pending,
      model->deadline_us == MODEL_NEVER ? -1 : model->deadline_us / 1000);
  for (size_t i = 0; i < model->told_count; i++)
    printf(" %s", rtc_connection_state_name(model->told[i]));
  printf("\n             library told");
  for (size_t i = 0; i < session->told_count; i++)
    printf(" %s", rtc_connection_state_name(session->told[i]));
  const RtcConnection *connection = walk_host_reach(walk, index);
  if (connection)
    printf("; %s, %s, %zu conns, %u handles, deadline %" PRId64,
           rtc_connection_state_name(connection->state), rtc_close_name(connection->close),
           connection->tcp_conn_count, rtc_resource_handles(&connection->resource),
           connection->timer.deadline_us == RTC_NEVER ? -1 : connection->timer.deadline_us / 1000);
  printf("\n");
}

static void show_conn(const Walk *walk, int index) {
  const ModelConn *model = &walk->model.conns[index];
  const WalkConn *conn = &walk->conns[index];
  const RtcTcpConn *tcp = walk_conn_find(walk, index);
  if (model->state == MODEL_CONN_FREE)
    return;
  printf("  conn %d: model: %s, %s, session %d, held %u, heard %" PRId64
         ", owed %zu; peer:%s%s%s\n",
         index, state_name(model->state),
         model->state == MODEL_CONN_ENDED ? rtc_tcp_close_name(model->close) : "-", model->session,
         model->held, model->heard_us / 1000, model->owed_count, conn->fd < 0 ? " closed" : "",
         conn->reading ? "" : " does not read", conn->eof ? " at the end" : "");
  if (tcp)
    printf("           library: %s, %s, %u handles, heard %" PRId64 "\n",
           rtc_tcp_conn_state_name(tcp->state), rtc_tcp_close_name(tcp->close),
           rtc_resource_handles(&tcp->resource), tcp->heard_us / 1000);
}

void walk_show(Walk *walk) {
  printf("  at %" PRId64 " ms; the server %s%s%s\n", walk->model.now_us / 1000,
         walk->model.open ? "serves" : "closes", walk->model.draining ? ", drains" : "",
         walk->model.worker_stops ? ", its worker stops" : "");
  for (int s = 0; walk->shard && s < MODEL_SESSIONS; s++)
    show_session(walk, s);
  for (int c = 0; walk->shard && c < MODEL_CONNS; c++)
    show_conn(walk, c);
}
