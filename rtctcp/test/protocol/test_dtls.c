/* DTLS sessions: handshake, identity, keys, alerts, against another session and plain OpenSSL. */
#include "protocol/dtls.h"

#include "support/dtls_peer.h"
#include "support/dtls_side.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define CM_80   "SRTP_AES128_CM_SHA1_80"
#define CM_32   "SRTP_AES128_CM_SHA1_32"
#define GCM_128 "SRTP_AEAD_AES_128_GCM"
#define GCM_256 "SRTP_AEAD_AES_256_GCM"

static RtcDtlsContext *context;       /* of the session under test */
static RtcDtlsContext *other_context; /* of the session that it talks to */
static DtlsSide server, client;
static DtlsPeer peer;

static int make_contexts(void **state) {
  (void)state;
  return rtc_dtls_context_new(&context, NULL) || rtc_dtls_context_new(&other_context, NULL);
}

static int destroy_contexts(void **state) {
  (void)state;
  rtc_dtls_context_destroy(context);
  rtc_dtls_context_destroy(other_context);
  return 0;
}

static int finish(void **state) {
  (void)state;
  dtls_side_finish(&server);
  dtls_side_finish(&client);
  dtls_peer_finish(&peer);
  return 0;
}

static void make_pair(void) {
  dtls_side_init(&server, context, RTC_DTLS_ROLE_SERVER,
                 rtc_dtls_context_fingerprint(other_context), 1);
  dtls_side_init(&client, other_context, RTC_DTLS_ROLE_CLIENT,
                 rtc_dtls_context_fingerprint(context), 1);
}

static void connect_pair(void) {
  make_pair();
  rtc_dtls_start(server.dtls);
  assert_int_equal(server.out.count, 0);
  rtc_dtls_start(client.dtls);
  dtls_side_talk(&server, &client);
  assert_int_equal(rtc_dtls_state(server.dtls), RTC_DTLS_STATE_CONNECTED);
  assert_int_equal(rtc_dtls_state(client.dtls), RTC_DTLS_STATE_CONNECTED);
}

/* A session in this role, and a plain OpenSSL peer in the other one. */
static DtlsSide *make_side_and_peer(RtcDtlsRole role, DtlsPeerConfig config) {
  DtlsSide *side = role == RTC_DTLS_ROLE_SERVER ? &server : &client;
  RtcFingerprint fingerprint = *rtc_dtls_context_fingerprint(other_context);
  config.is_server = role == RTC_DTLS_ROLE_CLIENT;
  dtls_peer_init(&peer, &config);
  if (peer.certificate)
    dtls_peer_fingerprint(&peer, "sha-256", &fingerprint);
  dtls_side_init(side, context, role, &fingerprint, 1);
  return side;
}

static void talk_to_peer(DtlsSide *side) {
  rtc_dtls_start(side->dtls);
  if (!SSL_is_server(peer.ssl))
    dtls_peer_start(&peer);
  dtls_side_talk_to_peer(side, &peer);
}

static void assert_failed(DtlsSide *side, RtcDtlsFailure failure) {
  RtcSrtpKeys keys;
  assert_int_equal(rtc_dtls_state(side->dtls), RTC_DTLS_STATE_FAILED);
  assert_int_equal(rtc_dtls_failure(side->dtls), failure);
  assert_int_equal(rtc_dtls_export_keys(side->dtls, &keys), RTC_ERROR_INVALID_STATE);
  assert_int_equal(rtc_dtls_input(side->dtls, (const uint8_t *)"", 0), RTC_ERROR_CLOSED);
}

static void assert_peer_got_alert(int description) {
  assert_int_equal(peer.alert, SSL3_AL_FATAL << 8 | description);
}

/* ---- Certificate --------------------------------------------------------------------------- */

