/* A provider that offers some of the default one's algorithms under its own name: the tables of
 * names are filtered, the code behind them is the default provider's. */
#include "protocol/dtls_internal.h"

#include <openssl/core_dispatch.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <pthread.h>
#include <string.h>
#include <strings.h>

#define OFFERED_MAX 8 /* of one operation */

/* What TLS 1.2's handshakes and our certificate need. Certificates of peers are P-256 nearly
 * always, RSA now and then. */
static const struct {
  int operation;
  const char *names[OFFERED_MAX];
  const char *property; /* that the algorithm has; NULL: any */
} wanted[] = {
    {OSSL_OP_DIGEST, {"SHA1", "SHA2-224", "SHA2-256", "SHA2-384", "SHA2-512", "MD5-SHA1"}, NULL},
    {OSSL_OP_CIPHER, {"AES-128-GCM", "AES-256-GCM", "ChaCha20-Poly1305"}, NULL},
    {OSSL_OP_MAC, {"HMAC"}, NULL},
    {OSSL_OP_KDF, {"TLS1-PRF"}, NULL},
    {OSSL_OP_RAND, {"CTR-DRBG", "SEED-SRC"}, NULL},
    {OSSL_OP_KEYMGMT, {"EC", "RSA", "X25519"}, NULL},
    {OSSL_OP_KEYEXCH, {"ECDH", "X25519"}, NULL},
    {OSSL_OP_SIGNATURE, {"ECDSA", "RSA"}, NULL},
    {OSSL_OP_ENCODER, {"EC"}, "output=der,structure=SubjectPublicKeyInfo"},
    {OSSL_OP_DECODER, {"EC", "RSA"}, "structure=SubjectPublicKeyInfo"},
};
enum { OPERATION_COUNT = sizeof wanted / sizeof *wanted };

static OSSL_PROVIDER *default_provider;                          /* owned: for good */
static OSSL_ALGORITHM offered[OPERATION_COUNT][OFFERED_MAX + 1]; /* each ends with one of no name */

/* Names are separated by ':', and the first is the one by which it is known. */
static bool is_named(const OSSL_ALGORITHM *algorithm, const char *name) {
  size_t len = strlen(name);
  const char *names = algorithm->algorithm_names;
  return strncasecmp(names, name, len) == 0 && (names[len] == '\0' || names[len] == ':');
}

static size_t wanted_count(size_t index) {
  size_t count = 0;
  while (count < OFFERED_MAX && wanted[index].names[count])
    count++;
  return count;
}

static bool is_wanted(const OSSL_ALGORITHM *algorithm, size_t index) {
  const char *property = wanted[index].property;
  if (property && !strstr(algorithm->property_definition, property))
    return false;
  for (size_t i = 0; i < wanted_count(index); i++)
    if (is_named(algorithm, wanted[index].names[i]))
      return true;
  return false;
}

/* false: this OpenSSL has not all of it, or by other names. */
static bool fill_offered(void) {
  for (size_t i = 0; i < OPERATION_COUNT; i++) {
    int no_cache = 0;
    size_t count = 0;
    const OSSL_ALGORITHM *all =
        OSSL_PROVIDER_query_operation(default_provider, wanted[i].operation, &no_cache);
    for (; all && all->algorithm_names && count < OFFERED_MAX; all++)
      if (is_wanted(all, i))
        offered[i][count++] = *all;
    if (count != wanted_count(i))
      return false;
  }
  return true;
}

/* -- What OpenSSL's core calls -- */

static const OSSL_ALGORITHM *query_operation(void *context, int operation, int *no_cache) {
  (void)context;
  *no_cache = 0;
  for (size_t i = 0; i < OPERATION_COUNT; i++)
    if (wanted[i].operation == operation)
      return offered[i];
  return NULL;
}

/* The groups of key exchange, among others. */
static int get_capabilities(void *context, const char *capability, OSSL_CALLBACK *callback,
                            void *arg) {
  (void)context;
  return OSSL_PROVIDER_get_capabilities(default_provider, capability, callback, arg);
}

static int start_provider(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
                          const OSSL_DISPATCH **out, void **context) {
  static const OSSL_DISPATCH functions[] = {
      {OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query_operation},
      {OSSL_FUNC_PROVIDER_GET_CAPABILITIES, (void (*)(void))get_capabilities},
      {0, NULL},
  };
  (void)handle;
  (void)in;
  *out = functions;
  *context = OSSL_PROVIDER_get0_provider_ctx(default_provider); /* as its algorithms expect */
  return 1;
}

/* -- The library context -- */

/* Is it the system's or the host's wish that algorithms come from elsewhere, as from a FIPS module?
 */
static bool default_is_replaced(void) {
  return !OSSL_PROVIDER_available(NULL, "default") || EVP_default_properties_is_fips_enabled(NULL);
}

/* The default provider lives in one of its own, so that nobody's settings of the process change. */
static OSSL_LIB_CTX *new_libctx(void) {
  OSSL_LIB_CTX *inner = OSSL_LIB_CTX_new(), *outer = OSSL_LIB_CTX_new();
  if (inner && outer && (default_provider = OSSL_PROVIDER_load(inner, "default")) &&
      fill_offered() && OSSL_PROVIDER_add_builtin(outer, "rtctcp", start_provider) &&
      OSSL_PROVIDER_load(outer, "rtctcp"))
    return outer;
  OSSL_LIB_CTX_free(outer);
  OSSL_LIB_CTX_free(inner);
  return NULL;
}

/* For good: a thread's random generator goes when the thread does, and wants its context then. */
OSSL_LIB_CTX *rtc_dtls_libctx(void) {
  static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  static OSSL_LIB_CTX *libctx;
  if (default_is_replaced())
    return NULL;
  pthread_mutex_lock(&mutex);
  if (!libctx)
    libctx = new_libctx();
  OSSL_LIB_CTX *made = libctx;
  pthread_mutex_unlock(&mutex);
  return made;
}
