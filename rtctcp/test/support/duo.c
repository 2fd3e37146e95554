/* Two servers of the library's own, and a session between them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "protocol/srtp.h"
#include "support/descriptors.h"
#include "support/duo.h"
#include "support/rtp.h"
#include "transport/rtc_connection_internal.h"

#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define POLL_MS 2

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void pause_ms(long ms) {
  const struct timespec time = {.tv_nsec = ms * 1000000};
  nanosleep(&time, NULL);
}

static struct timespec deadline(void) {
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_sec += HOST_DEADLINE_MS / 1000;
  return until;
}

/* -- The workers' threads -- */

typedef struct Call {
  void (*fn)(void *arg);
  void *arg;
  sem_t done;
} Call;

static void run_call(void *arg) {
  Call *call = arg;
  call->fn(call->arg);
  sem_post(&call->done);
}

void duo_run(DuoSide *side, void (*fn)(void *arg), void *arg) {
  Call call = {.fn = fn, .arg = arg};
  assert_int_equal(sem_init(&call.done, 0, 0), 0);
  assert_int_equal(rtc_worker_post(side->worker, run_call, &call), RTC_OK);
  while (sem_wait(&call.done) != 0)
    ;
  sem_destroy(&call.done);
}

static void record_state(RtcConnection *connection, RtcConnectionState state, void *arg) {
  DuoSide *side = arg;
  pthread_mutex_lock(&side->duo->lock);
  size_t count = side->state_count;
  if (count && side->states[count - 1] == RTC_CONNECTION_STATE_CLOSED)
    side->after_closed++;
  else if (count < DUO_STATES_MAX)
    side->states[side->state_count++] = state;
  side->reason = rtc_connection_close_reason(connection);
  bool closes = side->closes_in && side->closes_at == state;
  pthread_cond_broadcast(&side->duo->changed);
  pthread_mutex_unlock(&side->duo->lock);
  if (closes)
    rtc_connection_close(connection);
}

static void record_rtp(RtcConnection *connection, const uint8_t *packet, size_t len, void *arg) {
  DuoSide *side = arg;
  (void)connection;
  pthread_mutex_lock(&side->duo->lock);
  side->rtp_count++;
  side->last_len = len < sizeof side->last ? len : sizeof side->last;
  memcpy(side->last, packet, side->last_len);
  pthread_cond_broadcast(&side->duo->changed);
  pthread_mutex_unlock(&side->duo->lock);
}

static void server_closed(void *arg) {
  DuoSide *side = arg;
  pthread_mutex_lock(&side->duo->lock);
  side->server_gone = true;
  pthread_cond_broadcast(&side->duo->changed);
  pthread_mutex_unlock(&side->duo->lock);
}

/* -- Figures -- */

typedef struct Figures {
  DuoSide *side;
  RtcServerStats server;
  RtcWorkerStats worker;
} Figures;

static void read_figures(void *arg) {
  Figures *figures = arg;
  rtc_server_stats(figures->side->server, figures->side->worker, &figures->server);
  rtc_worker_stats(figures->side->worker, &figures->worker);
}

void duo_stats(DuoSide *side, RtcServerStats *stats) {
  Figures figures = {.side = side};
  duo_run(side, read_figures, &figures);
  *stats = figures.server;
}

void duo_await_stat(DuoSide *side, size_t offset, uint64_t value) {
  int64_t deadline_ms = now_ms() + HOST_DEADLINE_MS;
  uint64_t seen;
  for (;;) {
    RtcServerStats stats;
    duo_stats(side, &stats);
    memcpy(&seen, (const uint8_t *)&stats + offset, sizeof seen);
    if (seen >= value)
      return;
    if (now_ms() > deadline_ms)
      fail_msg("the figure at %zu is %llu, not %llu", offset, (unsigned long long)seen,
               (unsigned long long)value);
    pause_ms(POLL_MS);
  }
}

static bool is_idle(DuoSide *side, Figures *figures) {
  figures->side = side;
  duo_run(side, read_figures, figures);
  return !figures->server.connections.live && !figures->server.tcp_conns.live &&
         figures->worker.coroutines_live == side->coroutines_idle;
}

