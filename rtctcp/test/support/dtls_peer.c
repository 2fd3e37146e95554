/* A DTLS peer written on OpenSSL alone. */
#include "support/dtls_peer.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define PADDING_EXTENSION 0xFE0D /* of a private range */

static unsigned short_timer(SSL *ssl, unsigned timeout_us) {
  (void)ssl;
  (void)timeout_us;
  return DTLS_PEER_TIMER_US;
}

static unsigned long_timer(SSL *ssl, unsigned timeout_us) {
  (void)ssl;
  (void)timeout_us;
  return 3600 * 1000000U;
}

static int accept_any(int ok, X509_STORE_CTX *store) {
  (void)ok;
  (void)store;
  return 1;
}

static void note_alert(const SSL *ssl, int where, int alert) {
  DtlsPeer *peer = SSL_get_app_data(ssl);
  if (where == SSL_CB_READ_ALERT)
    peer->alert = alert;
}

static int add_padding(SSL *ssl, unsigned type, const unsigned char **out, size_t *len, int *alert,
                       void *arg) {
  static const unsigned char zeros[4096];
  (void)ssl;
  (void)type;
  (void)alert;
  *out = zeros;
  *len = ((const DtlsPeer *)arg)->hello_padding;
  return *len > 0;
}

static void make_certificate(DtlsPeer *peer, const DtlsPeerConfig *config) {
  EVP_PKEY *key = config->rsa_bits > 0 ? EVP_RSA_gen(config->rsa_bits)
                                       : EVP_EC_gen(config->curve ? config->curve : "P-256");
  peer->certificate = X509_new();
  assert_non_null(key);
  X509_gmtime_adj(X509_getm_notBefore(peer->certificate), 0);
  X509_gmtime_adj(X509_getm_notAfter(peer->certificate), 3600);
  X509_set_pubkey(peer->certificate, key);
  assert_true(X509_sign(peer->certificate, key, EVP_sha256()) > 0);
  assert_int_equal(SSL_CTX_use_certificate(peer->ctx, peer->certificate), 1);
  assert_int_equal(SSL_CTX_use_PrivateKey(peer->ctx, key), 1);
  EVP_PKEY_free(key);
}

static void configure(DtlsPeer *peer, const DtlsPeerConfig *config) {
  int version = config->is_dtls_1_0 ? DTLS1_VERSION : DTLS1_2_VERSION;
  SSL_CTX_set_security_level(peer->ctx, config->is_dtls_1_0 ? 0 : 2);
  SSL_CTX_set_min_proto_version(peer->ctx, version);
  SSL_CTX_set_max_proto_version(peer->ctx, version);
  SSL_CTX_set_options(peer->ctx, SSL_OP_NO_QUERY_MTU);
  SSL_CTX_set_verify(peer->ctx, SSL_VERIFY_PEER, accept_any);
  SSL_CTX_set_info_callback(peer->ctx, note_alert);
  if (config->ciphers)
    assert_int_equal(SSL_CTX_set_cipher_list(peer->ctx, config->ciphers), 1);
  if (config->groups)
    assert_int_equal(SSL_CTX_set1_groups_list(peer->ctx, config->groups), 1);
  if (!config->has_no_certificate || config->is_server)
    make_certificate(peer, config);
  if (config->profiles)
    assert_int_equal(SSL_CTX_set_tlsext_use_srtp(peer->ctx, config->profiles), 0);
  if (config->hello_padding > 0)
    assert_int_equal(SSL_CTX_add_client_custom_ext(peer->ctx, PADDING_EXTENSION, add_padding, NULL,
                                                   peer, NULL, NULL),
                     1);
}

