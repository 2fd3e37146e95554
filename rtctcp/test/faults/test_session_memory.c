/* A session without memory: each allocation of its whole life fails in turn, whoever makes it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "faults/rig.h"

static const RigVerdict no_memory = {
    .closes = RIG_BIT(RTC_CLOSE_NO_MEMORY),
    .errors = RIG_BIT(RTC_ERROR_NO_MEMORY),
};

/* The library's own: each, but under TSan and Valgrind. */
static size_t own_stride(void) {
  return 1 + faults_slowness() / 10;
}

static void each_allocation_of_the_library_may_fail(void **state) {
  const FaultPlan plan = {.point = FAULT_MEMORY};
  rig_sweep(*state, &plan, own_stride(), &no_memory);
}

static void each_allocation_of_libuv_may_fail(void **state) {
  const FaultPlan plan = {.point = FAULT_MEMORY_LIBUV};
  rig_sweep(*state, &plan, 1, &no_memory);
}

static void each_allocation_of_openssl_may_fail(void **state) {
  const FaultPlan plan = {.point = FAULT_MEMORY_OPENSSL};
  rig_sweep(*state, &plan, faults_slowness(), &no_memory);
}

static void each_allocation_of_libsrtp_may_fail(void **state) {
  const FaultPlan plan = {.point = FAULT_MEMORY_LIBSRTP};
  rig_sweep(*state, &plan, 1, &no_memory);
}

/* NSS 3.87, and libsrtp2's use of it, lose what they had made when they can't go on. */
static void each_allocation_of_nss_may_fail(void **state) {
  const FaultPlan plan = {.point = FAULT_MEMORY_NSS};
  RigVerdict verdict = no_memory;
  verdict.may_leak = true;
  rig_sweep(*state, &plan, 3, &verdict);
}

/* From one on all fail until the session has ended: the way out needs none. */
static void all_allocations_of_the_library_may_fail(void **state) {
  const FaultPlan plan = {.point = FAULT_MEMORY, .times = FAULT_FOR_EVER};
  rig_sweep(*state, &plan, own_stride(), &no_memory);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(each_allocation_of_the_library_may_fail, rig_setup,
                                      rig_teardown),
      cmocka_unit_test_setup_teardown(all_allocations_of_the_library_may_fail, rig_setup,
                                      rig_teardown),
      cmocka_unit_test_setup_teardown(each_allocation_of_libuv_may_fail, rig_setup, rig_teardown),
      cmocka_unit_test_setup_teardown(each_allocation_of_openssl_may_fail, rig_setup, rig_teardown),
      cmocka_unit_test_setup_teardown(each_allocation_of_libsrtp_may_fail, rig_setup, rig_teardown),
      cmocka_unit_test_setup_teardown(each_allocation_of_nss_may_fail, rig_setup, rig_teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
