/* slow: a fan-out of which some players stop reading, and read again. */
#include "run.h"

void mode_slow(Run *run) {
  const Options *options = run->options;
  const SessionPlan player = {.role = LOAD_ROLE_PLAY, .media = true};
  const struct {
    const char *name;
    double seconds;
    bool stalled;
  } parts[] = {
      {"before", options->seconds, false},
      {"during", options->stall, true},
      {"after", options->recover, false},
  };
  if (!run_open_publishers(run) || !run_open_players(run, &player))
    return;
  crew_set_pace(&run->crew, PACE_FULL);
  bool goes_on = run_pause(run, options->warmup);
  for (size_t i = 0; i < sizeof parts / sizeof parts[0] && goes_on; i++) {
    run_begin_phase(run, (Phase)(PHASE_FIRST + i), parts[i].name);
    if (i > 0)
      crew_stall(&run->crew, parts[i].stalled);
    goes_on = run_pause(run, parts[i].seconds);
    run_end_phase(run);
  }
  run_take_counts(run);
  crew_recovery(&run->crew, &run->result.first_frame, &run->result.picture);
}
