/* Tests of offer.c, negotiate.c, answer.c and h264.c: from an offer to its answer. The offers are
 * what Chromium and Firefox send; bad ones are those with a line changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OFFERS "interop/server/test/offers/" /* the tests run in the project's folder */

static const RtcTrack opus = {
    .media = RTC_MEDIA_AUDIO, .codec = RTC_CODEC_OPUS, .payload_type = 111, .clock_rate = 48000};
static const RtcTrack vp8 = {
    .media = RTC_MEDIA_VIDEO, .codec = RTC_CODEC_VP8, .payload_type = 96, .clock_rate = 90000};
static const RtcTrack h264 = {
    .media = RTC_MEDIA_VIDEO, .codec = RTC_CODEC_H264, .payload_type = 108, .clock_rate = 90000};

/* ---- Help ------------------------------------------------------------------------------------ */

static char *read_file(const char *name) {
  char path[128];
  char *text = calloc(1, 32768);
  assert_non_null(text);
  snprintf(path, sizeof path, "%s%s", OFFERS, name);
  FILE *file = fopen(path, "rb");
  assert_non_null(file);
  size_t len = fread(text, 1, 32767, file);
  assert_in_range(len, 1, 32766);
  fclose(file);
  return text;
}

/* The offer with every occurrence of one text replaced by another. */
static char *changed(const char *name, const char *from, const char *to) {
  Text out = {0};
  size_t len;
  char *text = read_file(name);
  const char *at = text;
  const char *hit;
  while (from && *from && (hit = strstr(at, from))) {
    text_append(&out, at, (size_t)(hit - at));
    text_append(&out, to, strlen(to));
    at = hit + strlen(from);
  }
  assert_true(!from || !*from || at != text);
  text_append(&out, at, strlen(at));
  free(text);
  return text_take(&out, &len);
}

/* From the offer to what is agreed. offer is the caller's to finish, on success. */
static RtcError publisher(const char *sdp, Offer *offer, Agreement *agreement,
                          char reason[OFFER_REASON_MAX]) {
  RtcError error = offer_parse(offer, sdp, strlen(sdp), reason);
  if (error != RTC_OK)
    return error;
  error = negotiate_publisher(agreement, offer, reason);
  if (error != RTC_OK)
    offer_finish(offer);
  return error;
}

static RtcError player(const char *sdp, const RtcTrack *tracks, size_t count, H264Profile profile,
                       Offer *offer, Agreement *agreement, char reason[OFFER_REASON_MAX]) {
  RtcError error = offer_parse(offer, sdp, strlen(sdp), reason);
  if (error != RTC_OK)
    return error;
  error = negotiate_player(agreement, offer, tracks, count, profile, reason);
  if (error != RTC_OK)
    offer_finish(offer);
  return error;
}

static RtcSdpTransport local_transport(void) {
  RtcSdpTransport local = {.ice_lite = true, .setup = RTC_SETUP_PASSIVE, .candidate_count = 1};
  RtcCandidate *candidate = &local.candidates[0];
  snprintf(local.ufrag, sizeof local.ufrag, "w0localufrag");
  snprintf(local.pwd, sizeof local.pwd, "localpasswordlocalpassword");
  snprintf(local.fingerprints[0].algorithm, sizeof local.fingerprints[0].algorithm, "sha-256");
  local.fingerprints[0].len = 32;
  local.fingerprint_count = 1;
  snprintf(candidate->foundation, sizeof candidate->foundation, "1");
  snprintf(candidate->address, sizeof candidate->address, "192.0.2.1");
  snprintf(candidate->type, sizeof candidate->type, "host");
  candidate->component = 1;
  candidate->tcp = true;
  candidate->tcp_type = RTC_TCP_TYPE_PASSIVE;
  candidate->priority = 2128609279;
  candidate->port = 8080;
  return local;
}

static char *answer_to(const Offer *offer, const Agreement *agreement, bool plays) {
  Text text = {0};
  size_t len;
  RtcSdpTransport local = local_transport();
  AnswerConfig config = {.offer = offer,
                         .agreement = agreement,
                         .local = &local,
                         .stream = "live",
                         .session_id = 42,
                         .player = plays};
  assert_int_equal(answer_write(&text, &config), RTC_OK);
  char *answer = text_take(&text, &len);
  assert_non_null(answer);
  assert_int_equal(strlen(answer), len);
  return answer;
}

