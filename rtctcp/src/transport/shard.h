/* A shard: one worker's share of a server. All that its sessions share lives here, on its thread.
 */
#ifndef RTC_TRANSPORT_SHARD_H
#define RTC_TRANSPORT_SHARD_H

#include "ownership/resource_manager.h"
#include "protocol/dtls.h"
#include "protocol/stun.h"
#include "protocol/stun_client.h"
#include "runtime/timer.h"
#include "runtime/worker_internal.h"
#include "transport/admission.h"
#include "transport/load.h"
#include "transport/registry.h"
#include "transport/send_queue.h"
#include "transport/tcp_path.h"

#include <rtctcp/server.h>

/* What the server's configuration says to every shard; immutable once it runs. */
typedef struct RtcServerSettings {
  int64_t first_frame_timeout_us;
  int64_t session_timeout_us;
  int64_t reconnect_grace_us;
  size_t unauthenticated_max;
  size_t unauthenticated_per_address_max;
  size_t connections_max;
  RtcSendLimits send_limits;
  size_t notsent_lowat; /* at least [octets] */
  void (*on_foreign_socket)(int fd, const struct sockaddr *peer, socklen_t peer_len, void *arg);
  void *arg;                /* borrowed: the host's */
  RtcCandidate *candidates; /* owned by the server */
  size_t candidate_count;
} RtcServerSettings;

struct RtcListener;

/* Named by what is awaited. */
typedef enum RtcShardState {
  RTC_SHARD_STATE_WORKER,      /* its worker, which starts it */
  RTC_SHARD_STATE_CLOSE,       /* it serves */
  RTC_SHARD_STATE_ENDINGS,     /* it is telling listeners, sessions and TCP conns to end */
  RTC_SHARD_STATE_LAST_OBJECT, /* that they are gone */
  RTC_SHARD_STATE_FINISH,
} RtcShardState;

typedef struct RtcShard {
  RtcServer *server;                 /* back */
  RtcWorker *worker;                 /* borrowed */
  unsigned index;                    /* the worker's number, which every ufrag carries */
  const RtcServerSettings *settings; /* borrowed: the server's */
  const RtcDtlsContext *dtls;        /* borrowed: the server's */
  RtcStunServer *stun;               /* owned */
  RtcStunClient *stun_client;        /* owned; NULL before the first active Connection */
  RtcResourceManager *manager;       /* owned: of TCP conns and Connections */
  RtcRegistry registry;
  RtcAdmission admission;
  RtcConnection *connections;     /* borrowed: all that there are, closed ones too; oldest first */
  RtcTcpConn *tcp_conns;          /* borrowed: likewise */
  struct RtcListener **listeners; /* owned: an array, and what is in it; see listener.h */
  size_t listener_count;
  RtcBlockPool pool; /* of what waits to be sent */
  RtcTimer trim;     /* gives the pool's surplus back; runs as long as it keeps something */
  RtcServerStats stats;
  RtcLoad load;
  RtcWorkerHolder holder;
  RtcShardState state;
  bool draining;  /* no new sessions */
  bool drained;   /* the server knows that the last one has ended */
  RtcTimer drain; /* the drain's deadline */
  struct {
    RtcLetter start, drain, drained, close; /* each is posted once at most */
  } letters;
} RtcShard;

/* The library's log of this shard. */
static inline const RtcLog *rtc_shard_log(const RtcShard *shard) {
  return rtc_worker_log(shard->worker);
}

/* Prepares a shard; any thread. Errors: NO_MEMORY */
RTC_MUST_CHECK RtcError rtc_shard_init(RtcShard *shard, RtcServer *server, RtcWorker *worker,
                                       unsigned index, const RtcServerSettings *settings,
                                       const RtcDtlsContext *dtls, size_t listener_count);
/* Frees what a shard holds, once it is closed, or was never started; any thread. */
void rtc_shard_finish(RtcShard *shard);

/* Starts to serve. On the worker's thread, once.
 * fds     listener_count listening sockets: owned from here on, whatever is returned
 * Errors: NO_MEMORY, CLOSED, SYSTEM: nothing runs, and rtc_server_let_go is not called */
RTC_MUST_CHECK RtcError rtc_shard_start(RtcShard *shard, const int *fds);

/* Closes the listeners and every session; rtc_server_let_go is called when the last object
 * has gone. On the worker's thread; fine twice. */
void rtc_shard_close(RtcShard *shard);

/* Takes no new sessions, ends those that have not begun, and calls rtc_server_shard_drained when
 * the last one has ended. Closes at the deadline. On the worker's thread, once. */
void rtc_shard_drain(RtcShard *shard, int64_t deadline_us);

/* A session has ended: was it the last one that a drain awaits? */
void rtc_shard_check_drained(RtcShard *shard);

/* A listener or a resource has gone: was it the last? */
void rtc_shard_check_closed(RtcShard *shard);

/* -- The server's; any thread -- */

/* Keep the server from being closed meanwhile, and let go of that. A shard lets go when it is
 * closed, as its last act. */
void rtc_server_keep(RtcServer *server);
void rtc_server_let_go(RtcServer *server);

/* A shard has no sessions any more, and takes none: after the last such call of a drain all shards
 * close. Each shard's once, and only during a drain. */
void rtc_server_shard_drained(RtcServer *server);

/* This worker's share; NULL: it has none. */
RtcShard *rtc_server_shard_of_worker(const RtcServer *server, const RtcWorker *worker);

/* The shard whose number this ufrag carries; NULL: of none. ufrag need not end in a NUL. */
RtcShard *rtc_server_shard_of_ufrag(const RtcServer *server, const char *ufrag, size_t len);

/* Writes a shard's number as the first characters of a ufrag. */
#define RTC_UFRAG_SHARD_LEN 3
void rtc_shard_write_number(const RtcShard *shard, char ufrag[RTC_UFRAG_SHARD_LEN]);

#endif
