/* The life of one session, lived by a test peer: from its ticket to its end. */
#ifndef RTC_SOAK_LIFE_H
#define RTC_SOAK_LIFE_H

#include "soak/client.h"
#include "soak/control.h"
#include "soak/random.h"
#include "support/peer.h"

typedef struct SoakLife {
  SoakClients *clients; /* borrowed */
  int channel;          /* borrowed */
  SoakPlan plan;
  SoakRandom random;
  RtcPeer *peer; /* owned; the caller's when the life is over; NULL: there is none */
  uint64_t id;   /* the Connection's */
  uint16_t port;
  int conns;        /* TCP conns of the session so far */
  uint16_t packets; /* media sent */
  bool restarted;   /* ICE was: TCP conns of before may have been released */
  bool doomed;      /* the host ends it at any moment: a step that fails is none to tell of */
  /* What the caller is to do with the peer: */
  unsigned wait_ms; /* leave it open for so long; 0: not at all */
  int wait_closed;  /* and this TCP conn must have been closed then; -1: none */
} SoakLife;

void soak_life_run(SoakLife *life, SoakClients *clients, int channel, uint64_t ticket);

/* -- life_events.c -- */

/* result must be wanted; false: it is not, the life is over, and that was told if it is strange. */
bool soak_life_expect(SoakLife *life, const char *step, int result, int wanted);
void soak_life_count(SoakLife *life, SoakEvent event);

/* Each false: the session has ended, or is not to go on. */
bool soak_life_connect(SoakLife *life);
bool soak_life_media(SoakLife *life);
bool soak_life_come_back(SoakLife *life);
bool soak_life_restart(SoakLife *life);
bool soak_life_more_conns(SoakLife *life);
bool soak_life_fall_over(SoakLife *life);
bool soak_life_stranger(SoakLife *life);

/* Ends a TCP conn in a way drawn: FIN, RST, close(2). */
void soak_life_lose(SoakLife *life, int conn);

void soak_pause_ms(unsigned ms);

#endif
