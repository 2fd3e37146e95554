/* The JSON object. Its keys are stable; what is not known is null.
 *
 * version, mode, url, codec
 * ok           what the exit status says
 * interrupted  by a signal
 * options      publishers, players (of each), sessions, slow, packets, rate, size, gop, seconds,
 *              stall, workers, parallel, role
 * sessions     wanted, connected, failed (never connected), lost (closed while connected),
 *              not_ended (DELETE went wrong): publishers and all others together
 * setup        seconds, handshakes_per_s: of the sessions that are not the mode's publishers;
 *              time_us: a summary, POST to connected, of all;
 *              server_cpu_us_per_session, generator_cpu_us_per_session: as seconds. In churn of
 *              whole sessions, their end included
 * memory       of the server: rss_baseline (publishers are connected), rss_connected (all are),
 *              rss_end (of the last phase), sessions (between the first two), octets_per_session:
 *              (the larger of the last two - rss_baseline) / sessions. null: churn, or no --pid
 * phases       by name: "run" (fan-out, many), "before", "during", "after" (slow: players that
 *              read), "churn", "idle"; each:
 *   seconds
 *   offered      packets that the publishers sent in it
 *   expected     offered, for each player while it was connected and had had a keyframe
 *   delivered, lost (expected - delivered)
 *   gaps         places where packets were missing
 *   out_of_order
 *   octets       of delivered
 *   late_us_max  how late the generator sent a frame at most
 *   latency_us   a summary; null: nothing was delivered
 *   server       null without --pid: cpu_s, cpu_us_per_packet (a delivered one), cpu_share (of one
 *                core), voluntary_switches, involuntary_switches, switches_per_packet, rss_begin,
 *                rss_end, rss_max
 *   generator    cpu_s, cpu_us_per_packet, cpu_share
 * not_sent     packets that the generator's own queues dropped
 * foreign      packets that were none of the generator's
 * slow         null but in slow: players, stall_s, first_frame_after_ms, first_frame_age_ms,
 *              picture_after_ms, picture_age_ms (null: there was none), rss_growth (the most in
 *              "during" - the end of "before")
 * errors       what, count; errors_left_out: of other kinds
 *
 * A summary: count, min, mean, p50, p99, p999, max. */
#include "report.h"

#include "clock.h"

#include <rtctcp/version.h>

#include <jansson.h>

static json_t *us(uint64_t ns) {
  return json_real((double)ns / (double)NS_PER_US);
}

static json_t *seconds(uint64_t ns) {
  return json_real((double)ns / (double)NS_PER_S);
}

static json_t *count(uint64_t number) {
  return json_integer((json_int_t)number);
}

/* Jansson's pack functions take a NULL for a failure, and pass it on. */
static json_t *summary_us(const Summary *summary) {
  if (summary->count == 0)
    return json_null();
  return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "count", count(summary->count), "min",
                   us(summary->min), "mean", json_real(summary->mean / (double)NS_PER_US), "p50",
                   us(summary->p50), "p99", us(summary->p99), "p999", us(summary->p999), "max",
                   us(summary->max));
}

static json_t *options_object(const Options *options) {
  return json_pack("{s:o, s:o, s:o, s:o, s:o, s:f, s:o, s:o, s:f, s:f, s:o, s:o, s:s}",
                   "publishers", count(options->publishers), "players", count(options->players),
                   "sessions", count(options->sessions), "slow", count(options->slow), "packets",
                   count(options->packets), "rate", options->rate, "size", count(options->size),
                   "gop", count(options->gop), "seconds", options->seconds, "stall",
                   options->mode == LOAD_MODE_SLOW ? options->stall : 0.0, "workers",
                   count(options->workers), "parallel", count(options->parallel), "role",
                   options->role == LOAD_ROLE_PUBLISH ? "publish" : "play");
}

static json_t *sessions_object(const Result *result) {
  const BoardCounts *a = &result->publishers, *b = &result->sessions;
  return json_pack("{s:o, s:o, s:o, s:o, s:o}", "wanted", count(result->wanted), "connected",
                   count(a->connected + b->connected), "failed", count(a->failed + b->failed),
                   "lost", count(a->lost + b->lost), "not_ended",
                   count(a->not_ended + b->not_ended));
}

/* CPU microseconds a session. */
static json_t *cpu_per_session(const ProcessUse *use, uint64_t sessions) {
  if (!use->known || sessions == 0)
    return json_null();
  return json_real((double)use->cpu_ns / (double)NS_PER_US / (double)sessions);
}

static json_t *setup_object(const Result *result) {
  double elapsed_s = (double)result->setup_elapsed_ns / (double)NS_PER_S;
  return json_pack("{s:o, s:f, s:o, s:o, s:o}", "seconds", seconds(result->setup_elapsed_ns),
                   "handshakes_per_s", result_ratio((double)result->setup_count, elapsed_s),
                   "time_us", summary_us(&result->setup), "server_cpu_us_per_session",
                   cpu_per_session(&result->setup_server, result->setup_count),
                   "generator_cpu_us_per_session",
                   cpu_per_session(&result->setup_generator, result->setup_count));
}

