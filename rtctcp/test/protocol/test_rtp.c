/* RTP headers: parsing, header extensions, rewriting. */
#include "protocol/rtp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <string.h>

#define array_len(list) (sizeof(list) / sizeof((list)[0]))

/* clang-format off */
static const uint8_t plain[] = {
    0x80, 0xE0, 0x12, 0x34, 0xDE, 0xAD, 0xBE, 0xEF, 0xCA, 0xFE, 0xBA, 0xBE, 'a', 'b', 'c',
};
/* Two CSRCs, a one-byte extension of two words, three octets of payload, five of padding. */
static const uint8_t full[] = {
    0xB2, 0x60, 0xFF, 0xFF, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x02,
    0x11, 0x11, 0x11, 0x11, 0x22, 0x22, 0x22, 0x22,
    0xBE, 0xDE, 0x00, 0x02, 0x10, 0xAA, 0x51, 0x12, 0x34, 0x00, 0x00, 0x00,
    'x', 'y', 'z', 0x00, 0x00, 0x00, 0x00, 0x05,
};
/* clang-format on */

/* The fixed header, field by field. */
static void fixed_header_is_parsed(void **state) {
  (void)state;
  RtcRtpHeader header;
  assert_int_equal(rtc_rtp_parse(plain, sizeof(plain), &header), RTC_OK);
  assert_true(header.marker);
  assert_int_equal(header.payload_type, 96);
  assert_int_equal(header.sequence, 0x1234);
  assert_int_equal(header.timestamp, 0xDEADBEEF);
  assert_int_equal(header.ssrc, 0xCAFEBABE);
  assert_int_equal(header.csrc_count, 0);
  assert_null(header.extension);
  assert_int_equal(header.payload_offset, 12);
  assert_int_equal(header.payload_len, 3);
  assert_int_equal(header.padding_len, 0);
}

/* CSRCs, extension and padding are told apart from the payload. */
static void csrcs_extension_and_padding_are_parsed(void **state) {
  (void)state;
  RtcRtpHeader header;
  assert_int_equal(rtc_rtp_parse(full, sizeof(full), &header), RTC_OK);
  assert_false(header.marker);
  assert_int_equal(header.sequence, 65535);
  assert_int_equal(header.csrc_count, 2);
  assert_int_equal(header.extension_profile, 0xBEDE);
  assert_ptr_equal(header.extension, full + 24);
  assert_int_equal(header.extension_len, 8);
  assert_int_equal(header.payload_offset, 32);
  assert_int_equal(header.payload_len, 3);
  assert_int_equal(header.padding_len, 5);
}

/* Cut at any octet, the packet is refused, or its padding is no longer what it says. */
static void packet_cut_in_its_header_is_refused(void **state) {
  (void)state;
  for (size_t len = 0; len <= 32; len++) {
    RtcRtpHeader header;
    assert_int_equal(rtc_rtp_parse(full, len, &header), RTC_ERROR_PROTO);
  }
}

/* Each malformation alone. */
static void malformed_packets_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *what;
    size_t len;
    uint8_t packet[24];
  } cases[] = {
      {"version 0", 12, {0x00}},
      {"version 1", 12, {0x40}},
      {"version 3", 12, {0xC0}},
      {"a CSRC beyond the end", 15, {0x81}},
      {"fifteen CSRCs", 24, {0x8F}},
      {"an extension's header beyond the end", 15, {0x90}},
      {"an extension beyond the end", 19, {0x90, [12] = 0xBE, 0xDE, 0, 1}},
      {"an extension of 65,535 words", 24, {0x90, [12] = 0xBE, 0xDE, 0xFF, 0xFF}},
      {"padding of no octets", 16, {0xA0}},
      {"padding without a place", 12, {0xA0}},
      {"padding longer than the payload", 16, {0xA0, [15] = 5}},
      {"padding into the extension", 20, {0xB0, [12] = 0xBE, 0xDE, 0, 1, [19] = 4}},
  };
  for (size_t i = 0; i < array_len(cases); i++) {
    RtcRtpHeader header;
    if (rtc_rtp_parse(cases[i].packet, cases[i].len, &header) != RTC_ERROR_PROTO)
      fail_msg("%s was accepted", cases[i].what);
  }
}