void duo_await_idle(Duo *duo) {
  int64_t deadline_ms = now_ms() + HOST_DEADLINE_MS;
  for (;;) {
    Figures active, passive;
    bool idle = is_idle(&duo->active, &active) & is_idle(&duo->passive, &passive);
    size_t descriptors = descriptors_open();
    if (idle && descriptors == duo->descriptors_idle)
      return;
    if (now_ms() > deadline_ms)
      fail_msg("left: connections %llu and %llu, TCP conns %llu and %llu, coroutines %llu of %llu "
               "and %llu of %llu, descriptors %zu of %zu",
               (unsigned long long)active.server.connections.live,
               (unsigned long long)passive.server.connections.live,
               (unsigned long long)active.server.tcp_conns.live,
               (unsigned long long)passive.server.tcp_conns.live,
               (unsigned long long)active.worker.coroutines_live,
               (unsigned long long)duo->active.coroutines_idle,
               (unsigned long long)passive.worker.coroutines_live,
               (unsigned long long)duo->passive.coroutines_idle, descriptors,
               duo->descriptors_idle);
    pause_ms(POLL_MS);
  }
}

/* -- Setup -- */

static void start_server(Duo *duo, DuoSide *side, const char *listen) {
  const DuoConfig *own = &duo->config;
  RtcServerConfig config;
  rtc_server_config_init(&config);
  config.workers = &side->worker;
  config.worker_count = 1;
  config.listen = &listen;
  config.listen_count = listen ? 1 : 0;
  if (own->connect_timeout_ms)
    config.first_frame_timeout_ms = own->connect_timeout_ms;
  if (own->session_timeout_ms)
    config.session_timeout_ms = own->session_timeout_ms;
  if (own->grace_ms)
    config.reconnect_grace_ms = own->grace_ms < 0 ? 0 : (uint32_t)own->grace_ms;
  assert_int_equal(rtc_server_new(&side->server, &config, NULL), RTC_OK);
  side->duo = duo;
}

static RtcWorker *start_worker(void) {
  RtcWorker *worker;
  RtcWorkerConfig config = {.name = "test"};
  if (getenv("RTC_TEST_LOG"))
    config.log = (RtcLog){.level = RTC_LOG_LEVEL_DEBUG, .write = rtc_log_write_stderr};
  assert_int_equal(rtc_worker_new(&worker, &config), RTC_OK);
  return worker;
}

static void end_worker(RtcWorker *worker) {
  rtc_worker_stop(worker);
  rtc_worker_join(worker);
  rtc_worker_destroy(worker);
}

/* What the libraries open once for the process: libuv keeps a pipe from the first loop on. */
static void start_libraries(void) {
  static bool done;
  if (done)
    return;
  done = true;
  end_worker(start_worker());
}

static void note_idle(DuoSide *side) {
  Figures figures = {.side = side};
  for (int turn = 0; turn < 5; turn++) {
    pause_ms(POLL_MS);
    duo_run(side, read_figures, &figures);
  }
  side->coroutines_idle = figures.worker.coroutines_live;
}

static void init_lock(Duo *duo) {
  pthread_condattr_t attributes;
  pthread_mutex_init(&duo->lock, NULL);
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&duo->changed, &attributes);
  pthread_condattr_destroy(&attributes);
}

int duo_setup(void **state) {
  Duo *duo = calloc(1, sizeof *duo);
  if (!duo)
    return -1;
  if (*state)
    duo->config = *(const DuoConfig *)*state;
  *state = duo;
  init_lock(duo);
  start_libraries();
  duo->descriptors_before = descriptors_open();
  duo->worker_count = duo->config.two_workers ? 2 : 1;
  for (size_t i = 0; i < duo->worker_count; i++)
    duo->workers[i] = start_worker();
  duo->passive.worker = duo->workers[0];
  duo->active.worker = duo->workers[duo->worker_count - 1];
  start_server(duo, &duo->passive, duo->config.listen ? duo->config.listen : "127.0.0.1:0");
  start_server(duo, &duo->active, NULL);
  duo->port = rtc_server_port(duo->passive.server, 0);
  note_idle(&duo->passive);
  note_idle(&duo->active);
  note_idle(&duo->passive); /* on one worker they are the same coroutines */
  duo->descriptors_idle = descriptors_open();
  return 0;
}

/* -- Teardown -- */

static void finish_connection(void *arg) {
  DuoSide *side = arg;
  if (!side->connection)
    return;
  rtc_connection_close(side->connection);
  rtc_connection_unref(&side->connection);
}

