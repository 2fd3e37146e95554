/* A host that uses libsrtp2 itself: whoever comes first initialises it, and the other does not
 * mind. A program of its own, because a process can try this once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/host.h"

#include <srtp2/srtp.h>

/* srtp_init refuses a second call; a session must connect all the same. */
static void session_connects_where_the_host_began_libsrtp(void **state) {
  host_assert_media_flows(host_open_connected(*state, NULL));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(session_connects_where_the_host_began_libsrtp, host_setup,
                                      host_teardown),
  };
  if (srtp_init() != srtp_err_status_ok)
    return 1;
  return cmocka_run_group_tests_name("beside libsrtp", tests, NULL, NULL);
}
