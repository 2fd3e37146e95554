/* What an idle, connected session holds, by part: so many sessions are opened over loopback by
 * peers in another process, then the process's memory is looked at. The kernel's part of a socket
 * is not counted.
 *
 * usage: bench_memory [--json] [SESSIONS [TOGETHER]]
 * TOGETHER: so many handshakes run at a time, mixed with each other */
#include "bench/memory_peers.h"
#include "protocol/srtp.h"
#include "transport/rtc_connection_internal.h"

#include <rtctcp/rtctcp.h>

#include <malloc.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>

#define SESSIONS_DEFAULT 2000
#define TOGETHER_DEFAULT 20
#define WARM_UP          64   /* sessions that fill pools and caches first */
#define SAMPLES          1000 /* of a part that is made by itself */
#define FLIGHT_MAX       8192
#define SETTLE_S         1 /* for what the worker does at its own time */
#define SESSION_LIFE_MS  (3600 * 1000)

/* -- What the process holds -- */

typedef struct Memory {
  size_t rss;    /* [octets] */
  size_t stacks; /* of that, pages of coroutines' stacks [octets] */
  size_t heap;   /* malloc's octets in use, its own headers included */
} Memory;

/* Stacks are the mappings that refuse huge pages. */
static void read_mappings(Memory *memory) {
  char line[512];
  size_t kib, rss = 0;
  FILE *file = fopen("/proc/self/smaps", "r");
  memory_require(file, "smaps");
  while (fgets(line, sizeof line, file)) {
    if (sscanf(line, "Rss: %zu kB", &kib) == 1) {
      rss = kib * 1024;
      memory->rss += rss;
    }
    if (strncmp(line, "VmFlags:", 8) == 0 && strstr(line, " nh"))
      memory->stacks += rss;
  }
  fclose(file);
}

