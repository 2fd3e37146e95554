/* The matrix of endings as a table of what was observed: a row a moment, a column an ending. */
#include "support/endings_matrix.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Appends to a text that is cut where it is full. */
__attribute__((format(printf, 3, 4))) static void append(char *text, size_t cap, const char *format,
                                                         ...) {
  size_t used = strlen(text);
  va_list args;
  va_start(args, format);
  vsnprintf(text + used, cap - used, format, args);
  va_end(args);
}

static void append_tcp_reasons(const EndingsCell *cell, char *text, size_t cap) {
  const char *before = "";
  for (unsigned reason = 0; reason < RTC_TCP_CLOSE_COUNT; reason++) {
    for (uint64_t i = 0; i < cell->figures.tcp_closes[reason]; i++) {
      append(text, cap, "%s%s", before, rtc_tcp_close_name((RtcTcpClose)reason));
      before = " ";
    }
  }
}

void endings_describe(const EndingsCell *cell, char text[ENDINGS_TEXT_MAX]) {
  text[0] = '\0';
  for (size_t i = 0; i < cell->state_count; i++)
    append(text, ENDINGS_TEXT_MAX, "%s ", rtc_connection_state_name(cell->states[i]));
  append(text, ENDINGS_TEXT_MAX, "(%s), TCP ", rtc_close_name(cell->reason));
  append_tcp_reasons(cell, text, ENDINGS_TEXT_MAX);
}

/* The reason that it was CLOSED for, or the state that it was left in; then the TCP conns'. */
static void write_cell(const EndingsCell *cell, char text[ENDINGS_TEXT_MAX]) {
  text[0] = '\0';
  if (!cell) {
    append(text, ENDINGS_TEXT_MAX, "-");
    return;
  }
  if (!cell->passed)
    append(text, ENDINGS_TEXT_MAX, "FAIL ");
  if (cell->state_count == 0)
    return;
  if (cell->has_gone_on)
    append(text, ENDINGS_TEXT_MAX, "=%s", rtc_connection_state_name(cell->left_in));
  else
    append(text, ENDINGS_TEXT_MAX, "%s", rtc_close_name(cell->reason));
  append(text, ENDINGS_TEXT_MAX, " / ");
  append_tcp_reasons(cell, text, ENDINGS_TEXT_MAX);
}

static const EndingsCell *find(const EndingsCell *cells, size_t count, Ending ending,
                               Moment moment) {
  for (size_t i = 0; i < count; i++)
    if (cells[i].ending == ending && cells[i].moment == moment)
      return &cells[i];
  return NULL;
}

/* The width of an ending's column; 0: it has no cells. */
static int width_of(const EndingsCell *cells, size_t count, Ending ending) {
  char text[ENDINGS_TEXT_MAX];
  size_t width = 0;
  for (size_t i = 0; i < count; i++) {
    if (cells[i].ending != ending)
      continue;
    write_cell(&cells[i], text);
    width = strlen(text) > width ? strlen(text) : width;
  }
  size_t title = strlen(ending_name(ending));
  return width == 0 ? 0 : (int)(title > width ? title : width);
}

static int width_of_moments(void) {
  size_t width = 0;
  for (Moment moment = 0; moment < MOMENT_COUNT; moment++)
    width = strlen(moment_name(moment)) > width ? strlen(moment_name(moment)) : width;
  return (int)width;
}

static void write_table(FILE *file, const EndingsCell *cells, size_t count) {
  char text[ENDINGS_TEXT_MAX];
  int widths[ENDING_COUNT];
  fputs("\nWhy CLOSED, or =the state that the session goes on in / why the TCP conns ended\n",
        file);
  fprintf(file, "%-*s", width_of_moments(), "");
  for (Ending ending = 0; ending < ENDING_COUNT; ending++) {
    widths[ending] = width_of(cells, count, ending);
    if (widths[ending])
      fprintf(file, " | %-*s", widths[ending], ending_name(ending));
  }
  for (Moment moment = 0; moment < MOMENT_COUNT; moment++) {
    fprintf(file, "\n%-*s", width_of_moments(), moment_name(moment));
    for (Ending ending = 0; ending < ENDING_COUNT; ending++) {
      if (!widths[ending])
        continue;
      write_cell(find(cells, count, ending, moment), text);
      fprintf(file, " | %-*s", widths[ending], text);
    }
  }
  fputc('\n', file);
}

/* In one piece: other programs may append theirs. */
int endings_tell(const char *path, const EndingsCell *cells, size_t count) {
  char *table = NULL;
  size_t len = 0;
  FILE *memory = open_memstream(&table, &len);
  FILE *file = fopen(path, "a");
  if (memory) {
    write_table(memory, cells, count);
    fclose(memory);
  }
  bool written = memory && file && fwrite(table, 1, len, file) == len;
  if (file)
    written = fclose(file) == 0 && written;
  free(table);
  return written ? 0 : -1;
}
