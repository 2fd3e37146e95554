/* SRTP and SRTCP: known answers computed anew from the RFCs, authentication, replay, limits.
 * RFC 7714's own vectors start from session keys, and libsrtp takes master keys only. */
#include "protocol/srtp.h"

#include "support/srtp_reference.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CAP      1500
#define SSRC     0xCAFEBABEU
#define WINDOW   1024
#define PROFILES 3

typedef struct Packet {
  uint8_t data[CAP];
  size_t len;
  size_t header_len;
} Packet;

static const RtcSrtpProfile profiles[PROFILES] = {
    RTC_SRTP_PROFILE_AES128_CM_SHA1_80,
    RTC_SRTP_PROFILE_AEAD_AES_128_GCM,
    RTC_SRTP_PROFILE_AEAD_AES_256_GCM,
};

static RtcSrtp *sender, *receiver;

static size_t tag_len_of(RtcSrtpProfile profile) {
  return profile == RTC_SRTP_PROFILE_AES128_CM_SHA1_80 ? 10 : 16;
}

static RtcSrtpKeys keys_of(RtcSrtpProfile profile) {
  static const size_t lens[PROFILES] = {30, 28, 44};
  RtcSrtpKeys keys = {.profile = profile};
  for (size_t i = 0; i < PROFILES; i++)
    if (profiles[i] == profile)
      keys.len = lens[i];
  for (size_t i = 0; i < keys.len; i++) {
    keys.send[i] = (uint8_t)(0xE1 + 7 * i);
    keys.receive[i] = (uint8_t)(0x2B + 11 * i);
  }
  return keys;
}

static RtcSrtpKeys crossed(const RtcSrtpKeys *keys) {
  RtcSrtpKeys other = *keys;
  memcpy(other.send, keys->receive, sizeof other.send);
  memcpy(other.receive, keys->send, sizeof other.receive);
  return other;
}

static void make_pair(RtcSrtpProfile profile) {
  RtcSrtpKeys keys = keys_of(profile);
  RtcSrtpKeys other = crossed(&keys);
  assert_int_equal(rtc_srtp_new(&sender, &keys), RTC_OK);
  assert_int_equal(rtc_srtp_new(&receiver, &other), RTC_OK);
}

static int finish(void **state) {
  (void)state;
  rtc_srtp_destroy(sender);
  rtc_srtp_destroy(receiver);
  sender = receiver = NULL;
  return 0;
}

static void put_u32(uint8_t *data, uint32_t value) {
  for (int i = 0; i < 4; i++)
    data[i] = (uint8_t)(value >> (24 - 8 * i));
}

static Packet rtp(uint32_t ssrc, uint16_t sequence, size_t payload_len) {
  Packet packet = {.header_len = 12, .len = 12 + payload_len};
  packet.data[0] = 0x80;
  packet.data[1] = 96;
  packet.data[2] = (uint8_t)(sequence >> 8);
  packet.data[3] = (uint8_t)sequence;
  put_u32(packet.data + 4, 90000U * sequence);
  put_u32(packet.data + 8, ssrc);
  for (size_t i = 0; i < payload_len; i++)
    packet.data[12 + i] = (uint8_t)(i * 31 + sequence);
  return packet;
}

/* With two CSRCs and a header extension of two words. */
static Packet rtp_with_everything(uint32_t ssrc, uint16_t sequence, size_t payload_len) {
  static const uint8_t more[] = {1, 1, 1,    1, 2,    2, 2, 2, 0xBE, 0xDE,
                                 0, 2, 0x10, 7, 0x20, 8, 0, 0, 0,    0};
  Packet packet = rtp(ssrc, sequence, sizeof more + payload_len);
  packet.data[0] = 0x92;
  memcpy(packet.data + 12, more, sizeof more);
  packet.header_len += sizeof more;
  return packet;
}

/* A receiver report without blocks, and len octets of what may be anything. */
static Packet rtcp(uint32_t ssrc, size_t more_len) {
  Packet packet = {.header_len = 8, .len = 8 + more_len};
  packet.data[0] = 0x80;
  packet.data[1] = 201;
  packet.data[3] = (uint8_t)(1 + more_len / 4);
  put_u32(packet.data + 4, ssrc);
  memset(packet.data + 8, 0x5A, more_len);
  return packet;
}

