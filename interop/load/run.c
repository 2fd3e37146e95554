/* Opens, awaits, measures and ends, see run.h. */
#include "run.h"

#include "clock.h"
#include "progress.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define WAIT_TURN_NS    (100 * NS_PER_MS) /* signals, progress and memory are looked at */
#define KEYFRAME_WAIT_S 10
#define LINGER_S        2 /* for packets under way */
#define LINGER_TURN_S   0.02
#define STREAM_KNOWN_S  0.2 /* from a publisher's first packet */
#define ENDING_SPARE_S  5

static volatile sig_atomic_t interrupted;

void run_interrupt(void) {
  interrupted = 1;
}

bool run_interrupted(void) {
  return interrupted;
}

/* ---- Waiting --------------------------------------------------------------------------------- */

static void look_around(Run *run) {
  uint64_t rss = run->options->pid > 0 ? process_rss(run->options->pid) : 0;
  if (rss > run->rss_max)
    run->rss_max = rss;
  progress_tell(run);
}

/* One turn. heeds: an interruption ends it */
static bool wait_turn(Run *run, Board *board, const BoardCounts *seen, uint64_t until_ns) {
  uint64_t turn_ns = clock_ns() + WAIT_TURN_NS;
  board_wait(board, seen, until_ns < turn_ns ? until_ns : turn_ns);
  look_around(run);
  return clock_ns() < until_ns;
}

bool run_wait(Run *run, const BoardCounts *seen, uint64_t until_ns) {
  return wait_turn(run, &run->sessions, seen, until_ns) && !run_interrupted();
}

bool run_pause(Run *run, double seconds) {
  uint64_t until_ns = clock_ns() + seconds_ns(seconds);
  while (clock_ns() < until_ns && !run_interrupted()) {
    BoardCounts counts = board_counts(&run->sessions);
    wait_turn(run, &run->sessions, &counts, until_ns);
  }
  return !run_interrupted();
}

/* ---- Opening --------------------------------------------------------------------------------- */

static size_t set_up(const BoardCounts *counts) {
  return counts->connected + counts->failed;
}

/* Opens up to count, with at most --parallel under way; plan_of makes the plan of each. */
static bool open_all(Run *run, Board *board, size_t count,
                     void (*plan_of)(const Run *run, size_t index, SessionPlan *plan),
                     const SessionPlan *base) {
  size_t asked = 0;
  BoardCounts counts = board_counts(board);
  size_t set_up_before = set_up(&counts);
  uint64_t timeout_ns = seconds_ns(run->options->timeout + ENDING_SPARE_S);
  uint64_t until_ns = clock_ns() + timeout_ns;
  for (;;) {
    counts = board_counts(board);
    size_t done = set_up(&counts) - set_up_before;
    while (asked < count && asked - done < run->options->parallel && !run_interrupted()) {
      SessionPlan plan = *base;
      plan.board = board;
      plan_of(run, set_up_before + asked, &plan);
      if (!crew_open(&run->crew, &plan))
        return false;
      asked++;
      until_ns = clock_ns() + timeout_ns;
    }
    if (asked == done)
      return asked == count;
    if (!wait_turn(run, board, &counts, until_ns))
      return false;
  }
}

static void plan_publisher(const Run *run, size_t index, SessionPlan *plan) {
  plan->channel = &run->channels[index];
  plan->offset = (double)index / (double)run->options->publishers;
}

bool run_open_publishers(Run *run) {
  bool media = run->options->mode != LOAD_MODE_CHURN && run->options->mode != LOAD_MODE_IDLE;
  const SessionPlan base = {.role = LOAD_ROLE_PUBLISH, .media = media};
  size_t count = run->options->publishers;
  if (count == 0)
    return true;
  if (!open_all(run, &run->publishers, count, plan_publisher, &base))
    return false;
  BoardCounts counts = board_counts(&run->publishers);
  return counts.failed == 0 && run_pause(run, STREAM_KNOWN_S);
}

/* Players go round the channels; the first of all stall. Publishers have each a channel. */
static void plan_session(const Run *run, size_t index, SessionPlan *plan) {
  plan->channel = &run->channels[index % run->channel_count];
  plan->stalls = plan->role == LOAD_ROLE_PLAY && index < run->options->slow;
}

