/* The BIO between OpenSSL and a session: it reads one record at a time out of the caller's memory,
 * and hands each write over. It keeps datagram semantics, which BIO_s_mem does not, and holds no
 * memory between the calls. */
#include "protocol/dtls_internal.h"

#include <openssl/bio.h>
#include <string.h>

static int bio_read(BIO *bio, char *data, size_t cap, size_t *len) {
  RtcDtlsBio *ends = BIO_get_data(bio);
  BIO_clear_retry_flags(bio);
  if (!ends->input) {
    BIO_set_retry_read(bio);
    return 0;
  }
  /* A record longer than OpenSSL's buffer is cut, as by a datagram socket; it then drops it. */
  *len = ends->input_len < cap ? ends->input_len : cap;
  memcpy(data, ends->input, *len);
  ends->input = NULL;
  return 1;
}

static int bio_write(BIO *bio, const char *data, size_t len, size_t *written) {
  RtcDtlsBio *ends = BIO_get_data(bio);
  BIO_clear_retry_flags(bio);
  if (ends->write(ends->arg, (const uint8_t *)data, len) != RTC_OK)
    return 0;
  *written = len;
  return 1;
}

/* Nothing is buffered here, so a flush is done at once; all else has the answer 0, "not known". */
static long bio_ctrl(BIO *bio, int command, long number, void *pointer) {
  (void)bio;
  (void)number;
  (void)pointer;
  return command == BIO_CTRL_FLUSH;
}

BIO_METHOD *rtc_dtls_bio_method_new(void) {
  BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "rtctcp DTLS records");
  if (!method)
    return NULL;
  if (BIO_meth_set_read_ex(method, bio_read) && BIO_meth_set_write_ex(method, bio_write) &&
      BIO_meth_set_ctrl(method, bio_ctrl))
    return method;
  BIO_meth_free(method);
  return NULL;
}

BIO *rtc_dtls_bio_new(const BIO_METHOD *method, RtcDtlsBio *ends) {
  BIO *bio = BIO_new(method);
  if (!bio)
    return NULL;
  BIO_set_data(bio, ends);
  BIO_set_init(bio, 1);
  return bio;
}