static void close_server(DuoSide *side) {
  const struct timespec until = deadline();
  Duo *duo = side->duo;
  rtc_server_close(side->server, server_closed, side);
  pthread_mutex_lock(&duo->lock);
  int waited = 0;
  while (!side->server_gone && waited == 0)
    waited = pthread_cond_timedwait(&duo->changed, &duo->lock, &until);
  bool gone = side->server_gone;
  pthread_mutex_unlock(&duo->lock);
  assert_true(gone);
}

int duo_teardown(void **state) {
  Duo *duo = *state;
  DuoSide *sides[] = {&duo->active, &duo->passive};
  for (size_t i = 0; i < 2; i++) {
    duo_run(sides[i], finish_connection, sides[i]);
    assert_int_equal(sides[i]->after_closed, 0);
  }
  duo_await_idle(duo);
  close_server(&duo->active);
  close_server(&duo->passive);
  for (size_t i = 0; i < duo->worker_count; i++) {
    rtc_worker_stop(duo->workers[i]);
    rtc_worker_join(duo->workers[i]);
  }
  rtc_server_destroy(duo->active.server);
  rtc_server_destroy(duo->passive.server);
  for (size_t i = 0; i < duo->worker_count; i++)
    rtc_worker_destroy(duo->workers[i]);
  pthread_cond_destroy(&duo->changed);
  pthread_mutex_destroy(&duo->lock);
  size_t before = duo->descriptors_before;
  free(duo);
  *state = NULL;
  assert_int_equal(descriptors_open(), before);
  return 0;
}

/* -- Sessions -- */

typedef struct Opening {
  DuoSide *side;
  RtcConnectionConfig config;
  const RtcSdpTransport *remote;
  RtcError error;
} Opening;

static void open_connection(void *arg) {
  Opening *opening = arg;
  DuoSide *side = opening->side;
  opening->config.name = "test";
  opening->config.callbacks =
      (RtcConnectionCallbacks){.on_state = record_state, .on_rtp = record_rtp};
  opening->config.arg = side;
  opening->error =
      rtc_connection_new(&side->connection, side->server, side->worker, &opening->config);
  if (!opening->error)
    rtc_connection_local_transport(side->connection, &side->local);
}

void duo_open_active(Duo *duo, RtcSetup setup) {
  Opening opening = {.side = &duo->active, .config = {.active = true, .setup = setup}};
  duo_run(&duo->active, open_connection, &opening);
  assert_int_equal(opening.error, RTC_OK);
}

void duo_open_passive(Duo *duo, const RtcSdpTransport *remote) {
  Opening opening = {.side = &duo->passive, .config = {.remote = remote}};
  duo_run(&duo->passive, open_connection, &opening);
  assert_int_equal(opening.error, RTC_OK);
}

static void connect_active(void *arg) {
  Opening *opening = arg;
  opening->error = rtc_connection_connect(opening->side->connection, opening->remote);
  rtc_connection_local_transport(opening->side->connection, &opening->side->local);
}

RtcError duo_connect(Duo *duo, const RtcSdpTransport *remote) {
  Opening opening = {.side = &duo->active, .remote = remote};
  duo_run(&duo->active, connect_active, &opening);
  return opening.error;
}

void duo_open_connected(Duo *duo, RtcSetup setup) {
  duo_open_active(duo, setup);
  duo_open_passive(duo, &duo->active.local);
  assert_int_equal(duo_connect(duo, &duo->passive.local), RTC_OK);
  duo_await_state(&duo->active, RTC_CONNECTION_STATE_CONNECTED);
  duo_await_state(&duo->passive, RTC_CONNECTION_STATE_CONNECTED);
}

static RtcConnectionState last_state(const DuoSide *side) {
  return side->state_count ? side->states[side->state_count - 1] : RTC_CONNECTION_STATE_NEW;
}

static bool wait_changed(Duo *duo, const struct timespec *until) {
  return pthread_cond_timedwait(&duo->changed, &duo->lock, until) == 0;
}

void duo_await_state(DuoSide *side, RtcConnectionState state) {
  const struct timespec until = deadline();
  pthread_mutex_lock(&side->duo->lock);
  while (last_state(side) != state && wait_changed(side->duo, &until))
    ;
  RtcConnectionState seen = last_state(side);
  pthread_mutex_unlock(&side->duo->lock);
  if (seen != state)
    fail_msg("the session is %s, not %s", rtc_connection_state_name(seen),
             rtc_connection_state_name(state));
}

