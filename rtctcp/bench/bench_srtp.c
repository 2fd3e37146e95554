/* What SRTP costs: a packet with libsrtp2's own ciphers, with ours, and the same work on OpenSSL's
 * EVP alone, in one run; and the memory that a session holds.
 * usage: bench_srtp [octets a packet, default 1000] */
#include "protocol/srtp.h"
#include "protocol/srtp_evp.h"

#include <malloc.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROUNDS      101 /* the median of which is told */
#define PACKETS     256 /* a round and contestant; they fit into a cache, as freshly copied ones do */
#define SESSIONS    500
#define PACKET_MAX  4096
#define ROOM        (PACKET_MAX + RTC_SRTP_OVERHEAD_MAX)
#define HEADER_LEN  12
#define GCM_TAG_LEN 16
#define CM_TAG_LEN  10
#define SHA1_LEN    20

static const struct {
  const char *name;
  RtcSrtpProfile profile;
  size_t master_len;
  const char *cipher; /* OpenSSL's */
} profiles[] = {
    {"AEAD_AES_128_GCM", RTC_SRTP_PROFILE_AEAD_AES_128_GCM, 28, "AES-128-GCM"},
    {"AEAD_AES_256_GCM", RTC_SRTP_PROFILE_AEAD_AES_256_GCM, 44, "AES-256-GCM"},
    {"AES128_CM_SHA1_80", RTC_SRTP_PROFILE_AES128_CM_SHA1_80, 30, "AES-128-CTR"},
};
#define PROFILES (sizeof profiles / sizeof *profiles)

static size_t packet_len = 1000;
static uint8_t packets[PACKETS][ROOM];
static size_t lens[PACKETS];

static void check(bool good, const char *what) {
  if (good)
    return;
  fprintf(stderr, "bench_srtp: %s failed\n", what);
  exit(1);
}

/* ---- libsrtp's own types, and ours ----------------------------------------------------------- */

/* Exported by libsrtp2, but in none of its installed headers. */
const srtp_cipher_type_t *srtp_crypto_kernel_get_cipher_type(srtp_cipher_type_id_t id);
const srtp_auth_type_t *srtp_crypto_kernel_get_auth_type(srtp_auth_type_id_t id);

static const srtp_cipher_type_id_t cipher_ids[] = {SRTP_AES_GCM_128, SRTP_AES_GCM_256,
                                                   SRTP_AES_ICM_128, SRTP_AES_ICM_256};
#define CIPHERS (sizeof cipher_ids / sizeof *cipher_ids)

static const srtp_cipher_type_t *builtin_ciphers[CIPHERS];
static const srtp_auth_type_t *builtin_auth;

static void remember_builtin(void) {
  check(srtp_init() == srtp_err_status_ok, "srtp_init");
  for (size_t i = 0; i < CIPHERS; i++)
    builtin_ciphers[i] = srtp_crypto_kernel_get_cipher_type(cipher_ids[i]);
  builtin_auth = srtp_crypto_kernel_get_auth_type(SRTP_HMAC_SHA1);
}

static void use_builtin(void) {
  for (size_t i = 0; i < CIPHERS; i++)
    check(rtc_srtp_evp_replace_cipher(builtin_ciphers[i]), "replacing a cipher");
  check(rtc_srtp_evp_replace_auth(builtin_auth), "replacing HMAC");
}

static void use_ours(void) {
  check(rtc_srtp_evp_register() == RTC_SRTP_TRANSFORMS_ALL, "registering");
}

/* ---- Contestants ------------------------------------------------------------------------------
 */

/* What EVP has to do for a packet, without SRTP. The IV is as good as another. */
typedef struct Bare {
  EVP_CIPHER_CTX *cipher;
  EVP_MAC_CTX *mac; /* NULL: the cipher authenticates */
  uint8_t iv[16];
} Bare;

static Bare make_bare(size_t i) {
  static const uint8_t key[32] = {0x3C};
  Bare bare = {.cipher = EVP_CIPHER_CTX_new()};
  EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, profiles[i].cipher, NULL);
  check(EVP_CipherInit_ex2(bare.cipher, cipher, key, bare.iv, 1, NULL), "EVP_CipherInit_ex2");
  EVP_CIPHER_free(cipher);
  if (profiles[i].profile != RTC_SRTP_PROFILE_AES128_CM_SHA1_80)
    return bare;
  EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
  char digest[] = "SHA1";
  const OSSL_PARAM params[] = {OSSL_PARAM_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 4),
                               OSSL_PARAM_END};
  bare.mac = EVP_MAC_CTX_new(mac);
  check(EVP_MAC_init(bare.mac, key, SHA1_LEN, params), "EVP_MAC_init");
  EVP_MAC_free(mac);
  return bare;
}

static void free_bare(Bare *bare) {
  EVP_CIPHER_CTX_free(bare->cipher);
  EVP_MAC_CTX_free(bare->mac);
}

