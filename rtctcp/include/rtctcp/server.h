/* RtcServer: the TCP port, its listeners on every worker, and the sessions behind them.
 *
 * Thread: as each function says. */
#ifndef RTCTCP_SERVER_H
#define RTCTCP_SERVER_H

#include <rtctcp/connection.h>
#include <rtctcp/worker.h>

#include <sys/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct RtcServerConfig {
  RtcWorker *const *workers; /* borrowed: stop them after the server is closed */
  size_t worker_count;

  const char *const *listen; /* "127.0.0.1:8080", "[::1]:8080"; port 0: any free one */
  size_t listen_count;       /* 0: only active Connections can be opened */
  /* What the answers tell the peers: "192.0.2.1", "192.0.2.1:443", "[2001:db8::1]:443". None: the
   * addresses listened on, as far as they are not wildcards. */
  const char *const *candidates;
  size_t candidate_count;

  uint32_t first_frame_timeout_ms; /* an accepted socket must authenticate within it */
  uint32_t session_timeout_ms;     /* a session must hear an authenticated packet within it */
  uint32_t reconnect_grace_ms;     /* a session without TCP conn waits this long; 0: not at all */

  size_t unauthenticated_max;             /* sockets that are not (yet) of a session, a worker */
  size_t unauthenticated_per_address_max; /* the same of one IPv4 address or one IPv6 /64 */
  size_t connections_max;                 /* sessions a worker */

  /* What waits for a receiver's socket longer than this, or is more than this, is dropped: video by
   * whole frames up to the next keyframe, audio oldest first. 0: the default. */
  uint32_t video_age_max_ms; /* 500 */
  uint32_t audio_age_max_ms; /* 1,000 */
  size_t queue_octets_max;   /* a receiver's, each packet with 64 for its entry; 2 MiB */
  /* TCP_NOTSENT_LOWAT: what the kernel takes beyond what it has sent [octets], so that what is late
   * is late here, where it can be dropped. It is raised, up to 256 KiB, for a conn whose path sends
   * more than that in 5 ms, and lowered again, not below this. 0: the default, 16 KiB */
  size_t notsent_lowat;
  /* The congestion control of each listener's TCP conns: "bbr", "cubic", and what else
   * /proc/sys/net/ipv4/tcp_available_congestion_control tells; listen_count texts, of which a NULL
   * leaves the system's. NULL: the system's for all */
  const char *const *congestion_control;

  /* Takes over a socket on which something else than ICE arrives (HTTP, TLS): fd is non-blocking,
   * nothing was read from it, and it is the host's to close. On a worker's thread, maybe before
   * rtc_server_new has returned. NULL: such sockets are closed and counted. */
  void (*on_foreign_socket)(int fd, const struct sockaddr *peer, socklen_t peer_len, void *arg);
  void *arg; /* borrowed */
} RtcServerConfig;

typedef struct RtcCount {
  uint64_t live;
  uint64_t total;
} RtcCount;

/* Of one worker. */
typedef struct RtcServerStats {
  RtcCount connections;
  RtcCount tcp_conns;
  uint64_t unauthenticated; /* of the live TCP conns */
  uint64_t sockets_total;   /* descriptors that were opened or accepted, and closed since or not */
  uint64_t accept_errors;   /* accept failed; the listener went on */
  uint64_t refused_limit;   /* accepted and closed at once: a cap was reached */
  uint64_t closes[RTC_CLOSE_COUNT];         /* of Connections, by reason */
  uint64_t tcp_closes[RTC_TCP_CLOSE_COUNT]; /* of TCP conns, by reason */
  uint64_t drops[RTC_DROP_COUNT];           /* of all sessions that were and are */
  uint64_t frames_dropped[RTC_DROP_COUNT];  /* likewise: see RtcConnectionStats */
  uint64_t queued_packets, queued_octets;   /* wait for a socket now */
  uint64_t queue_age_us;                    /* of what has waited the longest now [us] */
  uint64_t queue_age_max_us; /* the greatest of all sessions that were and are [us] */
  uint64_t packets_in, octets_in, packets_out, octets_out;
  uint64_t handshakes; /* DTLS handshakes that ended well */
  /* The pool that queues and unsent chunks are borrowed from. */
  uint64_t pool_lent_octets; /* in use now */
  uint64_t pool_kept_octets; /* free, and kept for the next turn's use */
  uint64_t pool_made;        /* blocks that were allocated: under a steady load it stands still */
} RtcServerStats;

/* Sets every default: no listener; 10 s, 30 s, 10 s; the caps of the README; the bounds above. */
RTC_API void rtc_server_config_init(RtcServerConfig *config);

/* Binds and listens at once, so that a port in use is told here; accepts begin on the workers.
 * failed   out, may be NULL: index of the listen or candidate text that was refused
 * Errors:  INVALID_ARGUMENT  an address can't be read, or there is none, or no worker
 *          UNSUPPORTED       the kernel does not have this listener's congestion control
 *          ACCESS            the port, or the congestion control, is not for this user
 *          ADDRESS_IN_USE, SYSTEM, NO_MEMORY, LIBRARY
 * Thread: any, but the server's functions are then called from that one, or as they say */
RTC_API RTC_MUST_CHECK RtcError rtc_server_new(RtcServer **server, const RtcServerConfig *config,
                                               size_t *failed);

/* The port of the i-th listener (as bound), host byte order. Any thread. */
RTC_API uint16_t rtc_server_port(const RtcServer *server, size_t listener);

/* Ends softly. From here on rtc_connection_new says CLOSED, sessions that no TCP conn has reached
 * end with CLOSED(DRAIN), and a first frame of none is refused; all others go on, and may come back
 * on another TCP conn. When the last session of all workers has ended the server closes as by
 * rtc_server_close; until then each worker serves the port. At the deadline those that are left
 * end with CLOSED(DRAIN).
 * deadline_ms  from now
 * on_closed    as of rtc_server_close; a rtc_server_close that follows replaces it
 * Any thread; once, before rtc_server_close. */
RTC_API void rtc_server_drain(RtcServer *server, uint32_t deadline_ms, void (*on_closed)(void *arg),
                              void *arg);

/* Closes the listeners and then every session, with close_notify, on every worker.
 * on_closed is called once, on a worker's thread, when the last object of the server is gone from
 * its worker, so hosts give their handles back; rtc_server_destroy may be called from then on, on
 * any thread. (If every worker had stopped before, it is called from here.) NULL: none.
 * Any thread; once, also during a drain. A worker that stops does the same for its share. */
RTC_API void rtc_server_close(RtcServer *server, void (*on_closed)(void *arg), void *arg);

/* Frees a closed server. NULL is fine. */
RTC_API void rtc_server_destroy(RtcServer *server);

/* The worker that has the least to do: where the next Connection is placed best. Its sessions
 * count, and its packets of the last tenth of a second, of which 100 a second count as one session.
 * What was picked counts at once, so that a burst is spread, too. NULL: no worker takes sessions
 * any more. Any thread. */
RTC_API RtcWorker *rtc_server_pick_worker(RtcServer *server);

/* This worker's figures. Thread: that worker's. */
RTC_API void rtc_server_stats(const RtcServer *server, const RtcWorker *worker,
                              RtcServerStats *stats);

/* Finds a live session on this worker. Borrowed. Thread: that worker's.
 * NULL: there is none of that id. */
RTC_API RtcConnection *rtc_server_find(const RtcServer *server, const RtcWorker *worker,
                                       uint64_t connection_id);

#ifdef __cplusplus
}
#endif

#endif
