/* rtctcp-load: from the command line to the report. */
#include "report.h"
#include "run.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define EXIT_WRONG_ARGUMENT 2
#define DESCRIPTORS_SPARE   256 /* beside the sessions' sockets: HTTP, loops, files */

/* The second signal ends the process as it would have without us. */
static void on_signal(int number) {
  (void)number;
  run_interrupt();
}

static void catch_signals(void) {
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND | SA_RESTART};
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  signal(SIGPIPE, SIG_IGN); /* a peer that has gone is an error of its socket */
}

static size_t sessions_wanted(const Options *options) {
  size_t sessions = options->publishers + options->publishers * options->players;
  return options->mode == LOAD_MODE_IDLE ? sessions + options->sessions : sessions;
}

/* A session has one socket; one that stalls has its relay's three besides; of churn some live. */
static rlim_t descriptors_wanted(const Options *options) {
  size_t live = options->mode == LOAD_MODE_CHURN ? options->parallel : 0;
  return sessions_wanted(options) + live + 4 * options->slow + options->parallel +
         DESCRIPTORS_SPARE;
}

static void raise_descriptors(const Options *options) {
  struct rlimit limit;
  rlim_t wanted = descriptors_wanted(options);
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
    return;
  bool enough = limit.rlim_max >= wanted;
  limit.rlim_cur = enough ? wanted : limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  if (!enough)
    fprintf(stderr, "rtctcp-load: %zu descriptors are wanted, and %zu are allowed\n",
            (size_t)wanted, (size_t)limit.rlim_max);
}

/* Before any thread is made: they inherit it. */
static bool pin(const Options *options) {
  if (!options->pinned || sched_setaffinity(0, sizeof options->cpus, &options->cpus) == 0)
    return true;
  fprintf(stderr, "rtctcp-load: --cpus: %s\n", strerror(errno));
  return false;
}

static bool see_server(const Options *options) {
  ProcessFigures figures;
  if (options->pid == 0 || process_read(&figures, options->pid))
    return true;
  fprintf(stderr, "rtctcp-load: --pid %ld: there is no such process to look at\n",
          (long)options->pid);
  return false;
}

static void run_mode(Run *run) {
  switch (run->options->mode) {
  case LOAD_MODE_FAN_OUT:
  case LOAD_MODE_MANY:
    mode_media(run);
    break;
  case LOAD_MODE_SLOW:
    mode_slow(run);
    break;
  case LOAD_MODE_CHURN:
    mode_churn(run);
    break;
  case LOAD_MODE_IDLE:
    mode_idle(run);
    break;
  }
}

int main(int argc, char **argv) {
  static Run run; /* static: it is large */
  Options options;
  switch (options_parse(&options, argc, argv)) {
  case OPTIONS_DONE:
    return EXIT_SUCCESS;
  case OPTIONS_WRONG:
    return EXIT_WRONG_ARGUMENT;
  case OPTIONS_RUN:
    break;
  }
  if (!pin(&options) || !see_server(&options))
    return EXIT_WRONG_ARGUMENT;
  raise_descriptors(&options);
  catch_signals();
  if (!run_start(&run, &options))
    return EXIT_FAILURE;
  run.result.wanted = sessions_wanted(&options); /* churn's come up as it goes */
  run_mode(&run);
  run_finish(&run);
  if (!options.json)
    report_table(&run.result, stdout);
  else if (!report_json(&run.result, stdout))
    return EXIT_FAILURE;
  return run.result.ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
