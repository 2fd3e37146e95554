/* Admission: how many sockets may be open that have not authenticated, in all and per peer. */
#include "transport/admission.h"

#include <assert.h>
#include <stdlib.h>

#define HASH_NONFATAL_OOM            1
#define uthash_nonfatal_oom(element) ((element)->count = 0)
#include <uthash.h>

typedef struct RtcAdmissionPeer {
  RtcAddressKey key;
  size_t count; /* 0 only when the hash could not take it */
  UT_hash_handle hh;
} RtcAdmissionPeer;

void rtc_admission_init(RtcAdmission *admission, size_t max, size_t per_address_max) {
  *admission = (RtcAdmission){.max = max, .per_address_max = per_address_max};
}

void rtc_admission_finish(RtcAdmission *admission) {
  assert(admission->count == 0 && !admission->peers);
  *admission = (RtcAdmission){0};
}

static RtcAdmissionPeer *find(const RtcAdmission *admission, const RtcAddressKey *key) {
  RtcAdmissionPeer *peer;
  HASH_FIND(hh, admission->peers, key, sizeof *key, peer);
  return peer;
}

static RtcError enter_first(RtcAdmission *admission, RtcAddressKey key) {
  RtcAdmissionPeer *peer = calloc(1, sizeof *peer);
  if (!peer)
    return RTC_ERROR_NO_MEMORY;
  peer->key = key;
  peer->count = 1;
  HASH_ADD(hh, admission->peers, key, sizeof peer->key, peer);
  if (!peer->count) {
    free(peer);
    return RTC_ERROR_NO_MEMORY;
  }
  return RTC_OK;
}

RtcError rtc_admission_enter(RtcAdmission *admission, RtcAddressKey key) {
  RtcAdmissionPeer *peer = find(admission, &key);
  if (admission->count >= admission->max || (peer && peer->count >= admission->per_address_max))
    return RTC_ERROR_LIMIT;
  if (peer) {
    peer->count++;
  } else {
    RtcError error = enter_first(admission, key);
    if (error)
      return error;
  }
  admission->count++;
  return RTC_OK;
}

void rtc_admission_leave(RtcAdmission *admission, RtcAddressKey key) {
  RtcAdmissionPeer *peer = find(admission, &key);
  assert(peer && admission->count > 0);
  admission->count--;
  if (--peer->count > 0)
    return;
  HASH_DEL(admission->peers, peer);
  free(peer);
}
