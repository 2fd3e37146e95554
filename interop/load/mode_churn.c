/* churn: sessions that are ended as soon as they are connected, at most --parallel of them at once,
 * at a rate or as fast as they go. */
#include "run.h"

#include "clock.h"

typedef struct Churn {
  size_t begun, limit; /* sessions; limit 0: until the time is up */
  uint64_t began_ns, until_ns;
} Churn;

static bool is_over(const Churn *churn) {
  if (run_interrupted())
    return true;
  return churn->limit > 0 ? churn->begun == churn->limit : clock_ns() >= churn->until_ns;
}

/* When the next one is due; the past: at once. */
static uint64_t due_ns(const Run *run, const Churn *churn) {
  if (run->options->per_second <= 0)
    return churn->began_ns;
  return churn->began_ns + seconds_ns((double)churn->begun / run->options->per_second);
}

static bool begin_session(Run *run, Churn *churn) {
  const SessionPlan plan = {
      .role = run->options->role,
      .channel = &run->channels[churn->begun % run->channel_count],
      .board = &run->sessions,
      .brief = true,
  };
  churn->begun++;
  return crew_open(&run->crew, &plan);
}

/* Until all that have begun have ended; each does so by its own time-outs. */
static void await_ends(Run *run, const Churn *churn) {
  uint64_t until_ns = clock_ns() + 2 * seconds_ns(run->options->timeout);
  BoardCounts counts = board_counts(&run->sessions);
  while (counts.ended < churn->begun && run_wait(run, &counts, until_ns))
    counts = board_counts(&run->sessions);
}

static void churn_on(Run *run, Churn *churn) {
  while (!is_over(churn)) {
    BoardCounts counts = board_counts(&run->sessions);
    uint64_t due = due_ns(run, churn);
    bool room = churn->begun - counts.ended < run->options->parallel;
    if (room && due <= clock_ns()) {
      if (!begin_session(run, churn))
        return;
      continue;
    }
    run_wait(run, &counts, room ? due : clock_ns() + NS_PER_S);
  }
}

void mode_churn(Run *run) {
  const Options *options = run->options;
  Result *result = &run->result;
  if (!run_open_publishers(run))
    return;
  run_begin_phase(run, PHASE_FIRST, "churn");
  Churn churn = {.limit = options->sessions, .began_ns = clock_ns()};
  churn.until_ns = churn.began_ns + seconds_ns(options->seconds);
  churn_on(run, &churn);
  await_ends(run, &churn);
  run_end_phase(run);
  const PhaseResult *phase = &result->phases[0];
  result->setup_server = phase->server;
  result->setup_generator = phase->generator;
  result->setup_elapsed_ns = phase->elapsed_ns;
  result->setup_count = board_counts(&run->sessions).connected;
}
