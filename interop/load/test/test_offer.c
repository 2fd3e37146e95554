/* Tests of offer.c: the server's own parser and negotiation take what is offered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../server/negotiate.h"
#include "../offer.h"

#include <stdio.h>
#include <string.h>

static RtcSdpTransport local_transport(void) {
  RtcSdpTransport local = {.setup = RTC_SETUP_ACTPASS, .fingerprint_count = 1};
  snprintf(local.ufrag, sizeof local.ufrag, "ufrag");
  snprintf(local.pwd, sizeof local.pwd, "passwordpasswordpassword");
  snprintf(local.fingerprints[0].algorithm, sizeof local.fingerprints[0].algorithm, "sha-256");
  local.fingerprints[0].len = 32;
  return local;
}

static void parse(Offer *offer, StreamCodec codec, bool publishes) {
  char text[LOAD_OFFER_MAX], reason[OFFER_REASON_MAX] = "";
  size_t len;
  const RtcSdpTransport local = local_transport();
  const LoadOffer wanted = {
      .local = &local, .codec = codec, .publishes = publishes, .ssrc = 7, .id = 7};
  assert_int_equal(load_offer_write(text, &len, &wanted), RTC_OK);
  assert_int_equal(len, strlen(text));
  if (offer_parse(offer, text, len, reason) != RTC_OK)
    fail_msg("%s in:\n%s", reason, text);
  assert_string_equal(offer->transport.ufrag, "ufrag");
  assert_int_equal(offer->transport.setup, RTC_SETUP_ACTPASS);
}

/* A publisher's codec is agreed on, and it takes PLI. */
static void publishers_are_taken(void **state) {
  static const RtcCodec codecs[] = {
      [STREAM_CODEC_H264] = RTC_CODEC_H264, [STREAM_CODEC_VP8] = RTC_CODEC_VP8};
  (void)state;
  for (StreamCodec codec = STREAM_CODEC_H264; codec <= STREAM_CODEC_VP8; codec++) {
    Offer offer;
    Agreement agreement;
    char reason[OFFER_REASON_MAX] = "";
    parse(&offer, codec, true);
    assert_int_equal(negotiate_publisher(&agreement, &offer, reason), RTC_OK);
    assert_int_equal(agreement.track_count, 1);
    assert_int_equal(agreement.tracks[0].codec, codecs[codec]);
    assert_int_equal(agreement.tracks[0].payload_type, STREAM_PAYLOAD_TYPE);
    assert_true(agreement.tracks[0].pli);
    offer_finish(&offer);
  }
}

/* A player gets what such a publisher sends. */
static void players_get_what_is_published(void **state) {
  (void)state;
  for (StreamCodec codec = STREAM_CODEC_H264; codec <= STREAM_CODEC_VP8; codec++) {
    Offer publisher, player;
    Agreement published, agreement;
    char reason[OFFER_REASON_MAX] = "";
    parse(&publisher, codec, true);
    parse(&player, codec, false);
    assert_int_equal(negotiate_publisher(&published, &publisher, reason), RTC_OK);
    assert_int_equal(
        negotiate_player(&agreement, &player, published.tracks, 1, published.h264_profile, reason),
        RTC_OK);
    offer_finish(&publisher);
    offer_finish(&player);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(publishers_are_taken),
      cmocka_unit_test(players_get_what_is_published),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
