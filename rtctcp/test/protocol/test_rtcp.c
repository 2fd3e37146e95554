/* RTCP: compounds walked, packets read, packets written. */
#include "protocol/rtcp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#define array_len(list) (sizeof(list) / sizeof((list)[0]))

/* One of each type that a browser sends, and some that it does not. */
/* clang-format off */
static const uint8_t compound[] = {
    /* SR of 0x01020304, one report block */
    0x81, 200, 0, 12, 1, 2, 3, 4, 0xE1, 0, 0, 1, 0x80, 0, 0, 0, 0, 1, 0x5F, 0x90,
    0, 0, 0, 100, 0, 0, 0x27, 0x10,
    0xAA, 0, 0, 1, 64, 0, 1, 2, 0, 3, 0, 4, 0, 0, 0, 5, 0x12, 0x34, 0x56, 0x78, 0, 1, 0, 0,
    /* RR of 1, two report blocks; the second has lost -2 packets */
    0x82, 201, 0, 13, 0, 0, 0, 1,
    0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4,
    0, 0, 0, 8, 255, 0xFF, 0xFF, 0xFE, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4,
    0x81, 202, 0, 3, 0, 0, 0, 1, 1, 4, 'n', 'a', 'm', 'e', 0, 0,                    /* SDES */
    0x80, 204, 0, 2, 0, 0, 0, 1, 'n', 'a', 'm', 'e',                                /* APP */
    0x81, 205, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 16, 0, 3,                           /* NACK */
    0x8F, 205, 0, 5, 0, 0, 0, 1, 0, 0, 0, 2, 0, 1, 0, 1, 0, 0, 1, 0, 0x20, 1, 4, 0, /* twcc */
    0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2,                                        /* PLI */
    0x84, 206, 0, 6, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 5, 9, 0, 0, 0,                /* FIR */
    0, 0, 0, 6, 9, 0, 0, 0,
    0x8F, 206, 0, 5, 0, 0, 0, 1, 0, 0, 0, 0, 'R', 'E', 'M', 'B', 1, 3, 0xFF, 0xFF, 0, 0, 0, 2,
    0x80, 207, 0, 4, 0, 0, 0, 1, 4, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2,                /* XR */
    0x83, 192, 0, 1, 0, 0, 0, 1,                                                    /* unknown */
    0x80, 209, 0, 0,                                                                /* unknown */
    0xA1, 203, 0, 2, 0, 0, 0, 1, 0, 0, 0, 4,                                        /* BYE, padded */
};
/* clang-format on */

typedef struct Walked {
  uint8_t type, count;
  uint32_t sender_ssrc, media_ssrc;
  size_t body_len;
} Walked;

static const Walked walked[] = {
    {RTC_RTCP_SR, 1, 0x01020304, 0, 48},
    {RTC_RTCP_RR, 2, 1, 0, 52},
    {RTC_RTCP_SDES, 1, 1, 0, 12},
    {RTC_RTCP_APP, 0, 1, 0, 8},
    {RTC_RTCP_RTPFB, 1, 1, 2, 12},
    {RTC_RTCP_RTPFB, 15, 1, 2, 20},
    {RTC_RTCP_PSFB, 1, 1, 2, 8},
    {RTC_RTCP_PSFB, 4, 1, 0, 24},
    {RTC_RTCP_PSFB, 15, 1, 0, 20},
    {RTC_RTCP_XR, 0, 1, 0, 16},
    {192, 3, 1, 0, 4},
    {209, 0, 0, 0, 0},
    {RTC_RTCP_BYE, 1, 1, 0, 4},
};

/* The i-th packet of the compound above. */
static RtcRtcpPacket packet_at(size_t i) {
  size_t at = 0;
  RtcRtcpPacket packet;
  do
    assert_int_equal(rtc_rtcp_next(compound, sizeof(compound), &at, &packet), RTC_OK);
  while (i-- > 0);
  return packet;
}

/* Known and unknown types, in order, to the exact end; padding is not of the body. */
static void compound_is_walked_to_its_end(void **state) {
  (void)state;
  size_t at = 0;
  RtcRtcpPacket packet;
  for (size_t i = 0; i < array_len(walked); i++) {
    const uint8_t *begin = compound + at;
    assert_int_equal(rtc_rtcp_next(compound, sizeof(compound), &at, &packet), RTC_OK);
    assert_int_equal(packet.type, walked[i].type);
    assert_int_equal(packet.count, walked[i].count);
    assert_int_equal(packet.sender_ssrc, walked[i].sender_ssrc);
    assert_int_equal(packet.media_ssrc, walked[i].media_ssrc);
    assert_int_equal(packet.body_len, walked[i].body_len);
    assert_ptr_equal(packet.body, begin + 4);
  }
  assert_int_equal(at, sizeof(compound));
  assert_int_equal(rtc_rtcp_next(compound, sizeof(compound), &at, &packet), RTC_ERROR_EOF);
}