static void assert_has(const char *text, const char *part) {
  if (!strstr(text, part))
    fail_msg("'%s' is missing in:\n%s", part, text);
}

static void assert_has_not(const char *text, const char *part) {
  if (strstr(text, part))
    fail_msg("'%s' should not be in:\n%s", part, text);
}

static size_t count_of(const char *text, const char *part) {
  size_t count = 0;
  while ((text = strstr(text, part))) {
    count++;
    text += strlen(part);
  }
  return count;
}

/* ---- Publishers ------------------------------------------------------------------------------ */

/* What a browser offers to publish ends in Opus and its first video codec, with all feedback that
 * the library gives. */
static void publisher_gets_its_first_choice(void **state) {
  static const struct {
    const char *file;
    uint8_t audio_type, video_type, audio_twcc, video_twcc;
  } rows[] = {
      {"chrome-publish.sdp", 111, 96, 3, 3},
      {"firefox-publish.sdp", 109, 120, 0, 7},
  };
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    Offer offer;
    Agreement agreement;
    char reason[OFFER_REASON_MAX];
    char *sdp = read_file(rows[i].file);
    assert_int_equal(publisher(sdp, &offer, &agreement, reason), RTC_OK);
    assert_int_equal(agreement.track_count, 2);
    assert_int_equal(agreement.tracks[0].codec, RTC_CODEC_OPUS);
    assert_int_equal(agreement.tracks[0].payload_type, rows[i].audio_type);
    assert_int_equal(agreement.tracks[0].clock_rate, 48000);
    assert_int_equal(agreement.tracks[0].twcc_id, rows[i].audio_twcc);
    assert_false(agreement.tracks[0].pli);
    assert_int_equal(agreement.tracks[1].codec, RTC_CODEC_VP8);
    assert_int_equal(agreement.tracks[1].payload_type, rows[i].video_type);
    assert_int_equal(agreement.tracks[1].clock_rate, 90000);
    assert_int_equal(agreement.tracks[1].twcc_id, rows[i].video_twcc);
    assert_true(agreement.tracks[1].pli);
    offer_finish(&offer);
    free(sdp);
  }
}

/* The whole answer to Chromium, octet for octet. */
static void publisher_answer_is_complete(void **state) {
  static const char expected[] =
      "v=0\r\no=- 42 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=ice-lite\r\na=group:BUNDLE 0 1\r\n"
      "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=recvonly\r\n"
      "%s%sa=end-of-candidates\r\n"
      "a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\n"
      "a=rtcp-fb:111 transport-cc\r\na=extmap:3 " OFFER_TWCC_URI "\r\n"
      "a=rtcp-mux\r\na=rtcp-rsize\r\n"
      "m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=recvonly\r\n%s"
      "a=rtpmap:96 VP8/90000\r\na=rtcp-fb:96 nack pli\r\n"
      "a=rtcp-fb:96 transport-cc\r\na=extmap:3 " OFFER_TWCC_URI "\r\n"
      "a=rtcp-mux\r\na=rtcp-rsize\r\n";
  char all[4096], without_candidates[4096];
  size_t len;
  Text text = {0};
  Offer offer;
  Agreement agreement;
  char reason[OFFER_REASON_MAX];
  RtcSdpTransport local = local_transport();
  (void)state;
  assert_int_equal(rtc_sdp_transport_write(&local, all, sizeof all, &len), RTC_OK);
  local.candidate_count = 0;
  assert_int_equal(
      rtc_sdp_transport_write(&local, without_candidates, sizeof without_candidates, &len), RTC_OK);
  char *sdp = read_file("chrome-publish.sdp");
  assert_int_equal(publisher(sdp, &offer, &agreement, reason), RTC_OK);
  char *answer = answer_to(&offer, &agreement, false);
  text_printf(&text, expected, all, "", without_candidates);
  assert_string_equal(answer, text.data);
  text_finish(&text);
  free(answer);
  offer_finish(&offer);
  free(sdp);
}

