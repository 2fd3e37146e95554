/* libnice's NiceAgent as the peer's ICE: an independent, full agent with active TCP candidates.
 * What it receives comes out of a wire as RFC 4571 frames, and what goes into the wire it sends, so
 * that an RtcPeer that adopts the wire does DTLS and SRTP through the agent.
 *
 * Thread: the agent runs on one of its own; the functions are for the test's. */
#ifndef RTC_TEST_NICE_PEER_H
#define RTC_TEST_NICE_PEER_H

#include <rtctcp/sdp.h>

#include <stdbool.h>

typedef struct NicePeerConfig {
  const char *address; /* numeric: what the agent connects from */
  bool aggressive;     /* nominates with every check (RFC 5245 section 8.1.1.2) */
  bool controlled;     /* begins in the wrong role: towards an ICE-lite peer it must control */
} NicePeerConfig;

typedef struct NicePeer NicePeer;

/* An agent with one stream of one component that has gathered. NULL: it could not be made. */
NicePeer *nice_peer_new(const NicePeerConfig *config);
/* Removes the agent's stream, which closes its TCP conns, and the wire's end. NULL is fine. */
void nice_peer_destroy(NicePeer *peer);

/* Opens what libnice opens once for a process and keeps. */
void nice_peer_start_libraries(void);

/* The agent's credentials and candidates, read from its own SDP. false: it could not be read */
bool nice_peer_local_transport(NicePeer *peer, RtcSdpTransport *transport);
/* The agent reads this as SDP, and begins its checks. false: it found no candidate in there */
bool nice_peer_connect(NicePeer *peer, const RtcSdpTransport *remote);

/* An ICE restart's offer: new credentials of the agent's stream, for nice_peer_local_transport; the
 * answer is given to nice_peer_connect. false: libnice refuses */
bool nice_peer_restart(NicePeer *peer);

/* The other end of the wire, a socket. The caller owns it; to be asked for once. */
int nice_peer_wire(NicePeer *peer);

/* Awaits a state of the component. false: it did not come in time */
bool nice_peer_await_ready(NicePeer *peer, int timeout_ms);
bool nice_peer_await_failed(NicePeer *peer, int timeout_ms);

/* The pair that the agent has selected. */
typedef struct NicePair {
  bool tcp;       /* an active local candidate, a passive remote one */
  char local[64]; /* the local candidate, which is the XOR-MAPPED-ADDRESS that came: "[::1]:5000" */
} NicePair;

/* false: there is none yet */
bool nice_peer_selected_pair(NicePeer *peer, NicePair *pair);

#endif