/* Cut at any octet: the whole packets before the cut are given, and then PROTO, or EOF between. */
static void compound_cut_anywhere_ends_in_proto(void **state) {
  (void)state;
  for (size_t len = 0; len <= sizeof(compound); len++) {
    uint8_t *cut = malloc(len > 0 ? len : 1);
    assert_non_null(cut);
    memcpy(cut, compound, len);
    size_t at = 0;
    RtcRtcpPacket packet;
    RtcError error;
    while (!(error = rtc_rtcp_next(cut, len, &at, &packet)))
      assert_true(at <= len);
    assert_int_equal(error, at == len ? RTC_ERROR_EOF : RTC_ERROR_PROTO);
    free(cut);
  }
}

/* Each malformation alone. */
static void malformed_packets_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *what;
    size_t len;
    uint8_t packet[12];
  } cases[] = {
      {"version 0", 8, {0x00, 201, 0, 1}},
      {"version 1", 8, {0x40, 201, 0, 1}},
      {"version 3", 8, {0xC0, 201, 0, 1}},
      {"half a header", 3, {0x80, 201, 0}},
      {"a length beyond the end", 8, {0x80, 201, 0, 2}},
      {"the greatest length", 12, {0x80, 201, 0xFF, 0xFF}},
      {"padding of no octets", 8, {0xA0, 201, 0, 1, 0, 0, 0, 0}},
      {"padding beyond the body", 8, {0xA0, 201, 0, 1, 0, 0, 0, 5}},
      {"padding without a body", 4, {0xA0, 201, 0, 0}},
  };
  for (size_t i = 0; i < array_len(cases); i++) {
    size_t at = 0;
    RtcRtcpPacket packet;
    if (rtc_rtcp_next(cases[i].packet, cases[i].len, &at, &packet) != RTC_ERROR_PROTO)
      fail_msg("%s was accepted", cases[i].what);
    assert_int_equal(at, 0);
  }
}

/* Sender information, field by field. */
static void sender_report_is_parsed(void **state) {
  (void)state;
  RtcRtcpPacket packet = packet_at(0);
  RtcRtcpSenderInfo info;
  assert_int_equal(rtc_rtcp_parse_sr(&packet, &info), RTC_OK);
  assert_int_equal(info.ssrc, 0x01020304);
  assert_true(info.ntp == UINT64_C(0xE100000180000000));
  assert_int_equal(info.rtp_timestamp, 90000);
  assert_int_equal(info.packets, 100);
  assert_int_equal(info.octets, 10000);
}

/* Another type, and an SR that ends in its sender information. */
static void short_or_other_packet_is_no_sender_report(void **state) {
  (void)state;
  RtcRtcpSenderInfo info;
  RtcRtcpPacket packet = packet_at(1);
  assert_int_equal(rtc_rtcp_parse_sr(&packet, &info), RTC_ERROR_PROTO);
  packet = packet_at(0);
  packet.body_len = 23;
  assert_int_equal(rtc_rtcp_parse_sr(&packet, &info), RTC_ERROR_PROTO);
  packet.body_len = 24;
  assert_int_equal(rtc_rtcp_parse_sr(&packet, &info), RTC_OK);
}

/* Report blocks lie behind the sender information of an SR, and right behind the SSRC of an RR. */
static void report_blocks_are_read_from_sr_and_rr(void **state) {
  (void)state;
  RtcRtcpReportBlock block;
  RtcRtcpPacket sr = packet_at(0);
  assert_true(rtc_rtcp_report_block(&sr, 0, &block));
  assert_int_equal(block.ssrc, 0xAA000001);
  assert_int_equal(block.fraction_lost, 64);
  assert_int_equal(block.lost, 0x000102);
  assert_int_equal(block.highest_sequence, 0x00030004);
  assert_int_equal(block.jitter, 5);
  assert_int_equal(block.lsr, 0x12345678);
  assert_int_equal(block.dlsr, 0x00010000);
  assert_false(rtc_rtcp_report_block(&sr, 1, &block));

  RtcRtcpPacket rr = packet_at(1);
  assert_true(rtc_rtcp_report_block(&rr, 1, &block));
  assert_int_equal(block.ssrc, 8);
  assert_int_equal(block.fraction_lost, 255);
  assert_false(rtc_rtcp_report_block(&rr, 2, &block));
}

