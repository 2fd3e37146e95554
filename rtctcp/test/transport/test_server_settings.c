/* A server's configuration: its defaults, and the candidates that its answers tell. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "transport/server_settings.h"

#define TEXTS_MAX 20
#define UNTOUCHED ((size_t)77)

/* The texts up to the first NULL. */
static size_t count_of(const char *const *texts) {
  size_t count = 0;
  while (count < TEXTS_MAX && texts[count])
    count++;
  return count;
}

static RtcError candidates(RtcServerSettings *settings, const char *const *listen,
                           const char *const *named, size_t *failed) {
  RtcAddress bound[TEXTS_MAX];
  RtcServerConfig config;
  rtc_server_config_init(&config);
  config.listen = listen;
  config.listen_count = count_of(listen);
  config.candidates = named;
  config.candidate_count = count_of(named);
  for (size_t i = 0; i < config.listen_count; i++)
    assert_int_equal(rtc_address_parse(&bound[i], listen[i], -1), RTC_OK);
  rtc_server_settings_init(settings, &config);
  return rtc_server_settings_candidates(settings, &config, bound, failed);
}

static void on_foreign(int fd, const struct sockaddr *peer, socklen_t peer_len, void *arg) {
  (void)fd;
  (void)peer;
  (void)peer_len;
  (void)arg;
}

/* The defaults are those that the header tells. */
static void defaults_are_as_told(void **state) {
  RtcServerConfig config;
  (void)state;
  rtc_server_config_init(&config);
  assert_int_equal(config.first_frame_timeout_ms, 10000);
  assert_int_equal(config.session_timeout_ms, 30000);
  assert_int_equal(config.reconnect_grace_ms, 10000);
  assert_int_equal(config.video_age_max_ms, 500);
  assert_int_equal(config.audio_age_max_ms, 1000);
  assert_int_equal(config.queue_octets_max, 2 * 1024 * 1024);
  assert_int_equal(config.notsent_lowat, 16 * 1024);
  assert_null(config.congestion_control);
  assert_int_equal(config.listen_count + config.candidate_count + config.worker_count, 0);
  assert_true(config.unauthenticated_max > 0 && config.unauthenticated_per_address_max > 0 &&
              config.connections_max > 0);
}

/* Times come as milliseconds and are kept as microseconds, the greatest too. */
static void every_setting_is_taken(void **state) {
  RtcServerSettings settings;
  RtcServerConfig config;
  int arg;
  (void)state;
  rtc_server_config_init(&config);
  config.first_frame_timeout_ms = 1;
  config.session_timeout_ms = UINT32_MAX;
  config.reconnect_grace_ms = 0;
  config.unauthenticated_max = 2;
  config.unauthenticated_per_address_max = 3;
  config.connections_max = 4;
  config.video_age_max_ms = 5;
  config.audio_age_max_ms = UINT32_MAX;
  config.queue_octets_max = 6;
  config.notsent_lowat = 7;
  config.on_foreign_socket = on_foreign;
  config.arg = &arg;
  rtc_server_settings_init(&settings, &config);
  assert_int_equal(settings.first_frame_timeout_us, 1000);
  assert_true(settings.session_timeout_us == INT64_C(4294967295000));
  assert_int_equal(settings.reconnect_grace_us, 0);
  assert_int_equal(settings.unauthenticated_max, 2);
  assert_int_equal(settings.unauthenticated_per_address_max, 3);
  assert_int_equal(settings.connections_max, 4);
  assert_int_equal(settings.send_limits.video_age_us, 5000);
  assert_true(settings.send_limits.audio_age_us == INT64_C(4294967295000));
  assert_int_equal(settings.send_limits.octets, 6);
  assert_int_equal(settings.notsent_lowat, 7);
  assert_ptr_equal(settings.on_foreign_socket, on_foreign);
  assert_ptr_equal(settings.arg, &arg);
  rtc_server_settings_finish(&settings);
}

/* Where 0 would make no sense it is the default. */
static void zero_is_the_default(void **state) {
  RtcServerSettings settings;
  const RtcServerConfig config = {.worker_count = 0};
  (void)state;
  rtc_server_settings_init(&settings, &config);
  assert_int_equal(settings.send_limits.video_age_us, 500 * 1000);
  assert_int_equal(settings.send_limits.audio_age_us, 1000 * 1000);
  assert_int_equal(settings.send_limits.octets, 2 * 1024 * 1024);
  assert_int_equal(settings.notsent_lowat, 16 * 1024);
  rtc_server_settings_finish(&settings);
}

