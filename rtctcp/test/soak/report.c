/* The soak's lines of progress, tables at the end, and verdict. */
#include "soak/report.h"

#include <inttypes.h>
#include <stdio.h>

#define KIB            1024.0
#define MIB            (1024.0 * 1024.0)
#define GROWTH_MAX     (MIB / 100000) /* [octets a session] */
#define EXCUSED_PART   0.03
#define SLOPE_SESSIONS 90000 /* of fewer, the chance of what malloc can give back is more */
/* Tables that grow with the most sessions at once, of ours and the libraries, reach their size
 * later than the first tenth of a short run. */
#define HEAP_ALLOWANCE (32 * KIB)

void soak_report_progress(double seconds, uint64_t since, double since_seconds,
                          const SoakFigures *figures) {
  const RtcServerStats *stats = &figures->server;
  printf("%6.0f s %8" PRIu64 " sessions %5.0f/s | connections %4" PRIu64 " + %" PRIu64
         " in disposal, tcp conns %4" PRIu64 " + %" PRIu64 ", coroutines %4" PRIu64
         ", descriptors %4" PRIu64 " | RSS %6.1f MiB, heap %6.1f MiB\n",
         seconds, stats->connections.total, (double)since / since_seconds,
         stats->connections.live - soak_connections_in_disposal(figures),
         soak_connections_in_disposal(figures),
         stats->tcp_conns.live - soak_tcp_conns_in_disposal(figures),
         soak_tcp_conns_in_disposal(figures), figures->coroutines, figures->descriptors,
         (double)figures->rss / MIB, (double)figures->heap / MIB);
  fflush(stdout);
}

/* -- Tables -- */

static void print_endings(const SoakRun *run, const SoakClients *clients) {
  printf("\n%-36s %9s   closed by\n", "ending", "sessions");
  for (int i = 0; i < SOAK_ENDING_COUNT; i++) {
    printf("%-36s %9" PRIu64 "  ", soak_ending_text((SoakEnding)i), clients->endings[i]);
    for (int j = 0; j < RTC_CLOSE_COUNT; j++)
      if (run->last.ends[i][j])
        printf(" %s %" PRIu64, rtc_close_name((RtcClose)j), run->last.ends[i][j]);
    putchar('\n');
  }
}

static void print_events(const SoakClients *clients) {
  printf("\n%-52s %9s\n", "before the end", "times");
  for (int i = 0; i < SOAK_EVENT_COUNT; i++)
    printf("%-52s %9" PRIu64 "\n", soak_event_text((SoakEvent)i), clients->events[i]);
}

static void print_closes(const RtcServerStats *stats) {
  printf("\nConnections closed by:");
  for (int i = 0; i < RTC_CLOSE_COUNT; i++)
    if (stats->closes[i])
      printf(" %s %" PRIu64, rtc_close_name((RtcClose)i), stats->closes[i]);
  printf("\nTCP conns closed by:  ");
  for (int i = 0; i < RTC_TCP_CLOSE_COUNT; i++)
    if (stats->tcp_closes[i])
      printf(" %s %" PRIu64, rtc_tcp_close_name((RtcTcpClose)i), stats->tcp_closes[i]);
  printf("\ndropped:              ");
  for (int i = 0; i < RTC_DROP_COUNT; i++)
    if (stats->drops[i])
      printf(" %s %" PRIu64, rtc_drop_name((RtcDrop)i), stats->drops[i]);
  putchar('\n');
}

void soak_report_tables(const SoakRun *run, const SoakClients *clients) {
  const RtcServerStats *stats = &run->last.server;
  print_endings(run, clients);
  print_events(clients);
  print_closes(stats);
  printf("\n%" PRIu64 " sessions in %.1f s: %.0f/s; %" PRIu64 " handshakes, %" PRIu64
         " TCP conns, %" PRIu64 " sources, %" PRIu64 " consumers\n",
         stats->connections.total, run->seconds, (double)stats->connections.total / run->seconds,
         stats->handshakes, stats->tcp_conns.total, run->last.sources_total,
         run->last.consumers_total);
  printf("packets: %" PRIu64 " in, %" PRIu64 " out; the peers had %" PRIu64 " echoed, %" PRIu64
         " of sources\n",
         stats->packets_in, stats->packets_out, clients->packets_echoed, clients->packets_played);
  printf("CPU: %.2f ms a session in the server, %.2f ms in the peers\n",
         (double)run->last.cpu_us / 1000 / (double)stats->connections.total,
         (double)soak_cpu_us() / 1000 / (double)stats->connections.total);
  printf("deepest stack: %.1f KiB\n", (double)run->last.stack_high_water / KIB);
}

/* -- Verdict -- */

static bool say(bool holds, const char *what) {
  printf("%-6s %s\n", holds ? "ok" : "FAILED", what);
  return holds;
}

