/* fan-out and many: publishers at full pace, and players that all read. */
#include "run.h"

void mode_media(Run *run) {
  const Options *options = run->options;
  const SessionPlan player = {.role = LOAD_ROLE_PLAY, .media = true};
  if (!run_open_publishers(run) || !run_open_players(run, &player))
    return;
  crew_set_pace(&run->crew, PACE_FULL);
  if (run_pause(run, options->warmup)) {
    run_begin_phase(run, PHASE_FIRST, "run");
    run_pause(run, options->seconds);
    run_end_phase(run);
  }
  run_take_counts(run);
}
