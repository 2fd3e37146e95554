/* What lives on a worker at one moment, copied out, so that it can be told on another thread. */
#ifndef SERVER_SNAPSHOT_H
#define SERVER_SNAPSHOT_H

#include "host.h"

#include <rtctcp/debug.h>

/* In debug, the texts that are copied beside it are NULL. */
typedef struct SnapshotConnection {
  RtcDebugConnection debug;
  char name[STREAM_NAME_MAX + 8];
  char ufrag[32];
  char restart_ufrag[32]; /* "": there is no restart */
} SnapshotConnection;

typedef struct SnapshotTcpConn {
  RtcDebugTcpConn debug;
  char peer[RTC_SDP_ADDRESS_MAX];
} SnapshotTcpConn;

/* A WHIP or WHEP resource: what the host holds. */
typedef struct SnapshotResource {
  uint64_t connection_id;
  SessionRole role;
  char path[LOCATION_MAX];
  char stream[STREAM_NAME_MAX + 1];
} SnapshotResource;

typedef struct Snapshot {
  SnapshotConnection *connections; /* owned; sorted by id */
  size_t connection_count;
  SnapshotTcpConn *tcp_conns; /* owned; sorted by Connection, those of none first, then by id */
  size_t tcp_conn_count;
  SnapshotResource *resources; /* owned; sorted by Connection */
  size_t resource_count;
  bool failed; /* out of memory: it is not whole */
} Snapshot;    /* begins as {0} */

/* Thread: the worker's. */
void snapshot_take(Snapshot *snapshot, const HostWorker *worker);

/* Any thread. */
void snapshot_finish(Snapshot *snapshot);

#endif
