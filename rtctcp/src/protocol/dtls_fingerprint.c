/* Certificate fingerprints, RFC 8122 section 5. */
#include "protocol/dtls_internal.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

typedef struct Hash {
  const char *name; /* as RFC 8122 section 5 spells it */
  const EVP_MD *(*digest)(void);
} Hash;

/* Strongest first. MD5 and MD2 must not be used (RFC 8122 section 5), so they are not known. */
static const Hash hashes[] = {
    {"sha-512", EVP_sha512}, {"sha-384", EVP_sha384}, {"sha-256", EVP_sha256},
    {"sha-224", EVP_sha224}, {"sha-1", EVP_sha1},
};
static const size_t hash_count = sizeof hashes / sizeof *hashes;

static const EVP_MD *digest_of(const char *algorithm) {
  for (size_t i = 0; i < hash_count; i++)
    if (strcmp(hashes[i].name, algorithm) == 0)
      return hashes[i].digest();
  return NULL;
}

RtcError rtc_dtls_fingerprint_of(RtcFingerprint *fingerprint, const char *algorithm,
                                 const X509 *certificate) {
  const EVP_MD *digest = digest_of(algorithm);
  uint8_t value[EVP_MAX_MD_SIZE];
  unsigned len = 0;
  if (!digest)
    return RTC_ERROR_UNSUPPORTED;
  /* It is known, and so is the certificate: what can be missing is memory. */
  if (!X509_digest(certificate, digest, value, &len))
    return RTC_ERROR_NO_MEMORY;
  *fingerprint = (RtcFingerprint){.len = len};
  strncpy(fingerprint->algorithm, algorithm, sizeof fingerprint->algorithm - 1);
  memcpy(fingerprint->value, value, len);
  return RTC_OK;
}

static bool is_of(const RtcFingerprint *fingerprint, const Hash *hash) {
  return strncmp(fingerprint->algorithm, hash->name, sizeof fingerprint->algorithm) == 0 &&
         fingerprint->len == (size_t)EVP_MD_get_size(hash->digest());
}

size_t rtc_dtls_fingerprints_choose(RtcFingerprint *chosen, const RtcFingerprint *all,
                                    size_t count) {
  size_t chosen_count = 0;
  for (size_t i = 0; i < hash_count && chosen_count == 0; i++)
    for (size_t j = 0; j < count; j++)
      if (is_of(&all[j], &hashes[i]))
        chosen[chosen_count++] = all[j];
  return chosen_count;
}

RtcError rtc_dtls_fingerprints_match(const RtcFingerprint *chosen, size_t count,
                                     const X509 *certificate) {
  RtcFingerprint actual;
  if (count == 0)
    return RTC_ERROR_AUTH;
  RtcError error = rtc_dtls_fingerprint_of(&actual, chosen[0].algorithm, certificate);
  if (error)
    return error;
  for (size_t i = 0; i < count; i++)
    if (CRYPTO_memcmp(chosen[i].value, actual.value, actual.len) == 0)
      return RTC_OK;
  return RTC_ERROR_AUTH;
}
