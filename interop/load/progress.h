/* A line on standard error each second, so that one sees that it goes on. */
#ifndef LOAD_PROGRESS_H
#define LOAD_PROGRESS_H

#include "run.h"

/* When a second has gone by since the last one, and it is wanted. */
void progress_tell(Run *run);

#endif
