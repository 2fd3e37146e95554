/* The soak: hundreds of thousands of sessions, opened, used and ended in all ways at random against
 * a server in a process of its own, which must hold no more at the end than at the beginning. */
#include "soak/client.h"
#include "soak/report.h"
#include "soak/server.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX     1024
#define SAMPLE_MS       1000
#define PROGRESS_S      10.0
#define POLL_MS         50
#define IDLE_MARGIN_S   30.0 /* for the last session to be gone, after the timeouts */
#define WARM_UP         10   /* a tenth */
#define SECONDS(number) ((double)(number) / 1000)

typedef struct Soak {
  uint64_t sessions, seed, workers, threads, rounds;
  uint64_t session_timeout_ms, first_frame_timeout_ms, grace_ms;

  int *peer_ends;   /* owned: the first is the main thread's, the others the peers' */
  int *server_ends; /* owned */
  pid_t server;
  SoakClients clients;
  SoakRun run;
  double began, told;     /* [s] */
  uint64_t told_sessions; /* at that time */
} Soak;

static double now_s(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void pause_ms(long ms) {
  const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
  nanosleep(&pause, NULL);
}

static void note_stall(Soak *soak, double seconds) {
  if (seconds > soak->run.stall)
    soak->run.stall = seconds;
}

static void pause_a_little(Soak *soak) {
  double began = now_s();
  pause_ms(POLL_MS);
  note_stall(soak, now_s() - began);
}

/* -- Options -- */

static const char usage[] =
    "usage: rtctcp-soak [--sessions N] [--seed N] [--workers N] [--threads N] [--rounds N]\n"
    "                   [--session-timeout MS] [--first-frame-timeout MS] [--grace MS]\n";

/* Each is a name and a number above 0. */
static bool read_options(Soak *soak, int argc, char **argv) {
  const struct {
    const char *name;
    uint64_t *value; /* borrowed */
  } options[] = {{"--sessions", &soak->sessions},
                 {"--seed", &soak->seed},
                 {"--workers", &soak->workers},
                 {"--threads", &soak->threads},
                 {"--rounds", &soak->rounds},
                 {"--session-timeout", &soak->session_timeout_ms},
                 {"--first-frame-timeout", &soak->first_frame_timeout_ms},
                 {"--grace", &soak->grace_ms}};
  const size_t count = sizeof options / sizeof options[0];
  for (int i = 1; i < argc; i += 2) {
    char *end;
    size_t option = 0;
    while (option < count && strcmp(argv[i], options[option].name) != 0)
      option++;
    if (option == count || i + 1 == argc)
      return false;
    *options[option].value = strtoull(argv[i + 1], &end, 10);
    if (*end || !*options[option].value)
      return false;
  }
  return soak->workers <= SOAK_WORKERS_MAX && soak->threads <= THREADS_MAX;
}

/* -- The two processes -- */

static bool make_channels(Soak *soak) {
  size_t count = soak->threads + 1;
  soak->peer_ends = calloc(count, sizeof(int));
  soak->server_ends = calloc(count, sizeof(int));
  if (!soak->peer_ends || !soak->server_ends)
    return false;
  for (size_t i = 0; i < count; i++) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
      return false;
    soak->peer_ends[i] = ends[0];
    soak->server_ends[i] = ends[1];
  }
  return true;
}

static void close_all(const int *fds, size_t count) {
  for (size_t i = 0; i < count; i++)
    close(fds[i]);
}

/* Forked before there is a thread or a library's state. */
static bool start_server(Soak *soak) {
  size_t count = soak->threads + 1;
  fflush(stdout);
  soak->server = fork();
  if (soak->server < 0)
    return false;
  if (soak->server > 0) {
    close_all(soak->server_ends, count);
    return true;
  }
  close_all(soak->peer_ends, count);
  const SoakServerConfig config = {.workers = (unsigned)soak->workers,
                                   .session_timeout_ms = (uint32_t)soak->session_timeout_ms,
                                   .first_frame_timeout_ms = (uint32_t)soak->first_frame_timeout_ms,
                                   .grace_ms = (uint32_t)soak->grace_ms,
                                   .channels = soak->server_ends,
                                   .channel_count = count};
  exit(soak_server_run(&config));
}

/* How long it takes shows whether the server's process gets CPU. */
static bool ask(Soak *soak, SoakVerb verb, SoakFigures *figures) {
  const SoakRequest request = {.verb = verb};
  double asked = now_s();
  bool ok = soak_control_call(soak->peer_ends[0], &request, figures, sizeof *figures);
  note_stall(soak, now_s() - asked);
  return ok;
}

/* -- The run -- */

static void tell(Soak *soak, const SoakFigures *figures, bool always) {
  double now = now_s();
  if (!always && now - soak->told < PROGRESS_S)
    return;
  uint64_t total = figures->server.connections.total;
  soak_report_progress(now - soak->began, total - soak->told_sessions, now - soak->told, figures);
  soak->told = now;
  soak->told_sessions = total;
}

/* The listeners and the managers start in their own time: it is over when nothing moves. */
static bool note_idle(Soak *soak) {
  SoakFigures before = {0};
  for (int same = 0; same < 4;) {
    if (!ask(soak, SOAK_VERB_FIGURES, &soak->run.idle))
      return false;
    bool moved = before.coroutines != soak->run.idle.coroutines ||
                 before.descriptors != soak->run.idle.descriptors;
    same = moved ? 0 : same + 1;
    before = soak->run.idle;
    pause_a_little(soak);
  }
  return true;
}

static double closed_of(const SoakFigures *figures) {
  double closed = 0;
  for (int i = 0; i < RTC_CLOSE_COUNT; i++)
    closed += (double)figures->server.closes[i];
  return closed;
}

