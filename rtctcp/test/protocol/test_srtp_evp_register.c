/* How the transforms on EVP come into libsrtp2: known answers, the fall-back to libsrtp's own, and
 * what a context asks of OpenSSL. */
#include "protocol/srtp.h"

#include "support/srtp_types.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/crypto.h>
#include <openssl/err.h>

#define CAP 1500

/* ---- OpenSSL's allocations ------------------------------------------------------------------- */

static size_t asked;   /* since reset */
static size_t fail_at; /* 0: none */
static long live;

static bool fails(void) {
  bool now = ++asked == fail_at;
  if (now)
    errno = ENOMEM;
  return now;
}

static void *count_malloc(size_t size, const char *file, int line) {
  (void)file;
  (void)line;
  void *block = fails() ? NULL : malloc(size);
  live += block != NULL;
  return block;
}

static void *count_realloc(void *block, size_t size, const char *file, int line) {
  (void)file;
  (void)line;
  bool is_new = block == NULL;
  void *moved = fails() ? NULL : realloc(block, size);
  live += is_new && moved;
  return moved;
}

static void count_free(void *block, const char *file, int line) {
  (void)file;
  (void)line;
  live -= block != NULL;
  free(block);
}

/* Before it has allocated anything. */
__attribute__((constructor)) static void take_hooks(void) {
  if (!CRYPTO_set_mem_functions(count_malloc, count_realloc, count_free))
    abort();
}

/* ---- Sessions -------------------------------------------------------------------------------- */

static const struct {
  RtcSrtpProfile profile;
  size_t master_len;
  size_t asked_a_packet; /* HMAC's state is copied twice */
} profiles[] = {
    {RTC_SRTP_PROFILE_AEAD_AES_128_GCM, 28, 0},
    {RTC_SRTP_PROFILE_AEAD_AES_256_GCM, 44, 0},
    {RTC_SRTP_PROFILE_AES128_CM_SHA1_80, 30, 2},
};
#define PROFILES (sizeof profiles / sizeof *profiles)

/* Sends to itself: both directions have one key. */
static RtcSrtpKeys keys_of(size_t i) {
  RtcSrtpKeys keys = {.profile = profiles[i].profile, .len = profiles[i].master_len};
  memset(keys.send, 0x3C, keys.len);
  memset(keys.receive, 0x3C, keys.len);
  return keys;
}

static size_t make_packet(uint8_t packet[CAP], uint16_t sequence) {
  memset(packet, 0x11, 1000);
  packet[0] = 0x80;
  packet[2] = (uint8_t)(sequence >> 8);
  packet[3] = (uint8_t)sequence;
  return 1000;
}

static void assert_packet_flows(RtcSrtp *srtp, uint16_t sequence) {
  uint8_t packet[CAP], expected[CAP];
  size_t len = make_packet(packet, sequence), plain_len = make_packet(expected, sequence);
  assert_int_equal(rtc_srtp_protect(srtp, packet, &len, CAP), RTC_OK);
  assert_memory_not_equal(packet, expected, plain_len);
  assert_int_equal(rtc_srtp_unprotect(srtp, packet, &len), RTC_OK);
  assert_int_equal(len, plain_len);
  assert_memory_equal(packet, expected, plain_len);
}

static void assert_sessions_work(void) {
  for (size_t i = 0; i < PROFILES; i++) {
    RtcSrtpKeys keys = keys_of(i);
    RtcSrtp *srtp;
    assert_int_equal(rtc_srtp_new(&srtp, &keys), RTC_OK);
    assert_packet_flows(srtp, 1);
    rtc_srtp_destroy(srtp);
  }
}

/* ---- Registering ----------------------------------------------------------------------------- */

static void assert_ours_in_place(void) {
  for (size_t i = 0; i < SRTP_TYPES_CIPHERS; i++)
    assert_ptr_equal(srtp_types_cipher(srtp_types_ours[i]->id), srtp_types_ours[i]);
  assert_ptr_equal(srtp_types_auth(SRTP_HMAC_SHA1), &rtc_srtp_evp_hmac_sha1);
}

/* Each is found by libsrtp after the first call, and may be put there again. */
static void all_transforms_are_on_evp(void **state) {
  (void)state;
  assert_ours_in_place();
  assert_int_equal(rtc_srtp_evp_register(), RTC_SRTP_TRANSFORMS_ALL);
  assert_ours_in_place();
  assert_sessions_work();
}

