/* Writes reports, and looks for requests for keyframes, see rtcp.h. */
#include "rtcp.h"

#include <string.h>
#include <time.h>

enum {
  RTCP_SR = 200,
  RTCP_RR = 201,
  RTCP_SDES = 202,
  RTCP_PSFB = 206,
  PSFB_PLI = 1,
  PSFB_FIR = 4,
};

#define RTCP_HEADER_LEN   ((size_t)4)
#define NTP_UNIX_OFFSET_S UINT64_C(2208988800) /* from 1900 to 1970 */
#define CNAME             "load"

static uint8_t *put_u32(uint8_t *at, uint32_t value) {
  for (unsigned i = 0; i < 4; i++)
    at[i] = (uint8_t)(value >> (24 - 8 * i));
  return at + 4;
}

static uint32_t read_u32(const uint8_t *at) {
  return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* words: of 32 bits, those after the header */
static uint8_t *put_header(uint8_t *at, unsigned count, unsigned type, unsigned words) {
  at[0] = (uint8_t)(0x80 | count);
  at[1] = (uint8_t)type;
  at[2] = (uint8_t)(words >> 8);
  at[3] = (uint8_t)words;
  return at + RTCP_HEADER_LEN;
}

/* One chunk with a CNAME, filled up with the NULs that end its list (RFC 3550 section 6.5). */
static uint8_t *put_sdes(uint8_t *at, uint32_t ssrc) {
  size_t item_len = (2 + strlen(CNAME) + 1 + 3) / 4 * 4;
  at = put_header(at, 1, RTCP_SDES, (unsigned)(1 + item_len / 4));
  at = put_u32(at, ssrc);
  memset(at, 0, item_len);
  at[0] = 1; /* CNAME */
  at[1] = (uint8_t)strlen(CNAME);
  memcpy(at + 2, CNAME, strlen(CNAME));
  return at + item_len;
}

size_t rtcp_write_receiver(uint8_t out[RTCP_LEN_MAX], uint32_t own_ssrc,
                           const RtcpReception *reception, bool with_pli) {
  unsigned blocks = reception->begun ? 1 : 0;
  uint8_t *at = put_header(out, blocks, RTCP_RR, 1 + 6 * blocks);
  at = put_u32(at, own_ssrc);
  if (reception->begun) {
    at = put_u32(at, reception->ssrc);
    at = put_u32(at, 0); /* nothing is lost: TCP */
    at = put_u32(at, reception->sequence);
    at = put_u32(at, 0); /* jitter: of no use to the peers that are measured */
    at = put_u32(at, 0); /* no SR is answered */
    at = put_u32(at, 0);
  }
  at = put_sdes(at, own_ssrc);
  if (with_pli) {
    at = put_header(at, PSFB_PLI, RTCP_PSFB, 2);
    at = put_u32(at, own_ssrc);
    at = put_u32(at, reception->ssrc);
  }
  return (size_t)(at - out);
}

size_t rtcp_write_sender(uint8_t out[RTCP_LEN_MAX], const RtcpSender *sender) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  uint8_t *at = put_header(out, 0, RTCP_SR, 6);
  at = put_u32(at, sender->ssrc);
  at = put_u32(at, (uint32_t)((uint64_t)now.tv_sec + NTP_UNIX_OFFSET_S));
  at = put_u32(at, (uint32_t)(((uint64_t)now.tv_nsec << 32) / 1000000000u));
  at = put_u32(at, sender->timestamp);
  at = put_u32(at, sender->packets);
  at = put_u32(at, sender->octets);
  at = put_sdes(at, sender->ssrc);
  return (size_t)(at - out);
}

void rtcp_reception_take(RtcpReception *reception, const uint8_t *rtp, size_t len) {
  if (len < 12)
    return;
  uint16_t sequence = (uint16_t)(rtp[2] << 8 | rtp[3]);
  uint32_t ssrc = read_u32(rtp + 8);
  if (!reception->begun || reception->ssrc != ssrc) {
    *reception = (RtcpReception){.begun = true, .ssrc = ssrc, .sequence = sequence};
    return;
  }
  uint16_t ahead = (uint16_t)(sequence - (uint16_t)reception->sequence);
  if (ahead < 0x8000) /* else it is an older one */
    reception->sequence += ahead;
}

bool rtcp_asks_keyframe(const uint8_t *compound, size_t len) {
  while (len >= RTCP_HEADER_LEN) {
    size_t packet_len = 4 * ((size_t)compound[2] << 8 | compound[3]) + RTCP_HEADER_LEN;
    unsigned format = compound[0] & 0x1F;
    if (packet_len > len)
      return false;
    if (compound[1] == RTCP_PSFB && (format == PSFB_PLI || format == PSFB_FIR))
      return true;
    compound += packet_len;
    len -= packet_len;
  }
  return false;
}
