/* idle: sessions that are connected, and that nothing is sent to but their RTCP. */
#include "run.h"

#define FIRST_SESSIONS 1 /* with them the server has set up what it sets up once */

void mode_idle(Run *run) {
  const Options *options = run->options;
  const SessionPlan plan = {.role = options->role};
  size_t first = options->role == LOAD_ROLE_PUBLISH && options->sessions > 1 ? FIRST_SESSIONS : 0;
  if (!run_open_publishers(run) || (first > 0 && !run_open_sessions(run, &plan, first)))
    return;
  run_take_baseline(run);
  if (!run_open_sessions(run, &plan, options->sessions - first))
    return;
  run_take_connected(run);
  run_begin_phase(run, PHASE_FIRST, "idle");
  run_pause(run, options->seconds);
  run_end_phase(run);
}