/* The fingerprint that goes into the SDP is of the form RFC 8122 section 5 asks for. */
static void own_fingerprint_is_a_sha_256_of_this_context_alone(void **state) {
  (void)state;
  const RtcFingerprint *own = rtc_dtls_context_fingerprint(context);
  assert_string_equal(own->algorithm, "sha-256");
  assert_int_equal(own->len, 32);
  assert_memory_not_equal(own->value, rtc_dtls_context_fingerprint(other_context)->value, 32);
}

/* What a peer sees of us: P-256, self-signed, X.509 v3, valid now, with a serial of its own. */
static void own_certificate_is_sane(void **state) {
  (void)state;
  DtlsSide *side = make_side_and_peer(RTC_DTLS_ROLE_SERVER, (DtlsPeerConfig){.profiles = GCM_128});
  talk_to_peer(side);
  X509 *certificate = SSL_get0_peer_certificate(peer.ssl);
  assert_non_null(certificate);
  EVP_PKEY *key = X509_get0_pubkey(certificate);
  char group[32];
  assert_int_equal(EVP_PKEY_get_group_name(key, group, sizeof group, NULL), 1);
  assert_string_equal(group, "prime256v1");
  assert_int_equal(X509_get_version(certificate), X509_VERSION_3);
  assert_int_equal(X509_verify(certificate, key), 1);
  assert_int_equal(X509_self_signed(certificate, 1), 1);
  assert_int_equal(X509_cmp_current_time(X509_get0_notBefore(certificate)), -1);
  assert_int_equal(X509_cmp_current_time(X509_get0_notAfter(certificate)), 1);
  assert_int_equal(ASN1_STRING_length(X509_get0_serialNumber(certificate)), 16);
}

/* ---- Handshake and keys -------------------------------------------------------------------- */

/* Two sessions connect, and what one sends with, the other receives with. */
static void pair_connects_with_equal_keys(void **state) {
  (void)state;
  connect_pair();
  RtcSrtpKeys a, b;
  assert_int_equal(rtc_dtls_export_keys(server.dtls, &a), RTC_OK);
  assert_int_equal(rtc_dtls_export_keys(client.dtls, &b), RTC_OK);
  assert_int_equal(a.profile, RTC_SRTP_PROFILE_AEAD_AES_128_GCM);
  assert_int_equal(b.profile, a.profile);
  assert_int_equal(a.len, 28);
  assert_int_equal(b.len, a.len);
  assert_memory_equal(a.send, b.receive, a.len);
  assert_memory_equal(a.receive, b.send, a.len);
  assert_memory_not_equal(a.send, a.receive, a.len);
}

/* Peers' certificates are of EC keys nearly always, of RSA keys now and then; what we offer of
 * groups and suites is really there. */
static void peers_of_every_kind_connect(void **state) {
  static const DtlsPeerConfig kinds[] = {
      {.curve = "P-256", .groups = "X25519:P-256"},
      {.curve = "P-256", .groups = "P-256"},
      {.curve = "P-384", .groups = "P-384:P-256"},
      {.rsa_bits = 2048, .groups = "X25519:P-256"},
      {.rsa_bits = 3072, .groups = "P-256"},
      {.ciphers = "ECDHE-ECDSA-AES256-GCM-SHA384"},
      {.ciphers = "ECDHE-ECDSA-CHACHA20-POLY1305"},
      {.rsa_bits = 2048, .ciphers = "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256"},
      {.rsa_bits = 2048, .ciphers = "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES256-GCM-SHA384"},
      {.rsa_bits = 2048, .ciphers = "ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ECDSA-CHACHA20-POLY1305"},
  };
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    for (int role = 0; role < 2; role++) {
      DtlsPeerConfig config = kinds[i];
      config.profiles = GCM_128;
      DtlsSide *side =
          make_side_and_peer(role ? RTC_DTLS_ROLE_SERVER : RTC_DTLS_ROLE_CLIENT, config);
      talk_to_peer(side);
      assert_int_equal(rtc_dtls_state(side->dtls), RTC_DTLS_STATE_CONNECTED);
      finish(state);
    }
  }
}

