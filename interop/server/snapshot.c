/* Copies what the library's debug view and the table of sessions tell, see snapshot.h. */
#include "snapshot.h"

#include <stdio.h>
#include <stdlib.h>

/* Makes room for one item more: the capacity is the next power of two. NULL: no memory. */
static void *grow(void *items, size_t count, size_t size) {
  bool full = (count & (count - 1)) == 0;
  size_t cap = count ? 2 * count : 1;
  return full ? realloc(items, cap * size) : items;
}

static void copy_connection(const RtcDebugConnection *connection, void *arg) {
  Snapshot *snapshot = arg;
  SnapshotConnection *items =
      grow(snapshot->connections, snapshot->connection_count, sizeof *items);
  if (!items) {
    snapshot->failed = true;
    return;
  }
  snapshot->connections = items;
  SnapshotConnection *copy = &items[snapshot->connection_count++];
  copy->debug = *connection;
  copy->debug.name = copy->debug.ufrag = copy->debug.restart_ufrag = NULL;
  const char *restart_ufrag = connection->restart_ufrag ? connection->restart_ufrag : "";
  snprintf(copy->name, sizeof copy->name, "%s", connection->name);
  snprintf(copy->ufrag, sizeof copy->ufrag, "%s", connection->ufrag);
  snprintf(copy->restart_ufrag, sizeof copy->restart_ufrag, "%s", restart_ufrag);
}

static void copy_tcp_conn(const RtcDebugTcpConn *tcp, void *arg) {
  Snapshot *snapshot = arg;
  SnapshotTcpConn *items = grow(snapshot->tcp_conns, snapshot->tcp_conn_count, sizeof *items);
  if (!items) {
    snapshot->failed = true;
    return;
  }
  snapshot->tcp_conns = items;
  SnapshotTcpConn *copy = &items[snapshot->tcp_conn_count++];
  copy->debug = *tcp;
  copy->debug.peer = NULL;
  snprintf(copy->peer, sizeof copy->peer, "%s", tcp->peer);
}

static void copy_resource(const Session *session, void *arg) {
  Snapshot *snapshot = arg;
  SnapshotResource *items = grow(snapshot->resources, snapshot->resource_count, sizeof *items);
  if (!items) {
    snapshot->failed = true;
    return;
  }
  snapshot->resources = items;
  SnapshotResource *copy = &items[snapshot->resource_count++];
  copy->connection_id = session_connection_id(session);
  copy->role = session_role(session);
  snprintf(copy->path, sizeof copy->path, "%s", session_location(session));
  snprintf(copy->stream, sizeof copy->stream, "%s", session_stream(session));
}

static int compare(uint64_t a, uint64_t b) {
  return (a > b) - (a < b);
}

static int compare_connections(const void *a, const void *b) {
  const SnapshotConnection *one = a, *other = b;
  return compare(one->debug.id, other->debug.id);
}

static int compare_tcp_conns(const void *a, const void *b) {
  const RtcDebugTcpConn *one = &((const SnapshotTcpConn *)a)->debug;
  const RtcDebugTcpConn *other = &((const SnapshotTcpConn *)b)->debug;
  int order = compare(one->connection_id, other->connection_id);
  return order ? order : compare(one->id, other->id);
}

static int compare_resources(const void *a, const void *b) {
  const SnapshotResource *one = a, *other = b;
  return compare(one->connection_id, other->connection_id);
}

static void sort(void *items, size_t count, size_t size, int (*order)(const void *, const void *)) {
  if (count > 0)
    qsort(items, count, size, order);
}

void snapshot_take(Snapshot *snapshot, const HostWorker *worker) {
  Snapshot *s = snapshot;
  const RtcDebugVisitor visitor = {
      .on_connection = copy_connection, .on_tcp_conn = copy_tcp_conn, .arg = s};
  rtc_server_debug(worker->host->server, worker->worker, &visitor);
  sessions_each(&worker->sessions, copy_resource, s);
  sort(s->connections, s->connection_count, sizeof *s->connections, compare_connections);
  sort(s->tcp_conns, s->tcp_conn_count, sizeof *s->tcp_conns, compare_tcp_conns);
  sort(s->resources, s->resource_count, sizeof *s->resources, compare_resources);
}

void snapshot_finish(Snapshot *snapshot) {
  free(snapshot->connections);
  free(snapshot->tcp_conns);
  free(snapshot->resources);
  *snapshot = (Snapshot){0};
}
