/* The rig: a server with a bystander, beside which a victim lives once for each fault. After each
 * life the victim has ended well or for a clear reason, nothing of it is left, and the bystander's
 * media has not missed a packet.
 *
 * Thread: the test's. */
#ifndef RTC_TEST_FAULTS_RIG_H
#define RTC_TEST_FAULTS_RIG_H

#include "faults/seam.h"
#include "faults/victim.h"

typedef struct Rig {
  Host *host;                /* owned */
  RtcSourceManager *sources; /* owned */
  HostSession *bystander;    /* borrowed: the host's */
  Victim victim;
  uint64_t coroutines_idle;
  size_t descriptors_idle;
} Rig;

/* How a fault may end a session, beside that it goes on and the host closes it. */
typedef struct RigVerdict {
  unsigned closes; /* RtcClose, as bits */
  unsigned errors; /* of calls: RtcError, as bits */
  bool may_leak;   /* a library that is not ours does */
  size_t counter;  /* offset in RtcServerStats of what counts each that fails; 0: none */
} RigVerdict;

#define RIG_BIT(value) (1u << (value))

/* cmocka's setup and teardown. */
int rig_setup(void **state);
int rig_teardown(void **state);

/* The same without the lives in which pools and caches come to be. */
int rig_setup_fresh(void **state);

/* Sweeps the victim's life; see sweep.h.
 * rig  NULL: a fresh one for each life, for calls that a pool makes rare */
void rig_sweep(Rig *rig, const FaultPlan *plan, size_t stride, const RigVerdict *verdict);

#endif