static size_t heap_in_use(void) {
  struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

static Memory read_memory(void) {
  Memory memory = {.heap = heap_in_use()};
  read_mappings(&memory);
  return memory;
}

/* What malloc takes for an object of this size [octets]. */
static size_t chunk(size_t size) {
  return (size + sizeof(size_t) + 15) / 16 * 16;
}

/* -- Parts that are made by themselves -- */

typedef struct Flight {
  uint8_t data[FLIGHT_MAX];
  size_t len;
} Flight;

static void keep(const uint8_t *datagram, size_t len, void *arg) {
  Flight *flight = arg;
  memory_require(len <= FLIGHT_MAX - flight->len, "a flight's room");
  memcpy(flight->data + flight->len, datagram, len);
  flight->len += len;
}

static RtcDtls *open_dtls(const RtcDtlsContext *context, RtcDtlsRole role, Flight *out) {
  RtcDtls *dtls;
  const RtcDtlsCallbacks callbacks = {.output = keep, .arg = out};
  memory_require(rtc_dtls_new(&dtls, context, role, rtc_dtls_context_fingerprint(context), 1,
                              &callbacks, NULL, "session=abcdefgh") == RTC_OK,
                 "a DTLS session");
  return dtls;
}

/* A server's session; the client is gone. The peak: in the handshake. */
static RtcDtls *connect_dtls(const RtcDtlsContext *context, size_t *peak) {
  static Flight from_server, from_client, taken;
  from_server.len = from_client.len = 0;
  size_t before = heap_in_use();
  RtcDtls *server = open_dtls(context, RTC_DTLS_ROLE_SERVER, &from_server);
  size_t of_server = heap_in_use() - before;
  RtcDtls *client = open_dtls(context, RTC_DTLS_ROLE_CLIENT, &from_client);
  rtc_dtls_start(client);
  while (rtc_dtls_state(server) == RTC_DTLS_STATE_HANDSHAKE) {
    before = heap_in_use();
    memory_require(rtc_dtls_input(server, from_client.data, from_client.len) == RTC_OK, "DTLS");
    of_server += heap_in_use() - before;
    from_client.len = 0;
    if (rtc_dtls_state(server) == RTC_DTLS_STATE_HANDSHAKE && of_server > *peak)
      *peak = of_server;
    taken = from_server;
    from_server.len = 0;
    memory_require(rtc_dtls_input(client, taken.data, taken.len) == RTC_OK, "DTLS");
  }
  rtc_dtls_destroy(client);
  return server;
}

typedef struct Parts {
  size_t dtls_handshake; /* at most [octets] */
  size_t dtls;           /* connected [octets] */
  size_t srtp;           /* [octets] */
} Parts;

static void measure_parts(Parts *parts) {
  RtcDtlsContext *context;
  static RtcDtls *dtls[SAMPLES];
  static RtcSrtp *srtp[SAMPLES];
  static RtcSrtpKeys keys[SAMPLES];
  memory_require(rtc_dtls_context_new(&context, NULL) == RTC_OK, "a context");
  rtc_dtls_destroy(connect_dtls(context, &parts->dtls_handshake));
  parts->dtls_handshake = 0;
  size_t before = heap_in_use();
  for (size_t i = 0; i < SAMPLES; i++) {
    dtls[i] = connect_dtls(context, &parts->dtls_handshake);
    memory_require(rtc_dtls_export_keys(dtls[i], &keys[i]) == RTC_OK, "keys");
    rtc_dtls_forget_flight(dtls[i]);
  }
  parts->dtls = (heap_in_use() - before) / SAMPLES;
  memory_require(rtc_srtp_new(&srtp[0], &keys[0]) == RTC_OK, "SRTP");
  before = heap_in_use();
  for (size_t i = 1; i < SAMPLES; i++)
    memory_require(rtc_srtp_new(&srtp[i], &keys[i]) == RTC_OK, "SRTP");
  parts->srtp = (heap_in_use() - before) / (SAMPLES - 1);
  for (size_t i = 0; i < SAMPLES; i++) {
    rtc_srtp_destroy(srtp[i]);
    rtc_dtls_destroy(dtls[i]);
  }
  rtc_dtls_context_destroy(context);
}

/* -- Sessions -- */

static RtcWorker *worker;
static RtcServer *server;

typedef struct Opening {
  const RtcSdpTransport *offer;
  RtcSdpTransport *answer;
  sem_t done;
} Opening;

/* The server holds the session, as long as its peer lives. */
static void open_session(void *arg) {
  Opening *opening = arg;
  RtcConnection *connection;
  const RtcConnectionConfig config = {.name = "whip/bench", .remote = opening->offer};
  memory_require(rtc_connection_new(&connection, server, worker, &config) == RTC_OK, "a session");
  rtc_connection_local_transport(connection, opening->answer);
  rtc_connection_unref(&connection);
  sem_post(&opening->done);
}

static void run_on_worker(void (*fn)(void *arg), void *arg, sem_t *done) {
  memory_require(sem_init(done, 0, 0) == 0 && rtc_worker_post(worker, fn, arg) == RTC_OK, "a post");
  while (sem_wait(done) != 0)
    ;
  sem_destroy(done);
}

static void answer(const RtcSdpTransport *offer, RtcSdpTransport *ours) {
  Opening opening = {.offer = offer, .answer = ours};
  run_on_worker(open_session, &opening, &opening.done);
}

typedef struct Figures {
  RtcServerStats stats;
  sem_t done;
} Figures;

static void read_figures(void *arg) {
  Figures *figures = arg;
  rtc_server_stats(server, worker, &figures->stats);
  sem_post(&figures->done);
}

static void open_sessions(const MemoryPeers *peers, size_t count, size_t together) {
  for (size_t done = 0; done < count;) {
    size_t now = count - done < together ? count - done : together;
    memory_peers_open(peers, now, rtc_server_port(server, 0), answer);
    done += now;
  }
  sleep(SETTLE_S);
}

static void start_server(size_t sessions) {
  const char *listen = "127.0.0.1:0";
  const RtcWorkerConfig worker_config = {0};
  RtcServerConfig config;
  rtc_server_config_init(&config);
  config.workers = &worker;
  config.worker_count = 1;
  config.listen = &listen;
  config.listen_count = 1;
  config.session_timeout_ms = SESSION_LIFE_MS;
  config.unauthenticated_max = config.unauthenticated_per_address_max = sessions;
  config.connections_max = sessions;
  memory_require(rtc_worker_new(&worker, &worker_config) == RTC_OK &&
                     rtc_server_new(&server, &config, NULL) == RTC_OK,
                 "the server");
}

static void server_closed(void *arg) {
  sem_post(arg);
}

static void stop_server(void) {
  sem_t closed;
  sem_init(&closed, 0, 0);
  rtc_server_close(server, server_closed, &closed);
  while (sem_wait(&closed) != 0)
    ;
  rtc_worker_stop(worker);
  rtc_worker_join(worker);
  rtc_server_destroy(server);
  rtc_worker_destroy(worker);
  sem_destroy(&closed);
}

/* -- The table -- */

typedef struct Row {
  const char *key, *text;
  double octets; /* a session */
} Row;

static void print(bool as_json, size_t sessions, size_t together, const Row *rows, size_t count,
                  double rss, const Parts *parts) {
  if (as_json) {
    printf("{\"sessions\": %zu, \"together\": %zu, ", sessions, together);
    for (size_t i = 0; i < count; i++)
      printf("\"%s\": %.0f, ", rows[i].key, rows[i].octets);
    printf("\"rss\": %.0f, \"dtls_handshake\": %zu}\n", rss, parts->dtls_handshake);
    return;
  }
  printf("%zu idle, connected sessions, %zu handshakes at a time; octets a session\n", sessions,
         together);
  for (size_t i = 0; i < count; i++)
    printf("  %-44s %8.0f\n", rows[i].text, rows[i].octets);
  printf("  %-44s %8.0f  (%.1f KiB)\n", "RSS", rss, rss / 1024);
  printf("  %-44s %8zu\n", "(DTLS in the handshake, at most)", parts->dtls_handshake);
}

static void report(bool as_json, size_t sessions, size_t together, const Memory *before,
                   const Memory *after, const Parts *parts) {
  double of_one = 1.0 / (double)sessions;
  double heap = ((double)after->heap - (double)before->heap) * of_one;
  double stacks = ((double)after->stacks - (double)before->stacks) * of_one;
  double rss = ((double)after->rss - (double)before->rss) * of_one;
  double connection = (double)chunk(sizeof(RtcConnection));
  double tcp = (double)chunk(sizeof(RtcTcpConn));
  double handles = (double)(chunk(sizeof(uv_poll_t) + sizeof(void *)) + chunk(sizeof(uv_timer_t)));
  double known = (double)(parts->dtls + parts->srtp) + connection + tcp + handles;
  const Row rows[] = {
      {"dtls", "DTLS", (double)parts->dtls},
      {"srtp", "SRTP, without streams", (double)parts->srtp},
      {"connection", "RtcConnection", connection},
      {"tcp_conn", "RtcTcpConn", tcp},
      {"uv_handles", "libuv's handles: a poll, a timer", handles},
      {"heap_rest", "executor, registry, ids, ICE, SRTP's streams", heap - known},
      {"stack", "coroutine: pages of its stack", stacks},
      {"malloc_free", "free, but held by malloc; the rest", rss - heap - stacks},
  };
  print(as_json, sessions, together, rows, sizeof rows / sizeof *rows, rss, parts);
}

static size_t number(const char *text, size_t otherwise) {
  size_t value = text ? strtoul(text, NULL, 10) : otherwise;
  memory_require(value > 0, "a number");
  return value;
}

int main(int argc, char **argv) {
  MemoryPeers peers;
  Parts parts = {0};
  Figures figures;
  bool as_json = argc > 1 && strcmp(argv[1], "--json") == 0;
  char **rest = argv + 1 + as_json; /* argv ends with NULL */
  size_t sessions = number(rest[0], SESSIONS_DEFAULT);
  size_t together = number(rest[0] ? rest[1] : NULL, TOGETHER_DEFAULT);
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  memory_peers_start(&peers);
  start_server(sessions + WARM_UP);
  open_sessions(&peers, WARM_UP, together);
  Memory before = read_memory();
  open_sessions(&peers, sessions, together);
  Memory after = read_memory();
  run_on_worker(read_figures, &figures, &figures.done);
  memory_require(figures.stats.handshakes == sessions + WARM_UP &&
                     figures.stats.connections.live == sessions + WARM_UP,
                 "a session");
  memory_peers_stop(&peers);
  stop_server();
  measure_parts(&parts);
  report(as_json, sessions, together, &before, &after, &parts);
  return 0;
}
