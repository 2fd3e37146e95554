/* The endings that a host brings about, and those that a session goes on after: each at every
 * moment of a session's life. */
#include "support/endings.h"

int main(void) {
  static const Ending endings[] = {ENDING_HOST_CONNECTION, ENDING_HOST_TCP_CONN, ENDING_SECOND_CONN,
                                   ENDING_ICE_RESTART};
  return endings_run("endings: host", endings, sizeof endings / sizeof *endings);
}