/* Among a publisher's H.264 the constrained baseline is taken, and never single NAL unit mode. */
static void publisher_h264_is_constrained_baseline(void **state) {
  static const struct {
    const char *from, *to;
    uint8_t payload_type;
    H264Profile profile;
  } rows[] = {
      {"VP8/90000", "AV1/90000", 108, H264_PROFILE_CONSTRAINED_BASELINE},
      {"42e01f", "42001f", 102, H264_PROFILE_BASELINE},
      {"packetization-mode=1;profile-level-id=42", "packetization-mode=0;profile-level-id=42", 116,
       H264_PROFILE_MAIN},
  };
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    Offer offer;
    Agreement agreement;
    char reason[OFFER_REASON_MAX];
    char *sdp = changed("chrome-publish.sdp", rows[i].from, rows[i].to);
    char *vp8_at = strstr(sdp, "VP8/90000");
    if (vp8_at)
      memcpy(vp8_at, "AV1/90000", 9);
    assert_int_equal(publisher(sdp, &offer, &agreement, reason), RTC_OK);
    assert_int_equal(agreement.tracks[1].codec, RTC_CODEC_H264);
    assert_int_equal(agreement.tracks[1].payload_type, rows[i].payload_type);
    assert_int_equal(agreement.h264_profile, rows[i].profile);
    offer_finish(&offer);
    free(sdp);
  }
}

/* A section that SDP lets us leave out is answered with port 0, outside the BUNDLE group. */
static void section_that_is_not_taken_is_rejected(void **state) {
  static const struct {
    const char *from, *to;
    const char *group, *rejected;
  } rows[] = {
      {"opus/48000/2", "vorbis/48000/2", "a=group:BUNDLE 1\r\n",
       "m=audio 0 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=inactive\r\nm=video 9"},
      {"m=video 9 ", "m=video 0 ", "a=group:BUNDLE 0\r\n", "m=video 0 UDP/TLS/RTP/SAVPF 96\r\n"},
      {"m=video 9 ", "m=text 9 ", "a=group:BUNDLE 0\r\n", "m=text 0 UDP/TLS/RTP/SAVPF 96\r\n"},
      {"m=video 9 ", "m=audio 9 ", "a=group:BUNDLE 0\r\n", "m=audio 0 UDP/TLS/RTP/SAVPF 96\r\n"},
  };
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    Offer offer;
    Agreement agreement;
    char reason[OFFER_REASON_MAX];
    char *sdp = changed("chrome-publish.sdp", rows[i].from, rows[i].to);
    assert_int_equal(publisher(sdp, &offer, &agreement, reason), RTC_OK);
    assert_int_equal(agreement.track_count, 1);
    char *answer = answer_to(&offer, &agreement, false);
    assert_has(answer, rows[i].group);
    assert_has(answer, rows[i].rejected);
    assert_int_equal(count_of(answer, "a=candidate:"), 1);
    free(answer);
    offer_finish(&offer);
    free(sdp);
  }
}

/* A publisher has one track of a kind: a second section that would do is rejected. */
static void second_section_of_a_kind_is_rejected(void **state) {
  Offer offer;
  Agreement agreement;
  char reason[OFFER_REASON_MAX];
  (void)state;
  char *sdp = changed("chrome-publish.sdp", "VP8/90000", "opus/48000/2");
  memcpy(strstr(sdp, "m=video"), "m=audio", 7);
  assert_int_equal(publisher(sdp, &offer, &agreement, reason), RTC_OK);
  assert_int_equal(agreement.track_count, 1);
  assert_int_equal(agreement.tracks[0].payload_type, 111);
  offer_finish(&offer);
  free(sdp);
}

/* RTP of payload type 72 would pass for RTCP where both share a transport. */
static void payload_type_of_rtcps_range_is_passed_over(void **state) {
  Offer offer;
  Agreement agreement;
  char reason[OFFER_REASON_MAX];
  (void)state;
  char *sdp = changed("chrome-publish.sdp", "96", "72");
  assert_int_equal(publisher(sdp, &offer, &agreement, reason), RTC_OK);
  assert_int_equal(agreement.tracks[1].payload_type, 108);
  offer_finish(&offer);
  free(sdp);
}

/* What is offered counts, not how: bundle-only sections, the session's direction, feedback for all
 * payload types, LF for CRLF. */