static void protect(Packet *packet) {
  size_t before = packet->len;
  assert_int_equal(rtc_srtp_protect(sender, packet->data, &packet->len, CAP), RTC_OK);
  assert_in_range(packet->len, before + 1, before + RTC_SRTP_OVERHEAD_MAX);
}

static void protect_rtcp(Packet *packet) {
  size_t before = packet->len;
  assert_int_equal(rtc_srtp_protect_rtcp(sender, packet->data, &packet->len, CAP), RTC_OK);
  assert_in_range(packet->len, before + 1, before + RTC_SRTP_OVERHEAD_MAX);
}

/* Opens a copy of the packet's own size, so that a sanitizer sees each octet beyond it. */
static RtcError open_copy(const Packet *packet, bool is_rtcp, Packet *plain) {
  uint8_t *data = malloc(packet->len ? packet->len : 1);
  size_t len = packet->len;
  assert_non_null(data);
  memcpy(data, packet->data, packet->len);
  RtcError error = is_rtcp ? rtc_srtp_unprotect_rtcp(receiver, data, &len)
                           : rtc_srtp_unprotect(receiver, data, &len);
  if (!error && plain) {
    memcpy(plain->data, data, len);
    plain->len = len;
  }
  free(data);
  return error;
}

static void assert_opens(const Packet *packet, bool is_rtcp) {
  assert_int_equal(open_copy(packet, is_rtcp, NULL), RTC_OK);
}

static void assert_same(const Packet *a, const Packet *b) {
  assert_int_equal(a->len, b->len);
  assert_memory_equal(a->data, b->data, a->len);
}

/* ---- Known answers ------------------------------------------------------------------------- */

static void check_rtp(RtcSrtpProfile profile, uint32_t roc, const Packet *plain) {
  RtcSrtpKeys keys = keys_of(profile);
  Packet actual = *plain, expected = *plain, opened;
  protect(&actual);
  expected.len =
      srtp_reference_protect(profile, keys.send, roc, expected.data, plain->header_len, plain->len);
  assert_same(&actual, &expected);
  assert_int_equal(open_copy(&expected, false, &opened), RTC_OK);
  assert_same(&opened, plain);
}

/* Key derivation, encryption and tag, octet for octet, over the wrap of the sequence number. */
static void rtp_is_protected_as_the_rfcs_say(void **state) {
  (void)state;
  static const size_t lens[] = {0, 1, 15, 16, 17, 160, 1201};
  for (size_t i = 0; i < PROFILES; i++) {
    make_pair(profiles[i]);
    for (uint32_t n = 0; n < 2 * sizeof lens / sizeof *lens; n++) {
      uint32_t index = 65536 - 7 + n;
      uint16_t sequence = (uint16_t)index;
      size_t len = lens[n / 2];
      Packet plain = n % 2 ? rtp(SSRC, sequence, len) : rtp_with_everything(SSRC, sequence, len);
      check_rtp(profiles[i], index >> 16, &plain);
    }
    finish(NULL);
  }
}

/* SRTCP, whose index is in the packet and begins with 1. */
static void rtcp_is_protected_as_the_rfcs_say(void **state) {
  (void)state;
  static const size_t lens[] = {0, 4, 20, 256, 1200};
  for (size_t i = 0; i < PROFILES; i++) {
    make_pair(profiles[i]);
    RtcSrtpKeys keys = keys_of(profiles[i]);
    for (uint32_t n = 0; n < sizeof lens / sizeof *lens; n++) {
      Packet plain = rtcp(SSRC, lens[n]);
      Packet actual = plain, expected = plain, opened;
      protect_rtcp(&actual);
      expected.len =
          srtp_reference_protect_rtcp(profiles[i], keys.send, n + 1, expected.data, plain.len);
      assert_same(&actual, &expected);
      assert_int_equal(open_copy(&expected, true, &opened), RTC_OK);
      assert_same(&opened, &plain);
    }
    finish(NULL);
  }
}

