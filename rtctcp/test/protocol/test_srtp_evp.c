/* The transforms on EVP against libsrtp's own: the same octets for the same packets, and each opens
 * what the other has protected. Contexts of both kinds live side by side. */
#include "runtime/sanitizer.h"
#include "support/srtp_types.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CAP      (65535 + SRTP_MAX_TRAILER_LEN)
#define SSRC     0xCAFEBABEU
#define KEY_LEN  46 /* of the longest variant */
#define RTP_LEN  12
#define RTCP_LEN 8

/* ---- Variants: what a profile, or a host's policy, may ask for ------------------------------- */

typedef struct Variant {
  const char *name;
  void (*set)(srtp_crypto_policy_t *policy);
  bool rtcp_in_the_clear; /* authenticated only: no E flag */
  bool header_extensions; /* encrypted as well, RFC 6904 */
} Variant;

static const Variant variants[] = {
    {"AES128_CM_SHA1_80", srtp_crypto_policy_set_rtp_default, false, false},
    {"AEAD_AES_128_GCM", srtp_crypto_policy_set_aes_gcm_128_16_auth, false, false},
    {"AEAD_AES_256_GCM", srtp_crypto_policy_set_aes_gcm_256_16_auth, false, false},
    {"CM, SRTCP in the clear", srtp_crypto_policy_set_rtp_default, true, false},
    {"GCM, SRTCP in the clear", srtp_crypto_policy_set_aes_gcm_128_16_auth, true, false},
    {"CM, short tag", srtp_crypto_policy_set_aes_cm_128_hmac_sha1_32, false, false},
    {"CM, long key", srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80, false, false},
    {"GCM, short tag", srtp_crypto_policy_set_aes_gcm_256_8_auth, false, false},
    {"CM, header extensions", srtp_crypto_policy_set_rtp_default, false, true},
    {"GCM, header extensions", srtp_crypto_policy_set_aes_gcm_256_16_auth, false, true},
};
#define VARIANTS (sizeof variants / sizeof *variants)

typedef struct Pair {
  srtp_t sender;   /* owned */
  srtp_t receiver; /* owned */
} Pair;

static Pair ours, builtin;

static srtp_t make(const Variant *variant, srtp_ssrc_type_t direction) {
  static int encrypted_ids[] = {1, 3};
  uint8_t key[KEY_LEN];
  srtp_t context = NULL;
  srtp_policy_t policy = {.ssrc.type = direction, .window_size = 1024, .key = key};
  for (size_t i = 0; i < sizeof key; i++)
    key[i] = (uint8_t)(0x5B + 13 * i);
  variant->set(&policy.rtp);
  policy.rtcp = policy.rtp;
  if (variant->rtcp_in_the_clear)
    policy.rtcp.sec_serv = sec_serv_auth;
  if (variant->header_extensions) {
    policy.enc_xtn_hdr = encrypted_ids;
    policy.enc_xtn_hdr_count = 2;
  }
  assert_int_equal(srtp_create(&context, &policy), srtp_err_status_ok);
  return context;
}

/* Ours first: contexts of both kinds outlive the replacement of their types. */
static void make_pairs(const Variant *variant) {
  ours.sender = make(variant, ssrc_any_outbound);
  ours.receiver = make(variant, ssrc_any_inbound);
  srtp_types_use_builtin();
  builtin.sender = make(variant, ssrc_any_outbound);
  builtin.receiver = make(variant, ssrc_any_inbound);
  srtp_types_use_ours();
}

static int finish(void **state) {
  (void)state;
  srtp_t *const contexts[] = {&ours.sender, &ours.receiver, &builtin.sender, &builtin.receiver};
  for (size_t i = 0; i < sizeof contexts / sizeof *contexts; i++) {
    if (*contexts[i])
      srtp_dealloc(*contexts[i]);
    *contexts[i] = NULL;
  }
  return 0;
}

/* ---- Packets --------------------------------------------------------------------------------- */

typedef struct Packet {
  uint8_t *data; /* owned; CAP octets */
  int len;
} Packet;

static Packet plain, by_ours, by_builtin, opened;

static void put_u32(uint8_t *data, uint32_t value) {
  for (int i = 0; i < 4; i++)
    data[i] = (uint8_t)(value >> (24 - 8 * i));
}

static void fill(uint8_t *data, size_t len, unsigned seed) {
  for (size_t i = 0; i < len; i++)
    data[i] = (uint8_t)(i * 31 + seed);
}