/* More duplicates than losses make the count negative (RFC 3550 section 6.4.1). */
static void negative_loss_is_read_as_none(void **state) {
  (void)state;
  RtcRtcpReportBlock block;
  RtcRtcpPacket rr = packet_at(1);
  assert_true(rtc_rtcp_report_block(&rr, 1, &block));
  assert_int_equal(block.lost, 0);
}

/* The count is a claim: a block that is not there is not read; nor one that is not counted. */
static void report_block_beyond_the_body_is_not_read(void **state) {
  (void)state;
  RtcRtcpReportBlock block;
  RtcRtcpPacket rr = packet_at(1);
  rr.count = 1;
  assert_false(rtc_rtcp_report_block(&rr, 1, &block));
  rr.count = 2;
  rr.body_len -= 1;
  assert_true(rtc_rtcp_report_block(&rr, 0, &block));
  assert_false(rtc_rtcp_report_block(&rr, 1, &block));
  rr.count = 31;
  rr.body_len = 0;
  assert_false(rtc_rtcp_report_block(&rr, 0, &block));
  RtcRtcpPacket sdes = packet_at(2);
  sdes.body_len = 52;
  assert_false(rtc_rtcp_report_block(&sdes, 0, &block));
}

/* RFC 5104 section 4.3.1: the entries name the streams, the media SSRC does not. */
static void fir_names_the_streams_of_its_entries(void **state) {
  (void)state;
  RtcRtcpPacket fir = packet_at(7);
  assert_true(rtc_rtcp_fir_names(&fir, 5));
  assert_true(rtc_rtcp_fir_names(&fir, 6));
  assert_false(rtc_rtcp_fir_names(&fir, 0));
  assert_false(rtc_rtcp_fir_names(&fir, 7));
  fir.body_len -= 1;
  assert_false(rtc_rtcp_fir_names(&fir, 6));
  fir.count = 15;
  assert_false(rtc_rtcp_fir_names(&fir, 5));
  RtcRtcpPacket transport_wide = packet_at(5);
  transport_wide.count = 4;
  assert_false(rtc_rtcp_fir_names(&transport_wide, 0x00010001));
}

static const RtcRtcpReportBlock blocks[2] = {
    {.ssrc = 7,
     .fraction_lost = 1,
     .lost = 2,
     .highest_sequence = 3,
     .jitter = 4,
     .lsr = 5,
     .dlsr = 6},
    {.ssrc = 8, .fraction_lost = 255, .lost = UINT32_MAX, .highest_sequence = UINT32_MAX},
};

/* What a receiver sends: RR, SDES and PLI in one compound; octet for octet. */
static void written_compound_is_as_the_rfcs_say(void **state) {
  (void)state;
  /* clang-format off */
  static const uint8_t expected[] = {
      0x82, 201, 0, 13, 0, 0, 0, 9,
      0, 0, 0, 7, 1, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0, 6,
      0, 0, 0, 8, 255, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
      0x81, 202, 0, 3, 0, 0, 0, 9, 1, 3, 'a', '@', 'b', 0, 0, 0,
      0x81, 206, 0, 2, 0, 0, 0, 9, 0, 0, 0, 7,
  };
  /* clang-format on */
  uint8_t out[sizeof(expected)];
  size_t len = 0;
  assert_int_equal(rtc_rtcp_write_rr(out, sizeof(out), &len, 9, blocks, 2), RTC_OK);
  assert_int_equal(rtc_rtcp_write_sdes_cname(out, sizeof(out), &len, 9, "a@b"), RTC_OK);
  assert_int_equal(rtc_rtcp_write_pli(out, sizeof(out), &len, 9, 7), RTC_OK);
  assert_int_equal(len, sizeof(expected));
  assert_memory_equal(out, expected, len);
}

/* An SR that is read back is the one that was written. */
static void written_sender_report_is_read_back(void **state) {
  (void)state;
  const RtcRtcpSenderInfo info = {.ssrc = 0xFEDCBA98,
                                  .ntp = UINT64_C(0x0123456789ABCDEF),
                                  .rtp_timestamp = 0x11223344,
                                  .packets = 0x55667788,
                                  .octets = 0x99AABBCC};
  uint8_t out[28];
  size_t len = 0;
  size_t at = 0;
  RtcRtcpPacket packet;
  RtcRtcpSenderInfo read;
  assert_int_equal(rtc_rtcp_write_sr(out, sizeof(out), &len, &info), RTC_OK);
  assert_int_equal(len, sizeof(out));
  assert_int_equal(rtc_rtcp_next(out, len, &at, &packet), RTC_OK);
  assert_int_equal(rtc_rtcp_parse_sr(&packet, &read), RTC_OK);
  assert_int_equal(read.ssrc, info.ssrc);
  assert_true(read.ntp == info.ntp);
  assert_int_equal(read.rtp_timestamp, info.rtp_timestamp);
  assert_int_equal(read.packets, info.packets);
  assert_int_equal(read.octets, info.octets);
  assert_int_equal(packet.count, 0);
}

