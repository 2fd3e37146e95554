/* The test peer's DTLS, on OpenSSL, through a BIO whose datagrams are RFC 4571 frames. */
#include "support/peer_internal.h"

#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/x509.h>

#include <pthread.h>
#include <string.h>
#include <strings.h>
#include <sys/time.h>

#define CHROME_PROFILES "SRTP_AES128_CM_SHA1_80:SRTP_AEAD_AES_256_GCM:SRTP_AEAD_AES_128_GCM"
#define DEFAULT_MTU     1200

/* Made once for all peers of the process, and kept: immutable after that. */
static struct {
  SSL_CTX *context;
  BIO_METHOD *bio;
  RtcFingerprint fingerprint;
} shared;

/* -- The BIO -- */

static int bio_write(BIO *bio, const char *data, int len) {
  RtcPeer *peer = BIO_get_data(bio);
  BIO_clear_retry_flags(bio);
  peer->datagrams_out++;
  /* A datagram that can't be sent is lost, as on any network: reading the conn tells why. */
  peer_send_frame(peer, peer->selected, data, (size_t)len);
  return len;
}

static int bio_read(BIO *bio, char *data, int cap) {
  RtcPeer *peer = BIO_get_data(bio);
  BIO_clear_retry_flags(bio);
  if (!peer->datagram) {
    BIO_set_retry_read(bio);
    return -1;
  }
  size_t len = peer->datagram_len < (size_t)cap ? peer->datagram_len : (size_t)cap;
  memcpy(data, peer->datagram, len);
  peer->datagram = NULL;
  return (int)len;
}

static long bio_control(BIO *bio, int command, long number, void *pointer) {
  (void)bio;
  (void)number;
  (void)pointer;
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

/* -- What all peers share -- */

static RtcPeer *peer_of(const SSL *ssl) {
  return SSL_get_app_data(ssl);
}

static bool matches(X509 *certificate, const RtcFingerprint *fingerprint) {
  uint8_t digest[EVP_MAX_MD_SIZE];
  unsigned len = 0;
  char name[sizeof fingerprint->algorithm];
  /* "sha-256" here, "sha256" there */
  size_t used = 0;
  for (const char *at = fingerprint->algorithm; *at; at++)
    if (*at != '-')
      name[used++] = *at;
  name[used] = '\0';
  const EVP_MD *hash = EVP_get_digestbyname(name);
  return hash && X509_digest(certificate, hash, digest, &len) == 1 && len == fingerprint->len &&
         memcmp(digest, fingerprint->value, len) == 0;
}

/* In place of OpenSSL's path check: the certificate is the signalled one (RFC 8122 section 6.2). */
static int verify(X509_STORE_CTX *store, void *arg) {
  (void)arg;
  const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
  const RtcPeer *peer = peer_of(ssl);
  X509 *certificate = X509_STORE_CTX_get0_cert(store);
  if (peer->trust_any)
    return 1;
  for (size_t i = 0; i < peer->remote_fingerprint_count; i++)
    if (matches(certificate, &peer->remote_fingerprints[i]))
      return 1;
  X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
  peer_fail(peer, PEER_BAD, "the certificate is not the signalled one");
  return 0;
}

static void note_alert(const SSL *ssl, int where, int value) {
  if (where == SSL_CB_READ_ALERT && value >> 8 == SSL3_AL_FATAL)
    peer_of(ssl)->alert_received = value & 0xff;
}

static bool sign_certificate(X509 *certificate, EVP_PKEY *key) {
  X509_NAME *name = X509_get_subject_name(certificate);
  return X509_set_version(certificate, X509_VERSION_3) &&
         ASN1_INTEGER_set_int64(X509_get_serialNumber(certificate), 1) &&
         X509_gmtime_adj(X509_getm_notBefore(certificate), -86400) &&
         X509_gmtime_adj(X509_getm_notAfter(certificate), 30 * 86400) &&
         X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)"WebRTC", -1, -1,
                                    0) &&
         X509_set_issuer_name(certificate, name) && X509_set_pubkey(certificate, key) &&
         X509_sign(certificate, key, EVP_sha256());
}