/* One-byte header extensions (RFC 8285) with the ids 1 to 3, padded to words. */
static size_t put_extension(uint8_t *data, unsigned seed) {
  size_t len = 0;
  data[len++] = 0xBE;
  data[len++] = 0xDE;
  len += 2; /* words */
  for (unsigned id = 1; id <= 3; id++) {
    unsigned value_len = 1 + (seed + id * 5) % 16;
    data[len++] = (uint8_t)(id << 4 | (value_len - 1));
    memset(data + len, (int)(seed | 1), value_len);
    len += value_len;
  }
  while (len % 4 != 0)
    data[len++] = 0;
  data[2] = 0;
  data[3] = (uint8_t)(len / 4 - 1);
  return len;
}

/* With as many CSRCs, and the extension or not, as the sequence number says. Returns the octets of
 * the header. */
static size_t make_rtp(uint16_t sequence, size_t payload_len) {
  unsigned csrcs = sequence % 16;
  bool extended = sequence % 3 == 0;
  uint8_t *data = plain.data;
  data[0] = (uint8_t)(0x80 | (extended ? 0x10 : 0) | csrcs);
  data[1] = 96;
  data[2] = (uint8_t)(sequence >> 8);
  data[3] = (uint8_t)sequence;
  put_u32(data + 4, 3000U * sequence);
  put_u32(data + 8, SSRC);
  size_t len = RTP_LEN + 4 * csrcs;
  fill(data + RTP_LEN, 4 * csrcs, 7);
  if (extended)
    len += put_extension(data + len, sequence);
  fill(data + len, payload_len, sequence);
  plain.len = (int)(len + payload_len);
  return len;
}

static void make_rtcp(size_t more_len) {
  plain.data[0] = 0x80;
  plain.data[1] = 201;
  plain.data[2] = (uint8_t)((1 + more_len / 4) >> 8);
  plain.data[3] = (uint8_t)(1 + more_len / 4);
  put_u32(plain.data + 4, SSRC);
  fill(plain.data + RTCP_LEN, more_len, (unsigned)more_len);
  plain.len = (int)(RTCP_LEN + more_len);
}

static void copy(Packet *to, const Packet *from) {
  memcpy(to->data, from->data, (size_t)from->len);
  to->len = from->len;
}

static void assert_same(const Packet *actual, const Packet *expected) {
  assert_int_equal(actual->len, expected->len);
  assert_memory_equal(actual->data, expected->data, (size_t)expected->len);
}

/* ---- Protecting and opening ------------------------------------------------------------------ */

typedef srtp_err_status_t (*Transform)(srtp_t context, void *packet, int *len);

static srtp_err_status_t open_copy(Transform unprotect, srtp_t context, const Packet *packet) {
  copy(&opened, packet);
  return unprotect(context, opened.data, &opened.len);
}

/* Both protect plain to the same octets. */
static void assert_protected_alike(Transform protect) {
  copy(&by_ours, &plain);
  copy(&by_builtin, &plain);
  assert_int_equal(protect(ours.sender, by_ours.data, &by_ours.len), srtp_err_status_ok);
  assert_int_equal(protect(builtin.sender, by_builtin.data, &by_builtin.len), srtp_err_status_ok);
  assert_same(&by_ours, &by_builtin);
}

/* Both refuse the packet with one bit of the octet at position changed. */
static void assert_tampering_is_found(Transform unprotect, int position) {
  static const srtp_err_status_t expected = srtp_err_status_auth_fail;
  by_builtin.data[position] ^= 0x10;
  assert_int_equal(open_copy(unprotect, ours.receiver, &by_builtin), expected);
  assert_int_equal(open_copy(unprotect, builtin.receiver, &by_builtin), expected);
  by_builtin.data[position] ^= 0x10;
}

/* Each opens what the other has protected, once. */
static void assert_opened_alike(Transform unprotect) {
  assert_int_equal(open_copy(unprotect, ours.receiver, &by_builtin), srtp_err_status_ok);
  assert_same(&opened, &plain);
  assert_int_equal(open_copy(unprotect, builtin.receiver, &by_ours), srtp_err_status_ok);
  assert_same(&opened, &plain);
  assert_int_equal(open_copy(unprotect, ours.receiver, &by_builtin), srtp_err_status_replay_fail);
}

