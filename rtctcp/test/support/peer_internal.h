/* What the files of the test peer share. */
#ifndef RTC_TEST_PEER_INTERNAL_H
#define RTC_TEST_PEER_INTERNAL_H

#include "support/peer.h"

#include <openssl/ssl.h>
#include <srtp2/srtp.h>
#include <stun/stunagent.h>
#include <sys/socket.h>

#define PEER_CREDENTIAL_CAP (RTC_SDP_CREDENTIAL_MAX + 1)

/* How much of a direction is left before the conn is cut. */
typedef struct PeerCut {
  bool limited;
  size_t left; /* [octets] */
} PeerCut;

typedef struct PeerConn {
  int fd;         /* -1: none */
  int ended;      /* PeerResult that reading ended with; 0: it has not */
  bool bound;     /* a binding request was answered with success */
  bool early;     /* something else than STUN came before that */
  bool requested; /* a request was made that is not answered */
  PeerCut in, out;
  bool dead;         /* one of them has run out */
  uint32_t priority; /* what its requests say; 0: PRIORITY_PRFLX_TCP_ACTIVE */
  StunTransactionId transaction;
  struct sockaddr_storage to; /* where it was connected to */
  socklen_t to_len;           /* 0: adopted */
  uint8_t *input;             /* owned: the frame that is being read, with its header */
  size_t input_len;           /* [octets] */
  size_t input_cap;           /* [octets] */
} PeerConn;

/* A frame that came while another kind was awaited. */
typedef struct PeerStash {
  struct PeerStash *next; /* owned */
  int conn;
  size_t len;
  uint8_t data[];
} PeerStash;

typedef struct PeerFrame {
  int conn;
  uint8_t *data; /* borrowed: until the next peer_take */
  size_t len;
} PeerFrame;

typedef enum PeerKind {
  PEER_KIND_STUN = 1,
  PEER_KIND_DTLS = 2,
  PEER_KIND_MEDIA = 4,
  PEER_KIND_OTHER = 8,
} PeerKind;

typedef enum PeerRole {
  PEER_ROLE_UNKNOWN,
  PEER_ROLE_CLIENT,
  PEER_ROLE_SERVER,
} PeerRole;

struct RtcPeer {
  char ufrag[PEER_CREDENTIAL_CAP];
  char pwd[PEER_CREDENTIAL_CAP];
  char remote_ufrag[PEER_CREDENTIAL_CAP];
  char remote_pwd[PEER_CREDENTIAL_CAP];
  RtcFingerprint remote_fingerprints[RTC_SDP_FINGERPRINTS_MAX];
  size_t remote_fingerprint_count;
  RtcSetup setup;
  PeerRole role;
  int receive_buffer;
  unsigned retransmit_ms;

  PeerConn conns[PEER_CONNS_MAX];
  int selected;
  PeerStash *stash; /* owned: oldest first */
  PeerStash *taken; /* owned: what the last PeerFrame points into; NULL: a conn's input */

  StunAgent *agent; /* owned */
  uint64_t tie_breaker;

  SSL *ssl;                /* owned */
  const uint8_t *datagram; /* borrowed: what OpenSSL reads next; NULL: nothing */
  size_t datagram_len;
  size_t datagrams_out;
  size_t handshakes;
  bool connected;
  bool trust_any;
  int alert_received; /* -1: none */
  uint64_t alerts_made;

  srtp_t srtp_in;  /* owned; NULL before the end of the handshake */
  srtp_t srtp_out; /* owned; likewise */
};

/* -- peer.c -- */
/* Tells a failure on standard error when RTC_TEST_PEER_DEBUG is set. returns result */
int peer_fail(const RtcPeer *peer, int result, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int64_t peer_clock_ms(void);

/* -- peer_socket.c -- */
bool peer_conn_open(const RtcPeer *peer, int conn);
void peer_sockets_finish(RtcPeer *peer);
/* Awaits a frame of these kinds on this conn or on any. Binding requests are answered in passing;
 * frames of other kinds are kept for a later call, STUN that nobody awaits is dropped.
 * kinds    PeerKind, or-ed; 0: all, and nothing is answered */
int peer_take(RtcPeer *peer, int conn, unsigned kinds, int64_t deadline_ms, PeerFrame *frame);

/* -- peer_stun.c -- */
int peer_stun_init(RtcPeer *peer);
/* Answers a binding request; anything else is left alone. false: it was no request */
bool peer_stun_answer(RtcPeer *peer, const PeerFrame *frame);

/* -- peer_dtls.c -- */
int peer_dtls_init(RtcPeer *peer, const PeerConfig *config);
const RtcFingerprint *peer_own_fingerprint(void);
/* Feeds what came after the handshake. returns PEER_OK, PEER_CLOSED, PEER_ALERT */
int peer_dtls_feed(RtcPeer *peer, const PeerFrame *frame);
/* Writes an alert's record by hand, because OpenSSL sends none on request: in clear before there
 * are keys. returns its length; 0: it can't be sealed */
#define PEER_ALERT_MAX ((size_t)39)
size_t peer_alert_seal(RtcPeer *peer, uint8_t level, uint8_t description,
                       uint8_t record[PEER_ALERT_MAX]);
/* The same, and sends it. */
int peer_alert_send(RtcPeer *peer, uint8_t level, uint8_t description);

/* -- peer_media.c -- */
int peer_srtp_start(RtcPeer *peer);

#endif