static bool use_certificate(SSL_CTX *context) {
  EVP_PKEY *key = EVP_EC_gen("P-256");
  X509 *certificate = X509_new();
  unsigned len = 0;
  bool ok = key && certificate && sign_certificate(certificate, key) &&
            X509_digest(certificate, EVP_sha256(), shared.fingerprint.value, &len) &&
            SSL_CTX_use_certificate(context, certificate) && SSL_CTX_use_PrivateKey(context, key);
  strcpy(shared.fingerprint.algorithm, "sha-256");
  shared.fingerprint.len = len;
  X509_free(certificate);
  EVP_PKEY_free(key);
  return ok;
}

static BIO_METHOD *make_bio_method(void) {
  BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "RFC 4571 frames");
  if (!method || !BIO_meth_set_write(method, bio_write) || !BIO_meth_set_read(method, bio_read) ||
      !BIO_meth_set_ctrl(method, bio_control))
    return NULL;
  return method;
}

static void make_shared(void) {
  SSL_CTX *context = SSL_CTX_new(DTLS_method());
  shared.bio = make_bio_method();
  if (!context || !shared.bio || !use_certificate(context) ||
      !SSL_CTX_set_min_proto_version(context, DTLS1_2_VERSION) ||
      !SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM"))
    return;
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
  SSL_CTX_set_cert_verify_callback(context, verify, NULL);
  SSL_CTX_set_info_callback(context, note_alert);
  SSL_CTX_set_options(context, SSL_OP_NO_QUERY_MTU | SSL_OP_NO_TICKET);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  shared.context = context;
}

static bool shared_ready(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, make_shared);
  return shared.context;
}

const RtcFingerprint *peer_own_fingerprint(void) {
  return &shared.fingerprint;
}

/* -- One association -- */

static unsigned retransmit_after(SSL *ssl, unsigned last_us) {
  (void)last_us;
  return peer_of(ssl)->retransmit_ms * 1000;
}

int peer_dtls_init(RtcPeer *peer, const PeerConfig *config) {
  if (!shared_ready())
    return peer_fail(peer, PEER_FAILED, "OpenSSL gives no context");
  const char *profiles = config->srtp_profiles ? config->srtp_profiles : CHROME_PROFILES;
  SSL *ssl = SSL_new(shared.context);
  BIO *bio = BIO_new(shared.bio);
  /* This one call returns 0 on success. */
  if (!ssl || !bio || SSL_set_tlsext_use_srtp(ssl, profiles) != 0) {
    SSL_free(ssl);
    BIO_free(bio);
    return peer_fail(peer, PEER_FAILED, "OpenSSL gives no session");
  }
  BIO_set_data(bio, peer);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl, bio, bio);
  SSL_set_app_data(ssl, peer);
  DTLS_set_timer_cb(ssl, retransmit_after);
  SSL_set_mtu(ssl, (long)(config->mtu ? config->mtu : DEFAULT_MTU));
  peer->ssl = ssl;
  return PEER_OK;
}

static void give_datagram(RtcPeer *peer, const PeerFrame *frame) {
  peer->datagram = frame->data;
  peer->datagram_len = frame->len;
}

static int failure_of(const RtcPeer *peer) {
  if (peer->alert_received >= 0)
    return peer_fail(peer, PEER_ALERT, "fatal alert %d came", peer->alert_received);
  if (peer_close_notify_received(peer))
    return PEER_CLOSED;
  unsigned long code = ERR_peek_last_error();
  return peer_fail(peer, PEER_BAD, "DTLS: %s", ERR_reason_error_string(code));
}

/* PEER_TIMEOUT: it goes on, and awaits a datagram. */
static int drive(RtcPeer *peer) {
  ERR_clear_error();
  int result = SSL_do_handshake(peer->ssl);
  if (result == 1) {
    peer->connected = true;
    peer->handshakes++;
    return peer_srtp_start(peer);
  }
  return SSL_get_error(peer->ssl, result) == SSL_ERROR_WANT_READ ? PEER_TIMEOUT : failure_of(peer);
}

