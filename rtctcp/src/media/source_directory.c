/* The directory of a source group: streams by name, under the group's lock. */
#include "media/source_directory.h"

#include "media/rtc_source_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM            1
#define uthash_nonfatal_oom(element) ((element)->listed = false)
#include <uthash.h>

/* One worker's place at a stream. */
typedef struct RtcSeat {
  struct RtcListing *listing; /* back */
  RtcSource *source;    /* borrowed: NULL: there is none of this name. Followed on its thread */
  bool interested;      /* it has consumers */
  struct RtcSeat *next; /* of the member's notices */
  struct RtcSeat **at;  /* what points here; NULL: there is no notice */
} RtcSeat;

/* A stream of the group. It lives as long as a source of its name is on any worker. */
typedef struct RtcListing {
  char *name;           /* owned */
  bool listed;          /* found by its name; false: eliminated */
  size_t sources;       /* seats that have one */
  uint64_t publication; /* number of what the publisher publishes; 0: there is none */
  unsigned publisher;   /* member that it is on */
  bool keyframe_wanted; /* by another member's consumers */
  RtcTrack tracks[RTC_TRACKS_MAX];
  size_t track_count;
  UT_hash_handle hh;
  RtcSeat seats[]; /* one a member */
} RtcListing;

/* -- Listings -- */

static void lock(RtcSourceGroup *group) {
  pthread_mutex_lock(&group->lock);
}

static void unlock(RtcSourceGroup *group) {
  pthread_mutex_unlock(&group->lock);
}

static RtcListing *find(const RtcSourceGroup *group, const char *name) {
  RtcListing *listing;
  HASH_FIND(hh, group->listings, name, strlen(name), listing);
  return listing;
}

static void free_listing(RtcListing *listing) {
  free(listing->name);
  free(listing);
}

static RtcListing *make_listing(RtcSourceGroup *group, const char *name) {
  RtcListing *listing = calloc(1, sizeof *listing + group->member_count * sizeof *listing->seats);
  if (!listing)
    return NULL;
  listing->listed = true;
  listing->name = strdup(name);
  if (listing->name)
    HASH_ADD_KEYPTR(hh, group->listings, listing->name, strlen(name), listing);
  if (!listing->name || !listing->listed) {
    free_listing(listing);
    return NULL;
  }
  for (size_t i = 0; i < group->member_count; i++)
    listing->seats[i].listing = listing;
  return listing;
}

static void unlist(RtcSourceGroup *group, RtcListing *listing) {
  if (!listing->listed)
    return;
  HASH_DEL(group->listings, listing);
  listing->listed = false;
}

static RtcSeat *seat_of(const RtcSource *source) {
  return &source->listing->seats[source->manager->member->index];
}

/* -- Notices -- */

static void notify(RtcSourceGroup *group, RtcListing *listing, unsigned index) {
  RtcSeat *seat = &listing->seats[index];
  RtcSourceMember *member = &group->members[index];
  if (!seat->source || seat->at)
    return;
  seat->next = member->notices;
  seat->at = &member->notices;
  if (seat->next)
    seat->next->at = &seat->next;
  member->notices = seat;
  pthread_mutex_lock(&member->lock);
  rtc_source_member_wake(member); /* one that is closing has no use for it */
  pthread_mutex_unlock(&member->lock);
}

static void notify_others(RtcSourceMember *member, RtcListing *listing) {
  for (unsigned i = 0; i < member->group->member_count; i++)
    if (i != member->index)
      notify(member->group, listing, i);
}

static void cancel_notice(RtcSeat *seat) {
  if (!seat->at)
    return;
  *seat->at = seat->next;
  if (seat->next)
    seat->next->at = seat->at;
  seat->next = NULL;
  seat->at = NULL;
}

/* -- Following the listing, on the source's thread, with the lock -- */

static void follow_as_publisher(RtcSource *source) {
  const RtcListing *listing = source->listing;
  unsigned own = source->manager->member->index;
  source->target_count = 0;
  for (unsigned i = 0; i < source->manager->member->group->member_count; i++)
    if (i != own && listing->seats[i].interested)
      source->targets[source->target_count++] = (uint16_t)i;
}

static void bind_feed(RtcSource *source) {
  const RtcListing *listing = source->listing;
  RtcSourceFeed *feed = &source->feed;
  feed->publication = listing->publication;
  memcpy(feed->tracks, listing->tracks, sizeof feed->tracks);
  feed->track_count = listing->track_count;
  source->generation++;
  rtc_source_member_add_feed(source->manager->member, source);
}

static void follow(RtcSource *source) {
  RtcSourceMember *member = source->manager->member;
  const RtcListing *listing = source->listing;
  RtcSourceFeed *feed = &source->feed;
  bool mine = listing->publication != 0 && listing->publisher == member->index;
  bool elsewhere = listing->publication != 0 && !mine;
  source->publication = mine ? listing->publication : 0;
  source->target_count = 0;
  if (mine)
    follow_as_publisher(source);
  if (elsewhere && feed->publication == listing->publication)
    return;
  if (feed->publication != 0 && listing->publication != 0)
    rtc_source_member_remove_feed(member, source); /* another one publishes already */
  else if (feed->publication != 0 && !feed->ending) {
    feed->ending = true;
    member->endings++;
  }
  if (elsewhere)
    bind_feed(source);
}

