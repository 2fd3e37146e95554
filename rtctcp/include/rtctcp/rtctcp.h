/* rtctcp: WebRTC over TCP for RTC servers. This header brings all of the public API.
 *
 * Unless a declaration says otherwise: pointers are borrowed for the call and not NULL, lengths are
 * octets, text is UTF-8 and ends in a NUL, out-parameters are written on success only, a call
 * belongs on its worker's thread, and no call yields or blocks. */
#ifndef RTCTCP_RTCTCP_H
#define RTCTCP_RTCTCP_H

#include <rtctcp/connection.h>
#include <rtctcp/debug.h>
#include <rtctcp/error.h>
#include <rtctcp/log.h>
#include <rtctcp/packet.h>
#include <rtctcp/sdp.h>
#include <rtctcp/server.h>
#include <rtctcp/source.h>
#include <rtctcp/tcp_conn.h>
#include <rtctcp/version.h>
#include <rtctcp/worker.h>

#endif