typedef struct ProfileCase {
  const char *offer;
  RtcSrtpProfile as_server; /* what we choose */
  RtcSrtpProfile as_client; /* what a peer of that order chooses */
  size_t key_len, salt_len;
} ProfileCase;

static const ProfileCase profile_cases[] = {
    {GCM_128, RTC_SRTP_PROFILE_AEAD_AES_128_GCM, RTC_SRTP_PROFILE_AEAD_AES_128_GCM, 16, 12},
    {GCM_256, RTC_SRTP_PROFILE_AEAD_AES_256_GCM, RTC_SRTP_PROFILE_AEAD_AES_256_GCM, 32, 12},
    {CM_80, RTC_SRTP_PROFILE_AES128_CM_SHA1_80, RTC_SRTP_PROFILE_AES128_CM_SHA1_80, 16, 14},
    {CM_32 ":" CM_80, RTC_SRTP_PROFILE_AES128_CM_SHA1_80, RTC_SRTP_PROFILE_AES128_CM_SHA1_80, 16,
     14},
    {CM_80 ":" GCM_256, RTC_SRTP_PROFILE_AEAD_AES_256_GCM, RTC_SRTP_PROFILE_AES128_CM_SHA1_80, 0,
     0},
    /* Chrome's */
    {CM_80 ":" GCM_256 ":" GCM_128, RTC_SRTP_PROFILE_AEAD_AES_128_GCM,
     RTC_SRTP_PROFILE_AES128_CM_SHA1_80, 0, 0},
};

/* RFC 5764 section 4.2, cut here from the peer's own export. */
static void assert_keys_are_the_peers(const RtcSrtpKeys *keys, const ProfileCase *it) {
  uint8_t block[128];
  size_t key = it->key_len, salt = it->salt_len;
  assert_int_equal(SSL_export_keying_material(peer.ssl, block, 2 * (key + salt),
                                              "EXTRACTOR-dtls_srtp", 19, NULL, 0, 0),
                   1);
  const uint8_t *of_client = SSL_is_server(peer.ssl) ? keys->send : keys->receive;
  const uint8_t *of_server = SSL_is_server(peer.ssl) ? keys->receive : keys->send;
  assert_int_equal(keys->len, key + salt);
  assert_memory_equal(of_client, block, key);
  assert_memory_equal(of_server, block + key, key);
  assert_memory_equal(of_client + key, block + 2 * key, salt);
  assert_memory_equal(of_server + key, block + 2 * key + salt, salt);
}

static void check_profile(RtcDtlsRole role, const ProfileCase *it) {
  RtcSrtpKeys keys;
  DtlsSide *side = make_side_and_peer(role, (DtlsPeerConfig){.profiles = it->offer});
  talk_to_peer(side);
  assert_int_equal(rtc_dtls_state(side->dtls), RTC_DTLS_STATE_CONNECTED);
  assert_int_equal(rtc_dtls_export_keys(side->dtls, &keys), RTC_OK);
  assert_int_equal(keys.profile, role == RTC_DTLS_ROLE_SERVER ? it->as_server : it->as_client);
  assert_int_equal(SSL_get_selected_srtp_profile(peer.ssl)->id, keys.profile);
  assert_string_equal(SSL_get_version(peer.ssl), "DTLSv1.2");
  assert_int_equal(SSL_get_extms_support(peer.ssl), 1);
  if (it->key_len)
    assert_keys_are_the_peers(&keys, it);
  finish(NULL);
}

/* Every profile, in both roles; as the server our order decides, not the client's. */
static void srtp_profile_is_chosen_by_our_order(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof profile_cases / sizeof *profile_cases; i++) {
    check_profile(RTC_DTLS_ROLE_SERVER, &profile_cases[i]);
    check_profile(RTC_DTLS_ROLE_CLIENT, &profile_cases[i]);
  }
}

