/* Passes a job from worker to worker, see round.h. */
#include "round.h"

static void visit(void *arg);

/* To the next worker, or back to HTTP. */
static void pass_on(RoundJob *round) {
  if (round->asked < round->host->worker_count) {
    RtcError error = rtc_worker_post(round->host->workers[round->asked].worker, visit, round);
    if (error == RTC_OK)
      return;
    round->error = error;
  }
  http_job_done(&round->job);
}

static void visit(void *arg) {
  RoundJob *round = arg;
  RtcError error = round->ask(round, &round->host->workers[round->asked]);
  round->asked++;
  if (round->error == RTC_OK)
    round->error = error;
  pass_on(round);
}

void round_begin(RoundJob *round, HttpRequest *request, Host *host) {
  round->host = host;
  if (http_request_suspend(request, &round->job))
    pass_on(round);
}
