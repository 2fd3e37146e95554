/* A DTLS peer written on OpenSSL alone: what a browser is to the library. */
#ifndef RTC_TEST_SUPPORT_DTLS_PEER_H
#define RTC_TEST_SUPPORT_DTLS_PEER_H

#include "support/datagrams.h"

#include <openssl/ssl.h>
#include <rtctcp/sdp.h>
#include <stdbool.h>

/* Of a peer with a timer; it is by gettimeofday, which a test should have in its hand. */
#define DTLS_PEER_TIMER_US 50000

typedef struct DtlsPeerConfig {
  bool is_server;
  const char *profiles;    /* of SRTP, in OpenSSL's words; NULL: no use_srtp */
  const char *ciphers;     /* in OpenSSL's words; NULL: OpenSSL's own list */
  const char *groups;      /* likewise */
  const char *curve;       /* of the certificate's key; NULL: P-256 */
  unsigned rsa_bits;       /* that is an RSA key, of this size; 0: it is none */
  long mtu;                /* 0: 1200 [octets] */
  size_t hello_padding;    /* an unknown extension of this size in the ClientHello [octets] */
  bool has_no_certificate; /* client: answers the request with none */
  bool is_dtls_1_0;        /* speaks that version only */
  bool has_timer;          /* retransmits: see dtls_peer_time_out */
} DtlsPeerConfig;

typedef struct DtlsPeer {
  SSL_CTX *ctx;      /* owned */
  SSL *ssl;          /* owned */
  BIO *input;        /* borrowed: the SSL's */
  BIO *written;      /* borrowed: the SSL's */
  X509 *certificate; /* owned */
  Datagrams out;     /* one record each */
  size_t hello_padding;
  size_t data_len; /* of application data that has come [octets] */
  int alert;       /* that has come: level << 8 | description; 0: none */
  int error;       /* of SSL_get_error, the last */
} DtlsPeer;

void dtls_peer_init(DtlsPeer *peer, const DtlsPeerConfig *config);
void dtls_peer_finish(DtlsPeer *peer);

/* algorithm: as in SDP; one that OpenSSL does not know has SHA-512's value. */
void dtls_peer_fingerprint(const DtlsPeer *peer, const char *algorithm,
                           RtcFingerprint *fingerprint);

void dtls_peer_start(DtlsPeer *peer);
void dtls_peer_input(DtlsPeer *peer, const Datagram *datagram);

/* The peer's own retransmission timer goes off: gettimeofday has moved on by it. */
void dtls_peer_time_out(DtlsPeer *peer);

void dtls_peer_send(DtlsPeer *peer, const void *data, int len);
void dtls_peer_close(DtlsPeer *peer);
void dtls_peer_renegotiate(DtlsPeer *peer);

#endif
