/* What lives on a worker, and who holds it: each Connection and TCP conn from the moment it is made
 * until its last handle has gone, closed or not. What one wants to see when something leaks.
 *
 * Thread: the worker's. */
#ifndef RTCTCP_DEBUG_H
#define RTCTCP_DEBUG_H

#include <rtctcp/server.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Handles on one object, by holder. Their sum is its count, but inside a callback of its own end,
 * where a handle on its way to the manager is among the others. */
typedef struct RtcHolders {
  uint32_t registry;   /* a Connection's: one for each ufrag it can be found by */
  uint32_t connection; /* a TCP conn's: the Connection that it serves */
  uint32_t executor;   /* a TCP conn's: its coroutine runs */
  uint32_t manager;    /* it is on its way through disposal */
  uint32_t others;     /* the host's */
} RtcHolders;

typedef struct RtcDebugTcpConn {
  uint64_t id;      /* 0: it is in no manager yet */
  const char *peer; /* "192.0.2.1:50000" */
  RtcTcpConnState state;
  const char *resource_state; /* "live", "disposal", "disposed" */
  const char *close;          /* the reason of its end; NULL: none was given */
  uint64_t connection_id;     /* 0: none */
  bool selected;              /* media takes it */
  bool blocked;               /* the socket takes no more for now */
  size_t unsent_octets;       /* framed, and waiting for the socket */
  uint64_t age_ms;            /* since it was accepted */
  uint64_t silent_ms;         /* since the last authenticated packet, or acceptance */
  RtcHolders holders;
} RtcDebugTcpConn;

typedef struct RtcDebugConnection {
  uint64_t id;
  const char *name; /* the host's; "": none */
  const char *ufrag;
  const char *restart_ufrag; /* of an ICE restart that awaits a nomination; NULL: none */
  RtcConnectionState state;
  const char *resource_state;
  RtcClose close;
  uint64_t age_ms;
  uint64_t state_age_ms; /* since it is in this state */
  size_t tcp_conns;
  size_t queued_packets; /* media that waits for the socket */
  RtcHolders holders;
} RtcDebugConnection;

/* Told in the order in which they were made; what is told is valid during the call only. May be
 * NULL each. They must not open, close or let go of anything. */
typedef struct RtcDebugVisitor {
  void (*on_connection)(const RtcDebugConnection *connection, void *arg);
  void (*on_tcp_conn)(const RtcDebugTcpConn *tcp, void *arg);
  void *arg; /* borrowed */
} RtcDebugVisitor;

/* All Connections of this worker's share, then all its TCP conns. */
RTC_API void rtc_server_debug(const RtcServer *server, const RtcWorker *worker,
                              const RtcDebugVisitor *visitor);

#ifdef __cplusplus
}
#endif

#endif
