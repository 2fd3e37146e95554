/* SRTP and SRTCP of one session, on libsrtp2. */
#include "protocol/srtp.h"

#include "protocol/srtp_evp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <srtp2/srtp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define RTP_HEADER_LEN  12 /* RFC 3550 section 5.1, the fixed part */
#define RTP_SSRC_AT     8
#define RTCP_HEADER_LEN 8 /* RFC 3550 section 6.1: all but what is of one type */
#define RTCP_SSRC_AT    4
#define SRTCP_INDEX_LEN 4 /* E flag and index, RFC 3711 section 3.4 */

/* Replay protection looks back so many packets (RFC 3711 section 3.3.2 wants 64 at least): a second
 * of video over a conn may be overtaken by what goes over another one. */
#define REPLAY_WINDOW 1024

/* A frame of RFC 4571 is no longer; libsrtp's lengths are int. */
#define PACKET_LEN_MAX 65535

struct RtcSrtp {
  srtp_t outbound; /* owned */
  srtp_t inbound;  /* owned */
  size_t tag_len;  /* of SRTP and of SRTCP [octets] */
  bool aead;
  size_t ssrc_count;
  uint32_t ssrcs[RTC_SRTP_SSRCS_MAX]; /* with which authentic packets have come */
};

/* ---- libsrtp ------------------------------------------------------------------------------- */

static pthread_once_t library_once = PTHREAD_ONCE_INIT;
static unsigned on_evp; /* bits of RtcSrtpTransform; written once */

/* Key limits and SSRC collisions come back as the calls' status; nothing is printed. */
static void ignore_event(srtp_event_data_t *event) {
  (void)event;
}

/* A host may use libsrtp too. srtp_init refuses a second call, so that a refusal says nothing: what
 * can't be used, srtp_create will tell. Who came first keeps the event handler. The transforms are
 * replaced for the host as well: see srtp_evp.h on what that means for its contexts. */
static void init_library(void) {
  if (srtp_init() == srtp_err_status_ok)
    srtp_install_event_handler(ignore_event);
  on_evp = rtc_srtp_evp_register();
}

void rtc_srtp_init(const RtcLog *log) {
  pthread_once(&library_once, init_library);
  rtc_srtp_evp_report(on_evp, log);
}

/* libsrtp calls a lack of memory by other names too, init_fail while it derives keys and auth_fail
 * while it computes a tag; malloc tells in errno, which is 0 before each call. */
static RtcError error_of(srtp_err_status_t status) {
  if (status && errno == ENOMEM)
    return RTC_ERROR_NO_MEMORY;
  switch (status) {
  case srtp_err_status_ok:
    return RTC_OK;
  case srtp_err_status_auth_fail:
    return RTC_ERROR_AUTH;
  case srtp_err_status_replay_fail:
  case srtp_err_status_replay_old:
  case srtp_err_status_pkt_idx_old:
    return RTC_ERROR_REPLAY;
  case srtp_err_status_bad_param:
  case srtp_err_status_parse_err:
  case srtp_err_status_cant_check:
    return RTC_ERROR_PROTO;
  case srtp_err_status_alloc_fail:
    return RTC_ERROR_NO_MEMORY;
  default:
    return RTC_ERROR_LIBRARY;
  }
}

/* ---- A session ----------------------------------------------------------------------------- */

/* SRTCP's tag is SRTP's in all three: RFC 5764 section 4.1.2, RFC 7714 section 12. */
static RtcError set_policy(srtp_policy_t *policy, RtcSrtpProfile profile) {
  switch (profile) {
  case RTC_SRTP_PROFILE_AES128_CM_SHA1_80:
    srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy->rtp);
    break;
  case RTC_SRTP_PROFILE_AEAD_AES_128_GCM:
    srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy->rtp);
    break;
  case RTC_SRTP_PROFILE_AEAD_AES_256_GCM:
    srtp_crypto_policy_set_aes_gcm_256_16_auth(&policy->rtp);
    break;
  default:
    return RTC_ERROR_UNSUPPORTED;
  }
  policy->rtcp = policy->rtp;
  policy->window_size = REPLAY_WINDOW;
  return RTC_OK;
}

/* libsrtp copies the key, but takes it as not const. */
static RtcError create(srtp_t *context, srtp_policy_t *policy, srtp_ssrc_type_t direction,
                       const uint8_t *master) {
  uint8_t key[RTC_SRTP_MASTER_MAX];
  memcpy(key, master, sizeof key);
  policy->ssrc.type = direction;
  /* A packet may be protected again, the same: see RFC 3711 section 9.1 on any other. */
  policy->allow_repeat_tx = direction == ssrc_any_outbound;
  policy->key = key;
  errno = 0;
  RtcError error = error_of(srtp_create(context, policy));
  policy->key = NULL;
  explicit_bzero(key, sizeof key);
  /* Anything else than memory is an argument that libsrtp does not like: our mistake. */
  return !error || error == RTC_ERROR_NO_MEMORY ? error : RTC_ERROR_LIBRARY;
}

RtcError rtc_srtp_new(RtcSrtp **srtp, const RtcSrtpKeys *keys) {
  srtp_policy_t policy = {0};
  RtcError error = set_policy(&policy, keys->profile);
  if (error)
    return error;
  if (keys->len != (size_t)policy.rtp.cipher_key_len)
    return RTC_ERROR_UNSUPPORTED;
  rtc_srtp_init(NULL);

  RtcSrtp *made = calloc(1, sizeof *made);
  if (!made)
    return RTC_ERROR_NO_MEMORY;
  made->tag_len = (size_t)policy.rtp.auth_tag_len;
  made->aead = keys->profile != RTC_SRTP_PROFILE_AES128_CM_SHA1_80;
  error = create(&made->outbound, &policy, ssrc_any_outbound, keys->send);
  if (!error)
    error = create(&made->inbound, &policy, ssrc_any_inbound, keys->receive);
  if (error) {
    rtc_srtp_destroy(made);
    return error;
  }
  *srtp = made;
  return RTC_OK;
}