/* The RFCs' answers are what libsrtp's own compute too, and libsrtp's what ours do. */
static void known_answers_are_both_kinds(void **state) {
  (void)state;
  for (size_t i = 0; i < SRTP_TYPES_CIPHERS; i++) {
    const srtp_cipher_type_t *type = srtp_types_ours[i], *builtin = srtp_types_builtin[i];
    assert_int_equal(srtp_cipher_type_self_test(type), srtp_err_status_ok);
    assert_int_equal(srtp_cipher_type_test(type, builtin->test_data), srtp_err_status_ok);
    assert_int_equal(srtp_cipher_type_test(builtin, type->test_data), srtp_err_status_ok);
  }
  const srtp_auth_type_t *type = &rtc_srtp_evp_hmac_sha1, *builtin = srtp_types_builtin_auth;
  assert_int_equal(srtp_auth_type_self_test(type), srtp_err_status_ok);
  assert_int_equal(srtp_auth_type_test(type, builtin->test_data), srtp_err_status_ok);
  assert_int_equal(srtp_auth_type_test(builtin, type->test_data), srtp_err_status_ok);
}

/* A context goes on with the type that made it, on both sides of a replacement. */
static void contexts_outlive_a_replacement(void **state) {
  (void)state;
  for (size_t i = 0; i < PROFILES; i++) {
    RtcSrtpKeys keys = keys_of(i);
    RtcSrtp *ours, *builtin;
    assert_int_equal(rtc_srtp_new(&ours, &keys), RTC_OK);
    srtp_types_use_builtin();
    assert_int_equal(rtc_srtp_new(&builtin, &keys), RTC_OK);
    assert_packet_flows(ours, 1);
    srtp_types_use_ours();
    assert_packet_flows(builtin, 1);
    assert_packet_flows(ours, 2);
    rtc_srtp_destroy(builtin);
    rtc_srtp_destroy(ours);
  }
}

/* ---- The fall-back --------------------------------------------------------------------------- */

static srtp_cipher_type_t broken_cipher;
static srtp_auth_type_t broken_auth;

/* A context points to the type that made it. */
static srtp_err_status_t make_broken_cipher(srtp_cipher_t **cipher, int key_len, int tag_len) {
  bool is_cm = broken_cipher.id == SRTP_AES_ICM_128 || broken_cipher.id == SRTP_AES_ICM_256;
  const srtp_cipher_type_t *sound = is_cm ? &rtc_srtp_evp_cm_128 : &rtc_srtp_evp_gcm_128;
  srtp_err_status_t status = sound->alloc(cipher, key_len, tag_len);
  if (!status)
    (*cipher)->type = &broken_cipher;
  return status;
}

static srtp_err_status_t make_broken_auth(srtp_auth_t **auth, int key_len, int tag_len) {
  srtp_err_status_t status = rtc_srtp_evp_hmac_sha1.alloc(auth, key_len, tag_len);
  if (!status)
    (*auth)->type = &broken_auth;
  return status;
}

static srtp_err_status_t make_nothing(srtp_cipher_t **cipher, int key_len, int tag_len) {
  (void)cipher;
  (void)key_len;
  (void)tag_len;
  return srtp_err_status_alloc_fail;
}

/* It can be undone, so that only a known answer tells. */
static srtp_err_status_t encrypt_nothing(void *state, uint8_t *data, unsigned *len) {
  (void)state;
  (void)data;
  (void)len;
  return srtp_err_status_ok;
}

static srtp_err_status_t compute_zero(void *state, const uint8_t *data, int len, int tag_len,
                                      uint8_t *tag) {
  (void)state;
  (void)data;
  (void)len;
  memset(tag, 0, (size_t)tag_len);
  return srtp_err_status_ok;
}

#define WAYS 3
static void break_cipher(const srtp_cipher_type_t *sound, size_t way) {
  broken_cipher = *sound;
  if (way == 0) {
    broken_cipher.alloc = make_nothing;
  } else if (way == 1) {
    broken_cipher.test_data = NULL;
  } else {
    broken_cipher.alloc = make_broken_cipher;
    broken_cipher.encrypt = encrypt_nothing;
  }
}

