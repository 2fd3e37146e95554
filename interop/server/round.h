/* A job of HTTP that asks every worker in turn, each on its own thread, and then goes back. */
#ifndef SERVER_ROUND_H
#define SERVER_ROUND_H

#include "host.h"

/* Embedded as the first member. */
typedef struct RoundJob {
  HttpJob job;
  Host *host;     /* borrowed */
  RtcError error; /* of a worker that could not be asked, or that could not answer */
  size_t asked;   /* workers */
  /* Thread: the worker's. Errors: as it likes; the first one is kept, the round goes on */
  RtcError (*ask)(struct RoundJob *round, const HostWorker *worker);
} RoundJob;

/* Suspends the request for the job, and sends it on its way. Thread: HTTP's.
 * round  zero but for job.finish, job.destroy and ask; owned from here on as any HttpJob */
void round_begin(RoundJob *round, HttpRequest *request, Host *host);

#endif
