/* Epoch 1 of a DTLS 1.2 session, whose handshake is done: its record keys, without OpenSSL's SSL,
 * which holds 40 KiB. Records of the peer are opened, alerts are sealed.
 *
 * A nonce must never come twice under a key, so whatever OpenSSL has sealed in the handshake is to
 * be counted here before the first record is sealed.
 * Source: RFC 6347 section 4.1, RFC 5246 section 6.3, RFC 5288, RFC 7905 */
#ifndef RTC_PROTOCOL_DTLS_EPOCH_H
#define RTC_PROTOCOL_DTLS_EPOCH_H

#include "protocol/dtls_record.h"

#include <openssl/ssl.h>
#include <stdbool.h>

#define RTC_DTLS_EPOCH_KEY_MAX ((size_t)32)
#define RTC_DTLS_EPOCH_IV_MAX  ((size_t)12)

/* As much of a record as anybody looks at: DTLS's handshake header, or an alert [octets]. */
#define RTC_DTLS_EPOCH_HEAD_MAX ((size_t)12)

/* A sealed alert: header, explicit nonce, level and description, tag [octets]. */
#define RTC_DTLS_EPOCH_ALERT_MAX (RTC_DTLS_RECORD_HEADER_LEN + 8 + 2 + 16)

typedef struct RtcDtlsCipher RtcDtlsCipher;

typedef struct RtcDtlsEpoch {
  const RtcDtlsCipher *cipher; /* borrowed: static; NULL: there are no keys yet */
  uint8_t send_key[RTC_DTLS_EPOCH_KEY_MAX];
  uint8_t send_iv[RTC_DTLS_EPOCH_IV_MAX];
  uint8_t receive_key[RTC_DTLS_EPOCH_KEY_MAX];
  uint8_t receive_iv[RTC_DTLS_EPOCH_IV_MAX];
  uint64_t next_sequence; /* of the next record that is sealed */
  uint64_t next_explicit; /* AES-GCM: the part of its nonce that it carries */
  uint64_t newest;        /* sequence number of what was opened; seen == 0: nothing was */
  uint64_t seen;          /* bit i: newest - i was opened */
} RtcDtlsEpoch;

/* Cuts the record keys out of a handshake that is done.
 * Errors: UNSUPPORTED (a cipher that is no AEAD of this file), NO_MEMORY */
RTC_MUST_CHECK RtcError rtc_dtls_epoch_take_keys(RtcDtlsEpoch *epoch, const SSL *ssl);

/* Wipes the keys. Fine twice, and on a zeroed epoch. */
void rtc_dtls_epoch_finish(RtcDtlsEpoch *epoch);

/* OpenSSL has sealed these records, in this order; those of other epochs don't count. */
void rtc_dtls_epoch_count_sealed(RtcDtlsEpoch *epoch, const uint8_t *records, size_t len);

/* OpenSSL has opened this record of epoch 1: it is a replay from now on. */
void rtc_dtls_epoch_count_opened(RtcDtlsEpoch *epoch, const RtcDtlsRecord *record);

/* Can't this record, which a handshake that is not done has got, be of epoch 1? OpenSSL 3.0 takes
 * one that is shorter than its cipher's nonce and tag for an error of its own, and gives up. */
bool rtc_dtls_epoch_is_too_short(const SSL *ssl, const RtcDtlsRecord *record);

typedef struct RtcDtlsOpened {
  size_t len;                            /* of the whole plaintext [octets] */
  uint8_t head[RTC_DTLS_EPOCH_HEAD_MAX]; /* its first octets, as far as there are any */
} RtcDtlsOpened;

/* Opens a record.
 * record  data's header, parsed
 * opened  out: what was in it; untouched on error
 * Errors: PROTO   of another epoch or version, or too short or too long for the cipher
 *         REPLAY  was opened before, or is 64 records behind
 *         AUTH    the peer has not sealed it so
 *         NO_MEMORY */
RTC_MUST_CHECK RtcError rtc_dtls_epoch_open(RtcDtlsEpoch *epoch, const RtcDtlsRecord *record,
                                            const uint8_t *data, RtcDtlsOpened *opened);

/* Seals an alert.
 * Errors: LIMIT (no sequence number is left), NO_MEMORY (this one is used up all the same) */
RTC_MUST_CHECK RtcError rtc_dtls_epoch_seal_alert(RtcDtlsEpoch *epoch, uint8_t level,
                                                  uint8_t description,
                                                  uint8_t record[RTC_DTLS_EPOCH_ALERT_MAX],
                                                  size_t *len);

#endif