/* Named candidates go before what was bound; else what was bound, as far as it names a host. */
static void candidates_are_the_named_or_the_bound(void **state) {
  static const struct {
    const char *listen[TEXTS_MAX], *named[TEXTS_MAX], *wanted[TEXTS_MAX];
    uint16_t ports[TEXTS_MAX];
  } cases[] = {
      {{"127.0.0.1:8080"}, {NULL}, {"127.0.0.1"}, {8080}},
      {{"0.0.0.0:8080"}, {"192.0.2.1"}, {"192.0.2.1"}, {8080}},
      {{"0.0.0.0:8080"}, {"192.0.2.1:443"}, {"192.0.2.1"}, {443}},
      {{"127.0.0.1:1", "[::1]:2"}, {NULL}, {"127.0.0.1", "::1"}, {1, 2}},
      {{"0.0.0.0:1", "[::1]:2", "[::]:3"}, {NULL}, {"::1"}, {2}},
      {{"127.0.0.1:1", "[::1]:2"},
       {"2001:db8::1", "[2001:db8::2]:9", "192.0.2.1"},
       {"2001:db8::1", "2001:db8::2", "192.0.2.1"},
       {1, 9, 1}},
      {{"127.0.0.1:5"}, {"::ffff:192.0.2.1"}, {"192.0.2.1"}, {5}},
  };
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    RtcServerSettings settings;
    size_t failed = UNTOUCHED, count = count_of(cases[i].wanted);
    assert_int_equal(candidates(&settings, cases[i].listen, cases[i].named, &failed), RTC_OK);
    assert_int_equal(settings.candidate_count, count);
    for (size_t at = 0; at < count; at++) {
      assert_string_equal(settings.candidates[at].address, cases[i].wanted[at]);
      assert_int_equal(settings.candidates[at].port, cases[i].ports[at]);
    }
    rtc_server_settings_finish(&settings);
  }
}

/* A refused text is told by its place; with only wildcards bound there is nothing to tell. */
static void unusable_candidates_are_refused(void **state) {
  static const struct {
    const char *listen[TEXTS_MAX], *named[TEXTS_MAX];
    size_t failed;
  } cases[] = {
      {{"0.0.0.0:8080"}, {NULL}, 0},
      {{"0.0.0.0:8080", "[::]:8080"}, {NULL}, 0},
      {{"127.0.0.1:8080"}, {"host.example"}, 0},
      {{"127.0.0.1:8080"}, {"192.0.2.1", "192.0.2.1:x"}, 1},
      {{"127.0.0.1:8080"}, {"192.0.2.1", "192.0.2.2", "0.0.0.0"}, 2},
      {{"127.0.0.1:8080"}, {"192.0.2.1", "::"}, 1},
      {{"127.0.0.1:8080"}, {"192.0.2.1:0"}, 0},
  };
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    RtcServerSettings settings;
    size_t failed = UNTOUCHED;
    assert_int_equal(candidates(&settings, cases[i].listen, cases[i].named, &failed),
                     RTC_ERROR_INVALID_ARGUMENT);
    assert_int_equal(failed, cases[i].failed);
    rtc_server_settings_finish(&settings);
  }
}

/* Passive TCP host candidates, the earlier the better (RFC 8445 section 5.1.2, RFC 6544 section
 * 4.2), each address with a foundation of its own. */
static void candidates_are_passive_and_ordered(void **state) {
  static const char *const listen[TEXTS_MAX] = {"127.0.0.1:1", "127.0.0.2:1", "[::1]:1"};
  static const char *const named[TEXTS_MAX] = {NULL};
  RtcServerSettings settings;
  size_t failed;
  (void)state;
  assert_int_equal(candidates(&settings, listen, named, &failed), RTC_OK);
  assert_int_equal(settings.candidate_count, 3);
  for (size_t i = 0; i < 3; i++) {
    const RtcCandidate *candidate = &settings.candidates[i];
    assert_true(candidate->tcp);
    assert_int_equal(candidate->component, 1);
    assert_int_equal(candidate->tcp_type, RTC_TCP_TYPE_PASSIVE);
    assert_string_equal(candidate->type, "host");
    assert_int_equal(candidate->priority >> 24, 126);
    assert_int_equal(candidate->priority >> 21 & 7, 4);
    assert_int_equal(candidate->priority & 0xff, 255);
    assert_true(i == 0 || candidate->priority < settings.candidates[i - 1].priority);
    for (size_t other = 0; other < i; other++)
      assert_string_not_equal(candidate->foundation, settings.candidates[other].foundation);
  }
  rtc_server_settings_finish(&settings);
}

/* More than an answer carries: the first ones are told. */
static void surplus_candidates_are_left_out(void **state) {
  static const char *const listen[TEXTS_MAX] = {"127.0.0.1:1"};
  static const char *const named[TEXTS_MAX] = {
      "192.0.2.1",  "192.0.2.2",  "192.0.2.3",  "192.0.2.4",  "192.0.2.5",  "192.0.2.6",
      "192.0.2.7",  "192.0.2.8",  "192.0.2.9",  "192.0.2.10", "192.0.2.11", "192.0.2.12",
      "192.0.2.13", "192.0.2.14", "192.0.2.15", "192.0.2.16", "192.0.2.17"};
  RtcServerSettings settings;
  size_t failed;
  (void)state;
  assert_int_equal(candidates(&settings, listen, named, &failed), RTC_OK);
  assert_int_equal(settings.candidate_count, RTC_SDP_CANDIDATES_MAX);
  assert_string_equal(settings.candidates[RTC_SDP_CANDIDATES_MAX - 1].address, "192.0.2.16");
  rtc_server_settings_finish(&settings);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(defaults_are_as_told),
      cmocka_unit_test(every_setting_is_taken),
      cmocka_unit_test(zero_is_the_default),
      cmocka_unit_test(candidates_are_the_named_or_the_bound),
      cmocka_unit_test(unusable_candidates_are_refused),
      cmocka_unit_test(candidates_are_passive_and_ordered),
      cmocka_unit_test(surplus_candidates_are_left_out),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
