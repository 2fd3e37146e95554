/* A relay: what the sources of one worker have for the consumers on another, a batch a turn. It is
 * bounded: a worker that does not keep up loses what waits for it, whole, and its video goes on
 * with a keyframe. Nothing is allocated for a packet but, now and then, a longer batch. */
#ifndef RTC_MEDIA_SOURCE_RELAY_H
#define RTC_MEDIA_SOURCE_RELAY_H

#include "media/source_packet.h"
#include "runtime/worker_internal.h"

struct RtcSourceMember;

/* What may wait for a worker, in all of a relay. A worker that is alive takes it within
 * milliseconds, so this is how long one may stall without a loss. */
#define RTC_RELAY_PACKETS_MAX ((size_t)8192)
#define RTC_RELAY_OCTETS_MAX  ((size_t)8 * 1024 * 1024)
#define RTC_RELAY_AGE_US      (500 * RTC_US_PER_MS)

typedef struct RtcRelayItem {
  uint64_t publication;
  RtcSourcePacket packet; /* its handle is owned; NULL: this is a sender report */
  RtcSourceReport report;
} RtcRelayItem;

typedef struct RtcRelayBatch {
  RtcRelayItem *items; /* owned: an array */
  size_t count, capacity;
  size_t octets; /* of the packets */
} RtcRelayBatch;

typedef struct RtcRelay {
  struct RtcSourceMember *from, *to; /* back */
  RtcRelayBatch filling;             /* Thread: from's */
  unsigned losses;                   /* batches that were dropped. Thread: from's */
  /* Under the lock of to */
  RtcRelayBatch waiting;
  int64_t waiting_since_us;
  bool queued;           /* it is among those that are ready */
  struct RtcRelay *next; /* of these */
  RtcRelayBatch taken;   /* Thread: to's */
} RtcRelay;

/* Frees a relay, and what is in it. Any thread: nobody else has it. NULL is fine. */
void rtc_relay_destroy(RtcRelay *relay);

/* -- Thread: the sending member's -- */

/* For the consumers on member number to. What finds no room or no memory is dropped, and counted.
 */
void rtc_relay_packet(struct RtcSourceMember *from, unsigned to, uint64_t publication,
                      const RtcSourcePacket *packet);
void rtc_relay_report(struct RtcSourceMember *from, unsigned to, uint64_t publication,
                      const RtcSourceFlow *flow, const RtcSourceReport *report);

/* Sends what was gathered, to everybody. Runs at the end of each turn that has gathered. */
void rtc_relay_flush_all(struct RtcSourceMember *from);

/* -- Thread: the receiving member's -- */

/* The next relay that has something, and what it has; NULL: none. rtc_relay_taken follows, when the
 * batch is emptied. */
RtcRelay *rtc_relay_take(struct RtcSourceMember *to, RtcRelayBatch **batch);
void rtc_relay_taken(RtcRelay *relay);

#endif
