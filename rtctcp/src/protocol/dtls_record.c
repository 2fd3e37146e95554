/* Headers of DTLS records, as far as they are read outside OpenSSL. */
#include "protocol/dtls_record.h"

/* RFC 6347 section 4.1: {254, 253} is DTLS 1.2; a ClientHello may say {254, 255}, DTLS 1.0. */
#define VERSION_1_0 0xFEFF
#define VERSION_1_2 0xFEFD

static uint16_t read_u16(const uint8_t *data) {
  return (uint16_t)(data[0] << 8 | data[1]);
}

RtcError rtc_dtls_record_parse(RtcDtlsRecord *record, const uint8_t *data, size_t len) {
  if (len < RTC_DTLS_RECORD_HEADER_LEN)
    return RTC_ERROR_PROTO;
  if (data[0] < RTC_DTLS_RECORD_CHANGE_CIPHER_SPEC || data[0] > RTC_DTLS_RECORD_APPLICATION_DATA)
    return RTC_ERROR_PROTO;
  uint16_t version = read_u16(data + 1);
  if (version != VERSION_1_0 && version != VERSION_1_2)
    return RTC_ERROR_PROTO;
  size_t body_len = read_u16(data + 11);
  if (body_len == 0 || body_len > len - RTC_DTLS_RECORD_HEADER_LEN)
    return RTC_ERROR_PROTO;
  record->type = (RtcDtlsRecordType)data[0];
  record->epoch = read_u16(data + 3);
  record->len = RTC_DTLS_RECORD_HEADER_LEN + body_len;
  return RTC_OK;
}