/* A type that is not what it says stays out, and what was there stays in use. */
static void type_that_fails_its_tests_is_not_left_registered(void **state) {
  (void)state;
  srtp_types_use_builtin();
  for (size_t i = 0; i < SRTP_TYPES_CIPHERS * WAYS; i++) {
    const srtp_cipher_type_t *sound = srtp_types_ours[i / WAYS];
    break_cipher(sound, i % WAYS);
    assert_false(rtc_srtp_evp_replace_cipher(&broken_cipher));
    assert_ptr_equal(srtp_types_cipher(sound->id), srtp_types_builtin[i / WAYS]);
  }
  broken_auth = rtc_srtp_evp_hmac_sha1;
  broken_auth.alloc = make_broken_auth;
  broken_auth.compute = compute_zero;
  assert_false(rtc_srtp_evp_replace_auth(&broken_auth));
  assert_ptr_equal(srtp_types_auth(SRTP_HMAC_SHA1), srtp_types_builtin_auth);
  assert_sessions_work();
  srtp_types_use_ours();
}

typedef struct Lines {
  unsigned count;
  char last[128];
} Lines;

static void keep_line(void *arg, RtcLogLevel level, const char *line) {
  Lines *lines = arg;
  assert_int_equal(level, RTC_LOG_LEVEL_WARN);
  lines->count++;
  snprintf(lines->last, sizeof lines->last, "%s", line);
}

/* An operator is told of each transform that stayed libsrtp's own, and of nothing else. */
static void fall_back_is_logged(void **state) {
  (void)state;
  Lines lines = {0};
  const RtcLog log = {.level = RTC_LOG_LEVEL_DEBUG, .write = keep_line, .arg = &lines};
  rtc_srtp_init(&log);
  assert_int_equal(lines.count, 0);
  rtc_srtp_evp_report(RTC_SRTP_TRANSFORMS_ALL & ~RTC_SRTP_TRANSFORM_BIT(AES_256_GCM), &log);
  assert_int_equal(lines.count, 1);
  assert_non_null(strstr(lines.last, "AES-256-GCM"));
  rtc_srtp_evp_report(0, &log);
  assert_int_equal(lines.count, 1 + RTC_SRTP_TRANSFORM_COUNT);
}

/* ---- What is asked of OpenSSL ---------------------------------------------------------------- */

/* A packet needs no memory of OpenSSL with GCM; no key schedule is made anew, either, for that is
 * what asks in init. */
static void packet_asks_for_no_memory(void **state) {
  (void)state;
  for (size_t i = 0; i < PROFILES; i++) {
    RtcSrtpKeys keys = keys_of(i);
    RtcSrtp *srtp;
    assert_int_equal(rtc_srtp_new(&srtp, &keys), RTC_OK);
    assert_packet_flows(srtp, 1); /* the stream's state */
    asked = 0;
    for (uint16_t n = 2; n < 102; n++)
      assert_packet_flows(srtp, n);
    assert_int_equal(asked, 2 * 100 * profiles[i].asked_a_packet);
    rtc_srtp_destroy(srtp);
  }
}

/* Each allocation of a session's beginning fails in turn: an error, and nothing is left. */
static void session_without_memory_is_an_error(void **state) {
  (void)state;
  for (size_t i = 0; i < PROFILES; i++) {
    RtcSrtpKeys keys = keys_of(i);
    RtcSrtp *srtp;
    long before = live;
    asked = fail_at = 0;
    assert_int_equal(rtc_srtp_new(&srtp, &keys), RTC_OK);
    rtc_srtp_destroy(srtp);
    assert_int_equal(live, before);
    size_t needed = asked;
    assert_true(needed > 0);
    for (size_t n = 1; n <= needed; n++) {
      asked = 0;
      fail_at = n;
      RtcError error = rtc_srtp_new(&srtp, &keys);
      fail_at = 0;
      assert_int_equal(error, RTC_ERROR_NO_MEMORY);
      assert_int_equal(live, before);
      assert_int_equal(ERR_peek_error(), 0);
    }
  }
}

/* A packet that can't have memory is not protected, not opened, and the next one is. */
static void packet_without_memory_is_an_error(void **state) {
  (void)state;
  RtcSrtpKeys keys = keys_of(2);
  RtcSrtp *srtp;
  uint8_t packet[CAP];
  assert_int_equal(rtc_srtp_new(&srtp, &keys), RTC_OK);
  assert_packet_flows(srtp, 1);
  for (size_t n = 1; n <= 2; n++) {
    size_t len = make_packet(packet, (uint16_t)(2 * n));
    asked = 0;
    fail_at = n;
    assert_int_equal(rtc_srtp_protect(srtp, packet, &len, CAP), RTC_ERROR_NO_MEMORY);
    fail_at = 0;
    assert_int_equal(ERR_peek_error(), 0);
    assert_packet_flows(srtp, (uint16_t)(2 * n + 1));
  }
  rtc_srtp_destroy(srtp);
}

