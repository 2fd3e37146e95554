#!/usr/bin/env bash
# Writes a file as C source: the symbol page_NAME holds its octets, page_NAME_len their number.
# Every other character than a letter or a digit becomes an underscore: index.html, page_index_html.
set -euo pipefail

if [ $# -ne 1 ] || [ ! -f "$1" ]; then
  echo "usage: embed.sh FILE > SOURCE.c" >&2
  exit 2
fi

symbol=page_$(basename -- "$1" | tr -c 'A-Za-z0-9\n' _)
len=$(wc -c <"$1")

cat <<EOF
/* Made from $(basename -- "$1"). */
extern const unsigned char $symbol[];
extern const unsigned long ${symbol}_len;

const unsigned char $symbol[] = {
EOF
od -An -v -tx1 -- "$1" | sed 's/ \([0-9a-f][0-9a-f]\)/0x\1,/g'
# The NUL is not of the length. It lets a text be printed, and keeps an empty file valid C.
cat <<EOF
0x00};
const unsigned long ${symbol}_len = $len;
EOF