/* The order of the stream of frames decides where a packet stands: at any address. */
static void packets_may_stand_at_any_address(void **state) {
  (void)state;
  uint8_t *room = aligned_alloc(64, 2048);
  assert_non_null(room);
  for (size_t i = 0; i < PROFILES; i++) {
    make_pair(profiles[i]);
    RtcSrtpKeys keys = keys_of(profiles[i]);
    for (size_t offset = 0; offset < 64; offset++) {
      Packet plain = rtp_with_everything(SSRC, (uint16_t)offset, 100 + offset);
      Packet expected = plain;
      uint8_t *packet = room + offset;
      size_t len = plain.len;
      memcpy(packet, plain.data, len);
      assert_int_equal(rtc_srtp_protect(sender, packet, &len, CAP), RTC_OK);
      expected.len = srtp_reference_protect(profiles[i], keys.send, 0, expected.data,
                                            plain.header_len, plain.len);
      assert_int_equal(len, expected.len);
      assert_memory_equal(packet, expected.data, len);
      assert_int_equal(rtc_srtp_unprotect(receiver, packet, &len), RTC_OK);
      assert_memory_equal(packet, plain.data, plain.len);

      Packet report = rtcp(SSRC, 100);
      len = report.len;
      memcpy(packet, report.data, len);
      assert_int_equal(rtc_srtp_protect_rtcp(sender, packet, &len, CAP), RTC_OK);
      assert_int_equal(rtc_srtp_unprotect_rtcp(receiver, packet, &len), RTC_OK);
      assert_memory_equal(packet, report.data, report.len);
    }
    finish(NULL);
  }
  free(room);
}

/* ---- Authentication ------------------------------------------------------------------------ */

static void check_tampered(const Packet *genuine, bool is_rtcp) {
  for (size_t i = 0; i < genuine->len; i++) {
    Packet tampered = *genuine;
    tampered.data[i] ^= 0x01;
    RtcError error = open_copy(&tampered, is_rtcp, NULL);
    /* An RTP header says how long it is: it may now be longer than the packet. */
    bool may_be_malformed = !is_rtcp && i < genuine->header_len;
    assert_true(error == RTC_ERROR_AUTH || (may_be_malformed && error == RTC_ERROR_PROTO));
  }
  assert_opens(genuine, is_rtcp);
}

/* No octet can be changed; and what was refused leaves nothing behind. */
static void tampering_with_any_octet_is_found(void **state) {
  (void)state;
  for (size_t i = 0; i < PROFILES; i++) {
    make_pair(profiles[i]);
    Packet media = rtp_with_everything(SSRC, 1000, 60);
    Packet report = rtcp(SSRC, 40);
    protect(&media);
    protect_rtcp(&report);
    check_tampered(&media, false);
    check_tampered(&report, true);
    finish(NULL);
  }
}

/* The keys of the other direction are not this direction's. */
static void packet_of_another_session_is_refused(void **state) {
  (void)state;
  for (size_t i = 0; i < PROFILES; i++) {
    make_pair(profiles[i]);
    Packet media = rtp(SSRC, 1, 100), report = rtcp(SSRC, 20);
    protect(&media);
    protect_rtcp(&report);
    size_t len = media.len;
    assert_int_equal(rtc_srtp_unprotect(sender, media.data, &len), RTC_ERROR_AUTH);
    assert_int_equal(len, media.len);
    len = report.len;
    assert_int_equal(rtc_srtp_unprotect_rtcp(sender, report.data, &len), RTC_ERROR_AUTH);
    finish(NULL);
  }
}

/* SRTCP that says it is in the clear is no peer's of ours. It is refused before libsrtp sees it:
 * 2.5 keeps 2 KiB of it to authenticate the next packet by, and refuses all from then on. */