static json_t *memory_object(const Result *result) {
  if (!result->memory_known || result->memory_sessions == 0)
    return json_null();
  return json_pack("{s:o, s:o, s:o, s:o, s:f}", "rss_baseline", count(result->rss_baseline),
                   "rss_connected", count(result->rss_connected), "rss_end", count(result->rss_end),
                   "sessions", count(result->memory_sessions), "octets_per_session",
                   result_octets_per_session(result));
}

static json_t *generator_object(const PhaseResult *phase) {
  const ProcessUse *use = &phase->generator;
  return json_pack("{s:o, s:f, s:f}", "cpu_s", seconds(use->cpu_ns), "cpu_us_per_packet",
                   phase_cpu_us(phase, use), "cpu_share",
                   result_ratio((double)use->cpu_ns, (double)phase->elapsed_ns));
}

static json_t *server_object(const PhaseResult *phase) {
  const ProcessUse *use = &phase->server;
  double switches = (double)use->voluntary_switches + (double)use->involuntary_switches;
  if (!use->known)
    return json_null();
  return json_pack(
      "{s:o, s:f, s:f, s:o, s:o, s:f, s:o, s:o, s:o}", "cpu_s", seconds(use->cpu_ns),
      "cpu_us_per_packet", phase_cpu_us(phase, use), "cpu_share",
      result_ratio((double)use->cpu_ns, (double)phase->elapsed_ns), "voluntary_switches",
      count(use->voluntary_switches), "involuntary_switches", count(use->involuntary_switches),
      "switches_per_packet", result_ratio(switches, (double)phase->count.delivered), "rss_begin",
      count(use->rss_begin), "rss_end", count(use->rss_end), "rss_max", count(use->rss_max));
}

static json_t *phase_object(const PhaseResult *phase) {
  const PhaseCount *counted = &phase->count;
  return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "seconds",
                   seconds(phase->elapsed_ns), "offered", count(phase->offered), "expected",
                   count(counted->expected), "delivered", count(counted->delivered), "lost",
                   count(phase_lost(phase)), "gaps", count(counted->gaps), "out_of_order",
                   count(counted->out_of_order), "octets", count(counted->octets), "late_us_max",
                   us(counted->late_ns), "latency_us", summary_us(&phase->latency), "server",
                   server_object(phase), "generator", generator_object(phase));
}

static json_t *phases_object(const Result *result) {
  json_t *phases = json_object();
  for (size_t i = 0; i < result->phase_count; i++)
    json_object_set_new(phases, result->phases[i].name, phase_object(&result->phases[i]));
  return phases;
}

static json_t *ms_or_null(const RecoveryMoment *moment, uint64_t ns) {
  return moment->known ? json_real((double)ns / (double)NS_PER_MS) : json_null();
}

static json_t *slow_object(const Result *result) {
  const Options *options = result->options;
  const RecoveryMoment *first = &result->first_frame, *picture = &result->picture;
  if (options->mode != LOAD_MODE_SLOW || result->phase_count < 2)
    return json_null();
  bool growth_known = result->phases[1].server.known;
  return json_pack("{s:o, s:f, s:o, s:o, s:o, s:o, s:o}", "players", count(options->slow),
                   "stall_s", options->stall, "first_frame_after_ms",
                   ms_or_null(first, first->after_ns), "first_frame_age_ms",
                   ms_or_null(first, first->age_ns), "picture_after_ms",
                   ms_or_null(picture, picture->after_ns), "picture_age_ms",
                   ms_or_null(picture, picture->age_ns), "rss_growth",
                   growth_known ? json_real(result_rss_growth(result)) : json_null());
}

static json_t *errors_array(const Result *result) {
  json_t *errors = json_array();
  for (size_t i = 0; i < result->error_count; i++)
    /* A server's text may be no UTF-8: it is told as null. */
    json_array_append_new(errors,
                          json_pack("{s:o?, s:o}", "what", json_string(result->errors[i].what),
                                    "count", count(result->errors[i].count)));
  return errors;
}

bool report_json(const Result *result, FILE *out) {
  const Options *options = result->options;
  json_t *report = json_pack(
      "{s:s, s:s, s:s, s:s, s:b, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "version",
      rtc_version(), "mode", load_mode_name(options->mode), "url", options->url, "codec",
      stream_codec_name(options->codec), "ok", result->ok, "interrupted", result->interrupted,
      "options", options_object(options), "sessions", sessions_object(result), "setup",
      setup_object(result), "memory", memory_object(result), "phases", phases_object(result),
      "not_sent", count(result->not_sent), "foreign", count(result->foreign), "slow",
      slow_object(result), "errors", errors_array(result), "errors_left_out",
      count(result->errors_left_out));
  if (!report)
    return false;
  bool written = json_dumpf(report, out, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) == 0;
  fputc('\n', out);
  json_decref(report);
  return written;
}
