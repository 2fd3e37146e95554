/* Headers of DTLS records, as far as they are read outside OpenSSL.
 * Source: RFC 6347 section 4.1 */
#ifndef RTC_PROTOCOL_DTLS_RECORD_H
#define RTC_PROTOCOL_DTLS_RECORD_H

#include <rtctcp/error.h>

#include <stddef.h>
#include <stdint.h>

#define RTC_DTLS_RECORD_HEADER_LEN ((size_t)13)

/* Where the header has its fields. */
#define RTC_DTLS_RECORD_VERSION_AT ((size_t)1)
#define RTC_DTLS_RECORD_EPOCH_AT   ((size_t)3) /* and behind it the sequence number: 8 octets */
#define RTC_DTLS_RECORD_LENGTH_AT  ((size_t)11)

#define RTC_DTLS_VERSION_1_2 0xFEFDU

/* ContentType, RFC 5246 section 6.2.1. */
typedef enum RtcDtlsRecordType {
  RTC_DTLS_RECORD_CHANGE_CIPHER_SPEC = 20,
  RTC_DTLS_RECORD_ALERT = 21,
  RTC_DTLS_RECORD_HANDSHAKE = 22,
  RTC_DTLS_RECORD_APPLICATION_DATA = 23,
} RtcDtlsRecordType;

typedef struct RtcDtlsRecord {
  RtcDtlsRecordType type;
  uint16_t epoch;    /* 0: in the clear */
  uint64_t sequence; /* of its epoch, 48 bits */
  size_t len;        /* header and body [octets] */
} RtcDtlsRecord;

/* Reads the header of the first record in data.
 * Errors: PROTO (of no known type, not DTLS 1.0 or 1.2, empty, or longer than what has come) */
RTC_MUST_CHECK RtcError rtc_dtls_record_parse(RtcDtlsRecord *record, const uint8_t *data,
                                              size_t len);

#endif
