/* Opens and protects packets of an SRTP session with fixed keys.
 * Input: one octet (profile, RTP or RTCP, address), then packets, each behind its 16-bit length. */
#include "protocol/srtp.h"

#include <stdlib.h>
#include <string.h>

#define ROOM       ((size_t)70000)
#define BIT_RTCP   0x10
#define BIT_OFFSET 0x20

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
  RtcSrtpProfile profile;
  size_t key_len; /* with the salt [octets] */
} shapes[] = {
    {RTC_SRTP_PROFILE_AES128_CM_SHA1_80, 30},
    {RTC_SRTP_PROFILE_AEAD_AES_128_GCM, 28},
    {RTC_SRTP_PROFILE_AEAD_AES_256_GCM, 44},
};

static RtcSrtp *open_session(size_t shape) {
  RtcSrtpKeys keys = {.profile = shapes[shape].profile, .len = shapes[shape].key_len};
  RtcSrtp *srtp;
  memset(keys.send, 0x11, sizeof keys.send);
  memset(keys.receive, 0x11, sizeof keys.receive); /* so that it opens what it protects */
  if (rtc_srtp_new(&srtp, &keys))
    abort();
  return srtp;
}

static RtcError open_packet(RtcSrtp *srtp, bool is_rtcp, uint8_t *packet, size_t *len) {
  return is_rtcp ? rtc_srtp_unprotect_rtcp(srtp, packet, len)
                 : rtc_srtp_unprotect(srtp, packet, len);
}

static RtcError protect_packet(RtcSrtp *srtp, bool is_rtcp, uint8_t *packet, size_t *len) {
  size_t cap = *len + RTC_SRTP_OVERHEAD_MAX;
  return is_rtcp ? rtc_srtp_protect_rtcp(srtp, packet, len, cap)
                 : rtc_srtp_protect(srtp, packet, len, cap);
}

/* What comes in is opened as it is; then it is taken as a packet to send, and must come back. */
static void try_packet(RtcSrtp *srtp, bool is_rtcp, uint8_t *room, const uint8_t *data,
                       size_t size) {
  size_t len = size;
  memcpy(room, data, size);
  if (open_packet(srtp, is_rtcp, room, &len) == RTC_OK && len >= size)
    abort();
  len = size;
  memcpy(room, data, size);
  if (protect_packet(srtp, is_rtcp, room, &len))
    return;
  if (len <= size || len > size + RTC_SRTP_OVERHEAD_MAX)
    abort();
  if (open_packet(srtp, is_rtcp, room, &len) == RTC_OK &&
      (len != size || memcmp(room, data, size) != 0))
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static uint8_t room[ROOM];
  if (size == 0)
    return 0;
  uint8_t choice = *data++;
  size--;
  RtcSrtp *srtp = open_session((choice & 0x0F) % (sizeof shapes / sizeof *shapes));
  while (size >= 2) {
    size_t len = (size_t)(data[0] << 8 | data[1]);
    data += 2;
    size -= 2;
    if (len > size)
      len = size;
    try_packet(srtp, choice & BIT_RTCP, room + (choice & BIT_OFFSET ? 1 : 0), data, len);
    data += len;
    size -= len;
  }
  rtc_srtp_destroy(srtp);
  return 0;
}