static void unusual_offers_are_understood(void **state) {
  static const struct {
    const char *from, *to;
  } rows[] = {
      {"a=mid:1\r\n", "a=mid:1\r\na=bundle-only\r\n"}, /* and its port is put to 0 below */
      {"\r\n", "\n"},
      {"a=sendonly\r\n", ""},
      {"a=sendonly", "a=sendrecv"},
      {"a=rtcp-fb:96 nack pli", "a=rtcp-fb:* nack pli"},
      {"opus/48000/2", "OPUS/48000/2"},
      {"UDP/TLS/RTP/SAVPF", "TCP/DTLS/RTP/SAVPF"},
      {"a=extmap:3 ", "a=extmap:3/sendonly "},
  };
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    Offer offer;
    Agreement agreement;
    char reason[OFFER_REASON_MAX];
    char *sdp = changed("chrome-publish.sdp", rows[i].from, rows[i].to);
    if (strstr(sdp, "a=bundle-only"))
      memcpy(strstr(sdp, "m=video 9"), "m=video 0", 9);
    if (publisher(sdp, &offer, &agreement, reason) != RTC_OK)
      fail_msg("row %zu: %s", i, reason);
    assert_int_equal(agreement.track_count, 2);
    assert_true(agreement.tracks[1].pli);
    assert_int_equal(agreement.tracks[1].twcc_id, 3);
    offer_finish(&offer);
    free(sdp);
  }
}

/* Transport-wide feedback is agreed on only when both its extension and its feedback are offered,
 * and a PLI only where it was. */
static void feedback_that_is_not_offered_is_not_answered(void **state) {
  static const struct {
    const char *from, *to;
  } rows[] = {
      {OFFER_TWCC_URI, "urn:x"},
      {" transport-cc", " ccm tmmbr"},
      {"a=extmap:3 ", "a=extmap:15 "}, /* does not fit the one-byte form */
      {"a=extmap:3 ", "a=extmap:x "},
  };
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    Offer offer;
    Agreement agreement;
    char reason[OFFER_REASON_MAX];
    char *sdp = changed("chrome-publish.sdp", rows[i].from, rows[i].to);
    char *pli = strstr(sdp, "a=rtcp-fb:96 nack pli");
    memcpy(pli, "a=rtcp-fb:96 nack xyz", 21);
    assert_int_equal(publisher(sdp, &offer, &agreement, reason), RTC_OK);
    assert_int_equal(agreement.tracks[1].twcc_id, 0);
    assert_false(agreement.tracks[1].pli);
    char *answer = answer_to(&offer, &agreement, false);
    assert_has_not(answer, "transport-cc");
    assert_has_not(answer, "a=extmap");
    assert_has_not(answer, "a=rtcp-fb");
    free(answer);
    offer_finish(&offer);
    free(sdp);
  }
}

/* ---- Players --------------------------------------------------------------------------------- */

/* A player gets the publisher's codecs under its own payload types, and SSRCs of ours. */
static void player_gets_the_publishers_codecs(void **state) {
  static const struct {
    const char *file;
    const RtcTrack *video;
    H264Profile profile;
    uint8_t audio_type, video_type;
  } rows[] = {
      {"chrome-play.sdp", &vp8, H264_PROFILE_OTHER, 111, 96},
      {"chrome-play.sdp", &h264, H264_PROFILE_CONSTRAINED_BASELINE, 111, 108},
      {"chrome-play.sdp", &h264, H264_PROFILE_BASELINE, 111, 102},
      {"chrome-play.sdp", &h264, H264_PROFILE_MAIN, 111, 116},
      {"firefox-play.sdp", &vp8, H264_PROFILE_OTHER, 109, 120},
      {"firefox-play.sdp", &h264, H264_PROFILE_CONSTRAINED_BASELINE, 109, 126},
  };
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    Offer offer;
    Agreement agreement;
    char reason[OFFER_REASON_MAX];
    RtcTrack published[] = {opus, *rows[i].video};
    char *sdp = read_file(rows[i].file);
    if (player(sdp, published, 2, rows[i].profile, &offer, &agreement, reason) != RTC_OK)
      fail_msg("row %zu: %s", i, reason);
    assert_int_equal(agreement.track_count, 2);
    assert_int_equal(agreement.tracks[0].payload_type, rows[i].audio_type);
    assert_int_equal(agreement.tracks[1].payload_type, rows[i].video_type);
    assert_int_equal(agreement.tracks[1].codec, rows[i].video->codec);
    assert_int_equal(agreement.tracks[1].clock_rate, 90000);
    offer_finish(&offer);
    free(sdp);
  }
}

