/* Reception statistics: what a report block says of a stream (RFC 3550 appendices A.1, A.3, A.8).
 */
#include "protocol/rtp_reception.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define CLOCK_RATE 90000
#define SSRC       UINT32_C(0xCAFE)

/* A packet every 10 ms of sending and of arriving: no jitter. */
static void receive(RtcRtpReception *reception, uint32_t extended_sequence) {
  rtc_rtp_reception_packet(reception, (uint16_t)extended_sequence, extended_sequence * 900,
                           (int64_t)extended_sequence * 10000);
}

static RtcRtcpReportBlock report(RtcRtpReception *reception) {
  RtcRtcpReportBlock block;
  rtc_rtp_reception_report(reception, SSRC, 1000000, &block);
  assert_int_equal(block.ssrc, SSRC);
  return block;
}

/* Nothing has come: nothing is expected, nothing lost. */
static void report_before_any_packet_is_empty(void **state) {
  (void)state;
  RtcRtpReception reception;
  rtc_rtp_reception_init(&reception, CLOCK_RATE);
  RtcRtcpReportBlock block = report(&reception);
  assert_int_equal(block.fraction_lost, 0);
  assert_int_equal(block.lost, 0);
  assert_int_equal(block.highest_sequence, 0);
  assert_int_equal(block.jitter, 0);
  assert_int_equal(block.lsr, 0);
  assert_int_equal(block.dlsr, 0);
}

/* Every fourth packet is missing: a quarter of each interval, the sum over all. */
static void losses_are_counted_by_interval_and_in_all(void **state) {
  (void)state;
  RtcRtpReception reception;
  rtc_rtp_reception_init(&reception, CLOCK_RATE);
  for (uint32_t i = 0; i < 100; i++) {
    if (i % 4 != 1)
      receive(&reception, 1000 + i);
  }
  RtcRtcpReportBlock block = report(&reception);
  assert_int_equal(block.fraction_lost, 64);
  assert_int_equal(block.lost, 25);
  assert_int_equal(block.highest_sequence, 1099);

  for (uint32_t i = 100; i < 200; i++)
    receive(&reception, 1000 + i);
  block = report(&reception);
  assert_int_equal(block.fraction_lost, 0);
  assert_int_equal(block.lost, 25);

  block = report(&reception);
  assert_int_equal(block.fraction_lost, 0);
  assert_int_equal(block.highest_sequence, 1199);

  for (uint32_t i = 201; i < 220; i += 2)
    receive(&reception, 1000 + i);
  block = report(&reception);
  assert_int_equal(block.fraction_lost, 128);
  assert_int_equal(block.lost, 35);
}

/* Losses of nearly all of an interval stay within eight bits. */
static void fraction_of_heavy_loss_fits_its_octet(void **state) {
  (void)state;
  RtcRtpReception reception;
  rtc_rtp_reception_init(&reception, CLOCK_RATE);
  receive(&reception, 0);
  (void)report(&reception);
  receive(&reception, 2999);
  RtcRtcpReportBlock block = report(&reception);
  assert_int_equal(block.fraction_lost, 255);
  assert_int_equal(block.lost, 2998);
}

/* The extended sequence goes on where 16 bits end, with losses on both sides. */
static void sequence_wrap_counts_a_cycle(void **state) {
  (void)state;
  RtcRtpReception reception;
  rtc_rtp_reception_init(&reception, CLOCK_RATE);
  for (uint32_t i = 65500; i < 65600; i++) {
    if (i != 65535 && i != 65536)
      receive(&reception, i);
  }
  RtcRtcpReportBlock block = report(&reception);
  assert_int_equal(block.highest_sequence, 65599);
  assert_int_equal(block.lost, 2);
  assert_int_equal(block.jitter, 0);
  for (uint32_t i = 65600; i < 3 * 65536; i++)
    receive(&reception, i);
  block = report(&reception);
  assert_int_equal(block.highest_sequence, 3 * 65536 - 1);
  assert_int_equal(block.lost, 2);
  assert_int_equal(block.fraction_lost, 0);
}

/* What comes late was not lost, also when the sequence wrapped meanwhile. */
static void late_packets_are_not_lost(void **state) {
  (void)state;
  RtcRtpReception reception;
  rtc_rtp_reception_init(&reception, CLOCK_RATE);
  static const uint32_t order[] = {65534, 65536, 65538, 65535, 65537, 65539};
  for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
    receive(&reception, order[i]);
  RtcRtcpReportBlock block = report(&reception);
  assert_int_equal(block.lost, 0);
  assert_int_equal(block.highest_sequence, 65539);
}