/* Senders probe the path with packets of padding alone. */
static void packet_of_padding_alone_is_accepted(void **state) {
  (void)state;
  const uint8_t packet[16] = {0xA0, [15] = 4};
  RtcRtpHeader header;
  assert_int_equal(rtc_rtp_parse(packet, sizeof(packet), &header), RTC_OK);
  assert_int_equal(header.payload_len, 0);
  assert_int_equal(header.padding_len, 4);
}

typedef struct ExtensionCase {
  const char *what;
  uint16_t profile;
  uint8_t elements[16];
  size_t len;
  uint8_t id;
  bool found;
  uint8_t value[8];
  size_t value_len;
} ExtensionCase;

/* RFC 8285 sections 4.2 and 4.3. */
static const ExtensionCase extension_cases[] = {
    {"one-byte, first", 0xBEDE, {0x10, 7, 0x51, 1, 2}, 8, 1, true, {7}, 1},
    {"one-byte, second", 0xBEDE, {0x10, 7, 0x51, 1, 2}, 8, 5, true, {1, 2}, 2},
    {"one-byte, behind padding", 0xBEDE, {0, 0, 0x10, 7, 0, 0x20, 8, 0}, 8, 2, true, {8}, 1},
    {"one-byte, id 14", 0xBEDE, {0xE0, 9, 0, 0}, 4, 14, true, {9}, 1},
    {"one-byte, up to the end", 0xBEDE, {0x32, 1, 2, 3}, 4, 3, true, {1, 2, 3}, 3},
    {"one-byte, not there", 0xBEDE, {0x10, 7, 0, 0}, 4, 2, false, {0}, 0},
    {"one-byte, id 15 is no element", 0xBEDE, {0xF0, 7, 0, 0}, 4, 15, false, {0}, 0},
    {"one-byte, id 15 ends all", 0xBEDE, {0xF0, 7, 0x10, 8}, 4, 1, false, {0}, 0},
    {"one-byte, id 0 with a length ends all", 0xBEDE, {1, 7, 7, 0x10, 8}, 8, 1, false, {0}, 0},
    {"one-byte, beyond the end", 0xBEDE, {0x13, 1, 2, 3}, 4, 1, false, {0}, 0},
    {"one-byte, beyond the end before it", 0xBEDE, {0x2F, 0x10, 7, 0}, 4, 1, false, {0}, 0},
    {"one-byte, id 0 is padding", 0xBEDE, {0, 0, 0, 0}, 4, 0, false, {0}, 0},
    {"two-byte, first", 0x1000, {1, 1, 7, 200, 2, 1, 2, 0}, 8, 1, true, {7}, 1},
    {"two-byte, id 200", 0x1000, {1, 1, 7, 200, 2, 1, 2, 0}, 8, 200, true, {1, 2}, 2},
    {"two-byte, id 15 is as any", 0x1000, {15, 1, 7, 0}, 4, 15, true, {7}, 1},
    {"two-byte, with appbits", 0x100F, {9, 2, 3, 4}, 4, 9, true, {3, 4}, 2},
    {"two-byte, empty", 0x1000, {0, 0, 5, 0}, 4, 5, true, {0}, 0},
    {"two-byte, behind padding", 0x1000, {0, 0, 0, 4, 1, 6, 0, 0}, 8, 4, true, {6}, 1},
    {"two-byte, not there", 0x1000, {1, 1, 7, 0}, 4, 7, false, {0}, 0},
    {"two-byte, cut behind its id", 0x1000, {0, 0, 0, 4}, 4, 4, false, {0}, 0},
    {"two-byte, beyond the end", 0x1000, {4, 3, 1, 2}, 4, 4, false, {0}, 0},
    {"another profile", 0x1234, {0x10, 7, 0, 0}, 4, 1, false, {0}, 0},
    {"almost two-byte", 0x1010, {1, 1, 7, 0}, 4, 1, false, {0}, 0},
    {"no elements", 0xBEDE, {0}, 0, 1, false, {0}, 0},
};

