/* Takes a snapshot of each worker in turn, and writes them as JSON, see debug.h. */
#include "debug.h"

#include "round.h"
#include "snapshot.h"
#include "text.h"

#include <jansson.h>

#include <stdlib.h>
#include <time.h>

typedef struct DebugJob {
  RoundJob round;
  Snapshot snapshots[]; /* one for each worker */
} DebugJob;

static RtcError gather(RoundJob *round, const HostWorker *worker) {
  Snapshot *snapshot = &((DebugJob *)round)->snapshots[worker->index];
  snapshot_take(snapshot, worker);
  return snapshot->failed ? RTC_ERROR_NO_MEMORY : RTC_OK;
}

/* ---- As JSON --------------------------------------------------------------------------------- */

/* Takes value into the object; a failure (out of memory) sticks in *whole, which is true at first.
 */
static void put(json_t *object, const char *name, json_t *value, bool *whole) {
  *whole = json_object_set_new(object, name, value) == 0 && *whole;
}

static void put_number(json_t *object, const char *name, uint64_t number, bool *whole) {
  put(object, name, json_integer((json_int_t)number), whole);
}

/* text: NULL or "" is told as null. */
static void put_text(json_t *object, const char *name, const char *text, bool *whole) {
  put(object, name, text && *text ? json_string(text) : json_null(), whole);
}

static json_t *holders_json(const RtcHolders *holders, bool *whole) {
  json_t *object = json_object();
  put_number(object, "registry", holders->registry, whole);
  put_number(object, "connection", holders->connection, whole);
  put_number(object, "executor", holders->executor, whole);
  put_number(object, "manager", holders->manager, whole);
  put_number(object, "others", holders->others, whole);
  return object;
}

static json_t *tcp_conn_json(const SnapshotTcpConn *tcp, bool *whole) {
  const RtcDebugTcpConn *debug = &tcp->debug;
  json_t *object = json_object();
  put_number(object, "id", debug->id, whole);
  put_text(object, "peer", tcp->peer, whole);
  put_text(object, "state", rtc_tcp_conn_state_name(debug->state), whole);
  put_text(object, "resource_state", debug->resource_state, whole);
  put_text(object, "close", debug->close, whole);
  put(object, "selected", json_boolean(debug->selected), whole);
  put(object, "blocked", json_boolean(debug->blocked), whole);
  put_number(object, "unsent_octets", debug->unsent_octets, whole);
  put_number(object, "age_ms", debug->age_ms, whole);
  put_number(object, "silent_ms", debug->silent_ms, whole);
  put(object, "holders", holders_json(&debug->holders, whole), whole);
  return object;
}

static json_t *resource_json(const SnapshotResource *resource, bool *whole) {
  json_t *object = json_object();
  put_text(object, "path", resource->path, whole);
  put_text(object, "role", session_role_name(resource->role), whole);
  put_text(object, "stream", resource->stream, whole);
  return object;
}

static json_t *connection_json(const SnapshotConnection *connection, bool *whole) {
  const RtcDebugConnection *debug = &connection->debug;
  json_t *object = json_object();
  put_number(object, "id", debug->id, whole);
  put_text(object, "name", connection->name, whole);
  put_text(object, "ufrag", connection->ufrag, whole);
  put_text(object, "restart_ufrag", connection->restart_ufrag, whole);
  put_text(object, "state", rtc_connection_state_name(debug->state), whole);
  put_text(object, "resource_state", debug->resource_state, whole);
  put_text(object, "close", rtc_close_name(debug->close), whole);
  put_number(object, "age_ms", debug->age_ms, whole);
  put_number(object, "state_age_ms", debug->state_age_ms, whole);
  put_number(object, "queued_packets", debug->queued_packets, whole);
  put(object, "holders", holders_json(&debug->holders, whole), whole);
  return object;
}

/* A walk along a snapshot's Connections; what is sorted by them is met on the way. */
typedef struct Walk {
  const Snapshot *snapshot; /* borrowed */
  size_t tcp_conn;          /* index of the next one */
  size_t resource;          /* the same */
  bool whole;               /* nothing was left out */
} Walk;

/* Those of this Connection, which are the next ones; 0: those of none. */
static json_t *walk_tcp_conns(Walk *walk, uint64_t connection_id) {
  const Snapshot *snapshot = walk->snapshot;
  json_t *list = json_array();
  for (; walk->tcp_conn < snapshot->tcp_conn_count; walk->tcp_conn++) {
    const SnapshotTcpConn *tcp = &snapshot->tcp_conns[walk->tcp_conn];
    if (tcp->debug.connection_id > connection_id)
      break;
    if (tcp->debug.connection_id < connection_id)
      continue;
    if (json_array_append_new(list, tcp_conn_json(tcp, &walk->whole)) != 0)
      walk->whole = false;
  }
  return list;
}