void rtc_srtp_destroy(RtcSrtp *srtp) {
  if (!srtp)
    return;
  if (srtp->outbound)
    srtp_dealloc(srtp->outbound);
  if (srtp->inbound)
    srtp_dealloc(srtp->inbound);
  free(srtp);
}

void rtc_srtp_remove_send_ssrc(RtcSrtp *srtp, uint32_t ssrc) {
  srtp_remove_stream(srtp->outbound, htonl(ssrc)); /* libsrtp's is in network byte order */
}

/* ---- What libsrtp does not check, or checks too late --------------------------------------- */

static uint32_t read_u32(const uint8_t *data) {
  return (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 | data[3];
}

static bool is_version_2(const uint8_t *packet) {
  return packet[0] >> 6 == 2;
}

/* How long the header is by its CSRCs and extension, libsrtp checks itself. */
static bool has_rtp_header(const uint8_t *packet, size_t len, size_t trailer_len) {
  return len <= PACKET_LEN_MAX && len >= RTP_HEADER_LEN + trailer_len && is_version_2(packet);
}

static bool has_rtcp_header(const uint8_t *packet, size_t len, size_t trailer_len) {
  return len <= PACKET_LEN_MAX && len >= RTCP_HEADER_LEN + trailer_len && is_version_2(packet);
}

/* SRTCP's E flag stands before the tag, with AEAD behind it (RFC 7714 section 9.1). Each profile
 * encrypts, so what says that it is in the clear is not of our peer; and libsrtp 2.5 keeps some of
 * such a packet to authenticate the next one by, when it is about 2 KiB long. */
static bool is_srtcp_encrypted(const RtcSrtp *srtp, const uint8_t *packet, size_t len) {
  size_t behind = SRTCP_INDEX_LEN + (srtp->aead ? 0 : srtp->tag_len);
  return packet[len - behind] & 0x80;
}

static bool is_ssrc_known(const RtcSrtp *srtp, uint32_t ssrc) {
  for (size_t i = 0; i < srtp->ssrc_count; i++)
    if (srtp->ssrcs[i] == ssrc)
      return true;
  return false;
}

/* ---- Packets ------------------------------------------------------------------------------- */

typedef srtp_err_status_t (*Transform)(srtp_t context, void *packet, int *len);

/* libsrtp reads and writes 32-bit fields through pointers that need not be aligned here: packets
 * stand where the stream of frames has put them. */
static RtcError transform(Transform fn, srtp_t context, uint8_t *packet, size_t *len) {
  int octets = (int)*len;
  errno = 0;
  RtcError error = error_of(fn(context, packet, &octets));
  if (!error)
    *len = (size_t)octets;
  return error;
}

static RtcError protect(RtcSrtp *srtp, Transform fn, uint8_t *packet, size_t *len, size_t cap,
                        size_t trailer_len) {
  if (*len > cap || cap - *len < trailer_len)
    return RTC_ERROR_LIMIT;
  return transform(fn, srtp->outbound, packet, len);
}

/* libsrtp holds state for an SSRC from its first authentic packet on. */
static RtcError unprotect(RtcSrtp *srtp, Transform fn, uint8_t *packet, size_t *len,
                          uint32_t ssrc) {
  bool known = is_ssrc_known(srtp, ssrc);
  if (!known && srtp->ssrc_count == RTC_SRTP_SSRCS_MAX)
    return RTC_ERROR_LIMIT;
  RtcError error = transform(fn, srtp->inbound, packet, len);
  if (!error && !known)
    srtp->ssrcs[srtp->ssrc_count++] = ssrc;
  return error;
}

RtcError rtc_srtp_protect(RtcSrtp *srtp, uint8_t *packet, size_t *len, size_t cap) {
  if (!has_rtp_header(packet, *len, 0))
    return RTC_ERROR_PROTO;
  return protect(srtp, srtp_protect, packet, len, cap, srtp->tag_len);
}

RtcError rtc_srtp_protect_rtcp(RtcSrtp *srtp, uint8_t *packet, size_t *len, size_t cap) {
  if (!has_rtcp_header(packet, *len, 0))
    return RTC_ERROR_PROTO;
  return protect(srtp, srtp_protect_rtcp, packet, len, cap, srtp->tag_len + SRTCP_INDEX_LEN);
}

RtcError rtc_srtp_unprotect(RtcSrtp *srtp, uint8_t *packet, size_t *len) {
  if (!has_rtp_header(packet, *len, srtp->tag_len))
    return RTC_ERROR_PROTO;
  return unprotect(srtp, srtp_unprotect, packet, len, read_u32(packet + RTP_SSRC_AT));
}

RtcError rtc_srtp_unprotect_rtcp(RtcSrtp *srtp, uint8_t *packet, size_t *len) {
  if (!has_rtcp_header(packet, *len, srtp->tag_len + SRTCP_INDEX_LEN) ||
      !is_srtcp_encrypted(srtp, packet, *len))
    return RTC_ERROR_PROTO;
  return unprotect(srtp, srtp_unprotect_rtcp, packet, len, read_u32(packet + RTCP_SSRC_AT));
}
