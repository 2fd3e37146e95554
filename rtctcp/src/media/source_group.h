/* A source group: the managers of several workers, joined, so that a stream's publisher and its
 * consumers may be on any of them.
 *
 * Who owns what, and why nothing dangles:
 * - Sources, publishers and consumers are of one worker each, as ever. No object of one worker
 *   points to an object of another: a relayed packet names its publication by number, and who gets
 *   it looks the number up among the sources of its own thread. A number that is not found any more
 *   is a packet too late; it is dropped.
 * - What two threads see is the group's: members, listings (source_directory.h) and relays
 *   (source_relay.h). The group lives as long as one manager or one letter under way holds it, so
 *   every letter finds what it is about. All that can be left in it then is memory and packets,
 *   whose count is atomic: it may be freed on any thread.
 * - A member is closed by its manager, on its own thread, before the manager is freed. From then on
 *   nothing is posted to its worker: the check and the post are under one lock. A letter that was
 *   posted before finds the member without a manager, and throws away what came.
 * - What other workers have to know is state in the directory, not messages: a notice only says
 *   "look again". So nothing is lost for want of memory, and any number of changes makes one
 * letter.
 *
 * Locks: the group's (of listings and notices), then a member's (of what comes to it), then the
 * mailbox's of its worker. None is held while anybody's callback runs, and none is taken for a
 * packet: a turn's packets for a worker are one batch, and take its member's lock once. */
#ifndef RTC_MEDIA_SOURCE_GROUP_H
#define RTC_MEDIA_SOURCE_GROUP_H

#include "media/source_manager.h"
#include "media/source_relay.h"

#include <pthread.h>
#include <stdatomic.h>

struct RtcListing;
struct RtcSeat;

#define RTC_FEED_BUCKETS 1024 /* a power of two */

/* One manager's place in the group. */
typedef struct RtcSourceMember {
  struct RtcSourceGroup *group; /* back */
  unsigned index;
  RtcWorker *worker; /* borrowed: while the member is open */
  /* Thread: its worker's */
  RtcSourceManager *manager; /* back; NULL: it has been destroyed */
  RtcRelay **relays;         /* owned: an array by member; NULL where nothing was sent to yet */
  RtcTask flush;             /* of all relays, at the end of the turn */
  RtcSource *feeds[RTC_FEED_BUCKETS]; /* borrowed: sources whose publisher is elsewhere */
  size_t endings;                     /* of these, whose publisher has gone */
  /* Under the group's lock */
  struct RtcSeat *notices; /* borrowed: seats whose listing has changed */
  /* Under this lock */
  pthread_mutex_t lock;
  bool open;
  bool posted; /* the letter is under way, and holds the group */
  RtcLetter letter;
  RtcRelay *ready;      /* borrowed: relays that have something for this member */
  RtcRelay **ready_end; /* where the next is hung */
} RtcSourceMember;

typedef struct RtcSourceGroup {
  atomic_size_t handles; /* open members, letters under way */
  pthread_mutex_t lock;
  struct RtcListing *listings; /* owned: a hash by name. Under the lock */
  uint64_t publications;       /* that there were: their numbers. Under the lock */
  size_t member_count;
  RtcSourceMember members[];
} RtcSourceGroup;

/* Tells a member's worker that there is something for it. Any thread, with the member's lock.
 * false: it takes no more */
bool rtc_source_member_wake(RtcSourceMember *member);

/* Closes a member, as its manager's last act but one. Thread: the member's. */
void rtc_source_member_close(RtcSourceMember *member);

/* -- Feeds: sources of this member whose publisher is on another one's worker -- */

void rtc_source_member_add_feed(RtcSourceMember *member, RtcSource *source);
void rtc_source_member_remove_feed(RtcSourceMember *member, RtcSource *source);

#endif