/* The answer names what is sent: direction, stream, SSRCs; the data channel is rejected; no
 * congestion feedback is asked of a player. */
static void player_answer_is_complete(void **state) {
  Offer offer;
  Agreement agreement;
  char reason[OFFER_REASON_MAX];
  const RtcTrack published[] = {opus, vp8};
  (void)state;
  char *sdp = read_file("chrome-play.sdp");
  assert_int_equal(player(sdp, published, 2, H264_PROFILE_OTHER, &offer, &agreement, reason),
                   RTC_OK);
  agreement.tracks[0].ssrc = 1001;
  agreement.tracks[1].ssrc = 4000000001;
  char *answer = answer_to(&offer, &agreement, true);
  assert_has(answer, "a=group:BUNDLE 0 1\r\n");
  assert_has(answer, "a=ice-lite\r\n");
  assert_has(answer, "a=msid:live audio\r\na=ssrc:1001 cname:live\r\n");
  assert_has(answer, "a=msid:live video\r\na=ssrc:4000000001 cname:live\r\n");
  assert_has(answer, "m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\n");
  assert_has(answer, "a=rtcp-fb:96 nack pli\r\n");
  assert_int_equal(count_of(answer, "a=sendonly\r\n"), 2);
  assert_int_equal(count_of(answer, "a=setup:passive\r\n"), 2);
  assert_int_equal(count_of(answer, "a=candidate:"), 1);
  assert_int_equal(count_of(answer, "tcptype passive"), 1);
  assert_int_equal(count_of(answer, "a=end-of-candidates\r\n"), 1);
  assert_has_not(answer, "transport-cc");
  assert_has_not(answer, "a=extmap");
  assert_has_not(answer, " nack\r\n");
  free(answer);
  offer_finish(&offer);
  free(sdp);
}

/* A stream of one kind leaves the player's other section unanswered. */
static void player_of_a_video_stream_gets_no_audio(void **state) {
  Offer offer;
  Agreement agreement;
  char reason[OFFER_REASON_MAX];
  (void)state;
  char *sdp = read_file("firefox-play.sdp");
  assert_int_equal(player(sdp, &vp8, 1, H264_PROFILE_OTHER, &offer, &agreement, reason), RTC_OK);
  assert_int_equal(agreement.track_count, 1);
  char *answer = answer_to(&offer, &agreement, true);
  assert_has(answer, "a=group:BUNDLE 1\r\n");
  assert_has(answer, "m=audio 0 ");
  free(answer);
  offer_finish(&offer);
  free(sdp);
}

/* A player that lacks a published codec is told which. */
static void player_without_the_codec_is_refused(void **state) {
  static const struct {
    const char *file, *from, *to;
    const RtcTrack *published;
    H264Profile profile;
    const char *reason;
  } rows[] = {
      {"chrome-play.sdp", "VP8/90000", "VP7/90000", &vp8, H264_PROFILE_OTHER, "codec, VP8"},
      {"chrome-play.sdp", "opus/48000/2", "opus/48000/1", &opus, H264_PROFILE_OTHER, "codec, opus"},
      {"firefox-play.sdp", "", "", &h264, H264_PROFILE_HIGH, "codec, H264"},
      {"firefox-play.sdp", "packetization-mode=1", "packetization-mode=0", &h264,
       H264_PROFILE_CONSTRAINED_BASELINE, "codec, H264"},
      {"firefox-play.sdp", "packetization-mode=1", "packetization-mode=x", &h264,
       H264_PROFILE_CONSTRAINED_BASELINE, "codec, H264"},
  };
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    Offer offer;
    Agreement agreement;
    char reason[OFFER_REASON_MAX];
    char *sdp = changed(rows[i].file, rows[i].from, rows[i].to);
    assert_int_equal(player(sdp, rows[i].published, 1, rows[i].profile, &offer, &agreement, reason),
                     RTC_ERROR_UNSUPPORTED);
    assert_has(reason, rows[i].reason);
    free(sdp);
  }
}

/* ---- Bad offers ------------------------------------------------------------------------------ */

