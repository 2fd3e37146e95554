// The stream's name: the field it is typed in, and the link that plays it.

import { $ } from './util.js';

const STREAM_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/* The name in the field, or null, and then the field says that it can't be used. */
export function readStreamName() {
  const field = $('#stream');
  const name = field.value.trim();
  const usable = STREAM_NAME.test(name);
  field.setAttribute('aria-invalid', String(!usable));
  if (!usable) field.focus();
  return usable ? name : null;
}

/* Follows what is typed. A name that can't be used has no link. */
export function showWatchLink() {
  const name = $('#stream').value.trim();
  const usable = STREAM_NAME.test(name);
  const url = new URL(`./?play=${encodeURIComponent(name)}`, document.baseURI);
  $('#watch-link').href = url.href;
  $('#watch-url').textContent = url.href;
  $('#share').classList.toggle('without', !usable);
  if (usable) $('#stream').setAttribute('aria-invalid', 'false');
}
