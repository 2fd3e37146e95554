/* What a player gets, counted a packet: by the stamps in the payloads alone. Nothing is allocated
 * for a packet. Thread: its worker's, but Meter.delivered, which any thread may read. */
#ifndef LOAD_RECEPTION_H
#define LOAD_RECEPTION_H

#include "channel.h"
#include "histogram.h"
#include "recovery.h"
#include "rtcp.h"

#include <stdbool.h>

/* Of all players of one kind on one worker, in one phase. */
typedef struct Meter {
  _Atomic uint64_t delivered; /* packets */
  uint64_t octets;            /* of these packets */
  uint64_t gaps;              /* places where packets are missing */
  uint64_t out_of_order;      /* packets behind one that had to come later, or twice */
  uint64_t expected_lost;     /* of sessions that have ended in it or after it */
  Histogram latency;          /* [ns] */
} Meter;

typedef struct Reception {
  const Channel *channel; /* borrowed */
  Meter *meters;          /* borrowed: PHASE_COUNT of them */
  Recovery *recovery;     /* borrowed; NULL: it always reads */
  RtcpReception rtcp;
  uint64_t next;        /* the place after the last packet's: frame << 16 | index */
  uint64_t foreign;     /* packets without a stamp, or of another channel */
  uint32_t first_frame; /* its first keyframe */
  bool begun;           /* that has come: from here on packets are expected, and counted */
  Phase phase;          /* of the last packet */
} Reception;            /* begins with what is borrowed, the rest zeroed */

void reception_take(Reception *reception, const uint8_t *packet, size_t len, uint64_t now_ns);

/* What had to come in this phase. until: the frame at which the session ended; CHANNEL_NO_FRAME: it
 * has not */
uint64_t reception_expected(const Reception *reception, Phase phase, uint32_t until);

#endif