/* Without a common profile there is nothing to be sent: the peer is told so at once. */
static void no_common_srtp_profile_fails_the_handshake(void **state) {
  (void)state;
  static const char *const offers[] = {CM_32, NULL};
  for (size_t i = 0; i < 2; i++) {
    for (RtcDtlsRole role = RTC_DTLS_ROLE_SERVER; role <= RTC_DTLS_ROLE_CLIENT; role++) {
      DtlsSide *side = make_side_and_peer(role, (DtlsPeerConfig){.profiles = offers[i]});
      talk_to_peer(side);
      assert_failed(side, RTC_DTLS_FAILURE_PROTOCOL);
      assert_peer_got_alert(SSL_AD_HANDSHAKE_FAILURE);
      finish(NULL);
    }
  }
}

/* DTLS 1.0 is not spoken. */
static void older_version_fails_the_handshake(void **state) {
  (void)state;
  DtlsSide *side = make_side_and_peer(RTC_DTLS_ROLE_SERVER,
                                      (DtlsPeerConfig){.profiles = GCM_128, .is_dtls_1_0 = true});
  talk_to_peer(side);
  assert_failed(side, RTC_DTLS_FAILURE_PROTOCOL);
  assert_peer_got_alert(SSL_AD_PROTOCOL_VERSION);
}

/* A browser's ClientHello of 1.4 KB comes in two records; a path may cut it smaller still. It is
 * answered with a ServerHello, not with a cookie to send it all again. */
static void fragmented_client_hello_is_answered_in_one_pass(void **state) {
  (void)state;
  static const long mtus[] = {1200, 512, 256};
  for (size_t i = 0; i < sizeof mtus / sizeof *mtus; i++) {
    DtlsSide *side = make_side_and_peer(
        RTC_DTLS_ROLE_SERVER,
        (DtlsPeerConfig){.profiles = GCM_128, .mtu = mtus[i], .hello_padding = 1200});
    dtls_peer_start(&peer);
    assert_in_range(peer.out.count, 2, 16);
    size_t parts = peer.out.count;
    for (size_t j = 0; j < parts; j++) {
      assert_int_equal(side->out.count, 0);
      assert_int_equal(rtc_dtls_input(side->dtls, peer.out.items[j].data, peer.out.items[j].len),
                       RTC_OK);
    }
    peer.out.count = 0;
    assert_in_range(side->out.count, 1, 4);
    assert_int_equal(side->out.items[0].data[13], 2); /* ServerHello */
    talk_to_peer(side);
    assert_int_equal(rtc_dtls_state(side->dtls), RTC_DTLS_STATE_CONNECTED);
    finish(NULL);
  }
}

/* ---- The peer's identity ------------------------------------------------------------------- */

/* A certificate that was not signalled ends the handshake with bad_certificate, in both roles. */
static void wrong_fingerprint_fails_the_handshake(void **state) {
  (void)state;
  for (RtcDtlsRole role = RTC_DTLS_ROLE_SERVER; role <= RTC_DTLS_ROLE_CLIENT; role++) {
    DtlsSide *side = make_side_and_peer(role, (DtlsPeerConfig){.profiles = GCM_128});
    dtls_side_finish(side);
    dtls_side_init(side, context, role, rtc_dtls_context_fingerprint(other_context), 1);
    talk_to_peer(side);
    assert_failed(side, RTC_DTLS_FAILURE_FINGERPRINT);
    assert_peer_got_alert(SSL_AD_BAD_CERTIFICATE);
    finish(NULL);
  }
}

/* A client that shows no certificate is nobody. */
static void missing_certificate_fails_the_handshake(void **state) {
  (void)state;
  DtlsSide *side = make_side_and_peer(
      RTC_DTLS_ROLE_SERVER, (DtlsPeerConfig){.profiles = GCM_128, .has_no_certificate = true});
  talk_to_peer(side);
  assert_failed(side, RTC_DTLS_FAILURE_PROTOCOL);
  assert_peer_got_alert(SSL_AD_HANDSHAKE_FAILURE);
}

typedef struct FingerprintCase {
  const char *algorithms[4]; /* '!' before one: its value is wrong */
  bool connects;
} FingerprintCase;