bool run_open_sessions(Run *run, const SessionPlan *plan, size_t count) {
  RunMoment before, after;
  Result *result = &run->result;
  BoardCounts counted = board_counts(&run->sessions);
  run_take_moment(run, &before);
  bool opened = open_all(run, &run->sessions, count, plan_session, plan);
  run_take_moment(run, &after);
  run_use(&before, &after, &result->setup_server, &result->setup_generator);
  BoardCounts counts = board_counts(&run->sessions);
  result->setup_count = counts.connected - counted.connected;
  if (result->setup_count > 0)
    result->setup_elapsed_ns = run->sessions.last_connected_ns - before.at_ns;
  return opened && counts.connected > 0 && !run_interrupted();
}

static bool await_keyframes(Run *run) {
  uint64_t until_ns = clock_ns() + seconds_ns(KEYFRAME_WAIT_S);
  for (;;) {
    BoardCounts counts = board_counts(&run->sessions);
    if (counts.ready >= counts.connected || run_interrupted())
      return !run_interrupted();
    if (!wait_turn(run, &run->sessions, &counts, until_ns)) {
      board_error(&run->sessions, "WHEP: connected, but no keyframe came within %d s",
                  KEYFRAME_WAIT_S);
      return true;
    }
  }
}

bool run_open_players(Run *run, const SessionPlan *plan) {
  run_take_baseline(run);
  bool opened = run_open_sessions(run, plan, run->options->publishers * run->options->players);
  run_take_connected(run);
  return opened && await_keyframes(run);
}

/* ---- Measuring ------------------------------------------------------------------------------- */

void run_take_moment(const Run *run, RunMoment *moment) {
  *moment = (RunMoment){.at_ns = clock_ns()};
  moment->server_known = run->options->pid > 0 && process_read(&moment->server, run->options->pid);
  process_read(&moment->generator, getpid());
}

static ProcessUse use_of(const ProcessFigures *from, const ProcessFigures *to) {
  return (ProcessUse){
      .known = true,
      .cpu_ns = to->cpu_ns - from->cpu_ns,
      .voluntary_switches = to->voluntary_switches - from->voluntary_switches,
      .involuntary_switches = to->involuntary_switches - from->involuntary_switches,
      .rss_begin = from->rss,
      .rss_end = to->rss,
      .rss_max = to->rss > from->rss ? to->rss : from->rss,
  };
}

void run_use(const RunMoment *from, const RunMoment *to, ProcessUse *server,
             ProcessUse *generator) {
  *server = (ProcessUse){0};
  if (from->server_known && to->server_known)
    *server = use_of(&from->server, &to->server);
  *generator = use_of(&from->generator, &to->generator);
}

static uint64_t server_rss(const Run *run) {
  ProcessFigures figures;
  bool known = run->options->pid > 0 && process_read(&figures, run->options->pid);
  return known ? figures.rss : 0;
}

void run_take_baseline(Run *run) {
  run->result.rss_baseline = server_rss(run);
  run->result.memory_known = run->result.rss_baseline > 0;
  run->result.memory_sessions = board_counts(&run->sessions).connected;
}

void run_take_connected(Run *run) {
  uint64_t connected = board_counts(&run->sessions).connected;
  run->result.rss_connected = server_rss(run);
  run->result.memory_sessions = connected - run->result.memory_sessions;
}

void run_begin_phase(Run *run, Phase phase, const char *name) {
  run->result.phases[run->result.phase_count] = (PhaseResult){.name = name};
  run->phase = phase;
  crew_begin_phase(&run->crew, phase);
  run->rss_max = 0;
  run_take_moment(run, &run->phase_began);
}

void run_end_phase(Run *run) {
  RunMoment now;
  PhaseCount count;
  PhaseResult *result = &run->result.phases[run->result.phase_count++];
  run_take_moment(run, &now);
  run_use(&run->phase_began, &now, &result->server, &result->generator);
  result->elapsed_ns = now.at_ns - run->phase_began.at_ns;
  if (run->rss_max > result->server.rss_max)
    result->server.rss_max = run->rss_max;
  crew_count(&run->crew, METER_READS, run->phase, &count);
  result->count.late_ns = count.late_ns;
  run->result.rss_end = result->server.rss_end;
}

