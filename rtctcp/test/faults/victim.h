/* The victim: a session that is led through all of a session's life while something fails. Its peer
 * does as a browser does: what is lost is asked for again, and a lost TCP conn is replaced.
 *
 * Thread: the test's. */
#ifndef RTC_TEST_FAULTS_VICTIM_H
#define RTC_TEST_FAULTS_VICTIM_H

#include "support/host.h"

#include <rtctcp/source.h>

typedef struct Victim {
  Host *host;                /* borrowed */
  RtcSourceManager *sources; /* borrowed */
  bool gives_up;             /* what fails after the first fault is not tried again */
  RtcPeer *peer;             /* owned */
  RtcConnection *connection; /* owned: a handle; NULL: none could be made */
  RtcConsumer *consumer;     /* borrowed: its Connection ends it */
  const char *step;          /* of its life, the last that was begun; static */
  RtcError open_error;       /* of rtc_connection_new */
  RtcError call_errors[64];  /* of the calls that failed */
  size_t call_error_count;
  size_t tcp_conns_lost;       /* that the peer had to replace */
  bool lived;                  /* to the end of its life */
  uint16_t sequences[2];       /* of the next packet: audio, video */
  uint16_t transport_sequence; /* likewise */

  /* Written on the worker's thread, under the host's lock. */
  RtcConnectionState states[64]; /* in their order */
  size_t state_count;
  RtcClose reason;
  size_t after_closed; /* callbacks after CLOSED */
} Victim;

/* Leads it from its making to its last use; it is not closed. */
void victim_live(Victim *victim, Host *host, RtcSourceManager *sources, bool gives_up);

/* Closes what is left of it, and gives all of it back. Its records stay. */
void victim_end(Victim *victim);

/* The states that it was told follow one another as they may, and CLOSED is the last. */
void victim_assert_states(const Victim *victim);

#endif