/* What DTLS would find in the thread's queue of errors, it would take for its own. */
static void refused_packets_leave_no_error_behind(void **state) {
  (void)state;
  for (size_t i = 0; i < PROFILES; i++) {
    RtcSrtpKeys keys = keys_of(i);
    RtcSrtp *srtp;
    uint8_t packet[CAP];
    size_t len = make_packet(packet, 1);
    assert_int_equal(rtc_srtp_new(&srtp, &keys), RTC_OK);
    assert_int_equal(rtc_srtp_protect(srtp, packet, &len, CAP), RTC_OK);
    packet[len - 1] ^= 1;
    assert_int_equal(rtc_srtp_unprotect(srtp, packet, &len), RTC_ERROR_AUTH);
    assert_int_equal(ERR_peek_error(), 0);
    rtc_srtp_destroy(srtp);
  }
}

/* ---- Arguments ------------------------------------------------------------------------------- */

/* Lengths that no type of ours has; libsrtp asks before anything is made. */
static void unknown_lengths_are_refused(void **state) {
  (void)state;
  srtp_cipher_t *cipher = NULL;
  srtp_auth_t *auth = NULL;
  static const int key_lens[] = {0, 16, 29, 45, 47};
  static const int tag_lens[] = {0, 7, 12, 17};
  for (size_t i = 0; i < sizeof key_lens / sizeof *key_lens; i++) {
    assert_int_equal(rtc_srtp_evp_gcm_128.alloc(&cipher, key_lens[i], 16),
                     srtp_err_status_bad_param);
    assert_int_equal(rtc_srtp_evp_cm_128.alloc(&cipher, key_lens[i], 0), srtp_err_status_bad_param);
  }
  for (size_t i = 0; i < sizeof tag_lens / sizeof *tag_lens; i++)
    assert_int_equal(rtc_srtp_evp_gcm_128.alloc(&cipher, 28, tag_lens[i]),
                     srtp_err_status_bad_param);
  assert_int_equal(rtc_srtp_evp_hmac_sha1.alloc(&auth, 20, 21), srtp_err_status_bad_param);
  assert_int_equal(rtc_srtp_evp_hmac_sha1.alloc(&auth, -1, 10), srtp_err_status_bad_param);
  assert_null(cipher);
  assert_null(auth);
}

/* Nothing is read before what is shorter than a tag. */
static void ciphertext_shorter_than_a_tag_is_refused(void **state) {
  (void)state;
  static const uint8_t key[28];
  uint8_t iv[12] = {0}, data[16] = {0};
  srtp_cipher_t *cipher;
  assert_int_equal(srtp_cipher_type_alloc(&rtc_srtp_evp_gcm_128, &cipher, 28, 16),
                   srtp_err_status_ok);
  assert_int_equal(srtp_cipher_init(cipher, key), srtp_err_status_ok);
  assert_int_equal(srtp_cipher_set_iv(cipher, iv, srtp_direction_any), srtp_err_status_bad_param);
  assert_int_equal(srtp_cipher_set_iv(cipher, iv, srtp_direction_decrypt), srtp_err_status_ok);
  for (uint32_t len = 0; len < 16; len++)
    assert_int_equal(srtp_cipher_decrypt(cipher, data, &len), srtp_err_status_bad_param);
  uint32_t len = 16;
  assert_int_equal(srtp_cipher_decrypt(cipher, data, &len), srtp_err_status_auth_fail);
  srtp_cipher_dealloc(cipher);
}

static int setup_all(void **state) {
  (void)state;
  srtp_types_init();
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(all_transforms_are_on_evp),
      cmocka_unit_test(known_answers_are_both_kinds),
      cmocka_unit_test(contexts_outlive_a_replacement),
      cmocka_unit_test(type_that_fails_its_tests_is_not_left_registered),
      cmocka_unit_test(fall_back_is_logged),
      cmocka_unit_test(packet_asks_for_no_memory),
      cmocka_unit_test(session_without_memory_is_an_error),
      cmocka_unit_test(packet_without_memory_is_an_error),
      cmocka_unit_test(refused_packets_leave_no_error_behind),
      cmocka_unit_test(unknown_lengths_are_refused),
      cmocka_unit_test(ciphertext_shorter_than_a_tag_is_refused),
  };
  return cmocka_run_group_tests_name("SRTP's transforms", tests, setup_all, NULL);
}
