/* The endings that the server brings about: each at every moment of a session's life. */
#include "support/endings.h"

int main(void) {
  static const Ending endings[] = {ENDING_WORKER_STOP, ENDING_SERVER_CLOSE, ENDING_SERVER_DRAIN};
  return endings_run("endings: server", endings, sizeof endings / sizeof *endings);
}
