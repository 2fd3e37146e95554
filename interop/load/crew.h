/* The worker threads with their sessions, and what the main thread asks of them. */
#ifndef LOAD_CREW_H
#define LOAD_CREW_H

#include "board.h"
#include "http_client.h"
#include "options.h"
#include "publisher.h"
#include "reception.h"

#include <rtctcp/server.h>

#include <semaphore.h>
#include <uv.h>

struct Session;

typedef enum MeterGroup {
  METER_READS,  /* players that always read */
  METER_STALLS, /* those that stop for a time */
  METER_GROUP_COUNT,
} MeterGroup;

/* One thread. All but crew and thread belongs to it. */
typedef struct CrewWorker {
  struct Crew *crew; /* back */
  pthread_t thread;
  uv_loop_t loop;
  RtcWorker *rtc; /* owned */
  uv_timer_t visits;
  struct Session **sessions; /* owned, with what is in it */
  size_t session_count, session_cap;
  size_t visited; /* the session that is visited next */
  Meter meters[METER_GROUP_COUNT][PHASE_COUNT];
  uint64_t foreign; /* packets of ended sessions that were none of ours */
  bool started;     /* before its semaphore says so: it runs */
} CrewWorker;

typedef struct Crew {
  const Options *options; /* borrowed */
  HttpClient *http;       /* owned */
  RtcServer *server;      /* owned */
  CrewWorker *workers;    /* owned */
  size_t worker_count;    /* that run */
  size_t next_worker;     /* whose turn it is to get a session; the main thread's */
  sem_t told;             /* a worker has done what the main thread waits for */
} Crew;

/* What it takes to open a session. */
typedef struct SessionPlan {
  LoadRole role;
  Channel *channel; /* borrowed */
  Board *board;     /* borrowed */
  double offset;    /* a publisher's, see PublisherConfig */
  bool media;       /* a publisher sends at PACE_TRICKLE; a player awaits it */
  bool stalls;      /* a player whose reading can be stopped */
  bool brief;       /* it is ended as soon as it is connected */
} SessionPlan;

/* What a group of players got in a phase, over all workers. */
typedef struct PhaseCount {
  uint64_t expected, delivered, octets, gaps, out_of_order;
  uint64_t late_ns; /* at most, of the publishers' frames in the phase under way */
} PhaseCount;

/* All of this is for the main thread; none of it is called on a worker.
 * false: it could not be started, and that was told on standard error. */
bool crew_start(Crew *crew, const Options *options);
/* Ends the threads; every session has ended. */
void crew_stop(Crew *crew);

/* Opens a session, on the worker whose turn it is. false: no memory; the board is not told. */
bool crew_open(Crew *crew, const SessionPlan *plan);

/* Each is done on every worker when it returns. */
void crew_set_pace(Crew *crew, Pace pace);
void crew_begin_phase(Crew *crew, Phase phase);
void crew_stall(Crew *crew, bool stalled);
void crew_end_sessions(Crew *crew, LoadRole role); /* begins to */
void crew_count(Crew *crew, MeterGroup group, Phase phase, PhaseCount *count);
void crew_add_latency(Crew *crew, MeterGroup group, Phase phase, Histogram *histogram);
/* The worst player's, of those that have stalled; not known when one of them never had it. */
void crew_recovery(Crew *crew, RecoveryMoment *first_frame, RecoveryMoment *picture);
/* Packets that the publishers' own side dropped, and packets that were none of ours, until now. */
void crew_strays(Crew *crew, uint64_t *not_sent, uint64_t *foreign);

/* Of all workers, so far; cheap. */
uint64_t crew_delivered(const Crew *crew);

#endif