static const FingerprintCase fingerprint_cases[] = {
    {{"sha-1"}, true},
    {{"sha-224"}, true},
    {{"sha-384"}, true},
    {{"sha-512"}, true},
    {{"!sha-512"}, false},
    {{"!sha-256", "sha-256"}, true}, /* two certificates were signalled */
    {{"sha-256", "!sha-256"}, true},
    {{"!sha-1", "sha-256"}, true}, /* the strongest decides */
    {{"sha-1", "!sha-256"}, false},
    {{"sha-256", "!sha-512", "sha-1"}, false},
    {{"!sha3-512", "sha-256"}, true}, /* an unknown one does not */
    {{"!md5", "sha-1"}, true},
};

static size_t signalled(RtcFingerprint *fingerprints, const FingerprintCase *it) {
  size_t count = 0;
  for (; count < 4 && it->algorithms[count]; count++) {
    const char *name = it->algorithms[count];
    bool is_wrong = *name == '!';
    dtls_peer_fingerprint(&peer, name + is_wrong, &fingerprints[count]);
    fingerprints[count].value[fingerprints[count].len - 1] ^= is_wrong;
  }
  return count;
}

/* RFC 8122 section 5: of several hashes only the strongest known one counts. */
static void strongest_known_hash_decides(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof fingerprint_cases / sizeof *fingerprint_cases; i++) {
    RtcFingerprint fingerprints[4];
    dtls_peer_init(&peer, &(DtlsPeerConfig){.profiles = GCM_128});
    size_t count = signalled(fingerprints, &fingerprint_cases[i]);
    dtls_side_init(&server, context, RTC_DTLS_ROLE_SERVER, fingerprints, count);
    talk_to_peer(&server);
    if (fingerprint_cases[i].connects)
      assert_int_equal(rtc_dtls_state(server.dtls), RTC_DTLS_STATE_CONNECTED);
    else
      assert_failed(&server, RTC_DTLS_FAILURE_FINGERPRINT);
    finish(NULL);
  }
}

/* A session that could never connect is not opened. */
static void fingerprints_of_unknown_hashes_are_refused(void **state) {
  (void)state;
  static const RtcFingerprint fingerprints[] = {
      {.algorithm = "md5", .len = 16},
      {.algorithm = "sha3-256", .len = 32},
      {.algorithm = "SHA-256", .len = 32}, /* the contract says lower case */
      {.algorithm = "sha-256", .len = 31},
  };
  RtcDtlsCallbacks callbacks = {0};
  RtcDtls *dtls = NULL;
  for (size_t count = 0; count <= 4; count++)
    assert_int_equal(rtc_dtls_new(&dtls, context, RTC_DTLS_ROLE_SERVER, fingerprints, count,
                                  &callbacks, NULL, ""),
                     RTC_ERROR_INVALID_ARGUMENT);
  assert_null(dtls);
}

/* ---- Alerts -------------------------------------------------------------------------------- */

/* An end on one side is an end on the other, whichever began; all of it may be said twice. */
static void close_notify_closes_both_sides(void **state) {
  (void)state;
  for (int i = 0; i < 2; i++) {
    connect_pair();
    DtlsSide *first = i ? &client : &server;
    DtlsSide *second = i ? &server : &client;
    rtc_dtls_close(first->dtls);
    assert_int_equal(rtc_dtls_state(first->dtls), RTC_DTLS_STATE_CLOSED);
    assert_int_equal(first->out.count, 1);
    assert_int_equal(first->out.items[0].data[0], 21);
    assert_int_equal(
        rtc_dtls_input(second->dtls, first->out.items[0].data, first->out.items[0].len),
        RTC_ERROR_CLOSED);
    assert_int_equal(rtc_dtls_state(second->dtls), RTC_DTLS_STATE_CLOSED);
    assert_int_equal(rtc_dtls_failure(second->dtls), RTC_DTLS_FAILURE_NONE);
    first->out.count = second->out.count = 0;
    rtc_dtls_close(first->dtls);
    rtc_dtls_close(second->dtls);
    rtc_dtls_resend(first->dtls);
    rtc_dtls_start(client.dtls);
    assert_int_equal(first->out.count + second->out.count, 0);
    finish(NULL);
  }
}

