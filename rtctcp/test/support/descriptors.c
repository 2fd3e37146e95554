/* Counts this process's open descriptors. */
#include "support/descriptors.h"

#include <dirent.h>

size_t descriptors_open(void) {
  DIR *dir = opendir("/proc/self/fd");
  if (!dir)
    return 0;
  size_t count = 0;
  while (readdir(dir))
    count++;
  closedir(dir);
  return count - 3; /* ".", "..", and the one that was read here */
}