void duo_await_closed(DuoSide *side, RtcClose reason) {
  duo_await_state(side, RTC_CONNECTION_STATE_CLOSED);
  if (side->reason != reason)
    fail_msg("closed by %s, not %s", rtc_close_name(side->reason), rtc_close_name(reason));
}

RtcConnectionState duo_state(DuoSide *side) {
  pthread_mutex_lock(&side->duo->lock);
  RtcConnectionState state = last_state(side);
  pthread_mutex_unlock(&side->duo->lock);
  return state;
}

static size_t count_of(const DuoSide *side, RtcConnectionState state) {
  size_t count = 0;
  for (size_t i = 0; i < side->state_count; i++)
    count += side->states[i] == state;
  return count;
}

void duo_await_count(DuoSide *side, RtcConnectionState state, size_t times) {
  const struct timespec until = deadline();
  pthread_mutex_lock(&side->duo->lock);
  while (count_of(side, state) < times && wait_changed(side->duo, &until))
    ;
  size_t seen = count_of(side, state);
  pthread_mutex_unlock(&side->duo->lock);
  assert_int_equal(seen, times);
}

static void close_connection(void *arg) {
  rtc_connection_close(((DuoSide *)arg)->connection);
}

void duo_close(DuoSide *side) {
  duo_run(side, close_connection, side);
}

static void drop_handle(void *arg) {
  rtc_connection_unref(&((DuoSide *)arg)->connection);
}

void duo_drop_handle(DuoSide *side) {
  duo_run(side, drop_handle, side);
}

static void refresh_local(void *arg) {
  DuoSide *side = arg;
  rtc_connection_local_transport(side->connection, &side->local);
}

void duo_refresh_local(DuoSide *side) {
  duo_run(side, refresh_local, side);
}

static void lose_tcp(void *arg) {
  const RtcTcpConn *tcp = rtc_connection_tcp_conn(((DuoSide *)arg)->connection);
  if (tcp)
    shutdown(tcp->fd, SHUT_RDWR);
}

void duo_lose_tcp(DuoSide *side) {
  duo_run(side, lose_tcp, side);
}

/* -- Media -- */

typedef struct Sending {
  DuoSide *side;
  uint8_t packet[256];
  size_t len;
  RtcError error;
} Sending;

static void send_packet(void *arg) {
  Sending *sending = arg;
  DuoSide *side = sending->side;
  const RtcStreamConfig config = {.media = RTC_MEDIA_AUDIO,
                                  .ssrc = UINT32_C(0x01020304),
                                  .payload_type = 111,
                                  .clock_rate = 48000};
  RtcPacket *packet = NULL;
  if (!side->stream)
    sending->error = rtc_connection_add_stream(&side->stream, side->connection, &config);
  if (!sending->error)
    sending->error = rtc_packet_new(&packet, sending->packet, sending->len);
  if (!sending->error)
    sending->error = rtc_connection_send_rtp(side->connection, side->stream, packet, 0, 0);
  rtc_packet_unref(&packet);
}

static void assert_media(DuoSide *from, DuoSide *to) {
  const struct timespec until = deadline();
  Sending sending = {.side = from};
  const RtpHeader header = {.payload_type = 111, .sequence = 7, .timestamp = 960, .ssrc = 1};
  pthread_mutex_lock(&to->duo->lock);
  size_t before = to->rtp_count;
  pthread_mutex_unlock(&to->duo->lock);
  sending.len = rtp_write_opus(sending.packet, &header, 40);
  duo_run(from, send_packet, &sending);
  assert_int_equal(sending.error, RTC_OK);
  pthread_mutex_lock(&to->duo->lock);
  while (to->rtp_count == before && wait_changed(to->duo, &until))
    ;
  size_t count = to->rtp_count;
  bool right = to->last_len == sending.len &&
               memcmp(to->last + RTP_HEADER_LEN, sending.packet + RTP_HEADER_LEN,
                      sending.len - RTP_HEADER_LEN) == 0;
  pthread_mutex_unlock(&to->duo->lock);
  assert_int_equal(count, before + 1);
  assert_true(right);
}

void duo_assert_media_flows(Duo *duo) {
  assert_media(&duo->active, &duo->passive);
  assert_media(&duo->passive, &duo->active);
}