static void check_rtp(uint16_t sequence, size_t payload_len) {
  size_t header_len = make_rtp(sequence, payload_len);
  assert_protected_alike(srtp_protect);
  int behind = by_builtin.len - (int)header_len;
  assert_tampering_is_found(srtp_unprotect, 4 + sequence % 4); /* the timestamp */
  assert_tampering_is_found(srtp_unprotect, (int)header_len + sequence * 7 % behind);
  assert_tampering_is_found(srtp_unprotect, by_builtin.len - 1);
  assert_opened_alike(srtp_unprotect);
}

static void check_rtcp(size_t more_len) {
  make_rtcp(more_len);
  assert_protected_alike(srtp_protect_rtcp);
  assert_tampering_is_found(srtp_unprotect_rtcp, 1);
  assert_tampering_is_found(srtp_unprotect_rtcp, RTCP_LEN + (int)more_len / 2);
  assert_opened_alike(srtp_unprotect_rtcp);
}

/* ---- Tests ----------------------------------------------------------------------------------- */

/* Under Valgrind, and with sanitizers, each length would take too long; an odd one has all
 * remainders of a block. */
static size_t stride(void) {
  if (RUNNING_ON_VALGRIND)
    return 61;
  return RTC_ASAN || RTC_TSAN ? 7 : 1;
}

/* RTP of every length up to an MTU and of some beyond, with and without CSRCs and extensions, over
 * the wrap of the sequence number. */
static void rtp_of_every_length_is_the_same(void **state) {
  (void)state;
  static const size_t long_lens[] = {2047, 2048, 4096, 9001, 16384, 65000};
  for (size_t i = 0; i < VARIANTS; i++) {
    make_pairs(&variants[i]);
    uint16_t sequence = (uint16_t)(65536 - 300 / stride());
    for (size_t len = 0; len <= 1500; len += stride())
      check_rtp(sequence++, len);
    for (size_t n = 0; n < sizeof long_lens / sizeof *long_lens; n++)
      check_rtp(sequence++, long_lens[n]);
    finish(NULL);
  }
}

/* SRTCP, encrypted or only authenticated; libsrtp 2.5's own GCM takes no more than 2 KiB of the
 * latter. */
static void rtcp_of_every_length_is_the_same(void **state) {
  (void)state;
  for (size_t i = 0; i < VARIANTS; i++) {
    make_pairs(&variants[i]);
    for (size_t len = 0; len <= 1480; len += 4 * stride())
      check_rtcp(len);
    for (size_t len = 1; len < 40; len++) /* not of words: libsrtp does not mind */
      check_rtcp(len);
    if (!variants[i].rtcp_in_the_clear)
      check_rtcp(65000);
    finish(NULL);
  }
}

/* The rollover counter goes into IV and tag: again and again. */
static void rollover_counter_is_the_same(void **state) {
  (void)state;
  for (size_t i = 0; i < VARIANTS; i++) {
    make_pairs(&variants[i]);
    for (uint32_t index = 100; index < 5 * 65536; index += 20000)
      check_rtp((uint16_t)index, 100);
    finish(NULL);
  }
}

/* Packets come late and out of order: an IV has nothing to do with the one before. */
static void order_makes_no_difference(void **state) {
  (void)state;
  static const uint16_t orders[][6] = {
      {500, 502, 501, 510, 505, 503},
      {65533, 65535, 0, 65534, 2, 1},
  };
  for (size_t i = 0; i < VARIANTS * 2; i++) {
    make_pairs(&variants[i / 2]);
    for (size_t n = 0; n < 6; n++) {
      check_rtp(orders[i % 2][n], 200 + n);
      check_rtcp(40 + n);
    }
    finish(NULL);
  }
}

static int setup_all(void **state) {
  (void)state;
  Packet *const packets[] = {&plain, &by_ours, &by_builtin, &opened};
  srtp_types_init();
  for (size_t i = 0; i < sizeof packets / sizeof *packets; i++) {
    packets[i]->data = malloc(CAP);
    if (!packets[i]->data)
      return -1;
  }
  return 0;
}

static int teardown_all(void **state) {
  (void)state;
  free(plain.data);
  free(by_ours.data);
  free(by_builtin.data);
  free(opened.data);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(rtp_of_every_length_is_the_same, finish),
      cmocka_unit_test_teardown(rtcp_of_every_length_is_the_same, finish),
      cmocka_unit_test_teardown(rollover_counter_is_the_same, finish),
      cmocka_unit_test_teardown(order_makes_no_difference, finish),
  };
  return cmocka_run_group_tests_name("SRTP on EVP and libsrtp's own", tests, setup_all,
                                     teardown_all);
}