/* RFC 3550 section 6.5: the items end in at least one zero, and in a full word. */
static void sdes_of_every_length_is_padded_to_a_word(void **state) {
  (void)state;
  char cname[RTC_RTCP_CNAME_MAX + 2];
  memset(cname, 'c', sizeof(cname));
  for (size_t cname_len = 0; cname_len <= RTC_RTCP_CNAME_MAX; cname_len++) {
    cname[cname_len] = '\0';
    uint8_t out[272];
    size_t len = 0;
    memset(out, 0xEE, sizeof(out));
    assert_int_equal(rtc_rtcp_write_sdes_cname(out, sizeof(out), &len, 1, cname), RTC_OK);
    cname[cname_len] = 'c';
    size_t used = 4 + 4 + 2 + cname_len;
    assert_int_equal(len % 4, 0);
    assert_int_equal(out[3], len / 4 - 1);
    assert_int_equal(out[9], cname_len);
    assert_true(len > used && len <= used + 4);
    for (size_t i = used; i < len; i++)
      assert_int_equal(out[i], 0);
  }
  size_t len = 0;
  uint8_t out[512];
  cname[RTC_RTCP_CNAME_MAX + 1] = '\0';
  assert_int_equal(rtc_rtcp_write_sdes_cname(out, sizeof(out), &len, 1, cname), RTC_ERROR_LIMIT);
  assert_int_equal(len, 0);
}

/* An octet too little: refused, with everything as before. */
static void writers_refuse_too_little_room(void **state) {
  (void)state;
  const RtcRtcpSenderInfo info = {.ssrc = 1};
  uint8_t out[128];
  uint8_t untouched[sizeof(out)];
  memset(out, 0xEE, sizeof(out));
  memset(untouched, 0xEE, sizeof(untouched));
  size_t len = 8;
  assert_int_equal(rtc_rtcp_write_sr(out, 8 + 27, &len, &info), RTC_ERROR_LIMIT);
  assert_int_equal(rtc_rtcp_write_rr(out, 8 + 55, &len, 1, blocks, 2), RTC_ERROR_LIMIT);
  assert_int_equal(rtc_rtcp_write_sdes_cname(out, 8 + 15, &len, 1, "a@b"), RTC_ERROR_LIMIT);
  assert_int_equal(rtc_rtcp_write_pli(out, 8 + 11, &len, 1, 2), RTC_ERROR_LIMIT);
  assert_int_equal(rtc_rtcp_write_pli(out, 4, &len, 1, 2), RTC_ERROR_LIMIT);
  assert_int_equal(len, 8);
  assert_memory_equal(out, untouched, sizeof(out));
}

/* The count has five bits. */
static void receiver_report_takes_31_blocks(void **state) {
  (void)state;
  const RtcRtcpReportBlock many[32] = {{0}};
  uint8_t out[1024];
  size_t len = 0;
  assert_int_equal(rtc_rtcp_write_rr(out, sizeof(out), &len, 1, many, 32), RTC_ERROR_LIMIT);
  assert_int_equal(len, 0);
  assert_int_equal(rtc_rtcp_write_rr(out, sizeof(out), &len, 1, many, 31), RTC_OK);
  assert_int_equal(len, 8 + 31 * 24);
  assert_int_equal(rtc_rtcp_write_rr(out, sizeof(out), &len, 1, NULL, 0), RTC_OK);
  assert_int_equal(len, 8 + 31 * 24 + 8);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(compound_is_walked_to_its_end),
      cmocka_unit_test(compound_cut_anywhere_ends_in_proto),
      cmocka_unit_test(malformed_packets_are_refused),
      cmocka_unit_test(sender_report_is_parsed),
      cmocka_unit_test(short_or_other_packet_is_no_sender_report),
      cmocka_unit_test(report_blocks_are_read_from_sr_and_rr),
      cmocka_unit_test(negative_loss_is_read_as_none),
      cmocka_unit_test(report_block_beyond_the_body_is_not_read),
      cmocka_unit_test(fir_names_the_streams_of_its_entries),
      cmocka_unit_test(written_compound_is_as_the_rfcs_say),
      cmocka_unit_test(written_sender_report_is_read_back),
      cmocka_unit_test(sdes_of_every_length_is_padded_to_a_word),
      cmocka_unit_test(writers_refuse_too_little_room),
      cmocka_unit_test(receiver_report_takes_31_blocks),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
