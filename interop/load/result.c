/* Figures that follow from what was measured, see result.h. */
#include "result.h"

#include "clock.h"

Summary summary_of(const Histogram *histogram) {
  return (Summary){
      .count = histogram->count,
      .min = histogram->min,
      .p50 = histogram_percentile(histogram, 50),
      .p99 = histogram_percentile(histogram, 99),
      .p999 = histogram_percentile(histogram, 99.9),
      .max = histogram->max,
      .mean = histogram_mean(histogram),
  };
}

double result_ratio(double value, double by) {
  return by > 0 ? value / by : 0;
}

uint64_t phase_lost(const PhaseResult *phase) {
  const PhaseCount *count = &phase->count;
  return count->expected > count->delivered ? count->expected - count->delivered : 0;
}

double phase_cpu_us(const PhaseResult *phase, const ProcessUse *use) {
  return result_ratio((double)use->cpu_ns / (double)NS_PER_US, (double)phase->count.delivered);
}

double result_octets_per_session(const Result *result) {
  uint64_t most = result->rss_end > result->rss_connected ? result->rss_end : result->rss_connected;
  return result_ratio((double)most - (double)result->rss_baseline, (double)result->memory_sessions);
}

double result_rss_growth(const Result *result) {
  const ProcessUse *before = &result->phases[0].server, *during = &result->phases[1].server;
  return (double)during->rss_max - (double)before->rss_end;
}

static void take_errors(Result *result, const Board *board) {
  for (size_t i = 0; i < board->error_count; i++)
    result->errors[result->error_count++] = board->errors[i];
  result->errors_left_out += board->errors_left_out;
}

void result_take_boards(Result *result, Board *publishers, Board *sessions) {
  static Histogram setup; /* too large for a stack, and there is one result */
  result->publishers = board_counts(publishers);
  result->sessions = board_counts(sessions);
  setup = publishers->setup;
  histogram_merge(&setup, &sessions->setup);
  result->setup = summary_of(&setup);
  take_errors(result, publishers);
  take_errors(result, sessions);
}

static bool counts_are_well(const BoardCounts *counts) {
  return counts->failed == 0 && counts->lost == 0 && counts->not_ended == 0 &&
         counts->ended == counts->begun;
}

void result_judge(Result *result) {
  const Options *options = result->options;
  result->ok = !result->interrupted && counts_are_well(&result->publishers) &&
               counts_are_well(&result->sessions) && result->error_count == 0 &&
               result->phase_count > 0;
  for (size_t i = 0; i < result->phase_count; i++) {
    const PhaseResult *phase = &result->phases[i];
    double loss = 100 * result_ratio((double)phase_lost(phase), (double)phase->count.expected);
    if (loss > options->loss_max || phase->count.out_of_order > 0)
      result->ok = false;
  }
  if (options->mode == LOAD_MODE_SLOW && !result->picture.known)
    result->ok = false;
}