/* Until the deadline, or until OpenSSL's timer wants to send a flight again. */
static int64_t next_deadline(const RtcPeer *peer, int64_t deadline_ms) {
  struct timeval left;
  if (!DTLSv1_get_timeout(peer->ssl, &left))
    return deadline_ms;
  int64_t timer_ms = peer_clock_ms() + left.tv_sec * 1000 + left.tv_usec / 1000 + 1;
  return timer_ms < deadline_ms ? timer_ms : deadline_ms;
}

static int await_datagram(RtcPeer *peer, int64_t deadline_ms) {
  for (;;) {
    PeerFrame frame;
    int result =
        peer_take(peer, PEER_ANY, PEER_KIND_DTLS, next_deadline(peer, deadline_ms), &frame);
    if (result == PEER_OK)
      give_datagram(peer, &frame);
    if (result != PEER_TIMEOUT || peer_clock_ms() >= deadline_ms)
      return result;
    DTLSv1_handle_timeout(peer->ssl);
  }
}

int peer_handshake_step(RtcPeer *peer, int timeout_ms) {
  if (peer->role == PEER_ROLE_UNKNOWN)
    return peer_fail(peer, PEER_FAILED, "a handshake before the answer");
  if (peer->connected)
    return PEER_OK;
  int64_t deadline_ms = peer_clock_ms() + timeout_ms;
  for (;;) {
    size_t datagrams = peer->datagrams_out;
    OSSL_HANDSHAKE_STATE state = SSL_get_state(peer->ssl);
    int result = drive(peer);
    if (result != PEER_TIMEOUT)
      return result;
    /* A flight that was sent again is none: the state has not moved. */
    if (peer->datagrams_out > datagrams && SSL_get_state(peer->ssl) != state)
      return PEER_OK;
    result = await_datagram(peer, deadline_ms);
    if (result != PEER_OK)
      return result;
  }
}

int peer_handshake(RtcPeer *peer, int timeout_ms) {
  int64_t deadline_ms = peer_clock_ms() + timeout_ms;
  int result = PEER_OK;
  while (result == PEER_OK && !peer->connected) {
    int64_t left = deadline_ms - peer_clock_ms();
    result = left > 0 ? peer_handshake_step(peer, (int)left) : PEER_TIMEOUT;
  }
  return result;
}

int peer_dtls_feed(RtcPeer *peer, const PeerFrame *frame) {
  uint8_t data[256];
  give_datagram(peer, frame);
  ERR_clear_error();
  if (!peer->connected)
    drive(peer);
  else
    while (SSL_read(peer->ssl, data, sizeof data) > 0)
      ;
  if (peer->alert_received >= 0)
    return PEER_ALERT;
  return peer_close_notify_received(peer) ? PEER_CLOSED : PEER_OK;
}

bool peer_connected(const RtcPeer *peer) {
  return peer->connected;
}

size_t peer_handshakes(const RtcPeer *peer) {
  return peer->handshakes;
}

const char *peer_srtp_profile(const RtcPeer *peer) {
  if (!peer->connected)
    return NULL;
  const SRTP_PROTECTION_PROFILE *profile = SSL_get_selected_srtp_profile(peer->ssl);
  return profile ? profile->name : NULL;
}

/* -- The end -- */

int peer_close_notify(RtcPeer *peer) {
  if (!peer->connected)
    return peer_alert_send(peer, SSL3_AL_WARNING, SSL_AD_CLOSE_NOTIFY);
  ERR_clear_error();
  return SSL_shutdown(peer->ssl) >= 0 ? PEER_OK : peer_fail(peer, PEER_FAILED, "SSL_shutdown");
}

int peer_fatal_alert(RtcPeer *peer, uint8_t description) {
  return peer_alert_send(peer, SSL3_AL_FATAL, description);
}

bool peer_close_notify_received(const RtcPeer *peer) {
  return SSL_get_shutdown(peer->ssl) & SSL_RECEIVED_SHUTDOWN;
}

int peer_alert_received(const RtcPeer *peer) {
  return peer->alert_received;
}