static bool authenticate_bare(Bare *bare, const uint8_t *packet, size_t len, uint8_t *tag) {
  static const uint8_t roc[4];
  uint8_t whole[SHA1_LEN];
  size_t done;
  bool good = EVP_MAC_init(bare->mac, NULL, 0, NULL) && EVP_MAC_update(bare->mac, packet, len) &&
              EVP_MAC_update(bare->mac, roc, sizeof roc) &&
              EVP_MAC_final(bare->mac, whole, &done, sizeof whole);
  memcpy(tag, whole, CM_TAG_LEN);
  return good;
}

static bool protect_bare(Bare *bare, size_t n) {
  uint8_t *packet = packets[n], *payload = packet + HEADER_LEN, *end = packet + lens[n];
  int done, len = (int)(end - payload);
  memcpy(bare->iv, packet + 2, 10);
  if (!EVP_CipherInit_ex2(bare->cipher, NULL, NULL, bare->iv, 1, NULL))
    return false;
  if (bare->mac)
    return EVP_CipherUpdate(bare->cipher, payload, &done, payload, len) &&
           authenticate_bare(bare, packet, lens[n], end);
  return EVP_CipherUpdate(bare->cipher, NULL, &done, packet, HEADER_LEN) &&
         EVP_CipherUpdate(bare->cipher, payload, &done, payload, len) &&
         EVP_CipherFinal_ex(bare->cipher, end, &done) &&
         EVP_CIPHER_CTX_ctrl(bare->cipher, EVP_CTRL_AEAD_GET_TAG, GCM_TAG_LEN, end);
}

static bool unprotect_bare(Bare *bare, size_t n) {
  uint8_t *packet = packets[n], *payload = packet + HEADER_LEN, *end = packet + lens[n];
  uint8_t tag[CM_TAG_LEN], none[1];
  int done, len = (int)(end - payload);
  memcpy(bare->iv, packet + 2, 10);
  if (!EVP_CipherInit_ex2(bare->cipher, NULL, NULL, bare->iv, 0, NULL))
    return false;
  if (bare->mac)
    return authenticate_bare(bare, packet, lens[n], tag) && memcmp(tag, end, CM_TAG_LEN) == 0 &&
           EVP_CipherUpdate(bare->cipher, payload, &done, payload, len);
  return EVP_CipherUpdate(bare->cipher, NULL, &done, packet, HEADER_LEN) &&
         EVP_CIPHER_CTX_ctrl(bare->cipher, EVP_CTRL_AEAD_SET_TAG, GCM_TAG_LEN, end) &&
         EVP_CipherUpdate(bare->cipher, payload, &done, payload, len) &&
         EVP_CipherFinal_ex(bare->cipher, none, &done);
}

static RtcSrtp *make_session(size_t i) {
  RtcSrtpKeys keys = {.profile = profiles[i].profile, .len = profiles[i].master_len};
  RtcSrtp *srtp;
  memset(keys.send, 0x3C, keys.len); /* both directions have one key: it sends to itself */
  memset(keys.receive, 0x3C, keys.len);
  check(rtc_srtp_new(&srtp, &keys) == RTC_OK, "rtc_srtp_new");
  return srtp;
}

/* ---- Rounds -----------------------------------------------------------------------------------
 */

enum { BUILTIN, OURS, BARE, CONTESTANTS };
enum { PROTECT, UNPROTECT, WAYS };

static double ns[CONTESTANTS][WAYS][ROUNDS];

static double cpu_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void make_packets(unsigned first) {
  for (unsigned n = 0; n < PACKETS; n++) {
    unsigned sequence = first + n;
    memset(packets[n], 0x5A, packet_len);
    packets[n][0] = 0x80;
    packets[n][2] = (uint8_t)(sequence >> 8);
    packets[n][3] = (uint8_t)sequence;
    lens[n] = packet_len;
  }
}

static void run_srtp(RtcSrtp *srtp, int contestant, int round) {
  bool good = true;
  make_packets((unsigned)round * PACKETS);
  double begin = cpu_ns();
  for (size_t n = 0; n < PACKETS; n++)
    good &= rtc_srtp_protect(srtp, packets[n], &lens[n], ROOM) == RTC_OK;
  double middle = cpu_ns();
  for (size_t n = 0; n < PACKETS; n++)
    good &= rtc_srtp_unprotect(srtp, packets[n], &lens[n]) == RTC_OK;
  double end = cpu_ns();
  check(good, "a packet");
  ns[contestant][PROTECT][round] = (middle - begin) / PACKETS;
  ns[contestant][UNPROTECT][round] = (end - middle) / PACKETS;
}

static void run_bare(Bare *bare, int round) {
  bool good = true;
  make_packets((unsigned)round * PACKETS);
  double begin = cpu_ns();
  for (size_t n = 0; n < PACKETS; n++)
    good &= protect_bare(bare, n);
  double middle = cpu_ns();
  for (size_t n = 0; n < PACKETS; n++)
    good &= unprotect_bare(bare, n);
  double end = cpu_ns();
  check(good, "a bare packet");
  ns[BARE][PROTECT][round] = (middle - begin) / PACKETS;
  ns[BARE][UNPROTECT][round] = (end - middle) / PACKETS;
}

