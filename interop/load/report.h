/* What a run has measured: as a table for people, or as one JSON object. */
#ifndef LOAD_REPORT_H
#define LOAD_REPORT_H

#include "result.h"

#include <stdio.h>

void report_table(const Result *result, FILE *out);

/* false: no memory; nothing is written. */
bool report_json(const Result *result, FILE *out);

#endif
