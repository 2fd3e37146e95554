/* Two servers of the library's own, on one worker or on one each, and a session between them: an
 * active Connection of the one, a passive one of the other. Asserts with cmocka.
 *
 * Thread: the test's. What must run on a side's worker is given to duo_run. */
#ifndef RTC_TEST_DUO_H
#define RTC_TEST_DUO_H

#include <rtctcp/rtctcp.h>

#include <pthread.h>

#define DUO_STATES_MAX 16
#ifndef HOST_DEADLINE_MS
#define HOST_DEADLINE_MS 40000 /* for what must come at once; Valgrind is slow */
#endif

typedef struct DuoConfig {
  bool two_workers;
  bool active_first;           /* on one worker: the active side's server is closed first */
  const char *listen;          /* of the passive side; NULL: "127.0.0.1:0" */
  uint32_t session_timeout_ms; /* of both; 0: the library's default */
  uint32_t connect_timeout_ms; /* of both: first_frame_timeout_ms; 0: the library's default */
  int32_t grace_ms;            /* of both; 0: the library's default; -1: none */
} DuoConfig;

typedef struct Duo Duo;

/* One side. What is below the Connection is written on the worker's thread, under the lock. */
typedef struct DuoSide {
  Duo *duo;          /* back */
  RtcWorker *worker; /* owned by the duo */
  RtcServer *server; /* owned */
  bool server_gone;  /* on_closed was called */
  uint64_t coroutines_idle;

  RtcConnection *connection; /* owned: a handle */
  RtcStream *stream;         /* borrowed: the Connection's */
  RtcSdpTransport local;     /* what it told of itself last */
  bool closes_in;            /* a callback that reports closes_at closes the Connection */
  RtcConnectionState closes_at;
  RtcConnectionState states[DUO_STATES_MAX]; /* in their order */
  size_t state_count;
  RtcClose reason;
  size_t rtp_count;
  uint8_t last[64];
  size_t last_len;
  size_t after_closed; /* callbacks after CLOSED */
} DuoSide;

struct Duo {
  DuoConfig config;
  RtcWorker *workers[2]; /* owned */
  size_t worker_count;
  DuoSide active, passive;
  uint16_t port; /* the passive server's */
  pthread_mutex_t lock;
  pthread_cond_t changed;
  size_t descriptors_before, descriptors_idle;
};

/* cmocka's setup and teardown. The prestate is a DuoConfig, or NULL. The teardown closes what is
 * left, and checks that everything has gone. */
int duo_setup(void **state);
int duo_teardown(void **state);

/* Runs fn(arg) on the side's worker, and waits for its end. */
void duo_run(DuoSide *side, void (*fn)(void *arg), void *arg);

/* Opens the active Connection, which offers this; side->local is what it tells. */
void duo_open_active(Duo *duo, RtcSetup setup);
/* Opens the passive one for a peer that told this. */
void duo_open_passive(Duo *duo, const RtcSdpTransport *remote);
/* rtc_connection_connect */
RtcError duo_connect(Duo *duo, const RtcSdpTransport *remote);
/* All three, and both sides are CONNECTED. */
void duo_open_connected(Duo *duo, RtcSetup setup);

void duo_await_state(DuoSide *side, RtcConnectionState state);
void duo_await_closed(DuoSide *side, RtcClose reason);
RtcConnectionState duo_state(DuoSide *side);
/* A state was reported, and since then this one. */
void duo_await_count(DuoSide *side, RtcConnectionState state, size_t times);

void duo_close(DuoSide *side);
void duo_drop_handle(DuoSide *side);
void duo_refresh_local(DuoSide *side); /* rtc_connection_local_transport */

/* The TCP conn that media takes is cut as if the network had lost it. */
void duo_lose_tcp(DuoSide *side);

void duo_stats(DuoSide *side, RtcServerStats *stats);
/* Waits until a figure of the side's statistics reaches at least value. */
void duo_await_stat(DuoSide *side, size_t offset, uint64_t value);
#define DUO_AWAIT(side, member, value)                                                             \
  duo_await_stat((side), offsetof(RtcServerStats, member), (value))

/* A packet each way arrives. */
void duo_assert_media_flows(Duo *duo);

/* Waits until no Connection, TCP conn, coroutine or descriptor is left but the idle ones. */
void duo_await_idle(Duo *duo);

#endif
