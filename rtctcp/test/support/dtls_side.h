/* The library's side of a DTLS test: a session whose output is kept. */
#ifndef RTC_TEST_SUPPORT_DTLS_SIDE_H
#define RTC_TEST_SUPPORT_DTLS_SIDE_H

#include "protocol/dtls.h"
#include "support/datagrams.h"
#include "support/dtls_peer.h"

typedef struct DtlsSide {
  RtcDtls *dtls; /* owned */
  Datagrams out;
} DtlsSide;

void dtls_side_init(DtlsSide *side, const RtcDtlsContext *context, RtcDtlsRole role,
                    const RtcFingerprint *fingerprints, size_t count);
void dtls_side_finish(DtlsSide *side);

/* Fed to the session; whatever it says is fine. */
void dtls_side_input(DtlsSide *side, const Datagram *datagram);

/* Everything that either side has to say goes to the other, until both are silent. */
void dtls_side_talk(DtlsSide *a, DtlsSide *b);
void dtls_side_talk_to_peer(DtlsSide *side, DtlsPeer *peer);

#endif