static void srtcp_in_the_clear_is_refused_and_does_no_harm(void **state) {
  (void)state;
  static uint8_t clear[2100];
  for (size_t i = 0; i < PROFILES; i++) {
    make_pair(profiles[i]);
    for (size_t len = 2048; len < sizeof clear; len++) {
      Packet header = rtcp(SSRC, 0);
      memset(clear, 0, sizeof clear);
      memcpy(clear, header.data, header.len);
      size_t out_len = len;
      assert_int_equal(rtc_srtp_unprotect_rtcp(receiver, clear, &out_len), RTC_ERROR_PROTO);
    }
    Packet report = rtcp(SSRC, 20);
    protect_rtcp(&report);
    assert_opens(&report, true);
    finish(NULL);
  }
}

/* ---- Order --------------------------------------------------------------------------------- */

/* Each packet is opened once, whenever it comes again. */
static void replay_is_refused(void **state) {
  (void)state;
  for (size_t i = 0; i < PROFILES; i++) {
    make_pair(profiles[i]);
    for (uint16_t n = 0; n < 10; n++) {
      Packet media = rtp(SSRC, (uint16_t)(65530 + n), 50), report = rtcp(SSRC, 20);
      protect(&media);
      protect_rtcp(&report);
      for (int again = 0; again < 3; again++) {
        assert_int_equal(open_copy(&media, false, NULL), again ? RTC_ERROR_REPLAY : RTC_OK);
        assert_int_equal(open_copy(&report, true, NULL), again ? RTC_ERROR_REPLAY : RTC_OK);
      }
    }
    finish(NULL);
  }
}

/* Late packets are opened as long as the window knows whether they have come. */
static void late_packets_are_opened_within_the_window(void **state) {
  (void)state;
  static Packet sent[WINDOW + 2];
  for (size_t i = 0; i < PROFILES; i++) {
    make_pair(profiles[i]);
    for (uint16_t n = 0; n < WINDOW + 2; n++) {
      sent[n] = rtp(SSRC, (uint16_t)(65000 + n), 20); /* wraps on the way */
      protect(&sent[n]);
    }
    assert_opens(&sent[1], false);
    assert_opens(&sent[WINDOW + 1], false);
    for (size_t n = WINDOW; n > 1; n--)
      assert_opens(&sent[n], false);
    assert_int_equal(open_copy(&sent[0], false, NULL), RTC_ERROR_REPLAY);
    assert_int_equal(open_copy(&sent[500], false, NULL), RTC_ERROR_REPLAY);
    finish(NULL);
  }
}

/* The rollover counter goes on by itself, on both sides, more than once. */
static void sequence_number_may_wrap_again_and_again(void **state) {
  (void)state;
  for (size_t i = 0; i < PROFILES; i++) {
    make_pair(profiles[i]);
    for (uint32_t index = 100; index < 3 * 65536; index += 20000) {
      Packet plain = rtp(SSRC, (uint16_t)index, 30);
      check_rtp(profiles[i], index >> 16, &plain);
    }
    finish(NULL);
  }
}

/* The same packet may be protected again: it comes out the same. */
static void packet_may_be_sent_again(void **state) {
  (void)state;
  for (size_t i = 0; i < PROFILES; i++) {
    make_pair(profiles[i]);
    Packet first = rtp(SSRC, 1, 50), again = first;
    protect(&first);
    protect(&again);
    assert_same(&first, &again);
    finish(NULL);
  }
}

/* A stream that was removed is gone: its indices begin anew. */
static void removed_stream_is_forgotten(void **state) {
  (void)state;
  for (size_t i = 0; i < PROFILES; i++) {
    make_pair(profiles[i]);
    Packet first = rtcp(SSRC, 20), second = first, anew = first;
    protect_rtcp(&first);
    protect_rtcp(&second);
    rtc_srtp_remove_send_ssrc(sender, SSRC);
    rtc_srtp_remove_send_ssrc(sender, SSRC);
    rtc_srtp_remove_send_ssrc(sender, SSRC + 1);
    protect_rtcp(&anew);
    assert_same(&first, &anew);
    assert_memory_not_equal(first.data, second.data, first.len);
    finish(NULL);
  }
}

/* ---- Limits -------------------------------------------------------------------------------- */

