/* Headers of DTLS records, as far as they are read outside OpenSSL. */
#include "protocol/dtls_record.h"

#include "base/octets.h"

/* RFC 6347 section 4.1: {254, 253} is DTLS 1.2; a ClientHello may say {254, 255}, DTLS 1.0. */
#define VERSION_1_0 0xFEFF

RtcError rtc_dtls_record_parse(RtcDtlsRecord *record, const uint8_t *data, size_t len) {
  if (len < RTC_DTLS_RECORD_HEADER_LEN)
    return RTC_ERROR_PROTO;
  if (data[0] < RTC_DTLS_RECORD_CHANGE_CIPHER_SPEC || data[0] > RTC_DTLS_RECORD_APPLICATION_DATA)
    return RTC_ERROR_PROTO;
  uint16_t version = rtc_read_u16(data + RTC_DTLS_RECORD_VERSION_AT);
  if (version != VERSION_1_0 && version != RTC_DTLS_VERSION_1_2)
    return RTC_ERROR_PROTO;
  size_t body_len = rtc_read_u16(data + RTC_DTLS_RECORD_LENGTH_AT);
  if (body_len == 0 || body_len > len - RTC_DTLS_RECORD_HEADER_LEN)
    return RTC_ERROR_PROTO;
  record->type = (RtcDtlsRecordType)data[0];
  record->epoch = rtc_read_u16(data + RTC_DTLS_RECORD_EPOCH_AT);
  record->sequence = (uint64_t)rtc_read_u16(data + 5) << 32 | rtc_read_u32(data + 7);
  record->len = RTC_DTLS_RECORD_HEADER_LEN + body_len;
  return RTC_OK;
}
