// The page's script: begins the two panels, with the name that the address asks for.

import { showWatchLink } from './name.js';
import { PlayPanel } from './play.js';
import { PublishPanel } from './publish.js';
import { $ } from './util.js';

function main() {
  window.rtctcp = {};
  const panels = [new PublishPanel(), new PlayPanel()];
  const asked = new URLSearchParams(location.search);
  const name = asked.get('play') ?? asked.get('publish');
  if (name) $('#stream').value = name;
  document.body.classList.toggle('watching', asked.has('play'));
  $('#stream').oninput = showWatchLink;
  showWatchLink();
  if (asked.has('play')) $('#play').focus({ focusVisible: false });
  window.addEventListener('pagehide', () => panels.forEach((panel) => panel.stop()));
}

main();