/* A peer's SSRCs are counted when they are authentic, by RTP and RTCP alike. */
static void ssrcs_are_limited_once_authentic(void **state) {
  (void)state;
  for (size_t i = 0; i < PROFILES; i++) {
    make_pair(profiles[i]);
    for (uint32_t n = 0; n < 2 * RTC_SRTP_SSRCS_MAX; n++) {
      Packet forged = rtp(1000 + n, 1, 50);
      forged.len += tag_len_of(profiles[i]);
      assert_int_equal(open_copy(&forged, false, NULL), RTC_ERROR_AUTH);
    }
    for (uint32_t n = 0; n < RTC_SRTP_SSRCS_MAX; n++) {
      Packet packet = n % 2 ? rtp(n, 1, 50) : rtcp(n, 20);
      n % 2 ? protect(&packet) : protect_rtcp(&packet);
      assert_opens(&packet, n % 2 == 0);
    }
    Packet media = rtp(RTC_SRTP_SSRCS_MAX, 1, 50), report = rtcp(RTC_SRTP_SSRCS_MAX, 20);
    protect(&media);
    protect_rtcp(&report);
    assert_int_equal(open_copy(&media, false, NULL), RTC_ERROR_LIMIT);
    assert_int_equal(open_copy(&report, true, NULL), RTC_ERROR_LIMIT);
    for (uint32_t n = 0; n < RTC_SRTP_SSRCS_MAX; n++) { /* the known ones go on */
      Packet packet = rtp(n, 2, 50);
      protect(&packet);
      assert_opens(&packet, false);
    }
    finish(NULL);
  }
}

static void assert_malformed(const Packet *packet, bool is_rtcp) {
  assert_int_equal(open_copy(packet, is_rtcp, NULL), RTC_ERROR_PROTO);
}

/* Nothing is read beyond a packet, however short it is. */
static void short_packets_are_malformed(void **state) {
  (void)state;
  for (size_t i = 0; i < PROFILES; i++) {
    make_pair(profiles[i]);
    Packet media = rtp(SSRC, 1, 0), report = rtcp(SSRC, 0);
    size_t media_len = 12 + tag_len_of(profiles[i]);
    size_t report_len = 8 + 4 + tag_len_of(profiles[i]);
    for (media.len = 0; media.len < media_len; media.len++)
      assert_malformed(&media, false);
    for (report.len = 0; report.len < report_len; report.len++)
      assert_malformed(&report, true);
    memset(report.data + 8, 0xFF, 32); /* with the E flag */
    assert_int_equal(open_copy(&media, false, NULL), RTC_ERROR_AUTH);
    assert_int_equal(open_copy(&report, true, NULL), RTC_ERROR_AUTH);
    for (size_t len = 0; len < 12; len++) {
      size_t unchanged = len;
      assert_int_equal(rtc_srtp_protect(sender, media.data, &unchanged, CAP), RTC_ERROR_PROTO);
      assert_int_equal(unchanged, len);
    }
    for (size_t len = 0; len < 8; len++) {
      size_t unchanged = len;
      assert_int_equal(rtc_srtp_protect_rtcp(sender, report.data, &unchanged, CAP),
                       RTC_ERROR_PROTO);
    }
    finish(NULL);
  }
}

/* A header that claims more than the packet has, another version, or more than a frame can hold. */
static void malformed_headers_are_refused(void **state) {
  (void)state;
  static uint8_t huge[65536 + 64];
  make_pair(RTC_SRTP_PROFILE_AEAD_AES_128_GCM);
  for (uint8_t first = 0; first < 0xFF; first++) {
    Packet packet = rtp(SSRC, 1, 16); /* no more than a tag */
    packet.data[0] = first;
    bool is_bare = (first & 0xDF) == 0x80;
    assert_int_equal(open_copy(&packet, false, NULL), is_bare ? RTC_ERROR_AUTH : RTC_ERROR_PROTO);
  }
  Packet report = rtcp(SSRC, 40);
  memset(report.data + 8, 0xFF, 40);
  for (unsigned version = 0; version < 4; version++) {
    report.data[0] = (uint8_t)(version << 6);
    assert_int_equal(open_copy(&report, true, NULL),
                     version == 2 ? RTC_ERROR_AUTH : RTC_ERROR_PROTO);
  }
  memset(huge, 0xFF, sizeof huge);
  huge[0] = 0x80;
  size_t len = 65536;
  assert_int_equal(rtc_srtp_unprotect(receiver, huge, &len), RTC_ERROR_PROTO);
  assert_int_equal(rtc_srtp_unprotect_rtcp(receiver, huge, &len), RTC_ERROR_PROTO);
  assert_int_equal(rtc_srtp_protect(sender, huge, &len, sizeof huge), RTC_ERROR_PROTO);
  assert_int_equal(rtc_srtp_protect_rtcp(sender, huge, &len, sizeof huge), RTC_ERROR_PROTO);
}