/* null: the host holds nothing of this Connection. */
static json_t *walk_resource(Walk *walk, uint64_t connection_id) {
  const Snapshot *snapshot = walk->snapshot;
  for (; walk->resource < snapshot->resource_count; walk->resource++) {
    const SnapshotResource *resource = &snapshot->resources[walk->resource];
    if (resource->connection_id == connection_id)
      return resource_json(resource, &walk->whole);
    if (resource->connection_id > connection_id)
      break;
  }
  return json_null();
}

static json_t *walk_connections(Walk *walk) {
  const Snapshot *snapshot = walk->snapshot;
  json_t *list = json_array();
  for (size_t i = 0; i < snapshot->connection_count; i++) {
    const SnapshotConnection *connection = &snapshot->connections[i];
    json_t *object = connection_json(connection, &walk->whole);
    put(object, "tcp_conns", walk_tcp_conns(walk, connection->debug.id), &walk->whole);
    put(object, "resource", walk_resource(walk, connection->debug.id), &walk->whole);
    if (json_array_append_new(list, object) != 0)
      walk->whole = false;
  }
  return list;
}

static json_t *worker_json(const Snapshot *snapshot, size_t index, bool *whole) {
  Walk walk = {.snapshot = snapshot, .whole = *whole};
  json_t *object = json_object();
  put_number(object, "worker", index, &walk.whole);
  put(object, "unattached_tcp_conns", walk_tcp_conns(&walk, 0), &walk.whole);
  put(object, "connections", walk_connections(&walk), &walk.whole);
  *whole = walk.whole;
  return object;
}

static json_t *report_json(const DebugJob *job, bool *whole) {
  char now[32] = "";
  struct tm utc;
  time_t seconds = time(NULL);
  json_t *object = json_object();
  json_t *workers = json_array();
  if (gmtime_r(&seconds, &utc))
    strftime(now, sizeof now, "%Y-%m-%dT%H:%M:%SZ", &utc);
  put_text(object, "time", now, whole);
  put_text(object, "version", rtc_version(), whole);
  put(object, "draining", json_boolean(host_is_draining(job->round.host)), whole);
  for (size_t i = 0; i < job->round.asked; i++)
    if (json_array_append_new(workers, worker_json(&job->snapshots[i], i, whole)) != 0)
      *whole = false;
  put(object, "workers", workers, whole);
  return object;
}

/* ---- The request ----------------------------------------------------------------------------- */

static int append_to_text(const char *data, size_t len, void *arg) {
  Text *text = arg;
  text_append(text, data, len);
  return text->failed ? -1 : 0;
}

static void finish_debug(HttpJob *base, HttpRequest *request) {
  DebugJob *job = (DebugJob *)base;
  Text text = {0};
  size_t len = 0;
  bool whole = true;
  if (job->round.error != RTC_OK) {
    http_answer_text(request, 503, rtc_error_text(job->round.error));
    return;
  }
  json_t *report = report_json(job, &whole);
  if (!whole || json_dump_callback(report, append_to_text, &text,
                                   JSON_INDENT(2) | JSON_SORT_KEYS | JSON_ENSURE_ASCII) != 0)
    text.failed = true;
  text_append(&text, "\n", 1);
  json_decref(report);
  char *body = text_take(&text, &len);
  http_answer_owned(request, 200, "application/json", body, len);
  http_answer_header(request, "Cache-Control", "no-store");
}

static void destroy_debug(HttpJob *base, bool delivered) {
  DebugJob *job = (DebugJob *)base;
  (void)delivered;
  for (size_t i = 0; i < job->round.asked; i++)
    snapshot_finish(&job->snapshots[i]);
  free(job);
}

void debug_request(HttpRequest *request, Host *host) {
  size_t size = sizeof(DebugJob) + host->worker_count * sizeof(Snapshot);
  DebugJob *job = calloc(1, size);
  if (!job) {
    http_answer_text(request, 500, rtc_error_text(RTC_ERROR_NO_MEMORY));
    return;
  }
  job->round = (RoundJob){.job = {.finish = finish_debug, .destroy = destroy_debug}, .ask = gather};
  round_begin(&job->round, request, host);
}
