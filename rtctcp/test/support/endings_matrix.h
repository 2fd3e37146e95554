/* The matrix of endings as a table of what was observed. */
#ifndef RTC_TEST_ENDINGS_MATRIX_H
#define RTC_TEST_ENDINGS_MATRIX_H

#include "support/endings.h"

#define ENDINGS_TEXT_MAX 256

/* All of a cell in a line: states, reason, TCP reasons. */
void endings_describe(const EndingsCell *cell, char text[ENDINGS_TEXT_MAX]);

/* Appends the table to the file at path. returns 0; -1: it can't be written */
int endings_tell(const char *path, const EndingsCell *cells, size_t count);

#endif