/* Each thing that can be wrong with an offer is refused with a reason that names it. */
static void bad_offer_is_refused_with_its_reason(void **state) {
  static const struct {
    const char *from, *to, *reason;
  } rows[] = {
      {"v=0", "x=0", "no SDP"},
      {"v=0\r\n", "", "no SDP"},
      {"m=", "x=", "0 media sections"},
      {"m=audio 9 UDP/TLS/RTP/SAVPF 111", "m=audio 9\r\na=x:", "m= line is malformed"},
      {"a=mid:1", "a=mid:0", "mid is another section's too"},
      {"a=mid:", "a=dim:", "BUNDLE group"},
      {"a=group:BUNDLE 0 1", "a=group:BUNDLE 0", "BUNDLE group"},
      {"a=group:BUNDLE 0 1", "a=group:LS 0 1", "BUNDLE group"},
      {"a=group:BUNDLE 0 1", "a=group:BUNDLE 01", "BUNDLE group"},
      {"a=rtcp-mux\r\n", "", "has no a=rtcp-mux"},
      {"UDP/TLS/RTP/SAVPF", "RTP/AVP", "is not RTP over DTLS"},
      {"a=sendonly", "a=recvonly", "does not send"},
      {"a=sendonly", "a=inactive", "does not send"},
      {" 9 UDP", " 0 UDP", "rejected"},
      {"/90000\r\n", "/90001\r\n", NULL}, /* with Opus left it is a good one: audio only */
      {"a=rtpmap:", "a=mapmap:", "has no codec that can be taken"},
      {"a=ice-ufrag:S7pE\r\n", "", ""},
      {"a=ice-pwd:", "a=no-pwd:", ""},
      {"a=ice-pwd:KG9TrNyq3W03Z84i8d0GhWYS", "a=ice-pwd:short", ""},
      {"a=fingerprint:sha-256", "a=fingerprint:md5", ""},
      {"a=fingerprint:", "a=footprint:", ""},
      {"a=msid-semantic: WMS", "a=ice-lite", "ICE-lite"},
  };
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    Offer offer;
    Agreement agreement;
    char reason[OFFER_REASON_MAX] = "";
    char *sdp = changed("chrome-publish.sdp", rows[i].from, rows[i].to);
    RtcError error = publisher(sdp, &offer, &agreement, reason);
    if (!rows[i].reason) {
      assert_int_equal(error, RTC_OK);
      offer_finish(&offer);
    } else {
      if (error != RTC_ERROR_PROTO)
        fail_msg("row %zu: %s", i, rtc_error_name(error));
      assert_string_not_equal(reason, "");
      assert_has(reason, rows[i].reason);
    }
    free(sdp);
  }
}

/* A lone section has nobody to be bundled with, and has to be in a group all the same. */
static void lone_section_outside_a_bundle_is_refused(void **state) {
  static const struct {
    const char *from, *to, *reason;
  } rows[] = {
      {"a=group:BUNDLE 0 1\r\n", "", "section 0 (audio) is not in the BUNDLE group"},
      {"a=mid:0\r\n", "", "section 0 (audio) has no a=mid"},
  };
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    Offer offer;
    Agreement agreement;
    char reason[OFFER_REASON_MAX] = "";
    char *sdp = changed("chrome-publish.sdp", rows[i].from, rows[i].to);
    *strstr(sdp, "m=video") = '\0';
    assert_int_equal(publisher(sdp, &offer, &agreement, reason), RTC_ERROR_PROTO);
    assert_has(reason, rows[i].reason);
    free(sdp);
  }
}

/* Octets that are no text, and more sections than anyone needs. */
static void offer_of_a_strange_shape_is_refused(void **state) {
  Offer offer;
  char reason[OFFER_REASON_MAX];
  Text many = {0};
  (void)state;
  assert_int_equal(offer_parse(&offer, "", 0, reason), RTC_ERROR_PROTO);
  assert_int_equal(offer_parse(&offer, "v=", 2, reason), RTC_ERROR_PROTO);
  char *sdp = read_file("chrome-publish.sdp");
  assert_int_equal(offer_parse(&offer, sdp, strlen(sdp) + 1, reason), RTC_ERROR_PROTO);
  assert_has(reason, "no SDP");
  free(sdp);
  text_printf(&many, "v=0\r\ns=-\r\n");
  for (int i = 0; i < OFFER_MEDIAS_MAX + 1; i++)
    text_printf(&many, "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:%d\r\n", i);
  assert_int_equal(offer_parse(&offer, many.data, many.len, reason), RTC_ERROR_PROTO);
  assert_has(reason, "17 media sections");
  text_finish(&many);
}