/* -- What sources say -- */

bool rtc_directory_knows(RtcSourceMember *member, const char *name) {
  lock(member->group);
  bool known = find(member->group, name) != NULL;
  unlock(member->group);
  return known;
}

RtcError rtc_directory_enter(RtcSourceMember *member, RtcSource *source) {
  RtcSourceGroup *group = member->group;
  source->targets = calloc(group->member_count, sizeof *source->targets);
  if (!source->targets)
    return RTC_ERROR_NO_MEMORY;
  lock(group);
  RtcListing *listing = find(group, source->name);
  if (!listing)
    listing = make_listing(group, source->name);
  if (listing) {
    listing->sources++;
    listing->seats[member->index].source = source;
    source->listing = listing;
    follow(source);
  }
  unlock(group);
  if (listing)
    return RTC_OK;
  free(source->targets);
  source->targets = NULL;
  return RTC_ERROR_NO_MEMORY;
}

void rtc_directory_leave(RtcSource *source) {
  RtcListing *listing = source->listing;
  RtcSourceMember *member = source->manager->member;
  RtcSourceGroup *group = member->group;
  RtcSeat *seat = seat_of(source);
  assert(!source->publication);
  if (source->feed.publication != 0)
    rtc_source_member_remove_feed(member, source);
  lock(group);
  assert(!seat->interested);
  cancel_notice(seat);
  seat->source = NULL;
  bool last = --listing->sources == 0;
  if (last)
    unlist(group, listing);
  unlock(group);
  if (last)
    free_listing(listing);
  source->listing = NULL;
  free(source->targets);
}

RtcError rtc_directory_publish(RtcSource *source, const RtcTrack *tracks, size_t count) {
  RtcSourceMember *member = source->manager->member;
  RtcListing *listing = source->listing;
  lock(member->group);
  bool taken = listing->publication != 0;
  if (!taken) {
    listing->publication = ++member->group->publications;
    listing->publisher = member->index;
    listing->keyframe_wanted = false;
    memcpy(listing->tracks, tracks, count * sizeof *tracks);
    listing->track_count = count;
    follow(source);
    notify_others(member, listing);
  }
  unlock(member->group);
  return taken ? RTC_ERROR_EXISTS : RTC_OK;
}

void rtc_directory_unpublish(RtcSource *source) {
  RtcSourceMember *member = source->manager->member;
  RtcListing *listing = source->listing;
  if (source->publication == 0)
    return;
  rtc_relay_flush_all(member); /* its last packets, before the notice that it has gone */
  lock(member->group);
  listing->publication = 0;
  listing->track_count = 0;
  follow(source);
  notify_others(member, listing);
  unlock(member->group);
}

void rtc_directory_set_interest(RtcSource *source, bool interested) {
  RtcSourceMember *member = source->manager->member;
  RtcListing *listing = source->listing;
  RtcSeat *seat = seat_of(source);
  lock(member->group);
  if (seat->interested != interested) {
    seat->interested = interested;
    if (listing->publication != 0 && listing->publisher != member->index)
      notify(member->group, listing, listing->publisher);
  }
  unlock(member->group);
}

void rtc_directory_ask_keyframe(const RtcSource *source) {
  RtcSourceMember *member = source->manager->member;
  RtcListing *listing = source->listing;
  lock(member->group);
  if (listing->publication != 0 && listing->publication == source->feed.publication) {
    listing->keyframe_wanted = true;
    notify(member->group, listing, listing->publisher);
  }
  unlock(member->group);
}

void rtc_directory_eliminate(RtcSource *source) {
  RtcSourceMember *member = source->manager->member;
  lock(member->group);
  unlist(member->group, source->listing);
  notify_others(member, source->listing);
  unlock(member->group);
}

/* -- What sources are told -- */

/* The next source that has something to look at; borrowed. NULL: none. */
static RtcSource *next_notice(RtcSourceMember *member, bool *keyframe_wanted, bool *eliminated) {
  RtcSource *source = NULL;
  lock(member->group);
  RtcSeat *seat = member->notices;
  if (seat) {
    RtcListing *listing = seat->listing;
    cancel_notice(seat);
    source = seat->source;
    follow(source);
    *keyframe_wanted = source->publication != 0 && listing->keyframe_wanted;
    if (*keyframe_wanted)
      listing->keyframe_wanted = false;
    *eliminated = !listing->listed;
  }
  unlock(member->group);
  return source;
}

void rtc_directory_take_notices(RtcSourceMember *member) {
  RtcSource *source;
  bool keyframe_wanted;
  bool eliminated;
  while ((source = next_notice(member, &keyframe_wanted, &eliminated))) {
    if (keyframe_wanted)
      rtc_source_ask_keyframe(source);
    if (eliminated) {
      RtcSource *handle = rtc_source_ref(source);
      rtc_source_manager_remove(source->manager, source);
      rtc_source_unbind(source);
      rtc_source_unref(&handle);
    }
  }
}
