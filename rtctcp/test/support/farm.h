/* A server of several workers on loopback, and sessions on each of them, for tests of what goes on
 * between workers. Asserts with cmocka.
 *
 * Thread: the test's. What must run on a worker's thread is given to farm_run_on. */
#ifndef RTC_TEST_FARM_H
#define RTC_TEST_FARM_H

#include "support/peer.h"

#include <rtctcp/rtctcp.h>

#include <semaphore.h>
#include <stdatomic.h>

#define FARM_WORKERS_MAX  4
#define FARM_SESSIONS_MAX 24
#define FARM_DEADLINE_MS  40000

typedef struct Farm Farm;

typedef struct FarmSession {
  Farm *farm;                /* back */
  size_t worker;             /* that it lives on */
  RtcConnection *connection; /* owned: a handle */
  RtcPeer *peer;             /* owned */
  RtcSdpTransport answer;
  atomic_int state; /* the last one reported */
  atomic_int packets;
} FarmSession;

struct Farm {
  RtcWorker *workers[FARM_WORKERS_MAX]; /* owned */
  size_t worker_count;
  RtcServer *server; /* owned; NULL: destroyed */
  uint16_t port;
  FarmSession sessions[FARM_SESSIONS_MAX];
  size_t session_count;
  size_t descriptors_before;
  sem_t closed;                 /* posted by farm_on_closed */
  atomic_size_t on_closed_left; /* descriptors that were open then */
};

/* cmocka's setup: what the process opens once and keeps. */
int farm_setup(void **state);

void farm_start(Farm *farm, size_t worker_count);
/* Ends what is left, and checks that nothing is. */
void farm_end(Farm *farm);
void farm_on_closed(void *arg); /* for rtc_server_close, with the farm */
/* Awaits its call, and destroys the server. */
void farm_await_closed(Farm *farm);
/* Stops, joins and destroys a worker, if that was not done before. */
void farm_end_worker(Farm *farm, size_t index);

/* Runs fn(arg) on the worker's thread, and waits for its end. */
void farm_run_on(RtcWorker *worker, void (*fn)(void *arg), void *arg);

/* Keeps a worker busy, so that what is sent to it has to wait. */
typedef struct FarmGate {
  sem_t entered, open;
} FarmGate;

void farm_close_gate(FarmGate *gate, RtcWorker *worker);
void farm_open_gate(FarmGate *gate);

/* -- Figures: offset is RtcServerStats' member's -- */

uint64_t farm_figure(Farm *farm, size_t worker, size_t offset);
uint64_t farm_sum(Farm *farm, size_t offset);
void farm_await_sum(Farm *farm, size_t offset, uint64_t value);
#define FARM_SUM(farm, member) farm_sum((farm), offsetof(RtcServerStats, member))
#define FARM_AWAIT_SUM(farm, member, value)                                                        \
  farm_await_sum((farm), offsetof(RtcServerStats, member), (value))

/* -- Sessions -- */

/* A session on this worker; its peer has the answer, no TCP conn yet. */
FarmSession *farm_open(Farm *farm, size_t worker);
void farm_connect(FarmSession *session);
void farm_handshake(FarmSession *session);
void farm_await_state(FarmSession *session, RtcConnectionState state);
void farm_send_packet(FarmSession *session);
void farm_assert_packet_comes(FarmSession *session);
/* On its worker's thread, with the session: give its handle back, after closing it or not. */
void farm_drop_handle(void *arg);
void farm_unref_handle(void *arg);

#endif
