/* The endings that a peer brings about: each at every moment of a session's life. */
#include "support/endings.h"

int main(void) {
  static const Ending endings[] = {ENDING_CLOSE_NOTIFY, ENDING_FATAL_ALERT, ENDING_FIN, ENDING_RST,
                                   ENDING_HALF_CLOSE};
  return endings_run("endings: peer", endings, sizeof endings / sizeof *endings);
}
