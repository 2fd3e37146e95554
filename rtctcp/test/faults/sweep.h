/* The sweep: one life after another, with the first call failing, the second, ... until a life has
 * no call left that fails. No life may leave memory behind.
 *
 * RTC_TEST_FAULT=17 in the environment runs the life of the 17th call alone, RTC_TEST_FAULT_TRACE=1
 * names each life on standard error as it begins, RTC_TEST_FAULT_STRIDE=5 takes every fifth call of
 * all sweeps. Asserts with cmocka. */
#ifndef RTC_TEST_FAULTS_SWEEP_H
#define RTC_TEST_FAULTS_SWEEP_H

#include "faults/seam.h"

typedef struct Sweep {
  FaultPlan plan; /* its first is the sweep's to set */
  size_t stride;  /* every so many-th call only; 0: as 1 */
  bool may_leak;  /* a library that is not ours does */
  /* One life under this plan: arms, disarms, and checks what it can see itself. */
  FaultCount (*live)(const FaultPlan *plan, void *arg);
  void *arg; /* borrowed */
} Sweep;

/* Runs it, and prints a line: how many calls a life has, and how many lives there were. Where this
 * build can't make the calls fail, the line says so. */
void faults_sweep(const Sweep *sweep);

#endif
