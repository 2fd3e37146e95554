/* libsrtp2's own ciphers beside ours in one process: which kind a new context gets. */
#ifndef RTC_TEST_SUPPORT_SRTP_TYPES_H
#define RTC_TEST_SUPPORT_SRTP_TYPES_H

#include "protocol/srtp_evp.h"

#define SRTP_TYPES_CIPHERS 4

/* In the order of RtcSrtpTransform. */
extern const srtp_cipher_type_t *const srtp_types_ours[SRTP_TYPES_CIPHERS];

/* Libsrtp's own, once srtp_types_init has been called. */
extern const srtp_cipher_type_t *srtp_types_builtin[SRTP_TYPES_CIPHERS];
extern const srtp_auth_type_t *srtp_types_builtin_auth;

/* Before any session is made: remembers what libsrtp has by itself, and replaces it. */
void srtp_types_init(void);

/* New contexts are of libsrtp's own types, or of ours. */
void srtp_types_use_builtin(void);
void srtp_types_use_ours(void);

/* What a new context would get. */
const srtp_cipher_type_t *srtp_types_cipher(srtp_cipher_type_id_t id);
const srtp_auth_type_t *srtp_types_auth(srtp_auth_type_id_t id);

#endif