/* A cut anywhere in a good offer is either still an offer, or refused with a reason. */
static void offer_cut_anywhere_is_handled(void **state) {
  (void)state;
  char *sdp = read_file("firefox-publish.sdp");
  size_t len = strlen(sdp);
  for (size_t cut = 0; cut < len; cut += 7) {
    Offer offer;
    Agreement agreement;
    char reason[OFFER_REASON_MAX] = "";
    char *part = strndup(sdp, cut);
    assert_non_null(part);
    if (publisher(part, &offer, &agreement, reason) == RTC_OK)
      offer_finish(&offer);
    else
      assert_string_not_equal(reason, "");
    free(part);
  }
  free(sdp);
}

/* ---- H.264 ----------------------------------------------------------------------------------- */

/* RFC 6184 section 8.1: profiles, defaults, and what is malformed. */
static void h264_params_are_read(void **state) {
  static const struct {
    const char *fmtp;
    bool good;
    unsigned mode;
    H264Profile profile;
  } rows[] = {
      {NULL, true, 0, H264_PROFILE_BASELINE},
      {"", true, 0, H264_PROFILE_BASELINE},
      {"packetization-mode=1", true, 1, H264_PROFILE_BASELINE},
      {"profile-level-id=42e01f;packetization-mode=1", true, 1, H264_PROFILE_CONSTRAINED_BASELINE},
      {"packetization-mode=1; Profile-Level-Id=42C00D ", true, 1,
       H264_PROFILE_CONSTRAINED_BASELINE},
      {"profile-level-id=42001f", true, 0, H264_PROFILE_BASELINE},
      {"profile-level-id=4d001f", true, 0, H264_PROFILE_MAIN},
      {"profile-level-id=4d801f", true, 0, H264_PROFILE_CONSTRAINED_BASELINE},
      {"profile-level-id=58c01f", true, 0, H264_PROFILE_CONSTRAINED_BASELINE},
      {"profile-level-id=58801f", true, 0, H264_PROFILE_BASELINE},
      {"profile-level-id=640c1f", true, 0, H264_PROFILE_CONSTRAINED_HIGH},
      {"profile-level-id=64001f", true, 0, H264_PROFILE_HIGH},
      {"profile-level-id=f4001f", true, 0, H264_PROFILE_OTHER},
      {"x-profile-level-id=64001f", true, 0, H264_PROFILE_BASELINE},
      {"packetization-mode=3", false, 0, 0},
      {"packetization-mode=", false, 0, 0},
      {"packetization-mode=10", false, 0, 0},
      {"profile-level-id=42e0", false, 0, 0},
      {"profile-level-id=42e01g", false, 0, 0},
  };
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    H264Params params = {0};
    if (h264_params_parse(&params, rows[i].fmtp) != rows[i].good)
      fail_msg("row %zu: %s", i, rows[i].fmtp);
    if (!rows[i].good)
      continue;
    assert_int_equal(params.packetization_mode, rows[i].mode);
    assert_int_equal(params.profile, rows[i].profile);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(publisher_gets_its_first_choice),
      cmocka_unit_test(publisher_answer_is_complete),
      cmocka_unit_test(publisher_h264_is_constrained_baseline),
      cmocka_unit_test(section_that_is_not_taken_is_rejected),
      cmocka_unit_test(second_section_of_a_kind_is_rejected),
      cmocka_unit_test(payload_type_of_rtcps_range_is_passed_over),
      cmocka_unit_test(unusual_offers_are_understood),
      cmocka_unit_test(feedback_that_is_not_offered_is_not_answered),
      cmocka_unit_test(player_gets_the_publishers_codecs),
      cmocka_unit_test(player_answer_is_complete),
      cmocka_unit_test(player_of_a_video_stream_gets_no_audio),
      cmocka_unit_test(player_without_the_codec_is_refused),
      cmocka_unit_test(bad_offer_is_refused_with_its_reason),
      cmocka_unit_test(lone_section_outside_a_bundle_is_refused),
      cmocka_unit_test(offer_of_a_strange_shape_is_refused),
      cmocka_unit_test(offer_cut_anywhere_is_handled),
      cmocka_unit_test(h264_params_are_read),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