static uint64_t offered(const Run *run, Phase phase) {
  uint64_t packets = 0;
  for (size_t i = 0; i < run->channel_count; i++)
    packets += channel_packets(&run->channels[i], phase, 0, CHANNEL_NO_FRAME);
  return packets;
}

static void linger(Run *run, Phase last) {
  uint64_t until_ns = clock_ns() + seconds_ns(LINGER_S);
  PhaseCount count;
  do {
    crew_count(&run->crew, METER_READS, last, &count);
  } while (count.delivered < count.expected && clock_ns() < until_ns &&
           run_pause(run, LINGER_TURN_S));
}

void run_take_counts(Run *run) {
  Histogram *latency = malloc(sizeof *latency);
  Result *result = &run->result;
  crew_begin_phase(&run->crew, PHASE_AFTER_ALL);
  crew_set_pace(&run->crew, PACE_NONE);
  if (result->phase_count > 0)
    linger(run, run->phase);
  for (size_t i = 0; i < result->phase_count && latency; i++) {
    PhaseResult *phase = &result->phases[i];
    Phase which = (Phase)(PHASE_FIRST + i);
    uint64_t late_ns = phase->count.late_ns;
    *latency = (Histogram){0};
    crew_count(&run->crew, METER_READS, which, &phase->count);
    crew_add_latency(&run->crew, METER_READS, which, latency);
    phase->count.late_ns = late_ns;
    phase->latency = summary_of(latency);
    phase->offered = offered(run, which);
  }
  free(latency);
}

/* ---- From the beginning to the end ----------------------------------------------------------- */

static size_t channels_wanted(const Options *options) {
  bool of_their_own = options->role == LOAD_ROLE_PUBLISH && options->publishers == 0;
  if (!of_their_own)
    return options->publishers;
  /* A publisher's stream must have ended before there is another one of its name: more than are
   * live at once. */
  return options->mode == LOAD_MODE_IDLE ? options->sessions : 16 * options->parallel;
}

static bool make_channels(Run *run) {
  char name[CHANNEL_NAME_MAX];
  size_t count = channels_wanted(run->options);
  run->channels = calloc(count, sizeof *run->channels);
  if (!run->channels)
    return false;
  for (size_t i = 0; i < count; i++) {
    snprintf(name, sizeof name, "%s-%zu", run->options->stream, i);
    channel_init(&run->channels[i], (uint32_t)i, name, run->options->packets);
  }
  run->channel_count = count;
  return true;
}

bool run_start(Run *run, const Options *options) {
  *run = (Run){.options = options, .began_ns = clock_ns()};
  run->result.options = options;
  board_init(&run->publishers);
  board_init(&run->sessions);
  if (make_channels(run) && crew_start(&run->crew, options))
    return true;
  free(run->channels);
  return false;
}

static void end_all(Run *run, Board *board, LoadRole role) {
  uint64_t until_ns = clock_ns() + seconds_ns(run->options->timeout + ENDING_SPARE_S);
  crew_end_sessions(&run->crew, role);
  for (;;) {
    BoardCounts counts = board_counts(board);
    if (counts.ended >= counts.begun)
      return;
    if (!wait_turn(run, board, &counts, until_ns)) {
      board_error(board, "%zu sessions do not end", counts.begun - counts.ended);
      return;
    }
  }
}

void run_finish(Run *run) {
  Result *result = &run->result;
  crew_strays(&run->crew, &result->not_sent, &result->foreign);
  /* Players before their publishers: else the server ends them. */
  end_all(run, &run->sessions,
          run->options->role == LOAD_ROLE_PUBLISH ? LOAD_ROLE_PUBLISH : LOAD_ROLE_PLAY);
  end_all(run, &run->publishers, LOAD_ROLE_PUBLISH);
  crew_stop(&run->crew);
  result->interrupted = run_interrupted();
  result->wanted += run->options->mode == LOAD_MODE_CHURN ? board_counts(&run->sessions).begun : 0;
  result_take_boards(result, &run->publishers, &run->sessions);
  result_judge(result);
  board_finish(&run->publishers);
  board_finish(&run->sessions);
  free(run->channels);
}
