/* Counts the open descriptors of the process, to find one that leaked. */
#include "support/descriptors.h"

#include <fcntl.h>

/* More than any test opens at once, of what a soft limit usually allows. */
#define DESCRIPTOR_END 4096

/* Each number is asked for by itself: a directory stream on /proc would take a descriptor, whose
 * number libuv may have closed behind ThreadSanitizer's back on another thread. */
size_t descriptors_open(void) {
  size_t count = 0;
  for (int fd = 0; fd < DESCRIPTOR_END; fd++)
    if (fcntl(fd, F_GETFD) >= 0)
      count++;
  return count;
}
