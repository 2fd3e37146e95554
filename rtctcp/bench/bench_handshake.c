/* What a DTLS handshake costs the server: the library's, and a bare OpenSSL one over memory BIOs,
 * in turns, with the same client, key exchange (X25519), cipher and kind of certificate, both sides
 * authenticated. Only the server's calls are timed, by the thread's CPU clock; medians are printed,
 * since the machine may have other work.
 *
 * usage: bench_handshake [--json] [HANDSHAKES] */
#include "protocol/dtls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HANDSHAKES_DEFAULT 2000
#define WARM_UP            50
#define FLIGHT_MAX         16384
#define PROFILES           "SRTP_AEAD_AES_128_GCM"
#define CIPHER             "ECDHE-ECDSA-AES128-GCM-SHA256"
#define GROUPS             "X25519:P-256" /* of the key exchange the first; of certificates either */

typedef struct Flight {
  uint8_t data[FLIGHT_MAX];
  size_t len;
} Flight;

/* One server, behind calls that are timed. */
typedef struct Server {
  const char *name;
  void (*open)(void);
  void (*input)(const Flight *in, Flight *out); /* in: empty at first */
  void (*close)(void);                          /* with the keys exported */
} Server;

static void require(bool ok, const char *what) {
  if (ok)
    return;
  fprintf(stderr, "bench_handshake: %s failed\n", what);
  ERR_print_errors_fp(stderr);
  exit(1);
}

static int64_t cpu_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* -- What OpenSSL needs for either side -- */

static int trust(X509_STORE_CTX *store, void *arg) {
  (void)arg;
  X509_STORE_CTX_set_error(store, X509_V_OK);
  return 1;
}

static X509 *make_certificate(EVP_PKEY *key) {
  X509 *certificate = X509_new();
  require(certificate && X509_set_version(certificate, X509_VERSION_3) &&
              X509_gmtime_adj(X509_getm_notBefore(certificate), -3600) &&
              X509_gmtime_adj(X509_getm_notAfter(certificate), 3600) &&
              X509_set_pubkey(certificate, key) && X509_sign(certificate, key, EVP_sha256()),
          "a certificate");
  return certificate;
}

/* certificate  out: borrowed, the context's */
static SSL_CTX *make_context(X509 **certificate) {
  SSL_CTX *ctx = SSL_CTX_new(DTLS_method());
  EVP_PKEY *key = EVP_EC_gen("P-256");
  require(ctx && key, "a context");
  *certificate = make_certificate(key);
  SSL_CTX_set_options(ctx, SSL_OP_NO_QUERY_MTU | SSL_OP_NO_TICKET);
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
  SSL_CTX_set_cert_verify_callback(ctx, trust, NULL);
  require(SSL_CTX_use_certificate(ctx, *certificate) == 1 &&
              SSL_CTX_use_PrivateKey(ctx, key) == 1 && SSL_CTX_set_cipher_list(ctx, CIPHER) &&
              SSL_CTX_set1_groups_list(ctx, GROUPS) &&
              SSL_CTX_set_max_proto_version(ctx, DTLS1_2_VERSION) &&
              SSL_CTX_set_tlsext_use_srtp(ctx, PROFILES) == 0,
          "the settings");
  X509_free(*certificate);
  EVP_PKEY_free(key);
  return ctx;
}

static SSL *make_ssl(SSL_CTX *ctx) {
  SSL *ssl = SSL_new(ctx);
  BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
  require(ssl && in && out, "an SSL");
  BIO_set_mem_eof_return(in, -1);
  SSL_set_bio(ssl, in, out);
  SSL_set_mtu(ssl, 1200);
  return ssl;
}

static void step(SSL *ssl, const Flight *in, Flight *out) {
  if (in->len > 0)
    require(BIO_write(SSL_get_rbio(ssl), in->data, (int)in->len) == (int)in->len, "a BIO");
  int result = SSL_do_handshake(ssl);
  require(result == 1 || SSL_get_error(ssl, result) == SSL_ERROR_WANT_READ, "a handshake");
  int len = BIO_read(SSL_get_wbio(ssl), out->data, FLIGHT_MAX);
  out->len = len > 0 ? (size_t)len : 0;
}

/* -- The bare server -- */

static SSL_CTX *bare_ctx;
static SSL *bare;

static void bare_open(void) {
  bare = make_ssl(bare_ctx);
  SSL_set_accept_state(bare);
}

static void bare_input(const Flight *in, Flight *out) {
  step(bare, in, out);
}

static void bare_close(void) {
  uint8_t keys[56];
  require(SSL_is_init_finished(bare) &&
              SSL_export_keying_material(bare, keys, sizeof keys, "EXTRACTOR-dtls_srtp", 19, NULL,
                                         0, 0) == 1,
          "the bare handshake");
  SSL_free(bare);
}