/* Both forms, and every way in which their table can be malformed. */
static void extension_elements_are_found(void **state) {
  (void)state;
  for (size_t i = 0; i < array_len(extension_cases); i++) {
    const ExtensionCase *at = &extension_cases[i];
    uint8_t packet[12 + 4 + 16] = {0x90};
    packet[12] = (uint8_t)(at->profile >> 8);
    packet[13] = (uint8_t)at->profile;
    packet[15] = (uint8_t)(at->len / 4);
    memcpy(packet + 16, at->elements, at->len);
    RtcRtpHeader header;
    const uint8_t *value = NULL;
    size_t len = 0;
    assert_int_equal(rtc_rtp_parse(packet, 16 + at->len, &header), RTC_OK);
    bool found = rtc_rtp_find_extension(&header, at->id, &value, &len);
    if (found != at->found || len != at->value_len)
      fail_msg("%s: found %d, %zu octets", at->what, found, len);
    if (found)
      assert_memory_equal(value, at->value, len);
  }
}

/* Without the X bit there is nothing to find. */
static void packet_without_extension_has_no_elements(void **state) {
  (void)state;
  RtcRtpHeader header;
  const uint8_t *value;
  size_t len;
  assert_int_equal(rtc_rtp_parse(plain, sizeof(plain), &header), RTC_OK);
  assert_false(rtc_rtp_find_extension(&header, 1, &value, &len));
}

static const RtcRtpRewrite rewrite = {
    .ssrc = 0x01020304, .payload_type = 0x7F, .sequence = 0xABCD, .timestamp = 0x99887766};

/* What a receiver gets: its own fields, the same CSRCs and payload, no extension, no padding. */
static void rewrite_replaces_fields_and_strips_extension_and_padding(void **state) {
  (void)state;
  /* clang-format off */
  static const uint8_t expected[] = {
      0x82, 0x7F, 0xAB, 0xCD, 0x99, 0x88, 0x77, 0x66, 0x01, 0x02, 0x03, 0x04,
      0x11, 0x11, 0x11, 0x11, 0x22, 0x22, 0x22, 0x22, 'x', 'y', 'z',
  };
  /* clang-format on */
  RtcRtpHeader header;
  uint8_t out[sizeof(full)];
  size_t len;
  assert_int_equal(rtc_rtp_parse(full, sizeof(full), &header), RTC_OK);
  assert_int_equal(rtc_rtp_rewrite(full, sizeof(full), &header, &rewrite, out, sizeof(out), &len),
                   RTC_OK);
  assert_int_equal(len, sizeof(expected));
  assert_memory_equal(out, expected, len);
}

/* The marker ends a frame for the receiver too. */
static void rewrite_keeps_the_marker(void **state) {
  (void)state;
  RtcRtpHeader header;
  uint8_t out[sizeof(plain)];
  size_t len;
  assert_int_equal(rtc_rtp_parse(plain, sizeof(plain), &header), RTC_OK);
  assert_int_equal(rtc_rtp_rewrite(plain, sizeof(plain), &header, &rewrite, out, sizeof(out), &len),
                   RTC_OK);
  assert_int_equal(len, sizeof(plain));
  assert_int_equal(out[1], 0xFF);
  assert_memory_equal(out + 12, "abc", 3);
}

/* Room for all but one octet is refused, and nothing is touched. */
static void rewrite_refuses_too_little_room(void **state) {
  (void)state;
  RtcRtpHeader header;
  uint8_t out[sizeof(plain)];
  uint8_t untouched[sizeof(plain)];
  size_t len = 77;
  memset(out, 0xEE, sizeof(out));
  memset(untouched, 0xEE, sizeof(untouched));
  assert_int_equal(rtc_rtp_parse(plain, sizeof(plain), &header), RTC_OK);
  assert_int_equal(
      rtc_rtp_rewrite(plain, sizeof(plain), &header, &rewrite, out, sizeof(plain) - 1, &len),
      RTC_ERROR_LIMIT);
  assert_int_equal(len, 77);
  assert_memory_equal(out, untouched, sizeof(out));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(fixed_header_is_parsed),
      cmocka_unit_test(csrcs_extension_and_padding_are_parsed),
      cmocka_unit_test(packet_cut_in_its_header_is_refused),
      cmocka_unit_test(malformed_packets_are_refused),
      cmocka_unit_test(packet_of_padding_alone_is_accepted),
      cmocka_unit_test(extension_elements_are_found),
      cmocka_unit_test(packet_without_extension_has_no_elements),
      cmocka_unit_test(rewrite_replaces_fields_and_strips_extension_and_padding),
      cmocka_unit_test(rewrite_keeps_the_marker),
      cmocka_unit_test(rewrite_refuses_too_little_room),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