/* Protecting never writes beyond the room it was given. */
static void protecting_needs_room_for_the_trailer(void **state) {
  (void)state;
  for (size_t i = 0; i < PROFILES; i++) {
    make_pair(profiles[i]);
    Packet media = rtp(SSRC, 1, 50), report = rtcp(SSRC, 20);
    size_t media_len = media.len + tag_len_of(profiles[i]);
    size_t report_len = report.len + 4 + tag_len_of(profiles[i]);
    size_t len = media.len;
    for (size_t cap = 0; cap < media_len; cap++)
      assert_int_equal(rtc_srtp_protect(sender, media.data, &len, cap), RTC_ERROR_LIMIT);
    assert_int_equal(rtc_srtp_protect(sender, media.data, &len, media_len), RTC_OK);
    assert_int_equal(len, media_len);
    len = report.len;
    for (size_t cap = 0; cap < report_len; cap++)
      assert_int_equal(rtc_srtp_protect_rtcp(sender, report.data, &len, cap), RTC_ERROR_LIMIT);
    assert_int_equal(rtc_srtp_protect_rtcp(sender, report.data, &len, report_len), RTC_OK);
    assert_int_equal(len, report_len);
    finish(NULL);
  }
}

/* Keys of no profile, or of another length than the profile's. */
static void unknown_profiles_are_refused(void **state) {
  (void)state;
  RtcSrtpKeys keys = keys_of(RTC_SRTP_PROFILE_AEAD_AES_128_GCM);
  RtcSrtp *srtp = NULL;
  keys.len++;
  assert_int_equal(rtc_srtp_new(&srtp, &keys), RTC_ERROR_UNSUPPORTED);
  keys.profile = RTC_SRTP_PROFILE_NONE;
  assert_int_equal(rtc_srtp_new(&srtp, &keys), RTC_ERROR_UNSUPPORTED);
  assert_null(srtp);
  rtc_srtp_destroy(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(rtp_is_protected_as_the_rfcs_say, finish),
      cmocka_unit_test_teardown(rtcp_is_protected_as_the_rfcs_say, finish),
      cmocka_unit_test_teardown(packets_may_stand_at_any_address, finish),
      cmocka_unit_test_teardown(tampering_with_any_octet_is_found, finish),
      cmocka_unit_test_teardown(packet_of_another_session_is_refused, finish),
      cmocka_unit_test_teardown(srtcp_in_the_clear_is_refused_and_does_no_harm, finish),
      cmocka_unit_test_teardown(replay_is_refused, finish),
      cmocka_unit_test_teardown(late_packets_are_opened_within_the_window, finish),
      cmocka_unit_test_teardown(sequence_number_may_wrap_again_and_again, finish),
      cmocka_unit_test_teardown(packet_may_be_sent_again, finish),
      cmocka_unit_test_teardown(removed_stream_is_forgotten, finish),
      cmocka_unit_test_teardown(ssrcs_are_limited_once_authentic, finish),
      cmocka_unit_test_teardown(short_packets_are_malformed, finish),
      cmocka_unit_test_teardown(malformed_headers_are_refused, finish),
      cmocka_unit_test_teardown(protecting_needs_room_for_the_trailer, finish),
      cmocka_unit_test_teardown(unknown_profiles_are_refused, finish),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
