// What is published: the camera and the microphone, or else what drawn.js makes.

import { DrawnMedia, FRAME_RATE } from './drawn.js';

const CAMERA = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: FRAME_RATE } };

async function openCamera(audio) {
  const stream = await navigator.mediaDevices.getUserMedia({ video: CAMERA, audio });
  return { stream, close: () => stream.getTracks().forEach((track) => track.stop()) };
}

function whyNoCamera(error) {
  if (!navigator.mediaDevices) return 'Browsers give a camera to https and localhost pages only';
  if (error.name === 'NotAllowedError') return 'The camera was not permitted';
  if (error.name === 'NotFoundError') return 'No camera was found';
  if (error.name === 'NotReadableError') return 'The camera is in use elsewhere';
  return `The camera can't be opened (${error.name})`;
}

/* What is published: { stream, close(), notice }. */
export async function openMedia(source, name) {
  if (source === 'drawn') return Object.assign(new DrawnMedia(name), { notice: '' });
  try {
    return { ...await openCamera(true), notice: '' };
  } catch (error) {
    if (error.name === 'NotFoundError') {
      const silent = await openCamera(false).catch(() => null);
      if (silent) return { ...silent, notice: 'No microphone was found: there is no sound.' };
    }
    return Object.assign(new DrawnMedia(name), {
      notice: `${whyNoCamera(error)}: a drawn picture with a tone is published instead.`,
    });
  }
}

/* One codec only, so that what was chosen is what is sent. */
export function preferCodec(transceiver, mimeType) {
  const kept = RTCRtpSender.getCapabilities('video').codecs
    .filter((codec) => codec.mimeType === mimeType || codec.mimeType === 'video/rtx');
  transceiver.setCodecPreferences(kept);
}