/* The same with OpenSSL on the other end, which must have understood it. */
static void close_notify_is_understood_by_openssl(void **state) {
  (void)state;
  for (int we_begin = 0; we_begin < 2; we_begin++) {
    DtlsSide *side =
        make_side_and_peer(RTC_DTLS_ROLE_SERVER, (DtlsPeerConfig){.profiles = GCM_128});
    talk_to_peer(side);
    if (we_begin)
      rtc_dtls_close(side->dtls);
    else
      dtls_peer_close(&peer);
    dtls_side_talk_to_peer(side, &peer);
    assert_int_equal(rtc_dtls_state(side->dtls), RTC_DTLS_STATE_CLOSED);
    assert_int_equal(peer.alert, SSL3_AL_WARNING << 8 | SSL_AD_CLOSE_NOTIFY);
    assert_int_equal(peer.error, SSL_ERROR_ZERO_RETURN);
    finish(NULL);
  }
}

/* Before there are keys nothing can be said that a peer should believe. */
static void close_in_the_handshake_is_silent(void **state) {
  (void)state;
  make_pair();
  rtc_dtls_start(client.dtls);
  client.out.count = 0;
  rtc_dtls_close(client.dtls);
  rtc_dtls_close(server.dtls);
  assert_int_equal(rtc_dtls_state(client.dtls), RTC_DTLS_STATE_CLOSED);
  assert_int_equal(client.out.count + server.out.count, 0);
}

/* The other session refuses our certificate: we are told by its alert. */
static void fatal_alert_in_the_handshake_fails_it(void **state) {
  (void)state;
  for (int i = 0; i < 2; i++) {
    make_pair();
    DtlsSide *judge = i ? &client : &server;
    DtlsSide *judged = i ? &server : &client;
    dtls_side_finish(judge);
    dtls_side_init(judge, i ? other_context : context,
                   i ? RTC_DTLS_ROLE_CLIENT : RTC_DTLS_ROLE_SERVER,
                   rtc_dtls_context_fingerprint(i ? other_context : context), 1);
    rtc_dtls_start(client.dtls);
    dtls_side_talk(&server, &client);
    assert_failed(judge, RTC_DTLS_FAILURE_FINGERPRINT);
    assert_failed(judged, RTC_DTLS_FAILURE_PEER_ALERT);
    finish(NULL);
  }
}

/* A renegotiation is declined, in both roles; our peer takes that as fatal, and its alert then ends
 * the session. */
static void renegotiation_is_declined(void **state) {
  (void)state;
  for (RtcDtlsRole role = RTC_DTLS_ROLE_SERVER; role <= RTC_DTLS_ROLE_CLIENT; role++) {
    DtlsSide *side = make_side_and_peer(role, (DtlsPeerConfig){.profiles = GCM_128});
    talk_to_peer(side);
    dtls_peer_renegotiate(&peer);
    assert_int_equal(peer.out.count, 1);
    assert_int_equal(rtc_dtls_input(side->dtls, peer.out.items[0].data, peer.out.items[0].len),
                     RTC_OK);
    peer.out.count = 0;
    assert_int_equal(rtc_dtls_state(side->dtls), RTC_DTLS_STATE_CONNECTED);
    dtls_side_talk_to_peer(side, &peer);
    assert_int_equal(peer.alert, SSL3_AL_WARNING << 8 | SSL_AD_NO_RENEGOTIATION);
    assert_failed(side, RTC_DTLS_FAILURE_PEER_ALERT);
    finish(NULL);
  }
}

