// What the page's modules share: finding elements, quoting names.

export const $ = (selector, root = document) => root.querySelector(selector);
export const quoted = (name) => `“${name}”`;