/* Lets the peers go on up to a ticket, until they are done with it. */
static bool run_to(Soak *soak, uint64_t limit, bool sampled) {
  SoakFigures figures;
  atomic_store(&soak->clients.limit, limit);
  while (atomic_load(&soak->clients.done) < limit) {
    double next = now_s() + SECONDS(SAMPLE_MS);
    if (!ask(soak, SOAK_VERB_FIGURES, &figures))
      return false;
    if (sampled && !soak_samples_add(&soak->run.rss, closed_of(&figures), (double)figures.rss))
      return false;
    tell(soak, &figures, false);
    while (now_s() < next && atomic_load(&soak->clients.done) < limit)
      pause_a_little(soak);
  }
  return true;
}

/* Waits for the sessions that end by a timeout. */
static bool await_idle(Soak *soak, SoakFigures *figures, bool *is_idle) {
  double until = now_s() + 2 * SECONDS(soak->session_timeout_ms) + IDLE_MARGIN_S;
  do {
    pause_a_little(soak);
    if (!ask(soak, SOAK_VERB_FIGURES, figures))
      return false;
    *is_idle = soak_figures_idle(figures, &soak->run.idle);
  } while (!*is_idle && now_s() < until);
  return true;
}

/* Up to a ticket, and until all is idle: there rounds can be compared, however many sessions at
 * once the machine's speed has made of each. */
static bool run_round(Soak *soak, uint64_t limit) {
  SoakRun *run = &soak->run;
  double began = now_s();
  bool warm = run->idle_rss.count > 0;
  if (!run_to(soak, limit, warm))
    return false;
  run->seconds += now_s() - began;
  if (!await_idle(soak, &run->last, &run->last_is_idle) || !ask(soak, SOAK_VERB_TRIM, &run->last))
    return false;
  tell(soak, &run->last, true);
  return soak_samples_add(&run->idle_rss, closed_of(&run->last), (double)run->last.rss);
}

/* The first tenth, which warms up, and as many rounds as were asked for, while all comes to rest.
 */
static bool run_rounds(Soak *soak) {
  SoakRun *run = &soak->run;
  bool ok = run_round(soak, soak->sessions / WARM_UP);
  run->warm = run->last;
  run->warm_is_idle = run->last_is_idle;
  uint64_t left = soak->sessions - soak->sessions / WARM_UP;
  for (uint64_t round = soak->rounds; ok && run->last_is_idle && round-- > 0;)
    ok = run_round(soak, soak->sessions - left * round / soak->rounds);
  return ok;
}

static bool run_sessions(Soak *soak) {
  SoakRun *run = &soak->run;
  run->sessions = soak->sessions;
  run->stall_max =
      SECONDS(soak->first_frame_timeout_ms < soak->grace_ms ? soak->first_frame_timeout_ms
                                                            : soak->grace_ms) /
      2;
  if (!note_idle(soak))
    return false;
  soak->began = soak->told = now_s();
  SoakCrew *crew = soak_crew_start(&soak->clients, soak->peer_ends + 1, soak->threads);
  if (!crew)
    return false;
  bool ok = run_rounds(soak);
  soak_crew_stop(crew);
  return ok;
}

/* false: something of the server is still held, or it died. */
static bool end_server(const Soak *soak) {
  const SoakRequest quit = {.verb = SOAK_VERB_QUIT};
  SoakFigures ended;
  int status;
  soak_control_call(soak->peer_ends[0], &quit, &ended, sizeof ended);
  if (waitpid(soak->server, &status, 0) != soak->server)
    return false;
  if (WIFSIGNALED(status))
    fprintf(stderr, "the server was ended by signal %d\n", WTERMSIG(status));
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void finish(Soak *soak) {
  close_all(soak->peer_ends, soak->threads + 1);
  soak_samples_finish(&soak->run.rss);
  soak_samples_finish(&soak->run.idle_rss);
  free(soak->peer_ends);
  free(soak->server_ends);
}

/* What malloc keeps in its per-thread caches counts as given out, and creeps up for thousands of
 * sessions: begin again without them. */
static void begin_without_malloc_caches(char **argv) {
  if (getenv("GLIBC_TUNABLES"))
    return;
  setenv("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0", 1);
  execv("/proc/self/exe", argv);
}

int main(int argc, char **argv) {
  static Soak soak = {.sessions = 200000,
                      .workers = 1,
                      .threads = 64,
                      .rounds = 9,
                      .session_timeout_ms = 8000,
                      .first_frame_timeout_ms = 4000,
                      .grace_ms = 2000};
  begin_without_malloc_caches(argv);
  soak.seed = (uint64_t)time(NULL);
  if (!read_options(&soak, argc, argv)) {
    fputs(usage, stderr);
    return 2;
  }
  soak.clients.seed = soak.seed;
  soak.clients.session_timeout_ms = (uint32_t)soak.session_timeout_ms;
  soak.clients.first_frame_timeout_ms = (uint32_t)soak.first_frame_timeout_ms;
  printf("soak: %" PRIu64 " sessions, seed %" PRIu64 ", %" PRIu64 " workers, %" PRIu64
         " threads of peers\n",
         soak.sessions, soak.seed, soak.workers, soak.threads);
  if (!make_channels(&soak) || !start_server(&soak)) {
    perror("the soak does not start");
    return 1;
  }
  bool ok = run_sessions(&soak);
  bool ended = end_server(&soak);
  if (ok)
    soak_report_tables(&soak.run, &soak.clients);
  ok = ok && soak_report_verdict(&soak.run, &soak.clients) && ended;
  printf("%s\n", ok ? "the soak holds" : "THE SOAK FAILED");
  finish(&soak);
  return ok ? 0 : 1;
}
