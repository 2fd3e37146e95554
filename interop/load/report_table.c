/* The table for people. */
#include "report.h"

#include "clock.h"

#include <inttypes.h>

static double to_ms(uint64_t ns) {
  return (double)ns / (double)NS_PER_MS;
}

static double to_s(uint64_t ns) {
  return (double)ns / (double)NS_PER_S;
}

static void row(FILE *out, const char *name) {
  fprintf(out, "  %-22s ", name);
}

static void print_latency(FILE *out, const char *name, const Summary *summary) {
  if (summary->count == 0)
    return;
  row(out, name);
  fprintf(out, "p50 %.3f, p99 %.3f, p99.9 %.3f, max %.3f ms\n", to_ms(summary->p50),
          to_ms(summary->p99), to_ms(summary->p999), to_ms(summary->max));
}

static void print_use(FILE *out, const char *name, const PhaseResult *phase,
                      const ProcessUse *use) {
  if (!use->known)
    return;
  row(out, name);
  fprintf(out, "%.3f s of CPU, %.1f %% of a core", to_s(use->cpu_ns),
          100 * result_ratio((double)use->cpu_ns, (double)phase->elapsed_ns));
  if (phase->count.delivered > 0)
    fprintf(out, ", %.3f s for 10^6 delivered packets", phase_cpu_us(phase, use));
  fprintf(out, "; %" PRIu64 " switches\n", use->voluntary_switches + use->involuntary_switches);
}

static void print_media(FILE *out, const PhaseResult *phase) {
  const PhaseCount *count = &phase->count;
  row(out, "packets delivered");
  fprintf(out, "%" PRIu64 " of %" PRIu64 " (%.4f %%), %.0f a second\n", count->delivered,
          count->expected, 100 * result_ratio((double)count->delivered, (double)count->expected),
          result_ratio((double)count->delivered, to_s(phase->elapsed_ns)));
  row(out, "lost, gaps, disorder");
  fprintf(out, "%" PRIu64 ", %" PRIu64 ", %" PRIu64 "\n", phase_lost(phase), count->gaps,
          count->out_of_order);
  print_latency(out, "latency", &phase->latency);
  row(out, "sent late by at most");
  fprintf(out, "%.3f ms\n", to_ms(count->late_ns));
}

static void print_phase(FILE *out, const PhaseResult *phase) {
  fprintf(out, "%s, %.1f s\n", phase->name, to_s(phase->elapsed_ns));
  if (phase->offered > 0)
    print_media(out, phase);
  print_use(out, "server", phase, &phase->server);
  print_use(out, "generator", phase, &phase->generator);
  if (!phase->server.known)
    return;
  row(out, "server's memory");
  fprintf(out, "%.2f MiB, at most %.2f MiB\n", (double)phase->server.rss_end / (1 << 20),
          (double)phase->server.rss_max / (1 << 20));
}

static void print_sessions(FILE *out, const Result *result) {
  const BoardCounts *a = &result->publishers, *b = &result->sessions;
  fprintf(out, "sessions\n");
  row(out, "connected");
  fprintf(out, "%zu of %zu; %zu failed, %zu lost, %zu not ended\n", a->connected + b->connected,
          result->wanted, a->failed + b->failed, a->lost + b->lost, a->not_ended + b->not_ended);
  print_latency(out, "set-up", &result->setup);
  if (result->setup_count > 0) {
    row(out, "handshakes");
    fprintf(out, "%.1f a second\n",
            result_ratio((double)result->setup_count, to_s(result->setup_elapsed_ns)));
  }
  if (result->setup_server.known && result->setup_count > 0) {
    row(out, "server's CPU");
    fprintf(out, "%.3f ms a session\n",
            to_ms(result->setup_server.cpu_ns) / (double)result->setup_count);
  }
  if (result->memory_known && result->memory_sessions > 0) {
    row(out, "server's memory");
    fprintf(out, "%.1f KiB a session\n", result_octets_per_session(result) / 1024);
  }
}

static void print_moment(FILE *out, const char *name, const RecoveryMoment *moment) {
  row(out, name);
  if (moment->known)
    fprintf(out, "after %.0f ms, %.0f ms old\n", to_ms(moment->after_ns), to_ms(moment->age_ns));
  else
    fprintf(out, "none\n");
}

static void print_slow(FILE *out, const Result *result) {
  if (result->options->mode != LOAD_MODE_SLOW || result->phase_count < 2)
    return;
  fprintf(out, "slow players, reading again\n");
  print_moment(out, "first whole frame", &result->first_frame);
  print_moment(out, "picture", &result->picture);
  if (!result->phases[1].server.known)
    return;
  row(out, "server's memory");
  fprintf(out, "%+.2f MiB in the stall\n", result_rss_growth(result) / (1 << 20));
}

void report_table(const Result *result, FILE *out) {
  fprintf(out, "%s %s, %s\n", load_mode_name(result->options->mode), result->options->url,
          stream_codec_name(result->options->codec));
  print_sessions(out, result);
  for (size_t i = 0; i < result->phase_count; i++)
    print_phase(out, &result->phases[i]);
  print_slow(out, result);
  if (result->not_sent > 0 || result->foreign > 0)
    fprintf(out, "not sent by the generator: %" PRIu64 " packets; none of its own: %" PRIu64 "\n",
            result->not_sent, result->foreign);
  for (size_t i = 0; i < result->error_count; i++)
    fprintf(out, "%" PRIu64 " x %s\n", result->errors[i].count, result->errors[i].what);
  if (result->errors_left_out > 0)
    fprintf(out, "%" PRIu64 " x others\n", result->errors_left_out);
  fprintf(out, "%s%s\n", result->ok ? "ok" : "FAILED", result->interrupted ? " (interrupted)" : "");
}