/* Warnings other than close_notify change nothing. */
static void warning_alert_is_ignored(void **state) {
  (void)state;
  static const uint8_t user_canceled[] = {21, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 40, 0, 2, 1, 90};
  make_pair();
  assert_int_equal(rtc_dtls_input(server.dtls, user_canceled, sizeof user_canceled), RTC_OK);
  assert_int_equal(rtc_dtls_state(server.dtls), RTC_DTLS_STATE_HANDSHAKE);
  rtc_dtls_start(client.dtls);
  dtls_side_talk(&server, &client);
  assert_int_equal(rtc_dtls_state(server.dtls), RTC_DTLS_STATE_CONNECTED);
}

/* There is no data channel: data is authentic, so it is no drop, and nothing comes of it. */
static void application_data_is_discarded(void **state) {
  (void)state;
  static const char data[1000];
  DtlsSide *side = make_side_and_peer(RTC_DTLS_ROLE_SERVER, (DtlsPeerConfig){.profiles = GCM_128});
  talk_to_peer(side);
  for (int i = 0; i < 3; i++)
    dtls_peer_send(&peer, data, sizeof data);
  assert_int_equal(peer.out.count, 3);
  for (size_t i = 0; i < peer.out.count; i++)
    assert_int_equal(rtc_dtls_input(side->dtls, peer.out.items[i].data, peer.out.items[i].len),
                     RTC_OK);
  assert_int_equal(rtc_dtls_state(side->dtls), RTC_DTLS_STATE_CONNECTED);
  assert_int_equal(side->out.count, 0);
}

/* ---- Names --------------------------------------------------------------------------------- */

/* Logs and statistics show these. */
static void names_are_those_of_the_rfcs(void **state) {
  (void)state;
  assert_string_equal(rtc_srtp_profile_name(RTC_SRTP_PROFILE_AEAD_AES_128_GCM), GCM_128);
  assert_string_equal(rtc_srtp_profile_name(RTC_SRTP_PROFILE_AEAD_AES_256_GCM), GCM_256);
  assert_string_equal(rtc_srtp_profile_name(RTC_SRTP_PROFILE_AES128_CM_SHA1_80), CM_80);
  assert_null(rtc_srtp_profile_name(RTC_SRTP_PROFILE_NONE));
  assert_string_equal(rtc_dtls_state_name(RTC_DTLS_STATE_HANDSHAKE), "handshake");
  rtc_dtls_destroy(NULL);
  rtc_dtls_context_destroy(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(own_fingerprint_is_a_sha_256_of_this_context_alone, finish),
      cmocka_unit_test_teardown(own_certificate_is_sane, finish),
      cmocka_unit_test_teardown(pair_connects_with_equal_keys, finish),
      cmocka_unit_test_teardown(peers_of_every_kind_connect, finish),
      cmocka_unit_test_teardown(srtp_profile_is_chosen_by_our_order, finish),
      cmocka_unit_test_teardown(no_common_srtp_profile_fails_the_handshake, finish),
      cmocka_unit_test_teardown(older_version_fails_the_handshake, finish),
      cmocka_unit_test_teardown(fragmented_client_hello_is_answered_in_one_pass, finish),
      cmocka_unit_test_teardown(wrong_fingerprint_fails_the_handshake, finish),
      cmocka_unit_test_teardown(missing_certificate_fails_the_handshake, finish),
      cmocka_unit_test_teardown(strongest_known_hash_decides, finish),
      cmocka_unit_test_teardown(fingerprints_of_unknown_hashes_are_refused, finish),
      cmocka_unit_test_teardown(close_notify_closes_both_sides, finish),
      cmocka_unit_test_teardown(close_notify_is_understood_by_openssl, finish),
      cmocka_unit_test_teardown(close_in_the_handshake_is_silent, finish),
      cmocka_unit_test_teardown(fatal_alert_in_the_handshake_fails_it, finish),
      cmocka_unit_test_teardown(renegotiation_is_declined, finish),
      cmocka_unit_test_teardown(warning_alert_is_ignored, finish),
      cmocka_unit_test_teardown(application_data_is_discarded, finish),
      cmocka_unit_test_teardown(names_are_those_of_the_rfcs, finish),
  };
  return cmocka_run_group_tests(tests, make_contexts, destroy_contexts);
}
