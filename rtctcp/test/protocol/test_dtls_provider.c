/* The provider with few of OpenSSL's algorithms: what it has, and when it steps aside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "protocol/dtls_internal.h"

#include <openssl/decoder.h>
#include <openssl/evp.h>
#include <openssl/provider.h>

static void count_decoder(OSSL_DECODER *decoder, void *arg) {
  (void)decoder;
  ++*(int *)arg;
}

static int decoders_of(OSSL_LIB_CTX *libctx) {
  int count = 0;
  OSSL_DECODER_do_all_provided(libctx, count_decoder, &count);
  return count;
}

/* Fewer decoders are what it is for. */
static void offers_what_handshakes_need_and_no_more(void **state) {
  (void)state;
  OSSL_LIB_CTX *libctx = rtc_dtls_libctx();
  assert_non_null(libctx);
  assert_ptr_equal(rtc_dtls_libctx(), libctx);
  assert_in_range(decoders_of(libctx), 1, 4);
  assert_in_range(decoders_of(NULL), 10, 1000);
  EVP_MD *sha256 = EVP_MD_fetch(libctx, "SHA256", NULL);
  assert_non_null(sha256);
  EVP_MD_free(sha256);
  assert_null(EVP_MD_fetch(libctx, "BLAKE2B-512", NULL));
}

/* The process has its own, whose settings stay as they are. */
static void leaves_the_process_alone(void **state) {
  (void)state;
  OSSL_LIB_CTX *libctx = rtc_dtls_libctx();
  assert_int_equal(OSSL_PROVIDER_available(libctx, "rtctcp"), 1);
  assert_int_equal(OSSL_PROVIDER_available(NULL, "rtctcp"), 0);
  assert_int_equal(OSSL_PROVIDER_available(NULL, "default"), 1);
}

/* Who asks for validated algorithms must not be given others behind his back. */
static void steps_aside_for_fips(void **state) {
  (void)state;
  assert_int_equal(EVP_default_properties_enable_fips(NULL, 1), 1);
  OSSL_LIB_CTX *libctx = rtc_dtls_libctx();
  assert_int_equal(EVP_default_properties_enable_fips(NULL, 0), 1);
  assert_null(libctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(steps_aside_for_fips),
      cmocka_unit_test(offers_what_handshakes_need_and_no_more),
      cmocka_unit_test(leaves_the_process_alone),
      cmocka_unit_test(steps_aside_for_fips),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
