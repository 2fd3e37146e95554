/* The ending that time brings about, at every moment of a session's life. */
#include "support/endings.h"

int main(void) {
  static const Ending endings[] = {ENDING_SILENCE};
  return endings_run("endings: silence", endings, sizeof endings / sizeof *endings);
}