/* Duplicates would make the loss negative: it is told as none. */
static void duplicates_do_not_make_loss_negative(void **state) {
  (void)state;
  RtcRtpReception reception;
  rtc_rtp_reception_init(&reception, CLOCK_RATE);
  for (uint32_t i = 0; i < 5; i++) {
    receive(&reception, 10);
    receive(&reception, 10 + i);
  }
  RtcRtcpReportBlock block = report(&reception);
  assert_int_equal(block.lost, 0);
  assert_int_equal(block.fraction_lost, 0);
}

/* One packet far off is none of the stream; two in sequence are a sender that began anew. */
static void sender_that_begins_anew_is_followed(void **state) {
  (void)state;
  RtcRtpReception reception;
  rtc_rtp_reception_init(&reception, CLOCK_RATE);
  receive(&reception, 65535);
  receive(&reception, 65536);
  receive(&reception, 40000);
  RtcRtcpReportBlock block = report(&reception);
  assert_int_equal(block.highest_sequence, 65536);
  assert_int_equal(block.lost, 0);
  receive(&reception, 65537);
  receive(&reception, 30000);
  receive(&reception, 30001);
  receive(&reception, 30003);
  block = report(&reception);
  assert_int_equal(block.highest_sequence, 30003);
  assert_int_equal(block.lost, 1);
  assert_int_equal(block.fraction_lost, 85); /* of three that were expected, one */
}

/* RFC 3550 appendix A.8 over transits that step by 1 ms, up and down; by an independent sum. */
static void jitter_follows_the_estimator(void **state) {
  (void)state;
  RtcRtpReception reception;
  rtc_rtp_reception_init(&reception, CLOCK_RATE);
  uint32_t expected_q4 = 0;
  for (uint32_t i = 0; i < 500; i++) {
    int64_t arrival_us = (int64_t)i * 20000 + (i % 2) * 1000;
    rtc_rtp_reception_packet(&reception, (uint16_t)i, i * 1800, arrival_us);
    if (i > 0)
      expected_q4 += 90 - ((expected_q4 + 8) >> 4); /* 1 ms of 90 kHz */
    assert_int_equal(report(&reception).jitter, expected_q4 >> 4);
  }
  /* The estimate goes to the mean deviation. */
  assert_in_range(expected_q4 >> 4, 89, 90);
}

/* A timestamp that wraps, a clock of any value and the first packet's transit are no jitter. */
static void even_arrivals_have_no_jitter(void **state) {
  (void)state;
  static const int64_t begins_us[] = {0, 999999, INT64_C(4000000000000), INT64_C(400000000000000)};
  for (size_t k = 0; k < sizeof(begins_us) / sizeof(begins_us[0]); k++) {
    RtcRtpReception reception;
    rtc_rtp_reception_init(&reception, 48000);
    for (uint32_t i = 0; i < 200; i++)
      rtc_rtp_reception_packet(&reception, (uint16_t)i, UINT32_MAX - 50000 + i * 960,
                               begins_us[k] + (int64_t)i * 20000);
    assert_in_range(report(&reception).jitter, 0, 1);
  }
}

/* LSR is the middle of the NTP time, DLSR the delay since in 1/65536 s (RFC 3550 section 6.4.1). */
static void sender_report_gives_lsr_and_dlsr(void **state) {
  (void)state;
  RtcRtpReception reception;
  RtcRtcpReportBlock block;
  rtc_rtp_reception_init(&reception, CLOCK_RATE);
  rtc_rtp_reception_sr(&reception, UINT64_C(0x1111222233334444), 5000000);
  rtc_rtp_reception_report(&reception, SSRC, 5000000, &block);
  assert_int_equal(block.lsr, 0x22223333);
  assert_int_equal(block.dlsr, 0);
  rtc_rtp_reception_report(&reception, SSRC, 7250000, &block);
  assert_int_equal(block.dlsr, 2 * 65536 + 16384);
  rtc_rtp_reception_report(&reception, SSRC, INT64_MAX, &block);
  assert_int_equal(block.dlsr, UINT32_MAX);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(report_before_any_packet_is_empty),
      cmocka_unit_test(losses_are_counted_by_interval_and_in_all),
      cmocka_unit_test(fraction_of_heavy_loss_fits_its_octet),
      cmocka_unit_test(sequence_wrap_counts_a_cycle),
      cmocka_unit_test(late_packets_are_not_lost),
      cmocka_unit_test(duplicates_do_not_make_loss_negative),
      cmocka_unit_test(sender_that_begins_anew_is_followed),
      cmocka_unit_test(jitter_follows_the_estimator),
      cmocka_unit_test(even_arrivals_have_no_jitter),
      cmocka_unit_test(sender_report_gives_lsr_and_dlsr),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
