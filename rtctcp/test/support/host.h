/* A host of the library for the transport's tests: a worker on its own thread, a server on
 * loopback, and sessions whose callbacks are recorded in order. Asserts with cmocka.
 *
 * Thread: the test's. What must run on the worker's thread is given to host_run. */
#ifndef RTC_TEST_HOST_H
#define RTC_TEST_HOST_H

#include "support/peer.h"

#include <rtctcp/rtctcp.h>

#include <pthread.h>

#define HOST_SESSIONS_MAX 200
#define HOST_STATES_MAX   16
#ifndef HOST_DEADLINE_MS
#define HOST_DEADLINE_MS 40000 /* for what must come at once; Valgrind is slow */
#endif

typedef struct HostConfig {
  const char *listen;          /* NULL: "127.0.0.1:0" */
  const char *also_listen;     /* the same server's second listener; NULL: none */
  uint32_t first_frame_ms;     /* 0: the library's default */
  uint32_t session_timeout_ms; /* 0: the library's default */
  int32_t grace_ms;            /* 0: the library's default; -1: none */
  bool takes_foreign;          /* sets on_foreign_socket */
  size_t unauthenticated_max;  /* 0: the library's default */
  size_t per_address_max;      /* 0: the library's default */
  bool shares_process;         /* other hosts run beside it: descriptors are not counted */
  RtcServerStats *last;        /* borrowed: out, the server's figures at its end; NULL: none */
} HostConfig;

typedef struct Host Host;

/* In which callback a session ends itself, and how. */
typedef enum HostHook {
  HOST_HOOK_NONE,
  HOST_HOOK_CONNECTING,
  HOST_HOOK_CONNECTED,
  HOST_HOOK_DISCONNECTED,
  HOST_HOOK_CLOSED,
  HOST_HOOK_RTP,
  HOST_HOOK_RTCP,
} HostHook;

typedef struct HostSession {
  Host *host;                /* back */
  RtcPeer *peer;             /* owned */
  RtcConnection *connection; /* owned: a handle */
  HostHook hook;
  bool hook_closes_tcp;        /* rtc_tcp_conn_close instead of rtc_connection_close */
  void (*hook_act)(void *arg); /* is called instead of both; NULL: none */
  void *hook_arg;              /* borrowed */

  RtcStream *stream; /* borrowed: the Connection's; NULL before host_send_rtp */
  size_t media_in;   /* packets that the peer sent */
  size_t media_out;  /* packets that the host sent */
  uint16_t last_sequence;
  int last_conn; /* the conn that host_assert_media_out's packet came on */

  /* Written on the worker's thread, under the host's lock. */
  RtcConnectionState states[HOST_STATES_MAX]; /* in their order */
  size_t state_count;
  RtcClose reason;
  size_t rtp_count;
  size_t rtcp_count;
  size_t after_closed; /* callbacks after CLOSED */
  uint8_t last[PEER_MEDIA_MAX];
  size_t last_len;
} HostSession;

struct Host {
  HostConfig config;
  RtcWorker *worker; /* owned */
  RtcServer *server; /* owned */
  uint16_t port;
  const char *address;
  uint16_t also_port; /* of also_listen */
  const char *also_address;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  HostSession sessions[HOST_SESSIONS_MAX];
  size_t session_count;
  int foreign_fd; /* owned: the last socket taken over; -1: none */
  size_t foreign_count;
  bool stopped;              /* rtc_server_close was called */
  bool worker_stopped;       /* rtc_worker_stop was called: host_run does not work any more */
  bool server_gone;          /* on_closed was called */
  size_t descriptors_before; /* before there was anything */
  size_t descriptors_idle;   /* with worker and server, without sessions */
  uint64_t coroutines_idle;
};

/* cmocka's setup and teardown. The prestate is a HostConfig, or NULL.
 * The teardown closes what is left, and checks that everything has gone. */
int host_setup(void **state);
int host_teardown(void **state);

/* Runs fn(arg) on the worker's thread, and waits for its end. */
void host_run(Host *host, void (*fn)(void *arg), void *arg);

void host_stats(Host *host, RtcServerStats *stats);
/* Waits until a figure of the statistics reaches value: offset is RtcServerStats' member's. */
void host_await_stat(Host *host, size_t offset, uint64_t value);
#define HOST_AWAIT(host, member, value)                                                            \
  host_await_stat((host), offsetof(RtcServerStats, member), (value))

/* Waits until no session, TCP conn, coroutine or descriptor is left but the idle ones. */
void host_await_idle(Host *host);

/* rtc_server_close; the teardown awaits its end. */
void host_close_server(Host *host);
/* rtc_server_drain; the same. rtc_server_close may follow. */
void host_drain_server(Host *host, uint32_t deadline_ms);
/* Awaits the end that one of these, or rtc_worker_stop, has begun. */
void host_await_server_gone(Host *host);
/* rtc_worker_stop. No session may have its handle any more: see host_drop_handle. */
void host_stop_worker(Host *host);

/* -- Sessions -- */

/* Opens a session with a new peer; its peer has the answer, no TCP conn yet. */
HostSession *host_open(Host *host, const PeerConfig *config);
/* The same, and the first conn is connected. */
HostSession *host_open_conn(Host *host, const PeerConfig *config);
/* The same, nominated, and the handshake has ended on both sides. */
HostSession *host_open_connected(Host *host, const PeerConfig *config);
/* A session whose offer was changed on its way: transport is what the library is told. */
HostSession *host_open_as(Host *host, RtcPeer *peer, const RtcSdpTransport *transport);

void host_await_state(HostSession *session, RtcConnectionState state);
/* As host_await_state(CLOSED), and the reason was this one. */
void host_await_closed(HostSession *session, RtcClose reason);
/* The states so far are these. */
void host_assert_states(HostSession *session, const RtcConnectionState *states, size_t count);
#define HOST_ASSERT_STATES(session, ...)                                                           \
  host_assert_states((session), (const RtcConnectionState[]){__VA_ARGS__},                         \
                     sizeof((const RtcConnectionState[]){__VA_ARGS__}) /                           \
                         sizeof(RtcConnectionState))
RtcConnectionState host_state(HostSession *session);
size_t host_rtp_count(HostSession *session);

void host_close_connection(HostSession *session);
void host_close_tcp_conn(HostSession *session);
void host_drop_handle(HostSession *session); /* unrefs the session's Connection */
void host_session_stats(HostSession *session, RtcConnectionStats *stats);
void host_await_drop(HostSession *session, RtcDrop drop, uint64_t count);

/* Waits for on_rtcp to have been called count times. */
void host_await_rtcp(HostSession *session, size_t count);

/* The last opened session, which is CLOSED: its peer and its place are given back. */
void host_forget(HostSession *session);

void host_send_rtp(HostSession *session);
/* A packet of the peer reaches on_rtp as it was sent, and one of the host reaches the peer. */
void host_assert_media_in(HostSession *session);
void host_assert_media_out(HostSession *session);
void host_assert_media_flows(HostSession *session);

#endif