void dtls_peer_init(DtlsPeer *peer, const DtlsPeerConfig *config) {
  memset(peer, 0, sizeof *peer);
  peer->hello_padding = config->hello_padding;
  peer->ctx = SSL_CTX_new(DTLS_method());
  assert_non_null(peer->ctx);
  configure(peer, config);
  peer->ssl = SSL_new(peer->ctx);
  peer->input = BIO_new(BIO_s_mem());
  peer->written = BIO_new(BIO_s_mem());
  assert_true(peer->ssl && peer->input && peer->written);
  SSL_set_bio(peer->ssl, peer->input, peer->written);
  SSL_set_app_data(peer->ssl, peer);
  SSL_set_mtu(peer->ssl, config->mtu ? config->mtu : 1200);
  DTLS_set_timer_cb(peer->ssl, config->has_timer ? short_timer : long_timer);
  if (config->is_server)
    SSL_set_accept_state(peer->ssl);
  else
    SSL_set_connect_state(peer->ssl);
}

void dtls_peer_finish(DtlsPeer *peer) {
  SSL_free(peer->ssl);
  SSL_CTX_free(peer->ctx);
  X509_free(peer->certificate);
  memset(peer, 0, sizeof *peer);
}

void dtls_peer_fingerprint(const DtlsPeer *peer, const char *algorithm,
                           RtcFingerprint *fingerprint) {
  char name[sizeof fingerprint->algorithm] = {0};
  unsigned len = 0;
  for (size_t i = 0, at = 0; algorithm[i]; i++) /* "sha-256" is OpenSSL's "sha256" */
    if (algorithm[i] != '-')
      name[at++] = algorithm[i];
  const EVP_MD *digest = EVP_get_digestbyname(name);
  memset(fingerprint, 0, sizeof *fingerprint);
  strcpy(fingerprint->algorithm, algorithm);
  assert_int_equal(
      X509_digest(peer->certificate, digest ? digest : EVP_sha512(), fingerprint->value, &len), 1);
  fingerprint->len = len;
}

/* What was written becomes datagrams. */
static void take_output(DtlsPeer *peer) {
  uint8_t *data;
  long len = BIO_get_mem_data(peer->written, &data);
  static Datagrams whole;
  whole.count = 0;
  for (long at = 0; at < len;) {
    long record_len = 13 + (data[at + 11] << 8 | data[at + 12]);
    datagrams_add(&whole, data + at, (size_t)record_len);
    at += record_len;
  }
  datagrams_move(&peer->out, &whole);
  (void)BIO_reset(peer->written);
}

static void step(DtlsPeer *peer) {
  ERR_clear_error();
  int result = 1;
  if (!SSL_is_init_finished(peer->ssl))
    result = SSL_do_handshake(peer->ssl);
  char data[2048];
  while (result > 0) {
    result = SSL_read(peer->ssl, data, sizeof data);
    if (result > 0)
      peer->data_len += (size_t)result;
  }
  peer->error = SSL_get_error(peer->ssl, result);
  ERR_clear_error();
  take_output(peer);
}

void dtls_peer_start(DtlsPeer *peer) {
  step(peer);
}

void dtls_peer_input(DtlsPeer *peer, const Datagram *datagram) {
  static Datagrams one, records;
  one.count = records.count = 0;
  datagrams_add(&one, datagram->data, datagram->len);
  datagrams_move_records(&records, &one);
  for (size_t i = 0; i < records.count; i++) {
    BIO_write(peer->input, records.items[i].data, (int)records.items[i].len);
    step(peer);
  }
}

void dtls_peer_time_out(DtlsPeer *peer) {
  assert_int_equal(DTLSv1_handle_timeout(peer->ssl), 1);
  take_output(peer);
}

void dtls_peer_send(DtlsPeer *peer, const void *data, int len) {
  assert_int_equal(SSL_write(peer->ssl, data, len), len);
  take_output(peer);
}

void dtls_peer_close(DtlsPeer *peer) {
  assert_true(SSL_shutdown(peer->ssl) >= 0);
  take_output(peer);
}

void dtls_peer_renegotiate(DtlsPeer *peer) {
  assert_int_equal(SSL_renegotiate(peer->ssl), 1);
  SSL_do_handshake(peer->ssl);
  take_output(peer);
}
