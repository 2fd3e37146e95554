/* The threads of the peers: tickets, and sessions that wait for their end. */
#include "soak/client.h"
#include "soak/life.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define WAITING_MAX  32 /* of a thread: sessions that the other side is to end */
#define PAUSE_MS     2
#define CLOSING_MS   10000 /* after its time, for the other side to have closed */
#define TELLS_OF_MAX 20

typedef struct Waiting {
  RtcPeer *peer; /* owned */
  uint64_t ticket;
  int64_t until_ms;
  int conn; /* that must have been closed then; -1: none */
} Waiting;

typedef struct Thread {
  SoakClients *clients; /* borrowed */
  int channel;          /* borrowed */
  pthread_t thread;
  Waiting waiting[WAITING_MAX];
  size_t waiting_count;
} Thread;

struct SoakCrew {
  SoakClients *clients; /* borrowed */
  size_t count;
  Thread threads[];
};

void soak_surprise(SoakClients *clients, uint64_t ticket, const char *step, int result) {
  if (atomic_fetch_add(&clients->surprises, 1) < TELLS_OF_MAX)
    fprintf(stderr, "session %llu (%s): %s: %d\n", (unsigned long long)ticket,
            soak_ending_text(soak_plan_draw(clients->seed, ticket).ending), step, result);
}

static int64_t clock_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* -- Sessions that wait -- */

static void end_waiting(Thread *thread, size_t index) {
  Waiting *waiting = &thread->waiting[index];
  if (waiting->conn >= 0) {
    int result = peer_wait_closed(waiting->peer, waiting->conn, CLOSING_MS);
    if (result == PEER_TIMEOUT)
      soak_surprise(thread->clients, waiting->ticket, "the server closes the TCP conn", result);
  }
  peer_destroy(waiting->peer);
  *waiting = thread->waiting[--thread->waiting_count];
}

/* all: also those whose time has not come, which is awaited */
static void end_due(Thread *thread, bool all) {
  for (size_t i = thread->waiting_count; i > 0; i--) {
    int64_t left = thread->waiting[i - 1].until_ms - clock_ms();
    if (left > 0 && !all)
      continue;
    if (left > 0)
      soak_pause_ms((unsigned)left);
    end_waiting(thread, i - 1);
  }
}

static void keep_waiting(Thread *thread, const SoakLife *life) {
  if (thread->waiting_count == WAITING_MAX)
    end_due(thread, true);
  thread->waiting[thread->waiting_count++] = (Waiting){.peer = life->peer,
                                                       .ticket = life->plan.ticket,
                                                       .until_ms = clock_ms() + life->wait_ms,
                                                       .conn = life->wait_closed};
}

/* -- Tickets -- */

static bool take_ticket(SoakClients *clients, uint64_t *ticket) {
  uint64_t next = atomic_load(&clients->next);
  while (next < atomic_load(&clients->limit))
    if (atomic_compare_exchange_weak(&clients->next, &next, next + 1)) {
      *ticket = next;
      return true;
    }
  return false;
}

static void live(Thread *thread, uint64_t ticket) {
  SoakLife life;
  soak_life_run(&life, thread->clients, thread->channel, ticket);
  if (life.peer && life.wait_ms)
    keep_waiting(thread, &life);
  else
    peer_destroy(life.peer);
  atomic_fetch_add(&thread->clients->done, 1);
}

static void *run(void *arg) {
  Thread *thread = arg;
  uint64_t ticket;
  while (!atomic_load(&thread->clients->stopped)) {
    if (take_ticket(thread->clients, &ticket))
      live(thread, ticket);
    else
      soak_pause_ms(PAUSE_MS);
    end_due(thread, false);
  }
  end_due(thread, true);
  return NULL;
}

SoakCrew *soak_crew_start(SoakClients *clients, const int *channels, size_t count) {
  SoakCrew *crew = calloc(1, sizeof *crew + count * sizeof crew->threads[0]);
  if (!crew)
    return NULL;
  crew->clients = clients;
  for (; crew->count < count; crew->count++) {
    Thread *thread = &crew->threads[crew->count];
    thread->clients = clients;
    thread->channel = channels[crew->count];
    if (pthread_create(&thread->thread, NULL, run, thread) != 0) {
      soak_crew_stop(crew);
      return NULL;
    }
  }
  return crew;
}

void soak_crew_stop(SoakCrew *crew) {
  atomic_store(&crew->clients->stopped, true);
  for (size_t i = 0; i < crew->count; i++)
    pthread_join(crew->threads[i].thread, NULL);
  free(crew);
}