static bool judge_idle(const char *when, bool is_idle, const SoakFigures *figures,
                       const SoakFigures *idle) {
  char text[320];
  const RtcServerStats *stats = &figures->server;
  snprintf(text, sizeof text,
           "%s: connections %" PRIu64 ", tcp conns %" PRIu64 ", unauthenticated %" PRIu64
           ", octets in pools %" PRIu64 ", sources %" PRIu64 ", consumers %" PRIu64
           ", coroutines %" PRIu64 " of %" PRIu64 ", descriptors %" PRIu64 " of %" PRIu64,
           when, stats->connections.live, stats->tcp_conns.live, stats->unauthenticated,
           stats->pool_lent_octets + stats->pool_kept_octets, figures->sources, figures->consumers,
           figures->coroutines, idle->coroutines, figures->descriptors, idle->descriptors);
  return say(is_idle, text);
}

/* Who gets no CPU for as long as a timeout takes can't tell a late packet from none. A few sessions
 * that were given up for late are excused then; nothing else is. */
static bool judge_plans(const SoakRun *run, const SoakClients *clients) {
  char text[320];
  const SoakFigures *last = &run->last;
  double late = (double)(last->late + clients->surprises);
  bool excused =
      late > 0 && run->stall > run->stall_max && late < EXCUSED_PART * (double)run->sessions;
  snprintf(text, sizeof text,
           "each as planned: %" PRIu64 " ended otherwise, %" PRIu64 " were late, %" PRIu64
           " surprises to peers%s; the longest stall of the machine took %.1f s",
           last->wrong, last->late, clients->surprises, excused ? " (excused)" : "", run->stall);
  return say(last->wrong == 0 && (late == 0 || excused), text);
}

static bool judge_sums(const SoakRun *run) {
  char text[320];
  const SoakFigures *last = &run->last;
  uint64_t closed = 0;
  for (int i = 0; i < RTC_CLOSE_COUNT; i++)
    closed += last->server.closes[i];
  snprintf(text, sizeof text,
           "each session closed once: %" PRIu64 " asked for, %" PRIu64 " opened, %" PRIu64
           " closed, %" PRIu64 " callbacks after CLOSED",
           run->sessions, last->server.connections.total, closed, last->after_closed);
  return say(closed == run->sessions && last->server.connections.total == run->sessions &&
                 last->after_closed == 0,
             text);
}

static double sessions_since_warm(const SoakRun *run) {
  return (double)(run->last.server.connections.total - run->warm.server.connections.total);
}

/* At the same place twice: no session, so that what the heap holds more of is not a session's. */
static bool judge_heap(const SoakRun *run) {
  char text[320];
  double growth = (double)run->last.heap - (double)run->warm.heap;
  double sessions = sessions_since_warm(run);
  snprintf(text, sizeof text,
           "heap, without sessions: %.0f KiB after the first tenth, %.0f KiB at the end: %+.1f "
           "octets a session (at most %.1f, and %.0f KiB)",
           (double)run->warm.heap / KIB, (double)run->last.heap / KIB, growth / sessions,
           GROWTH_MAX, HEAP_ALLOWANCE / KIB);
  return say(growth < sessions * GROWTH_MAX + HEAP_ALLOWANCE, text);
}

/* Under load it follows the number of sessions at once, that is the machine's speed: it is told
 * only. Between two rounds it is what is not given back. */
static bool judge_resident(const SoakRun *run) {
  char text[320];
  double slope = 0, idle_slope = 0;
  if (soak_samples_slope(&run->rss, &slope))
    printf("%-6s RSS, under load: %.1f to %.1f MiB, slope %+.2f MiB a 100,000 sessions\n", "-",
           soak_samples_least(&run->rss) / MIB, soak_samples_most(&run->rss) / MIB,
           slope * 100000 / MIB);
  if (sessions_since_warm(run) < SLOPE_SESSIONS ||
      !soak_samples_slope(&run->idle_rss, &idle_slope)) {
    printf("%-6s RSS, without sessions: not judged, too few sessions\n", "-");
    return true;
  }
  snprintf(
      text, sizeof text,
      "RSS, without sessions: %.1f to %.1f MiB, slope %+.2f MiB a 100,000 sessions (at most 1; "
      "the median of the slopes between all pairs of %zu rounds)",
      soak_samples_least(&run->idle_rss) / MIB, soak_samples_most(&run->idle_rss) / MIB,
      idle_slope * 100000 / MIB, run->idle_rss.count);
  return say(idle_slope < GROWTH_MAX, text);
}

bool soak_report_verdict(const SoakRun *run, const SoakClients *clients) {
  putchar('\n');
  bool holds = judge_idle("after the first tenth", run->warm_is_idle, &run->warm, &run->idle);
  holds &= judge_idle("after the last session", run->last_is_idle, &run->last, &run->idle);
  holds &= judge_sums(run);
  holds &= judge_plans(run, clients);
  holds &= judge_heap(run);
  holds &= judge_resident(run);
  return holds;
}
