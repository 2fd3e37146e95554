/* One session as the soak's host sees it, and what it counts of all sessions of a worker. */
#ifndef RTC_SOAK_SESSION_H
#define RTC_SOAK_SESSION_H

#include "soak/control.h"

#define SOAK_RECENT_SOURCES 16
#define SOAK_SOURCE_NAME    32
#define SOAK_REMEMBERED     64 /* sessions that were CLOSED */

struct SoakSession;

/* The host's share of one worker; used on its thread only. */
typedef struct SoakShard {
  RtcServer *server;         /* borrowed */
  RtcWorker *worker;         /* owned by the server's process */
  RtcSourceManager *sources; /* likewise */
  char recent[SOAK_RECENT_SOURCES][SOAK_SOURCE_NAME];
  size_t published;
  uint64_t ends[SOAK_ENDING_COUNT][RTC_CLOSE_COUNT];
  uint64_t late, wrong; /* as in SoakFigures */
  uint64_t after_closed;
  /* A session's memory is kept for a while after CLOSED, so that a callback that comes after it is
   * counted instead of being a use after free. */
  struct SoakSession *remembered[SOAK_REMEMBERED]; /* owned each; NULL: none yet */
  size_t remembered_next;
} SoakShard;

/* Opens a session by its plan, and tells what its answer says. */
RtcError soak_session_open(SoakShard *shard, const SoakRequest *request, SoakAnswer *answer);

void soak_shard_finish(SoakShard *shard);

#endif
