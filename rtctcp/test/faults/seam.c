/* The seam's plans: which call of which thread is to fail. */
#include "faults/seam.h"

#include <errno.h>

static _Thread_local struct {
  bool armed;
  FaultPlan plan;
  FaultCount count;
} here;

void faults_arm(const FaultPlan *plan) {
  here.plan = *plan;
  here.count = (FaultCount){0};
  here.armed = true;
}

FaultCount faults_count(void) {
  return here.count;
}

FaultCount faults_disarm(void) {
  here.armed = false;
  return here.count;
}

bool faults_watch(FaultPoint point) {
  return here.armed && here.plan.point == point;
}

int faults_take(FaultPoint point) {
  if (!here.armed || here.plan.point != point)
    return 0;
  size_t first = here.plan.first;
  size_t times = here.plan.times ? here.plan.times : 1;
  size_t call = ++here.count.calls;
  if (first == 0 || call < first || call - first >= times)
    return 0;
  here.count.hits++;
  return here.plan.error ? here.plan.error : ENOMEM;
}

const char *faults_name(FaultPoint point) {
  static const char *const names[] = {
#define FAULT_POINT_NAME(name, text) text,
      FAULT_POINT_MAP(FAULT_POINT_NAME)
#undef FAULT_POINT_NAME
  };
  return names[point];
}