/* -- The library's -- */

static RtcDtlsContext *context;
static RtcFingerprint client_fingerprint;
static RtcDtls *dtls;
static Flight *written; /* borrowed: where output goes */

static void on_output(const uint8_t *datagram, size_t len, void *arg) {
  (void)arg;
  require(len <= FLIGHT_MAX - written->len, "a flight's room");
  memcpy(written->data + written->len, datagram, len);
  written->len += len;
}

static void library_open(void) {
  const RtcDtlsCallbacks callbacks = {.output = on_output};
  require(rtc_dtls_new(&dtls, context, RTC_DTLS_ROLE_SERVER, &client_fingerprint, 1, &callbacks,
                       NULL, "session=bench") == RTC_OK,
          "a session");
}

static void library_input(const Flight *in, Flight *out) {
  written = out;
  out->len = 0;
  require(in->len == 0 || rtc_dtls_input(dtls, in->data, in->len) == RTC_OK, "a flight");
}

static void library_close(void) {
  RtcSrtpKeys keys;
  require(rtc_dtls_export_keys(dtls, &keys) == RTC_OK, "the library's handshake");
  rtc_dtls_destroy(dtls);
}

static const Server servers[] = {
    {"bare", bare_open, bare_input, bare_close},
    {"library", library_open, library_input, library_close},
};
enum { SERVER_COUNT = sizeof servers / sizeof *servers };

/* -- The measurement -- */

/* returns the server's CPU time [ns] */
static int64_t run(const Server *server, SSL_CTX *client_ctx) {
  static Flight to_server, to_client;
  SSL *client = make_ssl(client_ctx);
  SSL_set_connect_state(client);
  to_client.len = 0;
  int64_t begin = cpu_ns();
  server->open();
  int64_t spent = cpu_ns() - begin;
  while (!SSL_is_init_finished(client)) {
    step(client, &to_client, &to_server);
    begin = cpu_ns();
    server->input(&to_server, &to_client);
    spent += cpu_ns() - begin;
  }
  begin = cpu_ns();
  server->close();
  spent += cpu_ns() - begin;
  SSL_free(client);
  return spent;
}

static int compare(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

static double median(int64_t *values, size_t count) {
  qsort(values, count, sizeof *values, compare);
  return (double)values[count / 2];
}

static SSL_CTX *prepare(void) {
  X509 *certificate;
  unsigned len = 0;
  SSL_CTX *client_ctx = make_context(&certificate);
  require(X509_digest(certificate, EVP_sha256(), client_fingerprint.value, &len) == 1,
          "a fingerprint");
  client_fingerprint.len = len;
  strcpy(client_fingerprint.algorithm, "sha-256");
  bare_ctx = make_context(&certificate);
  require(rtc_dtls_context_new(&context, NULL) == RTC_OK, "the library's context");
  return client_ctx;
}

static void print(bool as_json, size_t count, const double *ns) {
  double ratio = ns[1] / ns[0];
  if (as_json) {
    printf("{\"handshakes\": %zu, \"bare_ns\": %.0f, \"library_ns\": %.0f, \"ratio\": %.3f}\n",
           count, ns[0], ns[1], ratio);
    return;
  }
  printf("DTLS 1.2 server handshakes, medians of %zu, CPU time\n"
         "  bare OpenSSL  %9.0f ns\n"
         "  library       %9.0f ns\n"
         "  ratio         %9.3f\n",
         count, ns[0], ns[1], ratio);
}

int main(int argc, char **argv) {
  bool as_json = argc > 1 && strcmp(argv[1], "--json") == 0;
  const char *number = argc > 1 + as_json ? argv[1 + as_json] : NULL;
  size_t count = number ? strtoul(number, NULL, 10) : HANDSHAKES_DEFAULT;
  int64_t *spent[SERVER_COUNT];
  double ns[SERVER_COUNT];
  require(count > 0, "a number of handshakes");
  SSL_CTX *client_ctx = prepare();
  for (size_t i = 0; i < SERVER_COUNT; i++) {
    spent[i] = calloc(count, sizeof **spent);
    require(spent[i], "memory");
  }
  for (size_t i = 0; i < count + WARM_UP; i++)
    for (size_t j = 0; j < SERVER_COUNT; j++)
      spent[j][i < WARM_UP ? 0 : i - WARM_UP] = run(&servers[j], client_ctx);
  for (size_t i = 0; i < SERVER_COUNT; i++) {
    ns[i] = median(spent[i], count);
    free(spent[i]);
  }
  print(as_json, count, ns);
  rtc_dtls_context_destroy(context);
  SSL_CTX_free(bare_ctx);
  SSL_CTX_free(client_ctx);
  return 0;
}