static int compare(const void *a, const void *b) {
  double left = *(const double *)a, right = *(const double *)b;
  return left < right ? -1 : left > right;
}

static double median(double *values) {
  qsort(values, ROUNDS, sizeof *values, compare);
  return values[ROUNDS / 2];
}

static void print_speed(size_t i) {
  static const char *const ways[WAYS] = {"protect", "unprotect"};
  for (int way = 0; way < WAYS; way++) {
    double builtin = median(ns[BUILTIN][way]), ours = median(ns[OURS][way]);
    double bare = median(ns[BARE][way]);
    printf("%-18s %-10s %9.0f %9.0f %9.0f %12.2f %12.2f\n", profiles[i].name, ways[way], builtin,
           ours, bare, ours / bare, builtin / ours);
  }
}

/* All take part in each round, so that what else the machine does hits all. */
static void measure_speed(size_t i) {
  use_builtin();
  RtcSrtp *builtin = make_session(i);
  use_ours();
  RtcSrtp *ours = make_session(i);
  Bare bare = make_bare(i);
  for (int round = 0; round < ROUNDS; round++) {
    run_srtp(builtin, BUILTIN, round);
    run_srtp(ours, OURS, round);
    run_bare(&bare, round);
  }
  print_speed(i);
  free_bare(&bare);
  rtc_srtp_destroy(ours);
  rtc_srtp_destroy(builtin);
}

/* ---- Sessions ---------------------------------------------------------------------------------
 */

/* One packet each way: libsrtp makes a stream's state with its first. */
static void use_session(RtcSrtp *srtp) {
  make_packets(0);
  check(rtc_srtp_protect(srtp, packets[0], &lens[0], ROOM) == RTC_OK &&
            rtc_srtp_unprotect(srtp, packets[0], &lens[0]) == RTC_OK,
        "a packet");
}

typedef struct Session {
  double idle_octets;
  double used_octets; /* with a stream each way */
  double make_us;     /* CPU to make and destroy one */
} Session;

static double heap_octets(void) {
  struct mallinfo2 info = mallinfo2();
  return (double)info.uordblks + (double)info.hblkhd;
}

static Session measure_session(size_t i) {
  static RtcSrtp *sessions[SESSIONS];
  Session figures;
  rtc_srtp_destroy(make_session(i)); /* what the process makes once */
  double before = heap_octets(), begin = cpu_ns();
  for (size_t n = 0; n < SESSIONS; n++)
    sessions[n] = make_session(i);
  double made = cpu_ns();
  figures.idle_octets = (heap_octets() - before) / SESSIONS;
  for (size_t n = 0; n < SESSIONS; n++)
    use_session(sessions[n]);
  figures.used_octets = (heap_octets() - before) / SESSIONS;
  double end = cpu_ns();
  for (size_t n = 0; n < SESSIONS; n++)
    rtc_srtp_destroy(sessions[n]);
  figures.make_us = (made - begin + cpu_ns() - end) / SESSIONS / 1000;
  return figures;
}

static void print_sessions(size_t i) {
  use_builtin();
  Session builtin = measure_session(i);
  use_ours();
  Session ours = measure_session(i);
  printf("%-18s %9.0f %9.0f   %9.0f %9.0f   %9.0f %9.0f\n", profiles[i].name, builtin.idle_octets,
         ours.idle_octets, builtin.used_octets, ours.used_octets, builtin.make_us, ours.make_us);
}

int main(int argc, char **argv) {
  if (argc > 1)
    packet_len = (size_t)strtoul(argv[1], NULL, 10);
  if (packet_len < HEADER_LEN || packet_len > PACKET_MAX) {
    fprintf(stderr, "usage: bench_srtp [octets a packet, %d to %d]\n", HEADER_LEN, PACKET_MAX);
    return 2;
  }
  remember_builtin();
  rtc_srtp_init(NULL);
  printf("CPU of a packet of %zu octets [ns], median of %d rounds of %d\n", packet_len, ROUNDS,
         PACKETS);
  printf("%-18s %-10s %9s %9s %9s %12s %12s\n", "", "", "libsrtp's", "ours", "bare EVP",
         "ours / bare", "libsrtp's / ours");
  for (size_t i = 0; i < PROFILES; i++)
    measure_speed(i);
  printf(
      "\nA session, of %d: heap [octets] without streams, and with one each way; CPU to make and\n"
      "destroy it [us]\n",
      SESSIONS);
  printf("%-18s %9s %9s   %9s %9s   %9s %9s\n", "", "libsrtp's", "ours", "libsrtp's", "ours",
         "libsrtp's", "ours");
  for (size_t i = 0; i < PROFILES; i++)
    print_sessions(i);
  return 0;
}
